import { randomUUID } from 'node:crypto';
import { isArmed, mayDie } from '#domain/failpoints.ts';
import { codeOf, type Database, type Queryable, type Tx } from '#store/postgres/index.ts';
import type { Job } from './job.ts';

/** Jobs held by one run. The token fences: whoever comes back late with an old one changes nothing. */
export type Lease = { token: string; jobs: Job[] };

const columns = `id, kind, key, payload, app_key as "appKey", attempts, max_attempts as "maxAttempts", crashes,
  created_at as "createdAt"`;

// A job that was running when a process died may have killed it. It runs alone from then on, so that its
// neighbours in a batch do not die with it again and again.
const claimText = `
with fresh as materialized (
  select id from jobs where kind = $1 and state = 'waiting' and run_at <= now() and crashes = 0
  order by priority desc, run_at, id limit $2 for update skip locked
), suspect as materialized (
  select id from jobs where kind = $1 and state = 'waiting' and run_at <= now() and crashes > 0
    and not exists (select from fresh)
  order by priority desc, run_at, id limit 1 for update skip locked
)
update jobs set state = 'running', attempts = attempts + 1, lease_token = $3,
  lease_until = now() + $4 * interval '1 millisecond'
where id in (select id from fresh union all select id from suspect)
returning ${columns}`;

/** Takes up to `batch` due jobs of a kind. Waits for no lock. @param token of the caller's making, never used before */
export async function claim(
  db: Queryable,
  kind: string,
  batch: number,
  leaseMs: number,
  token: string,
): Promise<Lease> {
  const jobs = await db.run<Job>({ name: 'fovea-jobs-claim', text: claimText }, [
    kind,
    batch,
    token,
    leaseMs,
  ]);
  if (jobs.length > 0) mayDie('jobs-claimed');
  return { token, jobs: jobs.sort((a, b) => a.id - b.id) };
}

// Limit 1 keeps the planner from a join with all that waits.
const dueText = `select wanted.kind from unnest($1::text[]) as wanted (kind)
  cross join lateral (select from jobs where kind = wanted.kind and state = 'waiting' and run_at <= now() limit 1) due`;

/** Those of the kinds that have a job to be claimed. One look for all: a claim writes, even where it finds nothing. */
export async function dueKinds(db: Queryable, kinds: readonly string[]): Promise<string[]> {
  const rows = await db.run<{ kind: string }>({ name: 'fovea-jobs-due', text: dueText }, [kinds]);
  return rows.map(({ kind }) => kind);
}

/** The jobs that run under a lease, as the database sees it. */
export function jobsOf(db: Queryable, token: string): Promise<Job[]> {
  return db.query<Job>(
    `select ${columns} from jobs where state = 'running' and lease_token = $1 order by id`,
    [token],
  );
}

/** Keeps a lease alive; returns the ids that it still holds. */
export async function renew(
  db: Queryable,
  token: string,
  ids: number[],
  leaseMs: number,
): Promise<Set<number>> {
  const text = `update jobs set lease_until = now() + $3 * interval '1 millisecond'
    where id = any($1::bigint[]) and lease_token = $2 returning id`;
  const rows = await db.run<{ id: number }>({ name: 'fovea-jobs-renew', text }, [ids, token, leaseMs]);
  return new Set(rows.map(({ id }) => id));
}

/** Removes finished jobs; returns the ids that the lease still held. */
export async function finish(db: Queryable, token: string, ids: number[]): Promise<Set<number>> {
  const text = 'delete from jobs where id = any($1::bigint[]) and lease_token = $2 returning id';
  const rows = await db.run<{ id: number }>({ name: 'fovea-jobs-finish', text }, [ids, token]);
  mayDie('jobs-finished');
  if (isArmed('finish-without-fence')) return new Set(ids);
  return new Set(rows.map(({ id }) => id));
}

/** How a job leaves the running state without being done. */
export type Return = { error?: string; delayMs: number; attempts: number; crashes: number };

/**
 * Puts a running job back in line, unless another with its key waits already; then that one stands for both.
 *
 * @returns false when the lease was lost
 */
export async function giveBack(db: Database, token: string, job: Job, how: Return): Promise<boolean> {
  const text = `update jobs set state = 'waiting', lease_token = null, lease_until = null,
    run_at = now() + $3 * interval '1 millisecond', last_error = coalesce($4, last_error), attempts = $5, crashes = $6
    where id = $1 and lease_token = $2 returning id`;
  const values = [job.id, token, how.delayMs, how.error, how.attempts, how.crashes];
  try {
    const isHeld = (await db.query(text, values)).length > 0;
    mayDie('jobs-given-back');
    return isHeld;
  } catch (error) {
    if (codeOf(error) !== '23505') throw error;
    return (await finish(db, token, [job.id])).size > 0;
  }
}

/** Gives a job up. Returns false when the lease was lost. */
export async function bury(tx: Tx, token: string, job: Job, error: string): Promise<boolean> {
  const text = `update jobs set state = 'dead', lease_token = null, lease_until = null, last_error = $3
    where id = $1 and lease_token = $2 returning id`;
  return (await tx.query(text, [job.id, token, error])).length > 0;
}

/**
 * Takes over running jobs whose lease ran out (or all of them, when nobody else can be running any).
 *
 * They come back under a new lease, still running: the caller decides for each whether to give it back or up.
 */
export async function seize(
  db: Queryable,
  kinds: string[],
  everyone: boolean,
  leaseMs: number,
): Promise<Lease> {
  const token = randomUUID();
  const text = `update jobs set lease_token = $1, lease_until = now() + $4 * interval '1 millisecond'
    where id in (select id from jobs where state = 'running' and kind = any($2::text[]) and ($3 or lease_until < now())
      order by id limit $5 for update skip locked)
    returning ${columns}`;
  const jobs = await db.query<Job>(text, [token, kinds, everyone, leaseMs, everyone ? null : 100]);
  if (jobs.length > 0) mayDie('jobs-seized');
  return { token, jobs };
}
