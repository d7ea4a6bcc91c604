import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type EvalMetrics, EvalMetricsSchema, type Search, SearchSchema, StatusCode } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { enqueue } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import { commonFault } from '../common/faults.ts';
import { addTruthVersion, findDatasetAndVersion } from '../datasets/index.ts';
import { bodyOfVersion, grantNamed, mainGrant, readTrainedVersion } from '../models/index.ts';
import type { Runnable } from '../predictions/index.ts';
import type { EvaluationDeps } from './deps.ts';
import { isHead, kindOfType, knowsNoConcepts, readSettings } from './evaluation.ts';
import { evaluationFault } from './faults.ts';
import { insertEvaluation } from './store.ts';
import { packEvaluation } from './translate.ts';

export const evaluateKind = 'evaluations.run';

export interface EvaluatePayload {
  readonly evaluationKey: number;
  /** Search message, base64: only inputs that match are judged on. */
  readonly search?: string;
}

/** An evaluation that may be made: everything it names was found, and may be used by the caller. */
export interface CheckedEvaluation {
  readonly id: string;
  readonly model: { readonly grant: AppGrant; readonly runnable: Runnable };
  readonly data: {
    readonly grant: AppGrant;
    readonly datasetId: string;
    readonly datasetKey: number | undefined;
    readonly versionKey: number | undefined;
  };
  readonly asked: EvalMetrics;
  readonly search: Search | undefined;
}

/**
 * Looks up everything that an evaluation names.
 *
 * @throws Fault 21200 and 21102 for the model · 11101 for the data · 11102 for settings that cannot be
 */
export async function checkEvaluation(
  deps: EvaluationDeps,
  call: Call,
  asked: EvalMetrics,
  search?: Search,
): Promise<CheckedEvaluation> {
  const id = asked.id || newId();
  const trouble = idTrouble(id, 'evaluation');
  if (trouble) throw commonFault.invalid(trouble);
  const model = await findModel(deps, call, asked);
  const { model: row, version } = model.runnable;
  const kind = kindOfType(row.typeId);
  if (!kind || (!knowsNoConcepts(kind) && version.conceptIds.length === 0))
    throw evaluationFault.unjudged(row.id, row.typeId);
  const params = (asked.evalInfo?.params ?? {}) as Record<string, unknown>;
  const data = await findData(deps, call, asked, params);
  const mayFold = isHead(model.runnable);
  try {
    const { folds } = readSettings(params, mayFold && data.datasetKey === undefined);
    if (folds > 0 && !mayFold) throw evaluationFault.foldsOfWhat(row.id);
  } catch (error) {
    if (error instanceof RangeError) throw evaluationFault.invalid(error.message);
    throw error;
  }
  if (search) deps.searches.check(search);
  return { id, model, data, asked: wholeNames(asked, id, model.runnable, data, call.app), search };
}

/** In the app the evaluation names, else in its own, else among the platform's models. */
async function findModel({ db }: EvaluationDeps, call: Call, { model }: EvalMetrics) {
  if (!model?.id) throw evaluationFault.invalid('eval_metrics[].model.id is empty; name the model to judge.');
  const read = async (grant: AppGrant) => ({
    grant,
    runnable: await readTrainedVersion(db, grant, model.id, model.modelVersion?.id ?? ''),
  });
  if (model.appId) return read(await grantNamed(call, model));
  try {
    return await read(call.app);
  } catch (fault) {
    const isMissing = fault instanceof Fault && fault.code === StatusCode.MODEL_DOES_NOT_EXIST;
    const main = isMissing ? await mainGrant(call) : undefined;
    if (!main) throw fault;
    return read(main).catch(() => Promise.reject(fault));
  }
}

/** The dataset named by the evaluation or, as older clients do, by its settings; none means the app's own labels. */
async function findData(
  { db }: EvaluationDeps,
  call: Call,
  { groundTruthDataset: named }: EvalMetrics,
  params: Record<string, unknown>,
): Promise<CheckedEvaluation['data']> {
  const text = (name: string) => (typeof params[name] === 'string' ? (params[name] as string) : '');
  const datasetId = named?.id || text('dataset_id');
  const versionId = named?.version?.id || text('dataset_version_id');
  const appId = named?.appId || text('dataset_app_id');
  const userId = named?.userId || text('dataset_user_id');
  const grant = datasetId && appId ? await call.appGrant(userId || call.app.userId, appId) : call.app;
  // A public app shows its models to strangers, never its inputs.
  if (!grant.isMember) throw commonFault.membersOnly('evaluate on its data');
  if (datasetId === '') return { grant, datasetId, datasetKey: undefined, versionKey: undefined };
  const found = await findDatasetAndVersion(db, grant, datasetId, versionId);
  if (!found) throw commonFault.missing('dataset', datasetId);
  if (versionId !== '' && !found.version) throw commonFault.missing('dataset version', versionId);
  return { grant, datasetId, datasetKey: found.datasetKey, versionKey: found.version?.key };
}

/** What is kept of the request: names in full, so that nothing has to be guessed later. */
export function wholeNames(
  asked: EvalMetrics,
  id: string,
  { model, version }: Runnable,
  data: CheckedEvaluation['data'],
  app: AppGrant,
): EvalMetrics {
  return create(EvalMetricsSchema, {
    id,
    userId: app.userId,
    appId: app.appId,
    model: {
      id: model.id,
      name: model.name,
      appId: model.appId,
      userId: model.userId,
      modelTypeId: model.typeId,
      modelVersion: { id: version.id, appId: model.appId, userId: model.userId },
    },
    ...(data.datasetId
      ? { groundTruthDataset: { id: data.datasetId, appId: data.grant.appId, userId: data.grant.userId } }
      : {}),
    ...(asked.evalInfo ? { evalInfo: asked.evalInfo } : {}),
    ...(asked.extendedMetrics ? { extendedMetrics: asked.extendedMetrics } : {}),
  });
}

/**
 * Writes an evaluation down with the job that will make it, and a version of the dataset where none was named.
 *
 * @throws Fault 40010 when the app has an evaluation of this id
 */
export async function addEvaluation(tx: Tx, app: AppGrant, checked: CheckedEvaluation): Promise<number> {
  const { id, model, data, asked, search } = checked;
  const { model: row, version } = model.runnable;
  const body = bodyOfVersion(version);
  const truthVersionKey =
    data.versionKey ??
    (data.datasetKey === undefined
      ? undefined
      : (await addTruthVersion(tx, data.grant, data.datasetKey, `Ground truth of evaluation ${id}`)).key);
  const key = await insertEvaluation(tx, app, {
    id,
    modelAppKey: row.appKey,
    modelVersionKey: version.key,
    modelId: row.id,
    modelTypeId: row.typeId,
    dataAppKey: data.grant.appKey,
    datasetId: data.datasetId,
    truthVersionKey: truthVersionKey ?? null,
    body: packEvaluation(asked),
    trainDatasetId: trainDatasetOf(body.trainInfo),
    modelConceptIds: version.conceptIds,
  });
  if (key === undefined) throw commonFault.duplicateId('evaluation', id);
  const payload: EvaluatePayload = {
    evaluationKey: key,
    ...(search ? { search: Buffer.from(toBinary(SearchSchema, search)).toString('base64') } : {}),
  };
  await enqueue(tx, { kind: evaluateKind, key: String(key), payload, appKey: app.appKey, maxAttempts: 3 });
  return key;
}

export const searchOf = ({ search }: EvaluatePayload): Search | undefined =>
  search === undefined ? undefined : fromBinary(SearchSchema, Buffer.from(search, 'base64'));

export function trainDatasetOf(
  info: { dataset?: { id: string } | undefined; params?: object | undefined } | undefined,
) {
  const { dataset_id: id } = (info?.params ?? {}) as { dataset_id?: unknown };
  return info?.dataset?.id || (typeof id === 'string' ? id : '');
}
