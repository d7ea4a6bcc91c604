import { DataSchema } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { cropToBox } from '#engine/crop.ts';
import { encodeFrame } from '#engine/media/index.ts';
import type { Job, JobContext, JobHandler } from '#jobs/index.ts';
import { bumpSearchRevision } from '../annotations/index.ts';
import { unpackBody } from '../common/translate.ts';
import { readImageBytes, streamMedium } from '../inputs/index.ts';
import { boxOf, momentOf } from './box.ts';
import type { BaseEmbedder, IndexingDeps } from './deps.ts';
import {
  type AnnotationsPayload,
  type AppPayload,
  annotationsKind,
  appKind,
  type WorkflowPayload,
  workflowKind,
} from './kinds.ts';
import { reindexStep } from './reindex.ts';
import { endReindex } from './reindex-store.ts';
import { annotationsToIndex, dropEmbeddings, lockAnnotations, putEmbeddings, type ToIndex } from './store.ts';
import { packVector } from './vector.ts';
import { embedVideo, frameEdgeMax, type IndexedFrame, storeVideoVectors } from './video.ts';

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
        withGrant(job as Job, async (grant) => {
          await indexAnnotations(deps, grant, (job as Job<AnnotationsPayload>).payload, context);
        }),
    },
    [appKind]: {
      concurrency: 2,
      run: ([job], context) =>
        withGrant(job as Job, (grant) =>
          reindexStep(
            deps,
            (owner, annotationKeys, during) => indexAnnotations(deps, owner, { annotationKeys }, during),
            grant,
            job as Job<AppPayload>,
            context,
          ),
        ),
      async onDead({ appKey, payload }, _error, tx) {
        if (appKey !== null) await endReindex(tx, appKey, (payload as AppPayload).generation, 'errors');
      },
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
 *
 * @returns the inputs whose bytes could not be read
 */
async function indexAnnotations(
  deps: IndexingDeps,
  grant: AppGrant,
  payload: AnnotationsPayload,
  context: JobContext,
): Promise<ReadonlySet<number>> {
  const unread = new Set<number>();
  const embedder = await deps.baseEmbedderOf(deps.db, grant);
  if (!embedder) return unread;
  const wanted = await annotationsToIndex(deps.db, grant, payload.annotationKeys);
  const vectors = new Map<number, Buffer>();
  const videos = new Map<number, IndexedFrame[]>();
  for (const inputKey of new Set(wanted.map((one) => one.inputKey))) {
    const own = wanted.filter((one) => one.inputKey === inputKey);
    const parts =
      own[0]?.kind === 'video'
        ? await embedVideoParts(deps, grant, embedder, inputKey, own, context)
        : await embedParts(deps, grant, embedder, inputKey, own, context);
    if (parts.isUnread) unread.add(inputKey);
    for (const [key, vector] of parts.vectors) vectors.set(key, vector);
    const whole = own.find(({ inputLevel }) => inputLevel);
    if (whole && parts.frames) videos.set(whole.annotationKey, parts.frames);
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
  return unread;
}

/** Vectors by annotation, and the frames of a whole video. */
interface Embedded {
  readonly vectors: Map<number, Buffer>;
  readonly frames?: IndexedFrame[];
  readonly isUnread?: boolean;
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
): Promise<Embedded> {
  const parts = annotations.flatMap((one) => {
    const box = one.inputLevel ? undefined : placeOf(one.data).box;
    return one.inputLevel || box ? [{ key: one.annotationKey, box }] : [];
  });
  const vectors = new Map<number, Buffer>();
  if (parts.length === 0) return { vectors };
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
    return { vectors };
  } catch (thrown) {
    passOver(deps, inputKey, thrown);
    return { vectors, isUnread: true };
  }
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
): Promise<Embedded> {
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
    return { vectors, isUnread: true };
  }
}
