import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue, type JobHandler, type NewJob } from '#jobs/index.ts';
import { deleteUnusedChunks } from './chunk-store.ts';
import type { DatasetParts } from './deps.ts';

export const freeChunksKind = 'datasets.freeChunks';
const chunksPerStep = 20;

/** For the transaction that lets go of versions. */
export const freeChunksJob = (grant: AppGrant): NewJob => ({
  kind: freeChunksKind,
  key: String(grant.appKey),
  appKey: grant.appKey,
  priority: -10,
});

/** Deletes chunks that no version holds any more, some per transaction, and lets go of their media. */
export const freeChunksHandler = (parts: DatasetParts): JobHandler<object> => ({
  async run(jobs, { signal }) {
    for (const { appKey } of jobs) {
      if (appKey === null) continue;
      for (let goesOn = true; goesOn; ) {
        signal.throwIfAborted();
        goesOn = await parts.db.transaction(async (tx) => {
          const media = await deleteUnusedChunks(tx, appKey, chunksPerStep);
          if (media) await enqueue(tx, parts.freeingJobs(media));
          return media !== undefined;
        });
        mayDie('chunks-freed');
      }
    }
  },
});
