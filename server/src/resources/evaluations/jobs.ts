import { setTimeout as sleep } from 'node:timers/promises';
import { create, toBinary } from '@bufbuild/protobuf';
import { DataSchema, type EvalMetrics, EvalMetricsSchema, StatusCode } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { Job, JobContext, JobHandler } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import { unpackBody } from '../common/translate.ts';
import { addPredictionsVersion, type PredictedInput, versionsNamed } from '../datasets/index.ts';
import { bodyOfVersion, pinnedModels } from '../models/index.ts';
import type { Runnable } from '../predictions/index.ts';
import { askModel } from './ask-model.ts';
import type { EvaluationDeps } from './deps.ts';
import {
  conceptsOfVersion,
  type EvaluationKind,
  type EvaluationRow,
  isHead,
  type KnownConcept,
  kindOfType,
  readSettings,
} from './evaluation.ts';
import { EvaluationTrouble } from './faults.ts';
import type { Figures } from './figure.ts';
import { figuresOf } from './figures.ts';
import { askFolds } from './folds.ts';
import { gatherTruth } from './gather.ts';
import { type EvaluatePayload, evaluateKind, searchOf } from './post-evaluation.ts';
import {
  countInputs,
  type EvaluationEnd,
  endEvaluation,
  findEvaluationByKey,
  inputsFrom,
  setProgress,
} from './store.ts';
import { bodyOfEvaluation } from './translate.ts';

const gatherTimeoutMs = 10 * 60_000;
const versionWaitMs = 10 * 60_000;
const progressEveryMs = 500;

/** The evaluation, its model or its app was deleted meanwhile: there is nobody left to judge for. */
class EvaluationGone extends Error {}

/**
 * Makes evaluations, one at a time. Killed half-way, one goes on with the inputs that have no answer yet; run
 * twice, the second run finds it ended. Its end, the version of predictions and the end of the job commit together.
 */
export function evaluationJobs(deps: EvaluationDeps): Record<string, JobHandler> {
  return {
    [evaluateKind]: {
      concurrency: 1,
      run: ([job], context) => runEvaluation(deps, job as Job<EvaluatePayload>, context),
      async onDead(job, error, tx) {
        const grant = job.appKey === null ? undefined : await deps.jobGrant(job.appKey);
        if (!grant) return;
        deps.log.warn({ job: job.id, error }, 'an evaluation was given up');
        await endEvaluation(tx, grant, (job.payload as EvaluatePayload).evaluationKey, {
          code: StatusCode.MODEL_EVALUATION_UNKNOWN_ERROR,
          details: 'The evaluation failed on the server; post another to try again.',
        });
      },
    },
  };
}

interface Parties {
  readonly grant: AppGrant;
  readonly evaluation: EvaluationRow;
  readonly data: AppGrant;
  readonly runnable: Runnable;
  readonly kind: EvaluationKind;
  readonly known: readonly KnownConcept[];
}

async function runEvaluation(
  deps: EvaluationDeps,
  job: Job<EvaluatePayload>,
  context: JobContext,
): Promise<void> {
  const parties = await partiesOf(deps, job);
  if (!parties) return;
  const { grant, evaluation } = parties;
  const report = openReport(deps, grant, evaluation.key);
  let end: EvaluationEnd;
  let predictions: ((tx: Tx) => Promise<number | undefined>) | undefined;
  try {
    await report(0);
    const figures = await judge(deps, parties, job.payload, context.signal, report);
    end = {
      code: StatusCode.MODEL_EVALUATED,
      details: '',
      result: Buffer.from(
        toBinary(EvalMetricsSchema, create(EvalMetricsSchema, figures.shown) as EvalMetrics),
      ),
      numbers: figures.numbers,
      summary: figures.summary,
    };
    predictions = (tx) => keepPredictions(tx, parties);
  } catch (error) {
    if (error instanceof EvaluationGone) return;
    if (!(error instanceof EvaluationTrouble)) throw error;
    end = { code: error.code, details: error.message };
  }
  mayDie('evaluation-measured');
  await deps.db.transaction(
    async (tx) => {
      const predictionsVersionKey = await predictions?.(tx);
      await endEvaluation(tx, grant, evaluation.key, {
        ...end,
        ...(predictionsVersionKey === undefined ? {} : { predictionsVersionKey }),
      });
      mayDie('evaluation-ended');
      await context.complete(tx, [job]);
    },
    { timeoutMs: gatherTimeoutMs },
  );
}

async function partiesOf(deps: EvaluationDeps, job: Job<EvaluatePayload>): Promise<Parties | undefined> {
  const grant = job.appKey === null ? undefined : await deps.jobGrant(job.appKey);
  const evaluation = grant && (await findEvaluationByKey(deps.db, grant, job.payload.evaluationKey));
  if (!grant || !evaluation || !isOpen(evaluation.statusCode)) return undefined;
  const data = await deps.jobGrant(evaluation.dataAppKey);
  const owner = await deps.jobGrant(evaluation.modelAppKey);
  const models = owner && (await pinnedModels(deps.db, owner, [evaluation.modelVersionKey]));
  const runnable = models?.get(evaluation.modelVersionKey);
  const kind = kindOfType(evaluation.modelTypeId);
  if (!data || !runnable || !kind) {
    await endEvaluation(deps.db, grant, evaluation.key, {
      code: StatusCode.MODEL_EVALUATION_FAILED,
      details: 'The model, or the app with the data, is gone.',
    });
    return undefined;
  }
  const known = conceptsOfVersion(runnable.version, bodyOfVersion(runnable.version));
  return { grant, evaluation, data, runnable, kind, known };
}

const isOpen = (code: number): boolean =>
  code === StatusCode.MODEL_QUEUED_FOR_EVALUATION || code === StatusCode.MODEL_EVALUATING;

/** Shares of the progress bar: what is true, what the model says, what it is worth. */
const askedFrom = 0.05;
const askedTo = 0.9;

async function judge(
  deps: EvaluationDeps,
  parties: Parties,
  payload: EvaluatePayload,
  signal: AbortSignal,
  report: (fraction: number) => Promise<void>,
): Promise<Figures> {
  const { db } = deps;
  const { grant, kind, runnable, data, known } = parties;
  let { evaluation } = parties;
  if ((await countInputs(db, evaluation)).total === 0) await gather(deps, parties, payload, signal);
  mayDie('evaluation-gathered');
  evaluation = (await findEvaluationByKey(db, grant, evaluation.key)) ?? gone();
  const { total, open } = await countInputs(db, evaluation);
  const params = (bodyOfEvaluation(evaluation).evalInfo?.params ?? {}) as Record<string, unknown>;
  const settings = readSettings(params, isHead(runnable) && evaluation.datasetId === '');
  const reached = (fraction: number) => report(askedFrom + fraction * (askedTo - askedFrom));
  if (open > 0 && settings.folds > 0)
    await askFolds(deps, evaluation, runnable, data, settings, { signal, reached });
  else if (open > 0)
    await askModel(deps, evaluation, kind, runnable, data, {
      signal,
      reached: (answered) => reached((total - open + answered) / total),
    });
  mayDie('evaluation-predicted');
  await checkAnswers(deps, evaluation);
  const byId = new Map(known.map((concept) => [concept.id, concept]));
  const isExclusive =
    bodyOfVersion(runnable.version).outputInfo?.outputConfig?.conceptsMutuallyExclusive ?? false;
  return figuresOf(kind, {
    db,
    evaluation,
    concepts: evaluation.conceptIds.map((id) => byId.get(id) ?? { id, name: id, appId: data.appId }),
    isExclusive,
    signal,
  });
}

function gone(): never {
  throw new EvaluationGone();
}

async function gather(
  deps: EvaluationDeps,
  { grant, evaluation, data, kind, known }: Parties,
  payload: EvaluatePayload,
  signal: AbortSignal,
): Promise<void> {
  const versionKey = await readyVersion(deps, evaluation, signal);
  const search = searchOf(payload);
  const onlyInputs = search ? new Set(await deps.searches.inputKeys(data, search)) : undefined;
  await deps.db.transaction(
    (tx) => gatherTruth(deps, tx, grant, evaluation, kind, known, { grant: data, versionKey, onlyInputs }),
    { isolation: 'repeatable read', timeoutMs: gatherTimeoutMs },
  );
}

const failedVersion: readonly number[] = [
  StatusCode.DATASET_VERSION_FAILURE,
  StatusCode.DATASET_VERSION_UNEXPECTED_ERROR,
];

/** Waits for the version that the model is judged by. @throws EvaluationTrouble when it is gone, failed or does not get ready */
async function readyVersion(
  { db }: EvaluationDeps,
  { truthVersionKey, datasetId }: EvaluationRow,
  signal: AbortSignal,
): Promise<number | null> {
  const trouble = (what: string) =>
    new EvaluationTrouble(
      StatusCode.MODEL_EVALUATION_WAITING_ERROR,
      `The version of dataset '${datasetId}' to judge by ${what}.`,
    );
  if (truthVersionKey === null) {
    if (datasetId !== '') throw trouble('was deleted');
    return null;
  }
  for (const began = performance.now(); ; ) {
    const version = (await versionsNamed(db, [truthVersionKey])).get(truthVersionKey);
    if (!version) throw trouble('was deleted');
    if (version.statusCode === StatusCode.DATASET_VERSION_READY) return truthVersionKey;
    if (failedVersion.includes(version.statusCode)) throw trouble('could not be made');
    if (performance.now() - began > versionWaitMs) throw trouble('is not ready yet');
    await sleep(100, undefined, { signal });
  }
}

/** A few pictures that cannot be read are left out; when none can, there is nothing to say. */
async function checkAnswers({ db }: EvaluationDeps, evaluation: EvaluationRow): Promise<void> {
  const { total, failed } = await countInputs(db, evaluation);
  if (failed < total) return;
  const [first] = await inputsFrom(db, evaluation, 0, 1);
  throw new EvaluationTrouble(
    StatusCode.MODEL_EVALUATION_FAILED,
    `The model could not be asked about any of the ${total} inputs: ${first?.trouble ?? ''}`,
  );
}

/** Writes progress down, not more often than anybody looks. @throws EvaluationGone when there is nothing to write to */
function openReport({ db }: EvaluationDeps, grant: AppGrant, key: number) {
  let writtenAtMs = Number.NEGATIVE_INFINITY;
  return async (fraction: number): Promise<void> => {
    if (performance.now() - writtenAtMs < progressEveryMs) return;
    writtenAtMs = performance.now();
    if (!(await setProgress(db, grant, key, Math.min(99, Math.floor(fraction * 100)))))
      throw new EvaluationGone();
  };
}

const chunk = 1_000;

/** What the model said, as a version of the dataset. Without a dataset there is nothing to make one of. */
async function keepPredictions(
  tx: Tx,
  { grant, evaluation, data, runnable }: Parties,
): Promise<number | undefined> {
  if (evaluation.truthVersionKey === null) return undefined;
  const conceptIds = (await findEvaluationByKey(tx, grant, evaluation.key))?.conceptIds ?? [];
  const version = await addPredictionsVersion(
    tx,
    data,
    {
      truthVersionKey: evaluation.truthVersionKey,
      modelVersionKey: runnable.version.key,
      description: `Predictions of evaluation ${evaluation.id}`,
    },
    predictedPages(tx, evaluation, conceptIds),
  );
  return version?.key;
}

async function* predictedPages(
  tx: Tx,
  evaluation: EvaluationRow,
  conceptIds: readonly string[],
): AsyncGenerator<PredictedInput[]> {
  for (let next = 0; ; ) {
    const inputs = await inputsFrom(tx, evaluation, next, chunk, 'answered');
    if (inputs.length === 0) return;
    next = (inputs.at(-1)?.position ?? next) + 1;
    yield inputs.map(({ inputKey, predicted, scores }) => ({
      inputKey,
      data: scores
        ? create(DataSchema, {
            concepts: scores.map((value, index) => ({ id: conceptIds[index] ?? '', value })),
          })
        : unpackBody(DataSchema, predicted ?? Buffer.alloc(0)),
    }));
  }
}
