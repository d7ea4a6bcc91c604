import type { AppGrant } from '#domain/grant.ts';
import { enqueue } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import type { PictureIndexer } from '../inputs/index.ts';
import type { BaseEmbedder, IndexingDeps } from './deps.ts';
import { annotationJobs, workflowKind } from './kinds.ts';
import { reindexCounts } from './reindex-store.ts';
import { hasBaseWorkflow, inputLevelKeys, putEmbeddings } from './store.ts';
import { packVector } from './vector.ts';
import { embedVideo, type IndexedFrame, storeVideoVectors } from './video.ts';

/** What is known of a picture or a video before it is committed; no vectors where the app has no embedder. */
interface Prepared {
  readonly vector?: Buffer;
  readonly frames?: readonly IndexedFrame[];
  readonly modelVersionKey?: number;
}

/** Embeds pictures while they are processed; their rows commit with their status. */
export function openPictureIndexer(deps: IndexingDeps): PictureIndexer {
  return {
    async prepare(grant, bytes, signal) {
      const embedder = await deps.baseEmbedderOf(deps.db, grant);
      if (!embedder) return {} satisfies Prepared;
      const vector = await deps.engine.embed(embedder.builtin, { bytes }, { background: true, signal });
      return {
        modelVersionKey: embedder.modelVersionKey,
        vector: packVector(vector),
      } satisfies Prepared;
    },

    async prepareVideo(grant, video, signal) {
      const embedder = await deps.baseEmbedderOf(deps.db, grant);
      if (!embedder) return {} satisfies Prepared;
      const frames = await embedVideo(deps, grant, embedder, video, signal);
      return { modelVersionKey: embedder.modelVersionKey, frames } satisfies Prepared;
    },

    reindexCounts,

    async store(tx, grant, items) {
      if (items.length === 0) return;
      const now = await deps.baseEmbedderOf(tx, grant);
      if (now || items.some(({ indexed }) => (indexed as Prepared).modelVersionKey !== undefined))
        await storeVectors(tx, grant, items, now);
      if (!deps.runBaseWorkflow || !(now || (await hasBaseWorkflow(tx, grant)))) return;
      await enqueue(tx, {
        kind: workflowKind,
        payload: { inputKeys: items.map(({ inputKey }) => inputKey) },
        appKey: grant.appKey,
        priority: -5,
      });
    },
  };
}

async function storeVectors(
  tx: Tx,
  grant: AppGrant,
  items: Parameters<PictureIndexer['store']>[2],
  now: BaseEmbedder | undefined,
): Promise<void> {
  const annotationKeys = new Map(
    (
      await inputLevelKeys(
        tx,
        grant,
        items.map(({ inputKey }) => inputKey),
      )
    ).map((row) => [row.inputKey, row.annotationKey]),
  );
  const pictures = items.flatMap(({ inputKey, indexed }) => {
    const annotationKey = annotationKeys.get(inputKey);
    return annotationKey === undefined ? [] : [{ inputKey, annotationKey, ...(indexed as Prepared) }];
  });
  await putEmbeddings(
    tx,
    grant,
    pictures.flatMap(({ vector, modelVersionKey, ...keys }) =>
      vector && modelVersionKey !== undefined ? [{ ...keys, vector, modelVersionKey }] : [],
    ),
  );
  for (const { frames, modelVersionKey, inputKey, annotationKey } of pictures) {
    if (frames && modelVersionKey !== undefined)
      await storeVideoVectors(tx, grant, { inputKey, annotationKey, modelVersionKey }, frames);
  }
  // The base workflow may have changed while these were computed; then they are made again with the new one.
  const late = pictures.filter(({ modelVersionKey }) => now && modelVersionKey !== now.modelVersionKey);
  await enqueue(
    tx,
    annotationJobs(
      grant,
      late.map(({ annotationKey }) => annotationKey),
    ),
  );
}
