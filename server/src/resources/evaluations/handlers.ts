import { create } from '@bufbuild/protobuf';
import {
  type EvalInfo,
  type EvalMetrics,
  EvalMetricsSchema,
  type FieldsValue,
  type ListEvaluationsRequest,
  type ServicePart,
  StatusCode,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import { readPage } from '#domain/page.ts';
import { commonFault } from '../common/faults.ts';
import { status } from '../common/status.ts';
import { versionsNamed } from '../datasets/index.ts';
import {
  bodyOfVersion,
  findVersionByKey,
  logOption,
  modelFault,
  readModelAndVersion,
  showVersion,
  trainingMetricsOf,
} from '../models/index.ts';
import type { EvaluationDeps } from './deps.ts';
import { conceptsOfVersion, type EvaluationRow, type KnownConcept } from './evaluation.ts';
import { evaluationFault } from './faults.ts';
import { addEvaluation, type CheckedEvaluation, checkEvaluation } from './post-evaluation.ts';
import {
  type EvaluationSort,
  findEvaluation,
  findEvaluationByKey,
  inputsFrom,
  latestOfVersion,
  pageOfEvaluations,
  pageOfVersion,
} from './store.ts';
import { showEvaluation, showTestSetEntry, withFields } from './translate.ts';

const itemsMax = 128;
const testSetChunk = 500;
/** A reply holds so many inputs at most; all of them can be paged through beside the contract (docs/EXTENSIONS.md). */
const testSetMax = 20_000;

type Rpc =
  | 'postEvaluations'
  | 'getEvaluation'
  | 'listEvaluations'
  | 'postModelVersionEvaluations'
  | 'getModelVersionEvaluation'
  | 'listModelVersionEvaluations'
  | 'postModelVersionMetrics'
  | 'getModelVersionMetrics';

/** Evaluations of model versions: the family's own RPCs, and the deprecated ones that do the same. */
export function evaluationHandlers(deps: EvaluationDeps): ServicePart<Call, Rpc> {
  const { db } = deps;
  return {
    /** Queues evaluations, all or none. */
    async postEvaluations(req, call) {
      return { evalMetrics: await post(call, req.evalMetrics) };
    },

    async getEvaluation(req, call) {
      const row = await findEvaluation(db, call.app, req.evaluationId);
      if (!row) throw evaluationFault.missing(req.evaluationId);
      return { evalMetrics: await show(call.app, row, req.fields) };
    },

    async listEvaluations(req, call) {
      const app = call.appIfNamed;
      const filter = {
        modelTypeId: req.modelTypeId,
        evalDatasetIds: req.evalDatasetIds,
        trainDatasetIds: req.trainDatasetIds,
        conceptIds: req.conceptIds,
        showFailed: req.showFailedMetrics,
      };
      const scope = app ? { app } : { user: call.user };
      const found = await pageOfEvaluations(db, scope, filter, readSort(req), readPage(req));
      return { evalMetrics: await showAll(found, req.foveaTimes) };
    },

    async postModelVersionEvaluations(req, call) {
      const items = req.evalMetrics.length > 0 ? req.evalMetrics : [create(EvalMetricsSchema)];
      return {
        evalMetrics: await post(
          call,
          items.map((item) => ofVersion(item, call, req.modelId, req.modelVersionId)),
        ),
      };
    },

    async getModelVersionEvaluation(req, call) {
      const { version } = await readModelAndVersion(db, call.app, req.modelId, req.modelVersionId);
      const row = await findEvaluation(db, call.app, req.evaluationId);
      if (!version || row?.modelVersionKey !== version.key) throw evaluationFault.missing(req.evaluationId);
      return { evalMetrics: await show(call.app, row, req.fields) };
    },

    /** Newest first: clients take the first for the latest. */
    async listModelVersionEvaluations(req, call) {
      const { version } = await readModelAndVersion(db, call.app, req.modelId, req.modelVersionId);
      if (!version) throw modelFault.missingVersion(req.modelId, req.modelVersionId);
      const found = await pageOfVersion(db, call.app, version.key, readPage(req));
      return { evalMetrics: await showAll(found, req.foveaTimes) };
    },

    async postModelVersionMetrics(req, call) {
      const { model, version } = await readModelAndVersion(db, call.app, req.modelId, req.versionId);
      if (!version) throw modelFault.missingVersion(req.modelId, req.versionId);
      const asked = create(EvalMetricsSchema, infoOf(req.evalInfo));
      const item = ofVersion(asked, call, req.modelId, version.id);
      const checked = await checkEvaluation(deps, call, item, req.testSearch);
      const key = await db.transaction((tx) => addEvaluation(tx, call.app, checked));
      const row = (await findEvaluationByKey(db, call.app, key)) as EvaluationRow;
      const modelVersion = showVersion(version, model, logOption(deps, call.app, call.app.isMember));
      modelVersion.metrics = await show(call.app, row, undefined);
      return { modelVersion };
    },

    /** The newest evaluation of a version; before any, what its training found out about it. */
    async getModelVersionMetrics(req, call) {
      const { model, version } = await readModelAndVersion(db, call.app, req.modelId, req.versionId);
      if (!version) throw modelFault.missingVersion(req.modelId, req.versionId);
      const modelVersion = showVersion(version, model, logOption(deps, call.app, call.app.isMember));
      const row = await latestOfVersion(db, call.app, version.key);
      const trained = row ? undefined : await trainingMetricsOf(db, call.app, version.key);
      if (row) modelVersion.metrics = await show(call.app, row, req.fields);
      else if (trained) modelVersion.metrics = withFields(trained, req.fields);
      else
        modelVersion.metrics = create(EvalMetricsSchema, { status: status(StatusCode.MODEL_NOT_EVALUATED) });
      return { modelVersion };
    },
  };

  async function post(call: Call, items: readonly EvalMetrics[]): Promise<EvalMetrics[]> {
    if (items.length === 0) throw evaluationFault.invalid('eval_metrics is empty; send at least one.');
    if (items.length > itemsMax) throw commonFault.tooMany('eval_metrics', items.length, itemsMax);
    const checked: CheckedEvaluation[] = [];
    for (const item of items) checked.push(await checkEvaluation(deps, call, item));
    const keys = await db.transaction(async (tx) => {
      const made = [];
      for (const one of checked) made.push(await addEvaluation(tx, call.app, one));
      return made;
    });
    const rows = await Promise.all(keys.map((key) => findEvaluationByKey(db, call.app, key)));
    return showAll(rows.filter((row) => row !== undefined));
  }

  /** In lists, summaries alone. */
  async function showAll(rows: readonly EvaluationRow[], withTimes = false): Promise<EvalMetrics[]> {
    const keys = rows.flatMap((row) => [row.truthVersionKey, row.predictionsVersionKey]);
    const versions = await versionsNamed(
      db,
      keys.filter((key) => key !== null),
    );
    return rows.map((row) =>
      withFields(
        showEvaluation(
          row,
          {
            truth: versions.get(row.truthVersionKey ?? 0)?.id,
            predictions: versions.get(row.predictionsVersionKey ?? 0)?.id,
          },
          withTimes,
        ),
        undefined,
      ),
    );
  }

  async function show(
    app: AppGrant,
    row: EvaluationRow,
    fields: FieldsValue | undefined,
  ): Promise<EvalMetrics> {
    const versions = await versionsNamed(
      db,
      [row.truthVersionKey, row.predictionsVersionKey].filter((key) => key !== null),
    );
    const shown = showEvaluation(row, {
      truth: versions.get(row.truthVersionKey ?? 0)?.id,
      predictions: versions.get(row.predictionsVersionKey ?? 0)?.id,
    });
    // The figures of a public model are for everyone, the pictures behind them are not.
    const isTestSetShown = fields?.testSet && app.isMember && row.statusCode === StatusCode.MODEL_EVALUATED;
    if (isTestSetShown) shown.testSet = await testSetOf(row);
    return withFields(shown, fields);
  }

  async function testSetOf(row: EvaluationRow) {
    const [data, owner] = [await deps.jobGrant(row.dataAppKey), await deps.jobGrant(row.modelAppKey)];
    if (!data) return [];
    const version = owner && (await findVersionByKey(db, owner, row.modelVersionKey));
    const known = new Map<string, KnownConcept>(
      version
        ? conceptsOfVersion(version, bodyOfVersion(version)).map((concept) => [concept.id, concept])
        : [],
    );
    const entries = [];
    for (let next = 0; entries.length < testSetMax; ) {
      const inputs = await inputsFrom(db, row, next, testSetChunk, 'answered');
      if (inputs.length === 0) break;
      next = (inputs.at(-1)?.position ?? next) + 1;
      const shown = await deps.showInputs(
        data,
        inputs.map(({ inputKey }) => inputKey),
      );
      const byId = new Map(shown.map((input) => [input.id, input]));
      for (const input of inputs)
        entries.push(showTestSetEntry(input, row.conceptIds, known, byId.get(input.inputId)));
    }
    return entries.slice(0, testSetMax);
  }
}

const infoOf = (evalInfo: EvalInfo | undefined) => (evalInfo ? { evalInfo } : {});

/** The item of a request that names its model in its path. */
function ofVersion(item: EvalMetrics, call: Call, modelId: string, versionId: string): EvalMetrics {
  const { id, groundTruthDataset, evalInfo, extendedMetrics } = item;
  return create(EvalMetricsSchema, {
    id,
    ...(groundTruthDataset ? { groundTruthDataset } : {}),
    ...(evalInfo ? { evalInfo } : {}),
    ...(extendedMetrics ? { extendedMetrics } : {}),
    model: {
      id: modelId,
      userId: call.app.userId,
      appId: call.app.appId,
      modelVersion: { id: versionId },
    },
  });
}

const sorts: Readonly<Record<string, EvaluationSort>> = {
  sortByAppId: 'app_id',
  sortByRocAuc: 'roc_auc',
  sortByF1: 'f1',
  sortByCreatedAt: 'created_at',
  sortByMeanAvgPrecision: 'mean_avg_precision',
  sortByPrecision: 'precision',
  sortByRecall: 'recall',
  sortByModelId: 'model_id',
  sortByEvalDatasetId: 'eval_dataset_id',
  sortByTrainDatasetId: 'train_dataset_id',
};

const readSort = (req: ListEvaluationsRequest): { by: EvaluationSort; ascending: boolean } => ({
  by: sorts[req.sortBy.case ?? ''] ?? 'created_at',
  ascending: req.sortAscending,
});
