import { DataSchema } from '@fovea/contract';
import type { Embedder } from '#domain/app-embedders.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { cropToBox, openCrops } from '#engine/crop.ts';
import { encodeFrame } from '#engine/media/index.ts';
import { enqueue, type Job, type JobContext, type JobHandler } from '#jobs/index.ts';
import { bumpSearchRevision } from '../annotations/index.ts';
import { unpackBody } from '../common/translate.ts';
import { readImageBytes, streamMedium } from '../inputs/index.ts';
import { boxOf, momentOf } from './box.ts';
import type { IndexingDeps } from './deps.ts';
import { embedderStep } from './embedder-change.ts';
import { holdEmbedders } from './embedder-store.ts';
import {
  type AnnotationsPayload,
  type AppPayload,
  annotationJobs,
  annotationsKind,
  appKind,
  embedderKind,
  type WorkflowPayload,
  workflowKind,
} from './kinds.ts';
import { type IndexSome, reindexStep } from './reindex.ts';
import { endReindex } from './reindex-store.ts';
import {
  annotationsToIndex,
  dropEmbeddings,
  dropOthers,
  lockAnnotations,
  putEmbeddings,
  type ToIndex,
} from './store.ts';
import { packVector } from './vector.ts';
import { embedVideo, frameEdgeMax, type IndexedFrame, storeVideoVectors } from './video.ts';

/** Vectors that are kept in one transaction: what a server that dies has to make again. */
const annotationsTogether = 32;

/** Jobs of this family by kind, for the worker. */
export function indexingJobs(deps: IndexingDeps): Record<string, JobHandler> {
  const withGrant = async (job: Job, work: (grant: AppGrant) => Promise<void>) => {
    const grant = job.appKey === null ? undefined : await deps.jobGrant(job.appKey);
    if (grant) await work(grant);
  };
  const byBase: IndexSome = (grant, annotationKeys, context) =>
    indexAnnotations(deps, grant, annotationKeys, context, 'base');
  return {
    [annotationsKind]: {
      concurrency: 2,
      run: ([job], context) =>
        withGrant(job as Job, async (grant) => {
          const { annotationKeys } = (job as Job<AnnotationsPayload>).payload;
          // Most apps that are imported into have no embedder yet: a look for all of them.
          if (!(await deps.embeddersOf(deps.db, grant)).base) return;
          for (let at = 0; at < annotationKeys.length; at += annotationsTogether) {
            const some = annotationKeys.slice(at, at + annotationsTogether);
            await indexAnnotations(deps, grant, some, context, 'all');
          }
        }),
    },
    [appKind]: {
      concurrency: 2,
      run: ([job], context) =>
        withGrant(job as Job, (grant) => reindexStep(deps, byBase, grant, job as Job<AppPayload>, context)),
      async onDead({ appKey, payload }, _error, tx) {
        if (appKey !== null) await endReindex(tx, appKey, (payload as AppPayload).generation, 'errors');
      },
    },
    [embedderKind]: {
      concurrency: 2,
      run: ([job], context) =>
        withGrant(job as Job, (grant) => embedderStep(deps, byBase, grant, job as Job, context)),
      async onDead({ appKey }, error) {
        // The old embedder goes on serving; the next search or input asks for the rest of the way.
        deps.log.error({ appKey, error }, 'vectors of another embedder could not be made');
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
 * Embeds annotations as they are now: with all embedders of the app where they are new or changed, with that of the
 * base workflow alone on a walk over what others embedded. Run twice, it writes the same vectors again; where an
 * annotation changed meanwhile its vector is left to the job of that change.
 *
 * @returns the inputs whose bytes could not be read
 */
async function indexAnnotations(
  deps: IndexingDeps,
  grant: AppGrant,
  annotationKeys: readonly number[],
  context: JobContext,
  by: 'all' | 'base',
): Promise<ReadonlySet<number>> {
  const unread = new Set<number>();
  const { base, making } = await deps.embeddersOf(deps.db, grant);
  if (!base) return unread;
  const embedders = by === 'base' ? [base] : making;
  const wanted = await annotationsToIndex(deps.db, grant, annotationKeys);
  const vectors: MadeVector[] = [];
  const videos: MadeFrames[] = [];
  for (const inputKey of new Set(wanted.map((one) => one.inputKey))) {
    const own = wanted.filter((one) => one.inputKey === inputKey);
    const parts =
      own[0]?.kind === 'video'
        ? await embedVideoParts(deps, grant, embedders, inputKey, own, context)
        : await embedParts(deps, grant, embedders, inputKey, own, context);
    if (parts.isUnread) unread.add(inputKey);
    vectors.push(...parts.vectors);
    videos.push(...parts.frames);
  }
  await deps.db.transaction(async (tx) => {
    await holdEmbedders(tx, grant);
    const now = await deps.embeddersOf(tx, grant);
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
    const keys = same.map(({ annotationKey }) => annotationKey);
    const isSame = ({ annotationKey }: { annotationKey: number }) => keys.includes(annotationKey);
    await putEmbeddings(tx, grant, vectors.filter(isSame));
    for (const { frames, ...whose } of videos.filter(isSame))
      await storeVideoVectors(tx, grant, whose, frames);
    const embedded = new Set([...vectors, ...videos].map(({ annotationKey }) => annotationKey));
    // What a walk cannot read any more keeps what others made of it: it did not change.
    const gone = same.filter(
      (one) => !embedded.has(one.annotationKey) && (by === 'all' || !unread.has(one.inputKey)),
    );
    const dropped = await dropEmbeddings(
      tx,
      grant,
      gone.map(({ annotationKey }) => annotationKey),
    );
    if (by === 'all') {
      const used = [...embedders, ...now.making].map(({ modelVersionKey }) => modelVersionKey);
      await dropOthers(tx, grant, keys, used);
      // Embedders that the app did not have yet when this began.
      const isMade = (key: number) => embedders.some(({ modelVersionKey }) => modelVersionKey === key);
      if (now.making.some(({ modelVersionKey }) => !isMade(modelVersionKey)))
        await enqueue(tx, annotationJobs(grant, keys));
    }
    if (dropped > 0 || videos.length > 0) await bumpSearchRevision(tx, grant);
  });
  return unread;
}

interface MadeVector {
  readonly annotationKey: number;
  readonly inputKey: number;
  readonly modelVersionKey: number;
  readonly vector: Buffer;
}

/** What an embedder saw of a whole video. */
interface MadeFrames extends Omit<MadeVector, 'vector'> {
  readonly frames: readonly IndexedFrame[];
}

interface Embedded {
  readonly vectors: readonly MadeVector[];
  readonly frames: readonly MadeFrames[];
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
  embedders: readonly Embedder[],
  inputKey: number,
  annotations: readonly ToIndex[],
  { signal }: JobContext,
): Promise<Embedded> {
  const parts = annotations.flatMap((one) => {
    const box = one.inputLevel ? undefined : placeOf(one.data).box;
    return one.inputLevel || box ? [{ key: one.annotationKey, box }] : [];
  });
  const vectors: MadeVector[] = [];
  if (parts.length === 0) return { vectors, frames: [] };
  try {
    const bytes = await readImageBytes(deps, grant, inputKey);
    const crop = parts.some(({ box }) => box) ? await openCrops(bytes) : undefined;
    for (const { key, box } of parts) {
      signal.throwIfAborted();
      const shown = box && crop ? await crop(box) : bytes;
      vectors.push(...(await vectorsOf(deps, embedders, { annotationKey: key, inputKey }, shown, signal)));
    }
    return { vectors, frames: [] };
  } catch (thrown) {
    passOver(deps, inputKey, thrown);
    return { vectors, frames: [], isUnread: true };
  }
}

/** One vector by each embedder. */
async function vectorsOf(
  { engine }: IndexingDeps,
  embedders: readonly Embedder[],
  keys: { annotationKey: number; inputKey: number },
  bytes: Buffer,
  signal: AbortSignal,
): Promise<MadeVector[]> {
  const made: MadeVector[] = [];
  for (const { builtin, modelVersionKey } of embedders) {
    const vector = packVector(await engine.embed(builtin, { bytes }, { background: true, signal }));
    made.push({ ...keys, modelVersionKey, vector });
  }
  return made;
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
  embedders: readonly Embedder[],
  inputKey: number,
  annotations: readonly ToIndex[],
  { signal }: JobContext,
): Promise<Embedded> {
  const vectors: MadeVector[] = [];
  const frames: MadeFrames[] = [];
  const parts = annotations.flatMap(({ annotationKey, inputLevel, data }) => {
    const { box, moment } = placeOf(data);
    return inputLevel || !moment ? [] : [{ key: annotationKey, box, moment }];
  });
  const whole = annotations.find(({ inputLevel }) => inputLevel);
  if (parts.length === 0 && !whole) return { vectors, frames };
  try {
    const source = () => streamMedium(deps, grant, inputKey);
    const options = { background: true, signal };
    await deps.media.withVideo(
      source,
      async (video) => {
        for (const { key, box, moment } of parts) {
          const png = await encodeFrame(await video.frameAt(moment, { edgeMax: frameEdgeMax, signal }));
          const bytes = box ? await cropToBox(png, box) : png;
          vectors.push(
            ...(await vectorsOf(deps, embedders, { annotationKey: key, inputKey }, bytes, signal)),
          );
        }
        if (!whole) return;
        const { annotationKey } = whole;
        for (const embedder of embedders) {
          const seen = await embedVideo(deps, grant, embedder, video, signal);
          const { modelVersionKey } = embedder;
          frames.push({ annotationKey, inputKey, modelVersionKey, frames: seen });
        }
      },
      options,
    );
    return { vectors, frames };
  } catch (thrown) {
    passOver(deps, inputKey, thrown);
    return { vectors, frames, isUnread: true };
  }
}
