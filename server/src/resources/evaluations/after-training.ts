import { create, type JsonObject } from '@bufbuild/protobuf';
import { type EvalInfo, EvalMetricsSchema, StatusCode } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import { enqueue, type Job, type JobContext, type JobHandler } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import { findDatasetAndVersion } from '../datasets/index.ts';
import { bodyOfVersion, findVersionByKey, pinnedModels } from '../models/index.ts';
import type { EvaluationDeps } from './deps.ts';
import { isHead, kindOfType, readSettings } from './evaluation.ts';
import { evaluationFault } from './faults.ts';
import { addEvaluation, trainDatasetOf, wholeNames } from './post-evaluation.ts';

const afterKind = 'evaluations.after-training';
const lookEveryMs = 2_000;

interface Payload {
  readonly versionKey: number;
  readonly params: JsonObject;
}

/**
 * Has a version evaluated as soon as it is trained, in the transaction that makes it.
 *
 * @throws Fault 11102 for settings that cannot be
 */
export async function evaluateAfterTraining(
  tx: Tx,
  grant: AppGrant,
  versionKey: number,
  { params = {} }: EvalInfo,
): Promise<void> {
  try {
    readSettings(params, false);
  } catch (error) {
    if (error instanceof RangeError) throw evaluationFault.invalid(error.message);
    throw error;
  }
  await look(tx, grant, { versionKey, params });
}

const look = (tx: Tx, grant: AppGrant, payload: Payload): Promise<void> =>
  enqueue(tx, {
    kind: afterKind,
    key: String(payload.versionKey),
    payload,
    appKey: grant.appKey,
    runAt: new Date(Date.now() + lookEveryMs),
  });

/** Looks now and then whether a training has ended; a training that fails is not evaluated. */
export const afterTrainingJobs = (deps: EvaluationDeps): Record<string, JobHandler> => ({
  [afterKind]: {
    run: async ([job], context) => lookAgain(deps, job as Job<Payload>, context),
  },
});

async function lookAgain(deps: EvaluationDeps, job: Job<Payload>, context: JobContext): Promise<void> {
  const grant = job.appKey === null ? undefined : await deps.jobGrant(job.appKey);
  const version = grant && (await findVersionByKey(deps.db, grant, job.payload.versionKey));
  if (!grant || !version) return;
  const isTraining =
    version.statusCode === StatusCode.MODEL_TRAINING ||
    version.statusCode === StatusCode.MODEL_QUEUED_FOR_TRAINING;
  if (!isTraining && version.statusCode !== StatusCode.MODEL_TRAINED) return;
  await deps.db.transaction(async (tx) => {
    if (isTraining) await look(tx, grant, job.payload);
    else await evaluate(tx, grant, version.key, job.payload.params);
    await context.complete(tx, [job]);
  });
}

/** On the dataset named, else on the one that the version learnt from, else on the app's labels. */
async function evaluate(tx: Tx, grant: AppGrant, versionKey: number, asked: JsonObject): Promise<void> {
  const runnable = (await pinnedModels(tx, grant, [versionKey])).get(versionKey);
  if (!runnable || !kindOfType(runnable.model.typeId)) return;
  // A head would be judged on what it learnt; of the others the version itself is all there is.
  const params: JsonObject = { use_kfold: true, ...asked };
  if (!isHead(runnable)) params.use_kfold = false;
  const datasetId =
    typeof params.dataset_id === 'string'
      ? params.dataset_id
      : trainDatasetOf(bodyOfVersion(runnable.version).trainInfo);
  const versionId = typeof params.dataset_version_id === 'string' ? params.dataset_version_id : '';
  const found = datasetId === '' ? undefined : await findDatasetAndVersion(tx, grant, datasetId, versionId);
  // A dataset that is gone since leaves the labels of the app.
  const data = {
    grant,
    datasetId: found ? datasetId : '',
    datasetKey: found?.datasetKey,
    versionKey: found?.version?.key,
  };
  const id = newId();
  const wanted = create(EvalMetricsSchema, { evalInfo: { params } });
  await addEvaluation(tx, grant, {
    id,
    model: { grant, runnable },
    data,
    asked: wholeNames(wanted, id, runnable, data, grant),
    search: undefined,
  });
}
