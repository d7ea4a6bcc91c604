import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue, type JobHandler, type NewJob } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import type { DatasetParts } from './deps.ts';
import { appsToErase, dropArchives, eraseSome, markDeleted, nextErasure } from './erase-store.ts';
import { freeArchivesJobs } from './export/job.ts';

export const eraseKind = 'datasets.eraseDeleted';
const inputsPerStep = 500;

const eraseJob = (appKey: number, runAt: Date): NewJob => ({
  kind: eraseKind,
  key: String(appKey),
  appKey,
  runAt,
  priority: -10,
});

/**
 * For the transaction that deletes inputs: no version shows them from its commit on, archives that hold them are
 * gone, and what versions keep of them is erased when `keptMs` are over.
 */
export async function deleteFromVersions(
  tx: Tx,
  grant: AppGrant,
  inputKeys: readonly number[],
  keptMs: number,
): Promise<void> {
  const versionKeys = await markDeleted(tx, grant, inputKeys);
  if (versionKeys.length === 0) return;
  await enqueue(tx, [
    ...freeArchivesJobs(await dropArchives(tx, versionKeys)),
    eraseJob(grant.appKey, new Date(Date.now() + keptMs)),
  ]);
}

/** Erases what is due, some inputs per transaction; without an app, in all of them. */
export const eraseHandler = (parts: DatasetParts): JobHandler<object> => ({
  async run(jobs, { signal }) {
    const { db, deletedKeptMs } = parts;
    const named = jobs.flatMap(({ appKey }) => appKey ?? []);
    const appKeys = named.length < jobs.length ? await appsToErase(db, deletedKeptMs) : named;
    for (const appKey of new Set(appKeys)) {
      for (let goesOn = true; goesOn; ) {
        signal.throwIfAborted();
        goesOn = await db.transaction(async (tx) => {
          const media = await eraseSome(tx, appKey, deletedKeptMs, inputsPerStep);
          if (media) await enqueue(tx, parts.freeingJobs(media));
          mayDie('versions-erased');
          return media !== undefined;
        });
      }
      const next = await nextErasure(db, appKey, deletedKeptMs);
      if (next) await db.transaction((tx) => enqueue(tx, eraseJob(appKey, next)));
    }
  },
});
