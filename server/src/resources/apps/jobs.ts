import { mayDie } from '#domain/failpoints.ts';
import type { JobHandler } from '#jobs/index.ts';
import type { Database } from '#store/postgres/index.ts';
import { purgeApp, purgeInputs } from './store.ts';

export const purgeKind = 'apps.purge';
const chunk = 2_000;

/** Removes what a deleted app held, a chunk per transaction; run again, it goes on where it stopped. */
export function appJobs(db: Database): Record<string, JobHandler<{ appKey: number }>> {
  return {
    [purgeKind]: {
      async run([job], context) {
        if (!job) return;
        while ((await purgeInputs(db, job.payload.appKey, chunk)) > 0) {
          mayDie('purge-inputs');
          context.signal.throwIfAborted();
        }
        mayDie('purge-app');
        await purgeApp(db, job.payload.appKey);
      },
    },
  };
}
