import type { JobHandler } from './job.ts';
import { giveBack, jobsOf } from './leases.ts';
import { type Means, settleLost } from './run.ts';

/** A lease that the database may hold for this process while nobody here runs its jobs. */
interface Stray {
  readonly untilMs: number;
  /** What kept a run from being settled; undefined where the jobs were asked for and nobody heard what came of it. */
  readonly error: unknown;
}

export type Strays = {
  /** @param leaseMs after which the lease has run out by itself */
  add(token: string, leaseMs: number, error?: unknown): void;
  /** Gives the jobs of all strays back, or up. Throws where the database cannot be reached; what is left is tried again. */
  takeBack(): Promise<void>;
};

/**
 * Leases that were lost from sight together with the database: the answer to a claim that never came, a run that could
 * not be settled. Without this their jobs would rest until the lease runs out, though the database is back at once.
 *
 * @param wake called for each kind that has jobs again, with the pause until the first is due
 */
export function openStrays(
  means: Means,
  handlers: Record<string, JobHandler>,
  wake: (kind: string, delayMs: number) => void,
): Strays {
  const strays = new Map<string, Stray>();

  async function takeBackOne(token: string, { error, untilMs }: Stray): Promise<void> {
    const jobs = await jobsOf(means.db, token);
    for (const job of jobs) {
      if (error === undefined) {
        // It never began, so it costs no attempt.
        const { attempts, crashes } = job;
        await giveBack(means.db, token, job, { delayMs: 0, attempts: attempts - 1, crashes });
        wake(job.kind, 0);
        continue;
      }
      const delayMs = await settleLost(means, handlers[job.kind] as JobHandler, token, job, error);
      if (delayMs !== undefined) wake(job.kind, delayMs);
    }
    // A claim whose connection broke on the way may still commit.
    if (jobs.length > 0 || error !== undefined || performance.now() > untilMs) strays.delete(token);
  }

  return {
    add: (token, leaseMs, error) => void strays.set(token, { untilMs: performance.now() + leaseMs, error }),
    async takeBack() {
      for (const [token, stray] of strays) await takeBackOne(token, stray);
    },
  };
}
