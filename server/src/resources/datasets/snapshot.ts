import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataSchema } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import { enqueue, type Job, type JobContext, type JobHandler } from '#jobs/index.ts';
import type { Queryable } from '#store/postgres/index.ts';
import { type Db, run, sql } from '#store/sql.ts';
import { sampleMsOf } from '../apps/index.ts';
import { unpackBody } from '../common/translate.ts';
import {
  type Choice,
  copyAnnotations,
  copyInputs,
  dropEmptyInputs,
  foundBy,
  membersOf,
  nothing,
  type PredictedRow,
  putPredictions,
  trustedOnly,
} from './chunk-store.ts';
import type { DatasetParts } from './deps.ts';
import { serveWaitingExports } from './export/job.ts';
import { interpolateTracks } from './interpolate.ts';
import { predictedRows } from './predicted.ts';
import { cellsOf, groupType, packAllMetrics, packMetrics, Tally } from './snapshot-counts.ts';
import {
  beginVersion,
  bucketsOf,
  countsAfter,
  exportSnapshot,
  type FactsRow,
  factsOf,
  finishVersion,
  holdVersion,
  keepCounts,
  knownChunks,
  linkChunks,
  type PackedGroup,
  type PendingVersion,
  regionsAfter,
  seeAs,
  storeGroups,
  tellProgress,
  unlinkOthers,
} from './snapshot-store.ts';
import { configOf } from './version.ts';
import { versionStatus } from './version-store.ts';

export const snapshotKind = 'datasets.snapshot';
const timeoutMs = 10 * 60_000;

export interface SnapshotPayload {
  readonly versionKey: number;
}

export const enqueueSnapshot = (tx: Queryable, grant: AppGrant, versionKey: number): Promise<void> =>
  enqueue(tx, {
    kind: snapshotKind,
    key: String(versionKey),
    payload: { versionKey } satisfies SnapshotPayload,
    appKey: grant.appKey,
    // Somebody waits for it, with a progress bar.
    priority: 10,
  });

/**
 * Fills new versions, a chunk per transaction, all of them at one look at the database: a version is what was there
 * at one moment. Killed in the middle, the next run takes a new look and finds the chunks that are as they were.
 */
export const snapshotJob = (parts: DatasetParts): JobHandler<SnapshotPayload> => ({
  async run(jobs, context) {
    for (const job of jobs) await fill(parts, job, context);
  },
  onDead: ({ payload, appKey }, error, tx) =>
    giveUp(tx, appKey ?? 0, payload.versionKey, { statusCode: versionStatus.unexpected, details: error }),
});

/** How often a look is taken again because inputs went away under it. */
const looksMax = 20;

async function fill(parts: DatasetParts, job: Job<SnapshotPayload>, context: JobContext): Promise<void> {
  const grant = await parts.jobGrant(job.appKey ?? 0);
  if (!grant) return;
  for (let looks = 1; ; looks++) {
    context.signal.throwIfAborted();
    const version = await beginVersion(parts.db, grant.appKey, job.payload.versionKey);
    if (!version) return;
    try {
      const plan = await planOf(parts, grant, version);
      return await fillFrom(parts, grant, { ...version, key: job.payload.versionKey }, plan, job, context);
    } catch (thrown) {
      if (thrown instanceof Fault && thrown.kind !== 'internal' && thrown.kind !== 'unavailable')
        return parts.db.transaction((tx) =>
          giveUp(tx, grant.appKey, job.payload.versionKey, {
            statusCode: versionStatus.failed,
            details: thrown.details,
          }),
        );
      if (!goneUnderIt(thrown) || looks === looksMax) throw thrown;
      await sleep(20 * looks);
    }
  }
}

async function giveUp(
  tx: Queryable,
  appKey: number,
  versionKey: number,
  outcome: { statusCode: number; details: string },
): Promise<void> {
  await finishVersion(tx, versionKey, outcome);
  await serveWaitingExports(tx, appKey, versionKey, `The dataset version failed: ${outcome.details}`);
}

/** Inputs or chunks were deleted while they were copied: a new look will not see them. */
const goneUnderIt = (thrown: unknown): boolean =>
  ['40001', '23503'].includes((thrown as { code?: string }).code ?? '');

interface Plan {
  readonly choice: Choice;
  readonly leavesOutEmpty: boolean;
  /** Undefined: what lies between keyframes is left alone. */
  readonly sampleMs: number | undefined;
  readonly embedModelVersionIds: readonly string[];
  readonly predict: ((inputId: string) => Promise<PredictedRow[]>) | undefined;
  /** Tells apart how chunks were made. */
  readonly digest: string;
}

/** @throws Fault when what the version asks for cannot be had: its search cannot be run, its model is gone */
async function planOf(parts: DatasetParts, grant: AppGrant, version: PendingVersion): Promise<Plan> {
  const config = configOf(version.body);
  const model = version.predictModelVersionKey;
  const sampleMs =
    config.interpolationMs === undefined
      ? undefined
      : config.interpolationMs || (await sampleMsOf(parts.db, grant));
  const predictor = model === null ? undefined : await parts.predictor(grant, model);
  return {
    choice: predictor
      ? nothing
      : config.search
        ? foundBy(await parts.searches.annotationCondition(grant, config.search))
        : trustedOnly,
    leavesOutEmpty: config.ignoreEmptyInputs,
    sampleMs,
    embedModelVersionIds: config.embedModelVersionIds,
    predict: predictor && (async (inputId) => predictedRows(await predictor(inputId))),
    digest: JSON.stringify([1, config.digest, model, ...(sampleMs ? [sampleMs] : [])]),
  };
}

type Filled = PendingVersion & { readonly key: number };

async function fillFrom(
  parts: DatasetParts,
  grant: AppGrant,
  version: Filled,
  plan: Plan,
  job: Job<SnapshotPayload>,
  context: JobContext,
): Promise<void> {
  const { db } = parts;
  const buckets = await db.transaction(
    async (look) => {
      // Between its statements it waits for those who copy.
      await run(look, sql`set local idle_in_transaction_session_timeout = 0`);
      const snapshot = await exportSnapshot(look);
      const found = await bucketsOf(look, version.datasetKey, plan.choice, plan.embedModelVersionIds);
      const wanted = found.map(({ bucket, n, digest }) => ({
        bucket,
        n,
        fingerprint: createHash('sha256').update(`${plan.digest} ${digest}`).digest(),
      }));
      const known = await knownChunks(look, version.datasetKey, wanted);
      await linkChunks(
        db,
        version.key,
        [...known].map(([bucket, chunkKey]) => ({ bucket, chunkKey })),
      );
      const missing = wanted.filter(({ bucket }) => !known.has(bucket));
      for (const [at, one] of missing.entries()) {
        context.signal.throwIfAborted();
        const predicted = await predictedOf(parts, version, plan, one.bucket, context.signal);
        await db.transaction(
          async (tx) => {
            await seeAs(tx, snapshot);
            const frame = { ...one, appKey: grant.appKey, datasetKey: version.datasetKey };
            const chunkKey = await copyChunk(tx, frame, plan, predicted, version.predictModelVersionKey);
            await linkChunks(tx, version.key, [{ bucket: one.bucket, chunkKey }]);
            mayDie('snapshot-copied');
          },
          { isolation: 'repeatable read', timeoutMs, retries: 0 },
        );
        await tellProgress(db, version.key, Math.floor((99 * (at + 1)) / missing.length));
      }
      return wanted.map(({ bucket }) => bucket);
    },
    { isolation: 'repeatable read', timeoutMs, retries: 0 },
  );
  await db.transaction(
    async (tx) => {
      if (await holdVersion(tx, version.key)) {
        await settle(tx, version.key, buckets);
        await serveWaitingExports(tx, grant.appKey, version.key);
      }
      mayDie('snapshot-counted');
      await context.complete(tx, [job]);
    },
    { timeoutMs },
  );
}

/** What the model says of a bucket's inputs; an input that it cannot take has nothing said of it. */
async function predictedOf(
  { db, log }: DatasetParts,
  { datasetKey }: Filled,
  { predict }: Plan,
  bucket: number,
  signal: AbortSignal,
): Promise<Map<number, PredictedRow[]>> {
  const said = new Map<number, PredictedRow[]>();
  if (!predict) return said;
  for (const { key, id } of await membersOf(db, datasetKey, bucket)) {
    signal.throwIfAborted();
    try {
      said.set(key, await predict(id));
    } catch (thrown) {
      if (!(thrown instanceof Fault) || !['bad_request', 'too_large', 'not_found'].includes(thrown.kind))
        throw thrown;
      log.info(
        { inputKey: key, why: thrown.details },
        'an input of a dataset version could not be predicted',
      );
    }
  }
  return said;
}

async function copyChunk(
  tx: Db,
  frame: Parameters<typeof copyInputs>[1],
  plan: Plan,
  predicted: ReadonlyMap<number, readonly PredictedRow[]>,
  modelVersionKey: number | null,
): Promise<number> {
  const chunkKey = await copyInputs(tx, frame);
  if (modelVersionKey === null) {
    await copyAnnotations(tx, chunkKey, plan.choice);
    if (plan.sampleMs) await interpolateTracks(tx, chunkKey, plan.sampleMs);
  } else
    await putPredictions(
      tx,
      chunkKey,
      modelVersionKey,
      [...predicted].flatMap(([inputKey, rows]) => rows.map((row) => ({ ...row, inputKey, id: newId() }))),
    );
  if (plan.leavesOutEmpty) await dropEmptyInputs(tx, chunkKey);
  await countChunk(tx, chunkKey, plan.embedModelVersionIds);
  return chunkKey;
}

/** Counts what is in a chunk, for all versions that will hold it. */
export async function countChunk(
  tx: Db,
  chunkKey: number,
  embedModelVersionIds: readonly string[],
): Promise<void> {
  const facts = await factsOf(tx, chunkKey, embedModelVersionIds);
  const cells = await cellsByInput(tx, chunkKey);
  const tally = new Tally();
  for (const row of facts) tally.addInput({ ...row, ...sizeOf(row), cells: cells.get(row.inputKey) ?? [] });
  await keepCounts(tx, chunkKey, facts.length, tally.kept());
}

function sizeOf({ media }: FactsRow): { width: number; height: number } {
  const { image, video } = unpackBody(DataSchema, media);
  const info = image?.imageInfo ?? video?.videoInfo;
  return { width: info?.width ?? 0, height: info?.height ?? 0 };
}

const regionsPerLook = 2_000;

async function cellsByInput(tx: Db, chunkKey: number): Promise<Map<number, number[]>> {
  const cells = new Map<number, number[]>();
  for (let after = { inputKey: 0, annotationId: '' }; ; ) {
    const found = await regionsAfter(tx, chunkKey, after, regionsPerLook);
    for (const { inputKey, data } of found) {
      const { regions, frames } = unpackBody(DataSchema, data);
      const touched = [...regions, ...frames.flatMap((frame) => frame.data?.regions ?? [])].flatMap(cellsOf);
      cells.set(inputKey, [...(cells.get(inputKey) ?? []), ...touched]);
    }
    const last = found.at(-1);
    if (!last || found.length < regionsPerLook) return cells;
    after = last;
  }
}

const chunksPerLook = 100;

/** Adds up what the chunks counted, and makes the version ready. */
export async function settle(tx: Db, versionKey: number, buckets: readonly number[]): Promise<void> {
  await unlinkOthers(tx, versionKey, buckets);
  const tally = new Tally();
  for (let bucket = -1; ; ) {
    const found = await countsAfter(tx, versionKey, bucket, chunksPerLook);
    for (const { counts } of found) tally.addKept(counts);
    const last = found.at(-1);
    if (!last || found.length < chunksPerLook) break;
    bucket = last.bucket;
  }
  const groups = tally.groups();
  const shown: PackedGroup[] = groups
    .filter(({ type }) => type !== groupType.all)
    .map(({ split, type, value, sums }) => ({ split, type, value, metrics: packMetrics(sums) }));
  // Clients wait until there is a group, even over nothing (SEMANTICS trap 37).
  const emptyGroup = {
    split: '',
    type: groupType.inputType,
    value: 'image',
    metrics: packMetrics(new Map()),
  };
  await storeGroups(tx, versionKey, shown.length > 0 ? shown : [emptyGroup]);
  await finishVersion(tx, versionKey, { statusCode: versionStatus.ready, metrics: packAllMetrics(groups) });
}
