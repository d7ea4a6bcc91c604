import type { Embedder } from '#domain/app-embedders.ts';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import type { PictureIndexer } from '../inputs/index.ts';
import type { IndexingDeps } from './deps.ts';
import { holdEmbedders, keepServing } from './embedder-store.ts';
import { annotationJobs, workflowKind } from './kinds.ts';
import { reindexCounts } from './reindex-store.ts';
import { hasBaseWorkflow, inputLevelKeys, putEmbeddings } from './store.ts';
import { packVector } from './vector.ts';
import { embedVideo, type IndexedFrame, storeVideoVectors } from './video.ts';

/** What is known of a picture or a video before it is committed: of each embedder of the app a vector, or frames. */
type Prepared = readonly {
  readonly modelVersionKey: number;
  readonly vector?: Buffer;
  readonly frames?: readonly IndexedFrame[];
}[];

/** Embeds pictures while they are processed; their rows commit with their status. */
export function openPictureIndexer(deps: IndexingDeps): PictureIndexer {
  return {
    async prepare(grant, bytes, signal) {
      return ofEach(deps, grant, async ({ builtin }) => ({
        vector: packVector(await deps.engine.embed(builtin, { bytes }, { background: true, signal })),
      }));
    },

    async prepareVideo(grant, video, signal) {
      return ofEach(deps, grant, async (embedder) => ({
        frames: await embedVideo(deps, grant, embedder, video, signal),
      }));
    },

    reindexCounts,

    async store(tx, grant, items) {
      if (items.length === 0) return;
      await holdEmbedders(tx, grant);
      const { making } = await deps.embeddersOf(tx, grant);
      if (making.length > 0 || items.some(({ indexed }) => (indexed as Prepared).length > 0))
        await storeVectors(tx, grant, items, making);
      if (!deps.runBaseWorkflow || !(making.length > 0 || (await hasBaseWorkflow(tx, grant)))) return;
      await enqueue(tx, {
        kind: workflowKind,
        payload: { inputKeys: items.map(({ inputKey }) => inputKey) },
        appKey: grant.appKey,
        priority: -5,
      });
    },
  };
}

/** By each embedder of the app. */
async function ofEach(
  deps: IndexingDeps,
  grant: AppGrant,
  work: (embedder: Embedder) => Promise<Omit<Prepared[number], 'modelVersionKey'>>,
): Promise<Prepared> {
  const { making, serving, isKept } = await deps.embeddersOf(deps.db, grant);
  if (serving && !isKept) await keepServing(deps.db, grant, serving.modelVersionKey);
  const prepared: Prepared[number][] = [];
  for (const embedder of making)
    prepared.push({ modelVersionKey: embedder.modelVersionKey, ...(await work(embedder)) });
  return prepared;
}

async function storeVectors(
  tx: Tx,
  grant: AppGrant,
  items: Parameters<PictureIndexer['store']>[2],
  making: readonly Embedder[],
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
    return annotationKey === undefined ? [] : [{ inputKey, annotationKey, prepared: indexed as Prepared }];
  });
  await putEmbeddings(
    tx,
    grant,
    pictures.flatMap(({ prepared, ...keys }) =>
      prepared.flatMap(({ vector, modelVersionKey }) =>
        vector ? [{ ...keys, vector, modelVersionKey }] : [],
      ),
    ),
  );
  for (const { prepared, ...keys } of pictures) {
    for (const { frames, modelVersionKey } of prepared)
      if (frames) await storeVideoVectors(tx, grant, { ...keys, modelVersionKey }, frames);
  }
  // The base workflow may have changed while these were computed; then they are made again with the new one.
  const late = pictures.filter(({ prepared }) =>
    making.some((one) => !prepared.some(({ modelVersionKey }) => modelVersionKey === one.modelVersionKey)),
  );
  await enqueue(
    tx,
    annotationJobs(
      grant,
      late.map(({ annotationKey }) => annotationKey),
    ),
  );
}
