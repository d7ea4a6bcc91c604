import { mayDie } from '#domain/failpoints.ts';
import type { JobHandler } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import { type DuplicationParts, duplicationHandler, duplicationKind } from './duplication/job.ts';
import { purgeApp, purgeInputs } from './store.ts';

export const purgeKind = 'apps.purge';
const chunk = 2_000;

/** Removes what a deleted app held, a chunk per transaction; run again, it goes on where it stopped. */
export function appJobs(
  parts: DuplicationParts & {
    /** For the transaction in which an app's rows go: what it owns outside the database is to be freed. */
    readonly onPurge: (tx: Tx, appKey: number) => Promise<void>;
  },
): Record<string, JobHandler> {
  const { db } = parts;
  return {
    [duplicationKind]: duplicationHandler(parts),
    [purgeKind]: {
      async run([job], context) {
        if (!job) return;
        while ((await purgeInputs(db, job.payload.appKey, chunk)) > 0) {
          mayDie('purge-inputs');
          context.signal.throwIfAborted();
        }
        mayDie('purge-app');
        await db.transaction(async (tx) => {
          await parts.onPurge(tx, job.payload.appKey);
          await purgeApp(tx, job.payload.appKey);
        });
      },
    },
  };
}
