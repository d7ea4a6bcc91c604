import { DataSchema } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { cropToBox } from '#engine/crop.ts';
import { encodeFrame } from '#engine/media/index.ts';
import { enqueue, type Job, type JobContext, type JobHandler } from '#jobs/index.ts';
import { bumpSearchRevision } from '../annotations/index.ts';
import { unpackBody } from '../common/translate.ts';
import { readImageBytes, streamMedium } from '../inputs/index.ts';
import { boxOf, momentOf } from './box.ts';
import type { BaseEmbedder, IndexingDeps } from './deps.ts';
import {
  type AnnotationsPayload,
  type AppPayload,
  annotationJobs,
  annotationsKind,
  appKind,
  appStepJob,
  type WorkflowPayload,
  workflowKind,
} from './kinds.ts';
import {
  annotationsToIndex,
  annotationsWithout,
  dropEmbeddings,
  lockAnnotations,
  putEmbeddings,
  type ToIndex,
} from './store.ts';
import { packVector } from './vector.ts';
import { embedVideo, frameEdgeMax, type IndexedFrame, storeVideoVectors } from './video.ts';

const annotationsPerLook = 256;

/** Jobs of this family by kind, for the worker. */
export function indexingJobs(deps: IndexingDeps): Record<string, JobHandler> {
  const withGrant = async (job: Job, work: (grant: AppGrant) => Promise<void>) => {
    const grant = job.appKey === null ? undefined : await deps.jobGrant(job.appKey);
    if (grant) await work(grant);
  };
  return {
    [annotationsKind]: {
      concurrency: 2,
      run: ([job], context) =>
        withGrant(job as Job, (grant) =>
          indexAnnotations(deps, grant, (job as Job<AnnotationsPayload>).payload, context),
        ),
    },
    [appKind]: {
      run: ([job]) =>
        withGrant(job as Job, (grant) => indexApp(deps, grant, (job as Job<AppPayload>).payload)),
    },
    [workflowKind]: {
      run: ([job]) =>
        withGrant(job as Job, async (grant) =>
          deps.runBaseWorkflow?.(grant, (job as Job<WorkflowPayload>).payload.inputKeys),
        ),
    },
  };
}

/**
 * Embeds annotations as they are now. Run twice, it writes the same vectors again; where an annotation changed
 * meanwhile its vector is left to the job of that change.
 */
async function indexAnnotations(
  deps: IndexingDeps,
  grant: AppGrant,
  payload: AnnotationsPayload,
  context: JobContext,
): Promise<void> {
  const embedder = await deps.baseEmbedderOf(deps.db, grant);
  if (!embedder) return;
  const wanted = await annotationsToIndex(deps.db, grant, payload.annotationKeys);
  const vectors = new Map<number, Buffer>();
  const videos = new Map<number, IndexedFrame[]>();
  for (const inputKey of new Set(wanted.map((one) => one.inputKey))) {
    const own = wanted.filter((one) => one.inputKey === inputKey);
    const parts =
      own[0]?.kind === 'video'
        ? await embedVideoParts(deps, grant, embedder, inputKey, own, context)
        : { vectors: await embedParts(deps, grant, embedder, inputKey, own, context) };
    for (const [key, vector] of parts.vectors) vectors.set(key, vector);
    const whole = own.find(({ inputLevel }) => inputLevel);
    if (whole && 'frames' in parts && parts.frames) videos.set(whole.annotationKey, parts.frames);
  }
  await deps.db.transaction(async (tx) => {
    const locked = new Map(
      (
        await lockAnnotations(
          tx,
          grant,
          wanted.map((one) => one.annotationKey),
        )
      ).map((row) => [row.annotationKey, row]),
    );
    const same = wanted.filter((one) => isSamePlace(one.data, locked.get(one.annotationKey)?.data));
    await putEmbeddings(
      tx,
      grant,
      same.flatMap(({ annotationKey, inputKey }) => {
        const vector = vectors.get(annotationKey);
        return vector ? [{ annotationKey, inputKey, modelVersionKey: embedder.modelVersionKey, vector }] : [];
      }),
    );
    for (const { annotationKey, inputKey } of same) {
      const frames = videos.get(annotationKey);
      const keys = { annotationKey, inputKey, modelVersionKey: embedder.modelVersionKey };
      if (frames) await storeVideoVectors(tx, grant, keys, frames);
    }
    const without = same
      .filter(({ annotationKey }) => !vectors.has(annotationKey) && !videos.has(annotationKey))
      .map(({ annotationKey }) => annotationKey);
    const dropped = await dropEmbeddings(tx, grant, without);
    if (dropped > 0 || videos.size > 0) await bumpSearchRevision(tx, grant);
  });
}

const placeOf = (data: Buffer) => {
  const unpacked = unpackBody(DataSchema, data);
  return { box: boxOf(unpacked), moment: momentOf(unpacked) };
};

/** Labels may change without moving a box; those that are gone are in no place. */
const isSamePlace = (before: Buffer, now: Buffer | undefined): boolean =>
  now !== undefined && JSON.stringify(placeOf(before)) === JSON.stringify(placeOf(now));

/** Vectors of the parts of one picture; annotations that show no part of it have none. */
async function embedParts(
  deps: IndexingDeps,
  grant: AppGrant,
  { builtin }: BaseEmbedder,
  inputKey: number,
  annotations: readonly ToIndex[],
  { signal }: JobContext,
): Promise<Map<number, Buffer>> {
  const parts = annotations.flatMap((one) => {
    const box = one.inputLevel ? undefined : placeOf(one.data).box;
    return one.inputLevel || box ? [{ key: one.annotationKey, box }] : [];
  });
  const vectors = new Map<number, Buffer>();
  if (parts.length === 0) return vectors;
  try {
    const bytes = await readImageBytes(deps, grant, inputKey);
    for (const { key, box } of parts) {
      signal.throwIfAborted();
      const shown = box ? await cropToBox(bytes, box) : bytes;
      vectors.set(
        key,
        packVector(await deps.engine.embed(builtin, { bytes: shown }, { background: true, signal })),
      );
    }
  } catch (thrown) {
    passOver(deps, inputKey, thrown);
  }
  return vectors;
}

/** Deleted meanwhile, or its bytes cannot be read any more: nothing to find. @throws what is worth another try */
function passOver(deps: IndexingDeps, inputKey: number, thrown: unknown): void {
  if (!(thrown instanceof Fault) || !['bad_request', 'too_large'].includes(thrown.kind)) throw thrown;
  deps.log.warn({ inputKey, cause: thrown.details }, 'annotations of an input could not be indexed');
}

/** The frames of a whole video where its own annotation is asked for, and vectors of what people marked in it. */
async function embedVideoParts(
  deps: IndexingDeps,
  grant: AppGrant,
  embedder: BaseEmbedder,
  inputKey: number,
  annotations: readonly ToIndex[],
  { signal }: JobContext,
): Promise<{ vectors: Map<number, Buffer>; frames?: IndexedFrame[] }> {
  const vectors = new Map<number, Buffer>();
  const parts = annotations.flatMap(({ annotationKey, inputLevel, data }) => {
    const { box, moment } = placeOf(data);
    return inputLevel || !moment ? [] : [{ key: annotationKey, box, moment }];
  });
  const isWhole = annotations.some(({ inputLevel }) => inputLevel);
  if (parts.length === 0 && !isWhole) return { vectors };
  try {
    const source = () => streamMedium(deps, grant, inputKey);
    const options = { background: true, signal };
    return await deps.media.withVideo(
      source,
      async (video) => {
        for (const { key, box, moment } of parts) {
          const png = await encodeFrame(await video.frameAt(moment, { edgeMax: frameEdgeMax, signal }));
          const bytes = box ? await cropToBox(png, box) : png;
          vectors.set(key, packVector(await deps.engine.embed(embedder.builtin, { bytes }, options)));
        }
        return isWhole
          ? { vectors, frames: await embedVideo(deps, grant, embedder, video, signal) }
          : { vectors };
      },
      options,
    );
  } catch (thrown) {
    passOver(deps, inputKey, thrown);
    return { vectors };
  }
}

/**
 * Walks an app and queues what its embedder has not seen; goes on in a job of its own. A walk ends where the app
 * has another embedder by now: the change of it has begun one of its own.
 */
async function indexApp(deps: IndexingDeps, grant: AppGrant, payload: AppPayload): Promise<void> {
  const { afterKey, modelVersionKey } = payload;
  const embedder = await deps.baseEmbedderOf(deps.db, grant);
  if (!embedder || embedder.modelVersionKey !== (modelVersionKey ?? embedder.modelVersionKey)) return;
  const keys = await annotationsWithout(
    deps.db,
    grant,
    embedder.modelVersionKey,
    afterKey,
    annotationsPerLook,
  );
  const last = keys.at(-1);
  if (last === undefined) return;
  await deps.db.transaction(async (tx) => {
    await enqueue(tx, annotationJobs(grant, keys));
    if (keys.length === annotationsPerLook)
      await enqueue(tx, appStepJob(grant, embedder.modelVersionKey, last));
  });
}
