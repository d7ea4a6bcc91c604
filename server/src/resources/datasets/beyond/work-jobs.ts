import { create } from '@bufbuild/protobuf';
import { DataSchema, SearchSchema } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import type { JsonMap } from '#domain/patch.ts';
import { enqueue, type JobContext, type JobHandler, type NewJob } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import {
  bumpSearchRevision,
  dropAnnotations,
  editAnnotations,
  insertAnnotations,
  type NewAnnotation,
} from '../../annotations/index.ts';
import { unpackBody } from '../../common/translate.ts';
import type { DatasetParts } from '../deps.ts';
import { deleteMemberships, holdMembers, insertMemberships } from '../membership-store.ts';
import { inputsAfter, type KeptInput } from '../version-rows.ts';
import { openStatuses, versionStatus } from '../version-store.ts';
import {
  countLeaks,
  endWork,
  findSameMedia,
  idsHeld,
  keepNear,
  lockWork,
  membersAfter,
  moveWork,
  presentOf,
  reviveInputs,
  type SaidRow,
  saidIn,
  versionState,
  type WorkRow,
  workStatus,
} from './work-store.ts';

export const workKind = 'datasets.work';

interface WorkPayload {
  readonly workKey: number;
}

export const workJob = (grant: AppGrant, workKey: number, runAt?: Date): NewJob => ({
  kind: workKind,
  key: String(workKey),
  payload: { workKey } satisfies WorkPayload,
  appKey: grant.appKey,
  ...(runAt ? { runAt } : {}),
});

const inputsPerStep = 200;
const membersPerStep = 2_000;
/** How long a work waits for the versions that it needs before it looks again. */
const patienceMs = 300;
const statementMs = 120_000;

type Next = 'on' | 'later' | 'over';

/** Restores and leak checks: a step per transaction, which also says how far it came. */
export const workHandler = (parts: DatasetParts): JobHandler<WorkPayload> => ({
  async run([job], context) {
    const grant = job && (await parts.jobGrant(job.appKey ?? 0));
    if (!job || !grant) return;
    for (let next: Next = 'on'; next === 'on'; ) {
      next = await step(parts, grant, job.payload.workKey, context);
      mayDie('work-step');
    }
  },
  onDead: ({ payload }, error, tx) => endWork(tx, payload.workKey, workStatus.failed, error),
});

async function step(
  parts: DatasetParts,
  grant: AppGrant,
  key: number,
  { signal }: JobContext,
): Promise<Next> {
  signal.throwIfAborted();
  return parts.db.transaction(
    async (tx) => {
      const work = await lockWork(tx, grant, key);
      if (!work) return 'over';
      if (work.step === '') return begin(tx, grant, work);
      const next =
        work.kind === 'restore'
          ? await restoreStep(tx, grant, work)
          : await leakStep(parts, tx, grant, work, signal);
      mayDie('work-done');
      if (next === 'over') await endWork(tx, key, workStatus.completed, '');
      return next;
    },
    { timeoutMs: statementMs },
  );
}

/** Waits until the versions that it is about are ready: the one that keeps the present state, above all. */
async function begin(tx: Tx, grant: AppGrant, work: WorkRow): Promise<Next> {
  const keys = [work.versionKey, ...(work.otherVersionKey === null ? [] : [work.otherVersionKey])];
  let total = 0;
  for (const key of keys) {
    const state = await versionState(tx, key);
    const isReady = state?.statusCode === versionStatus.ready;
    if (key === work.versionKey) total = state?.n ?? 0;
    if (!isReady && state && openStatuses.includes(state.statusCode)) {
      await enqueue(tx, workJob(grant, work.key, new Date(Date.now() + patienceMs)));
      return 'later';
    }
    if (isReady) continue;
    await endWork(
      tx,
      work.key,
      workStatus.failed,
      'A dataset version that it needs could not be made; nothing was changed.',
    );
    return 'over';
  }
  await moveWork(tx, work.key, { step: 'inputs', afterKey: -1, done: 0, total, found: 0 });
  return 'on';
}

async function restoreStep(tx: Tx, grant: AppGrant, work: WorkRow): Promise<Next> {
  if (work.step === 'members') return dropStrangers(tx, grant, work);
  const kept = await inputsAfter(tx, work.versionKey, undefined, work.afterKey, inputsPerStep, true);
  const last = kept.at(-1);
  if (last) await restoreInputs(tx, grant, work, kept);
  const done = work.done + kept.length;
  await moveWork(tx, work.key, {
    ...work,
    step: last ? 'inputs' : 'members',
    afterKey: last?.inputKey ?? 0,
    done,
  });
  return 'on';
}

/** Puts inputs back into the dataset as they were: those that are gone are made anew, with their labels of then. */
async function restoreInputs(
  tx: Tx,
  grant: AppGrant,
  work: WorkRow,
  kept: readonly KeptInput[],
): Promise<void> {
  const held = await holdMembers(
    tx,
    grant,
    kept.map(({ inputKey }) => inputKey),
  );
  const gone = kept.filter(({ inputKey }) => !held.has(inputKey));
  const keyOf = new Map([...held].map((key) => [key, key]));
  if (gone.length > 0) {
    await reviveInputs(tx, grant, gone);
    for (const [key, now] of await nowOf(tx, grant, gone)) keyOf.set(key, now);
  }
  const pairs = [...keyOf.values()].map((inputKey) => ({ datasetKey: work.datasetKey, inputKey }));
  await insertMemberships(tx, grant, pairs);
  if (work.options.labels !== false) await restoreLabels(tx, grant, kept, keyOf);
  await bumpSearchRevision(tx, grant);
}

/** Inputs that now have the ids of those that are gone, by the old key. */
async function nowOf(tx: Tx, grant: AppGrant, gone: readonly KeptInput[]): Promise<[number, number][]> {
  const found = await tx.query<{ key: number; id: string }>(
    'select key, id from inputs where app_key = $1 and id = any($2::text[]) for key share',
    [grant.appKey, gone.map(({ id }) => id)],
  );
  const byId = new Map(found.map(({ id, key }) => [id, key]));
  return gone.flatMap(({ id, inputKey }) => {
    const key = byId.get(id);
    return key === undefined ? [] : [[inputKey, key] as [number, number]];
  });
}

async function restoreLabels(
  tx: Tx,
  grant: AppGrant,
  kept: readonly KeptInput[],
  keyOf: ReadonlyMap<number, number>,
): Promise<void> {
  const idOf = new Map(
    kept.flatMap(({ inputKey, id }) => (keyOf.has(inputKey) ? [[keyOf.get(inputKey) as number, id]] : [])),
  );
  const said = (await saidIn(tx, kept)).flatMap((row) => {
    const inputKey = keyOf.get(row.inputKey);
    return inputKey === undefined ? [] : [{ ...row, inputKey }];
  });
  const present = await presentOf(tx, grant, [...idOf.keys()]);
  // The annotation of a whole input may have another id where the input was made anew.
  const nameOf = (row: { inputKey: number; inputLevel: boolean; id: string }) =>
    `${row.inputKey} ${row.inputLevel ? '' : row.id}`;
  const wanted = new Map(said.map((row) => [nameOf({ ...row, id: row.annotationId }), row]));
  const there = new Map(present.map((row) => [nameOf(row), row]));
  await dropAnnotations(
    tx,
    grant,
    present.filter((row) => !wanted.has(nameOf(row))).map(({ key }) => key),
  );
  for (const [name, row] of wanted) {
    const now = there.get(name);
    if (now && !now.data.equals(row.data))
      await editAnnotations(tx, grant, { keys: [now.key] }, () => unpackBody(DataSchema, row.data));
  }
  const missing = said.filter((row) => !there.has(nameOf({ ...row, id: row.annotationId })));
  const bare = [...idOf].filter(
    ([inputKey]) =>
      !present.some((row) => row.inputKey === inputKey && row.inputLevel) &&
      !missing.some((row) => row.inputKey === inputKey && row.inputLevel),
  );
  await insertAnnotations(tx, grant, [
    ...missing.map((row) => asNew(row, idOf.get(row.inputKey) ?? '')),
    ...bare.map(([inputKey, inputId]) => wholeOf(grant, inputKey, inputId)),
  ]);
}

const asNew = (row: SaidRow, inputId: string): NewAnnotation => ({
  id: row.annotationId,
  inputKey: row.inputKey,
  inputId,
  inputLevel: row.inputLevel,
  trusted: row.trusted,
  statusCode: 24150,
  worker: {
    userKey: row.workerUserKey ?? undefined,
    modelVersionKey: row.workerModelVersionKey ?? undefined,
    workflowVersionKey: row.workerWorkflowVersionKey ?? undefined,
  },
  taskId: row.taskId,
  annotationInfo: (row.annotationInfo ?? undefined) as JsonMap | undefined,
  consensusInfo: undefined,
  data: unpackBody(DataSchema, row.data),
});

/** Every input has an annotation as a whole, also where nothing is said. */
const wholeOf = (grant: AppGrant, inputKey: number, inputId: string): NewAnnotation => ({
  id: newId(),
  inputKey,
  inputId,
  inputLevel: true,
  trusted: true,
  statusCode: 24150,
  worker: { userKey: grant.userKey },
  taskId: '',
  annotationInfo: undefined,
  consensusInfo: undefined,
  data: create(DataSchema),
});

/** Takes out of the dataset what the version does not hold. The inputs themselves stay in the app. */
async function dropStrangers(tx: Tx, grant: AppGrant, work: WorkRow): Promise<Next> {
  const members = await membersAfter(tx, work.datasetKey, work.versionKey, work.afterKey, membersPerStep);
  const last = members.at(-1);
  if (!last) return 'over';
  const unkept = members.filter(({ isKept }) => !isKept).map(({ inputKey }) => inputKey);
  const byId = unkept.length > 0 ? await idsHeld(tx, work.versionKey, unkept) : new Set<number>();
  const strangers = unkept.filter((key) => !byId.has(key));
  if ((await deleteMemberships(tx, grant, work.datasetKey, strangers)) > 0)
    await bumpSearchRevision(tx, grant);
  await moveWork(tx, work.key, { ...work, afterKey: last.key });
  return 'on';
}

/** Bytes are compared in the database; what looks alike is found by the search of the app, where it indexes pictures. */
async function leakStep(
  parts: DatasetParts,
  tx: Tx,
  grant: AppGrant,
  work: WorkRow,
  signal: AbortSignal,
): Promise<Next> {
  const kept = await inputsAfter(tx, work.versionKey, undefined, work.afterKey, inputsPerStep);
  const last = kept.at(-1);
  if (!last) return 'over';
  await findSameMedia(tx, work, kept);
  const scoreMin = Number(work.options.scoreMin ?? 0);
  if (scoreMin > 0) {
    for (const input of kept) {
      signal.throwIfAborted();
      const near = await nearTo(parts, grant, input, scoreMin);
      if (near.length > 0) await keepNear(tx, work, input, near);
    }
  }
  const found = await countLeaks(tx, work.key);
  await moveWork(tx, work.key, { ...work, afterKey: last.inputKey, done: work.done + kept.length, found });
  return 'on';
}

async function nearTo(
  { searches }: DatasetParts,
  grant: AppGrant,
  { id, inputKey, kind }: KeptInput,
  scoreMin: number,
): Promise<number[]> {
  if (kind !== 'image') return [];
  const search = create(SearchSchema, {
    query: { ranks: [{ annotation: { inputId: id } }] },
    minValue: scoreMin,
  });
  try {
    return (await searches.inputKeys(grant, search)).filter((key) => key !== inputKey);
  } catch (thrown) {
    // Not indexed, or gone since: nothing can be said of how it looks.
    if (thrown instanceof Fault && ['bad_request', 'not_found'].includes(thrown.kind)) return [];
    throw thrown;
  }
}
