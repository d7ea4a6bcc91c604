import type { AppGrant } from '#domain/grant.ts';
import { enqueue } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import type { Db } from '#store/sql.ts';
import { annotationJobs, embedderJob, reindexStepJob } from './kinds.ts';
import { beginReindex } from './reindex-store.ts';
import { wholeVector } from './store.ts';
import { unpackVector } from './vector.ts';

export type { IndexingDeps } from './deps.ts';
export { askingForWalks, changeOf } from './embedder-change.ts';
export { indexingJobs } from './jobs.ts';
export { openPictureIndexer } from './picture-indexer.ts';
export { packVector, unpackVector } from './vector.ts';

/** Queues annotations that were made or whose place changed, in the transaction that did it. */
export const onAnnotated = (tx: Tx, grant: AppGrant, annotationKeys: readonly number[]): Promise<void> =>
  enqueue(tx, annotationJobs(grant, annotationKeys));

/** Queues a look at whether the app's embedder is another one now, in the transaction that may have changed it. */
export const onWorkflowChanged = (tx: Tx, grant: AppGrant): Promise<void> => enqueue(tx, embedderJob(grant));

/** Queues a walk over the app, in the transaction that changed its base workflow; one that runs begins anew. */
export const reindexApp = async (tx: Tx, grant: AppGrant): Promise<void> =>
  enqueue(tx, reindexStepJob(grant, await beginReindex(tx, grant)));

/** The vector of a whole input by one model version, of length one; undefined where it was not embedded. */
export async function embeddingOf(
  db: Db,
  grant: AppGrant,
  inputKey: number,
  modelVersionKey: number,
): Promise<Float32Array | undefined> {
  const row = await wholeVector(db, grant, inputKey, modelVersionKey);
  return row && unpackVector(row.vector);
}
