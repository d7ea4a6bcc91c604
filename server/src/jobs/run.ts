import { isDatabaseAway } from '#domain/database-away.ts';
import { mayDie } from '#domain/failpoints.ts';
import type { Log } from '#store/log.ts';
import type { Database, Tx } from '#store/postgres/index.ts';
import { defaultRetryDelayMs, type Job, type JobContext, type JobHandler, LeaseLost } from './job.ts';
import { bury, finish, giveBack, type Lease, renew } from './leases.ts';

export type Means = { db: Database; log: Log };

export const defaultLeaseMs = 30_000;

/** After this many process deaths with the job running, the job is taken for their cause. */
export const crashesMax = 5;

/**
 * A job that lost the database is hardly to blame, so it gets this many times its tries, with short pauses.
 * There is an end nevertheless: its own statement may be what brings the database down.
 */
const triesWithoutDatabase = 5;
const shortPauses = 4;

/**
 * Runs a handler over the jobs of a lease and settles each: done, again later, or given up.
 *
 * @returns the shortest pause after which one of them is due again, or undefined
 */
export async function runLease(means: Means, handler: JobHandler, lease: Lease, ending: AbortSignal) {
  const leaseMs = handler.leaseMs ?? defaultLeaseMs;
  const open = new Map(lease.jobs.map((job) => [job.id, job]));
  const failed = new Map<number, { error: unknown; forGood: boolean }>();
  const lost = new AbortController();
  const stopBeating = beat(means, lease.token, open, leaseMs, lost);
  const signal = AbortSignal.any([lost.signal, ending]);
  let thrown: unknown;
  try {
    await handler.run(lease.jobs, contextFor(lease, open, failed, signal));
    mayDie('jobs-worked');
  } catch (error) {
    thrown = error ?? new Error('the handler threw nothing');
  } finally {
    stopBeating();
  }
  // What a run throws because it was told to stop is no failure of its jobs.
  if (thrown instanceof LeaseLost || (thrown !== undefined && ending.aborted)) {
    for (const job of open.values()) await handBack(means.db, lease.token, job);
    return undefined;
  }
  return settle(means, handler, lease.token, open, (job) => {
    if (thrown === undefined) return failed.get(job.id);
    return failed.get(job.id) ?? { error: thrown, forGood: false };
  });
}

function contextFor(
  lease: Lease,
  open: Map<number, Job>,
  failed: Map<number, { error: unknown; forGood: boolean }>,
  signal: AbortSignal,
): JobContext {
  const finishAll = async (tx: Tx, jobs: readonly Job[]) => {
    const ids = jobs.map(({ id }) => id);
    const held = await finish(tx, lease.token, ids);
    tx.afterCommit(() => ids.forEach((id) => void open.delete(id)));
    return held.size === new Set(ids).size;
  };
  return {
    signal,
    finish: (tx, job) => finishAll(tx, [job]),
    async complete(tx, jobs) {
      if (!(await finishAll(tx, jobs))) throw new LeaseLost();
    },
    fail: (job, error, options) => void failed.set(job.id, { error, forGood: options?.forGood ?? false }),
  };
}

/** Renews the lease while the run lasts; aborts the run when it is lost or could not be renewed in time. */
function beat(
  { db, log }: Means,
  token: string,
  open: Map<number, Job>,
  leaseMs: number,
  lost: AbortController,
) {
  let renewedAtMs = performance.now();
  let busy = false;
  const timer = setInterval(async () => {
    if (performance.now() - renewedAtMs > leaseMs) lost.abort(new LeaseLost());
    if (busy || open.size === 0) return;
    busy = true;
    const askedAtMs = performance.now();
    const ids = [...open.keys()];
    try {
      const held = await renew(db, token, ids, leaseMs);
      // A job finished meanwhile is missing too, but no longer open.
      if (ids.some((id) => open.has(id) && !held.has(id))) lost.abort(new LeaseLost());
      renewedAtMs = askedAtMs;
    } catch (error) {
      log.warn({ error: String(error) }, 'a job lease could not be renewed');
    } finally {
      busy = false;
    }
  }, leaseMs / 3);
  return () => clearInterval(timer);
}

async function settle(
  means: Means,
  handler: JobHandler,
  token: string,
  open: Map<number, Job>,
  failureOf: (job: Job) => { error: unknown; forGood: boolean } | undefined,
): Promise<number | undefined> {
  const jobs = [...open.values()];
  const done = jobs.filter((job) => failureOf(job) === undefined).map(({ id }) => id);
  if (done.length > 0) await finish(means.db, token, done);
  let soonestMs: number | undefined;
  for (const job of jobs) {
    const failure = failureOf(job);
    if (failure === undefined) continue;
    const delayMs = await settleFailure(means, handler, token, job, failure);
    if (delayMs !== undefined) soonestMs = Math.min(soonestMs ?? Number.POSITIVE_INFINITY, delayMs);
  }
  return soonestMs;
}

async function settleFailure(
  means: Means,
  handler: JobHandler,
  token: string,
  job: Job,
  { error, forGood }: { error: unknown; forGood: boolean },
): Promise<number | undefined> {
  const words = wordsOf(error);
  const fields = { kind: job.kind, id: job.id, attempt: job.attempts, of: job.maxAttempts, error: words };
  const isCutOff = isDatabaseAway(error);
  const attemptsMost = isCutOff ? triesWithoutDatabase * job.maxAttempts : job.maxAttempts;
  if (forGood || job.attempts >= attemptsMost) {
    means.log.error(fields, 'a job failed for good');
    await giveUp(means.db, handler, token, job, words);
    return undefined;
  }
  means.log.warn(fields, 'a job failed and will be tried again');
  const pauses = isCutOff ? Math.min(job.attempts, shortPauses) : job.attempts;
  const delayMs = Math.round((handler.retryDelayMs ?? defaultRetryDelayMs)(pauses));
  await giveBack(means.db, token, job, {
    error: words,
    delayMs,
    attempts: job.attempts,
    crashes: job.crashes,
  });
  return delayMs;
}

/**
 * Settles a job of a run that could not be settled when it ended.
 *
 * @returns the pause after which it is due again, or undefined
 */
export const settleLost = (
  means: Means,
  handler: JobHandler,
  token: string,
  job: Job,
  error: unknown,
): Promise<number | undefined> => settleFailure(means, handler, token, job, { error, forGood: false });

async function giveUp(
  db: Database,
  handler: JobHandler,
  token: string,
  job: Job,
  words: string,
): Promise<void> {
  await db.transaction(async (tx) => {
    if (await bury(tx, token, job, words)) await handler.onDead?.(job, words, tx);
  });
}

/** Decides about jobs whose process died: again at once the first time, later when it goes on, given up in the end. */
export async function settleCrashed(
  means: Means,
  handlers: Record<string, JobHandler>,
  lease: Lease,
): Promise<void> {
  for (const job of lease.jobs) {
    try {
      await settleCrash(means, handlers[job.kind] as JobHandler, lease.token, job);
    } catch (error) {
      // Still leased to us: it comes up again when that runs out, and holds up no other job.
      means.log.error({ kind: job.kind, id: job.id, error: wordsOf(error) }, 'a job could not be taken back');
    }
  }
}

async function settleCrash({ db, log }: Means, handler: JobHandler, token: string, job: Job): Promise<void> {
  const crashes = job.crashes + 1;
  if (crashes >= crashesMax) {
    const words = `the process running it ended ${crashes} times`;
    log.error({ kind: job.kind, id: job.id }, `a job is given up: ${words}`);
    return giveUp(db, handler, token, job, words);
  }
  const delayMs = crashes === 1 ? 0 : 500 * 2 ** (crashes - 1) * (0.5 + Math.random());
  // Its attempt ended with the process, not by its own failure; `crashes` counts it instead.
  const attempts = Math.max(0, job.attempts - 1);
  await giveBack(db, token, job, { error: 'the process running it ended', delayMs, attempts, crashes });
}

/** Hands a job on that was not to blame: somebody else may have it at once, and it costs no attempt. */
export async function handBack(db: Database, token: string, job: Job): Promise<void> {
  const { attempts, crashes } = job;
  await giveBack(db, token, job, { delayMs: 0, attempts: attempts - 1, crashes }).catch(() => {});
}

const wordsMax = 2_000;

function wordsOf(error: unknown): string {
  return (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).slice(0, wordsMax);
}
