import type { JobHandler } from '#jobs/index.ts';
import { workHandler, workKind } from './beyond/work-jobs.ts';
import type { DatasetParts } from './deps.ts';
import { eraseHandler, eraseKind } from './erase.ts';
import {
  exportHandler,
  exportKind,
  freeArchivesHandler,
  freeArchivesKind,
  sweepArchivesHandler,
  sweepArchivesKind,
} from './export/job.ts';
import { freeChunksHandler, freeChunksKind } from './free-chunks.ts';
import { snapshotJob, snapshotKind } from './snapshot.ts';

/** Jobs of this family by kind, for the worker. */
export const datasetJobs = (parts: DatasetParts): Record<string, JobHandler> => ({
  [snapshotKind]: snapshotJob(parts),
  [freeChunksKind]: freeChunksHandler(parts),
  [exportKind]: exportHandler(parts),
  [workKind]: workHandler(parts),
  [eraseKind]: eraseHandler(parts),
  [freeArchivesKind]: freeArchivesHandler(parts),
  [sweepArchivesKind]: sweepArchivesHandler(parts),
});

/** Jobs of this family that are due again and again. */
export const datasetPeriodicJobs = [
  { kind: sweepArchivesKind, everyMs: 24 * 3_600_000 },
  { kind: eraseKind, everyMs: 3_600_000 },
];
