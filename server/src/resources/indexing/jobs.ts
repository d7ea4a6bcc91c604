import { DataSchema } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { cropToBox } from '#engine/crop.ts';
import { enqueue, type Job, type JobContext, type JobHandler } from '#jobs/index.ts';
import { bumpSearchRevision } from '../annotations/index.ts';
import { unpackBody } from '../common/translate.ts';
import { readImageBytes } from '../inputs/index.ts';
import { boxOf } from './box.ts';
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
  for (const inputKey of new Set(wanted.map((one) => one.inputKey))) {
    const own = wanted.filter((one) => one.inputKey === inputKey);
    for (const [key, vector] of await embedParts(deps, grant, embedder, inputKey, own, context))
      vectors.set(key, vector);
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
    const without = same
      .filter(({ annotationKey }) => !vectors.has(annotationKey))
      .map(({ annotationKey }) => annotationKey);
    if ((await dropEmbeddings(tx, grant, without)) > 0) await bumpSearchRevision(tx, grant);
  });
}

const placeOf = (data: Buffer) => boxOf(unpackBody(DataSchema, data));

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
    const box = one.inputLevel ? undefined : placeOf(one.data);
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
    // Deleted meanwhile, or its bytes cannot be read as a picture any more: nothing to find.
    if (!(thrown instanceof Fault) || !['bad_request', 'too_large'].includes(thrown.kind)) throw thrown;
    deps.log.warn({ inputKey, cause: thrown.details }, 'annotations of an input could not be indexed');
  }
  return vectors;
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
