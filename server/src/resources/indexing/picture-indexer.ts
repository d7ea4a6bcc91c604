import { enqueue } from '#jobs/index.ts';
import type { PictureIndexer } from '../inputs/index.ts';
import type { IndexingDeps } from './deps.ts';
import { annotationJobs, workflowKind } from './kinds.ts';
import { inputLevelKeys, putEmbeddings } from './store.ts';
import { packVector } from './vector.ts';

interface PreparedVector {
  readonly modelVersionKey: number;
  readonly vector: Buffer;
}

/** Embeds pictures while they are processed; their rows commit with their status. */
export function openPictureIndexer(deps: IndexingDeps): PictureIndexer {
  return {
    async prepare(grant, bytes, signal) {
      const embedder = await deps.baseEmbedderOf(deps.db, grant);
      if (!embedder) return undefined;
      const vector = await deps.engine.embed(embedder.builtin, { bytes }, { background: true, signal });
      return {
        modelVersionKey: embedder.modelVersionKey,
        vector: packVector(vector),
      } satisfies PreparedVector;
    },

    async store(tx, grant, items) {
      const annotationKeys = new Map(
        (
          await inputLevelKeys(
            tx,
            grant,
            items.map(({ inputKey }) => inputKey),
          )
        ).map((row) => [row.inputKey, row.annotationKey]),
      );
      const embeddings = items.flatMap(({ inputKey, indexed }) => {
        const annotationKey = annotationKeys.get(inputKey);
        return annotationKey === undefined
          ? []
          : [{ inputKey, annotationKey, ...(indexed as PreparedVector) }];
      });
      await putEmbeddings(tx, grant, embeddings);
      // The base workflow may have changed while these were computed; then they are made again with the new one.
      const now = await deps.baseEmbedderOf(tx, grant);
      const late = embeddings.filter(({ modelVersionKey }) => now && modelVersionKey !== now.modelVersionKey);
      await enqueue(
        tx,
        annotationJobs(
          grant,
          late.map(({ annotationKey }) => annotationKey),
        ),
      );
      if (deps.runBaseWorkflow && items.length > 0) {
        await enqueue(tx, {
          kind: workflowKind,
          payload: { inputKeys: items.map(({ inputKey }) => inputKey) },
          appKey: grant.appKey,
          priority: -5,
        });
      }
    },
  };
}
