import { mayDie } from '#domain/failpoints.ts';
import type { Queryable } from '#store/postgres/index.ts';

export type NewJob = {
  kind: string;
  payload?: object;
  /** Names the work: while a job with this kind and key waits, it is changed instead of adding another. */
  key?: string;
  runAt?: Date;
  /** Larger runs first, -32768..32767. Default 0. */
  priority?: number;
  /** Default 5. */
  maxAttempts?: number;
  appKey?: number | bigint;
};

export const jobsChannel = 'fovea_jobs';

// A waiting twin is updated, not skipped: the update locks it until our commit, so that nobody runs it before
// the change that we ask it to look at is visible.
const insertText = `
insert into jobs (kind, key, payload, app_key, priority, run_at, max_attempts)
select kind, key, coalesce(payload, '{}'), app_key, coalesce(priority, 0), coalesce(run_at, now()), coalesce(max_attempts, 5)
from rows from (jsonb_to_recordset($1::jsonb) as (
  kind text, key text, payload jsonb, app_key bigint, priority smallint, run_at timestamptz, max_attempts integer
)) with ordinality as wanted (kind, key, payload, app_key, priority, run_at, max_attempts, place)
order by place
on conflict (kind, key) where state = 'waiting' and key is not null
do update set payload = excluded.payload, run_at = least(jobs.run_at, excluded.run_at),
  priority = greatest(jobs.priority, excluded.priority), attempts = 0`;

/**
 * Puts jobs into the queue, in the caller's transaction: they exist if and only if it commits.
 *
 * Locks the waiting jobs of the same keys until then, in one order for all callers.
 */
export async function enqueue(tx: Queryable, wanted: NewJob | readonly NewJob[]): Promise<void> {
  const jobs = oncePerKey(Array.isArray(wanted) ? wanted : [wanted]);
  if (jobs.length === 0) return;
  const rows = jobs.map(({ kind, key, payload, appKey, priority, runAt, maxAttempts }) => ({
    kind,
    key,
    payload,
    app_key: appKey === undefined ? undefined : String(appKey),
    priority,
    run_at: runAt?.toISOString(),
    max_attempts: maxAttempts,
  }));
  await tx.run({ name: 'fovea-jobs-enqueue', text: insertText }, [JSON.stringify(rows)]);
  mayDie('jobs-enqueued');
  for (const [kind, delayMs] of soonestByKind(jobs))
    tx.notify(jobsChannel, JSON.stringify({ kind, delayMs }));
}

/** One row cannot be updated twice by one statement, and locks are taken in one order to avoid deadlocks. */
function oncePerKey(jobs: readonly NewJob[]): NewJob[] {
  const byKey = new Map(
    jobs.map((job, index) => [job.key === undefined ? index : `${job.kind}\0${job.key}`, job]),
  );
  const order = ({ kind, key }: NewJob) => (key === undefined ? '' : `${kind}\0${key}`);
  return [...byKey.values()].sort((a, b) => (order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0));
}

function soonestByKind(jobs: readonly NewJob[]): Map<string, number> {
  const soonest = new Map<string, number>();
  for (const { kind, runAt } of jobs) {
    const delayMs = Math.max(0, (runAt?.getTime() ?? 0) - Date.now());
    soonest.set(kind, Math.min(soonest.get(kind) ?? Number.POSITIVE_INFINITY, delayMs));
  }
  return soonest;
}
