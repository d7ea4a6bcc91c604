import type { JobHandler } from '#jobs/index.ts';
import type { DatasetParts } from './deps.ts';
import { freeChunksHandler, freeChunksKind } from './free-chunks.ts';
import { snapshotJob, snapshotKind } from './snapshot.ts';

export const datasetJobs = (parts: DatasetParts): Record<string, JobHandler> => ({
  [snapshotKind]: snapshotJob(parts),
  [freeChunksKind]: freeChunksHandler(parts),
});
