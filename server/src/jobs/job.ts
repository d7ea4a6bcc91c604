import type { Claimed, Tx } from '#store/postgres/index.ts';

/** One piece of work as its handler sees it. `attempts` counts this one; `crashes` those that ended with the process. */
export type Job<Payload = Claimed> = {
  id: number;
  kind: string;
  key: string | null;
  payload: Payload;
  appKey: number | null;
  attempts: number;
  maxAttempts: number;
  crashes: number;
  createdAt: Date;
};

/** What a handler may do beside its work. */
export type JobContext = {
  /** Aborted when the lease was lost or the process must end now: stop, nothing more will be kept. */
  signal: AbortSignal;
  /**
   * Marks a job done inside the handler's own transaction, so that effect and completion commit together.
   *
   * @returns false when the lease was lost and another worker has the job: roll back
   */
  finish(tx: Tx, job: Job): Promise<boolean>;
  /** As `finish` for several, but throws `LeaseLost` instead, which rolls the transaction back by itself. */
  complete(tx: Tx, jobs: readonly Job[]): Promise<void>;
  /** Marks one job of the batch as failed, to be tried again (or never, when `forGood`); the others go on. */
  fail(job: Job, error: unknown, options?: { forGood?: boolean }): void;
};

export type JobHandler<Payload = Claimed> = {
  /** Jobs handed to one run. Default 1. */
  batch?: number;
  /** Runs at the same time in this process. Default 1. */
  concurrency?: number;
  /** How long a run may be silent (its process dead) before others take the jobs. Default 30,000. */
  leaseMs?: number;
  /**
   * Does the work. It may run twice for one job, so it must notice what is already done.
   *
   * Jobs that it neither finished nor failed are done when it returns and failed when it throws.
   */
  run(jobs: Job<Payload>[], context: JobContext): Promise<void>;
  /** Called in the transaction that gives a job up. When it throws, the job is given up again later. */
  onDead?(job: Job<Payload>, error: string, tx: Tx): Promise<void>;
  /** Pause before the next attempt, in milliseconds. Default: 1 s doubling up to 5 min, with jitter. */
  retryDelayMs?(attempts: number): number;
};

/** The lease was lost: another worker has the job, so nothing of this run may be kept. */
export class LeaseLost extends Error {
  override name = 'LeaseLost';
}

/** 1 s, 2 s, 4 s … up to 5 min, each between half and one and a half of that. */
export function defaultRetryDelayMs(attempts: number): number {
  return Math.min(1_000 * 2 ** (attempts - 1), 300_000) * (0.5 + Math.random());
}
