import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  DataSchema,
  type ServicePart,
  StatusCode,
  StatusSchema,
  WorkflowEvaluationInputResultSchema,
  type WorkflowVersionEvaluation,
  type WorkflowVersionEvaluationData,
  WorkflowVersionEvaluationDataSchema,
  WorkflowVersionEvaluationSchema,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { readPage } from '#domain/page.ts';
import { enqueue } from '#jobs/index.ts';
import { commonFault } from '../../common/faults.ts';
import { status } from '../../common/status.ts';
import { packBody, showTime, unpackBody } from '../../common/translate.ts';
import { findDatasetAndVersion } from '../../datasets/index.ts';
import {
  findWorkflowVersion,
  readWorkflow,
  showWorkflowVersion,
  type WorkflowVersionRow,
} from '../../workflows/index.ts';
import type { EvaluationDeps } from '../deps.ts';
import { evaluationFault } from '../faults.ts';
import { workflowEvaluateKind } from './jobs.ts';
import {
  findWorkflowEvaluation,
  insertWorkflowEvaluation,
  keepSample,
  pageOfWorkflowEvaluations,
  type SampleRow,
  samplesFrom,
  samplesNamed,
  updateWorkflowEvaluation,
  type WorkflowEvaluationRow,
} from './store.ts';
import { findTemplate, templates } from './templates.ts';

type Rpc =
  | 'listWorkflowEvaluationTemplates'
  | 'postWorkflowVersionEvaluations'
  | 'getWorkflowVersionEvaluation'
  | 'listWorkflowVersionEvaluations'
  | 'patchWorkflowVersionEvaluations'
  | 'listWorkflowVersionEvaluationData'
  | 'postWorkflowVersionEvaluationData';

/** States that a caller may set, as runners of evaluations do. */
const settable: readonly number[] = [
  StatusCode.EVALUATION_PENDING,
  StatusCode.EVALUATION_QUEUED,
  StatusCode.EVALUATION_IN_PROGRESS,
  StatusCode.EVALUATION_SUCCESS,
  StatusCode.EVALUATION_FAILED_TO_RETRIEVE_DATA,
  StatusCode.EVALUATION_INVALID_ARGUMENT,
  StatusCode.EVALUATION_FAILED,
  StatusCode.EVALUATION_TIMED_OUT,
  StatusCode.EVALUATION_UNEXPECTED_ERROR,
  StatusCode.EVALUATION_MIXED,
];

const columns = [
  'id',
  'targetNodeId',
  'userId',
  'appId',
  'status',
  'createdAt',
  'modifiedAt',
  'workflowVersionEvaluationTemplate',
] as const;

export const packWorkflowEvaluation = (evaluation: WorkflowVersionEvaluation): Buffer =>
  packBody(WorkflowVersionEvaluationSchema, evaluation, columns);
export const bodyOfWorkflowEvaluation = (
  row: Pick<WorkflowEvaluationRow, 'body'>,
): WorkflowVersionEvaluation => unpackBody(WorkflowVersionEvaluationSchema, row.body);

/** Evaluations of one node of a workflow, by people's labels or texts. */
export function workflowEvaluationHandlers(deps: EvaluationDeps): ServicePart<Call, Rpc> {
  const { db } = deps;
  return {
    async listWorkflowEvaluationTemplates() {
      return { workflowVersionEvaluationTemplates: [...templates] };
    },

    /** Queues evaluations, all or none. */
    async postWorkflowVersionEvaluations(req, call) {
      const { workflow, version } = await readVersion(call, req.workflowId, req.workflowVersionId);
      if (req.workflowVersionEvaluations.length === 0)
        throw evaluationFault.invalid('workflow_version_evaluations is empty; send at least one.');
      const shown = showWorkflowVersion(version, workflow);
      const wanted: Awaited<ReturnType<typeof checked>>[] = [];
      for (const item of req.workflowVersionEvaluations)
        wanted.push(
          await checked(
            call,
            item,
            shown.nodes.map(({ id }) => id),
          ),
        );
      const rows = await db.transaction(async (tx) => {
        const made = [];
        for (const one of wanted) {
          const row = await insertWorkflowEvaluation(tx, call.app, {
            ...one,
            workflowKey: workflow.key,
            workflowVersionKey: version.key,
            body: packWorkflowEvaluation(
              create(WorkflowVersionEvaluationSchema, {
                workflowVersion: {
                  id: shown.id,
                  workflowId: shown.workflowId,
                  appId: shown.appId,
                  userId: shown.userId,
                },
                groundTruthDatasetVersion: one.truth,
              }),
            ),
          });
          if (!row) throw commonFault.duplicateId('workflow evaluation', one.id);
          await enqueue(tx, {
            kind: workflowEvaluateKind,
            key: String(row.key),
            payload: { evaluationKey: row.key },
            appKey: call.app.appKey,
            maxAttempts: 3,
          });
          made.push(row);
        }
        return made;
      });
      return { workflowVersionEvaluations: rows.map((row) => show(call.app, row)) };
    },

    async getWorkflowVersionEvaluation(req, call) {
      const row = await readEvaluation(call, req.workflowVersionEvaluationId);
      return { workflowVersionEvaluation: show(call.app, row) };
    },

    /** The newest first. Without a workflow, those of the whole app. */
    async listWorkflowVersionEvaluations(req, call) {
      const of = req.workflowId ? await scopeOf(call, req.workflowId, req.workflowVersionId) : {};
      const found = await pageOfWorkflowEvaluations(db, call.app, of, readPage(req));
      return { workflowVersionEvaluations: found.map((row) => show(call.app, row)) };
    },

    /** Overwrites what was found out: state, result and the version of predictions, as they are sent. */
    async patchWorkflowVersionEvaluations(req, call) {
      if (req.action !== 'overwrite') throw commonFault.unknownAction(req.action, ['overwrite']);
      await db.transaction(async (tx) => {
        for (const sent of req.workflowVersionEvaluations) {
          const row = await findWorkflowEvaluation(tx, call.app, sent.id, true);
          if (!row) throw evaluationFault.missing(sent.id);
          const body = bodyOfWorkflowEvaluation(row);
          if (sent.predictionsDatasetVersion) body.predictionsDatasetVersion = sent.predictionsDatasetVersion;
          if (sent.workflowEvaluationResult) body.workflowEvaluationResult = sent.workflowEvaluationResult;
          const code = sent.status?.code ?? 0;
          if (code !== 0 && !settable.includes(code))
            throw evaluationFault.invalid(`status.code is ${code}; use one of ${settable.join(', ')}.`);
          await updateWorkflowEvaluation(tx, call.app, row.key, {
            statusCode: code || row.statusCode,
            statusDetails: code ? (sent.status?.details ?? '') : row.statusDetails,
            body: packWorkflowEvaluation(body),
          });
        }
      });
      const rows = await Promise.all(
        req.workflowVersionEvaluations.map(({ id }) => readEvaluation(call, id)),
      );
      return { workflowVersionEvaluations: rows.map((row) => show(call.app, row)) };
    },

    async listWorkflowVersionEvaluationData(req, call) {
      const row = await readEvaluation(call, req.workflowVersionEvaluationId);
      const page = readPage(req);
      const samples = await samplesFrom(db, row, (page.number - 1) * page.size, page.size);
      return { workflowVersionEvaluationData: await showSamples(row, samples) };
    },

    /** Keeps what a caller found out about samples, in the place of what this server did. */
    async postWorkflowVersionEvaluationData(req, call) {
      const row = await readEvaluation(call, req.workflowVersionEvaluationId);
      const ids = req.workflowVersionEvaluationData.map(({ id }) => id);
      const known = new Map((await samplesNamed(db, row, ids)).map((sample) => [sample.id, sample]));
      await db.transaction(async (tx) => {
        for (const { id, workflowEvaluationSampleResult: result } of req.workflowVersionEvaluationData) {
          const sample = known.get(id);
          if (!sample) throw commonFault.missing('sample of this evaluation', id);
          if (result)
            await keepSample(tx, row, sample.position, {
              result: Buffer.from(toBinary(WorkflowEvaluationInputResultSchema, result)),
            });
        }
      });
      return { workflowVersionEvaluationData: await showSamples(row, await samplesNamed(db, row, ids)) };
    },
  };

  async function readVersion(call: Call, workflowId: string, versionId: string) {
    const workflow = await readWorkflow(db, call.app, workflowId);
    const version = await findWorkflowVersion(db, call.app, workflow.key, versionId);
    if (!version) throw commonFault.missing('workflow version', versionId);
    return { workflow, version: version as WorkflowVersionRow };
  }

  async function scopeOf(call: Call, workflowId: string, versionId: string) {
    const { workflow, version } = await readVersion(call, workflowId, versionId);
    return versionId ? { versionKey: version.key } : { workflowKey: workflow.key };
  }

  async function readEvaluation(call: Call, id: string): Promise<WorkflowEvaluationRow> {
    const row = await findWorkflowEvaluation(db, call.app, id);
    if (!row) throw evaluationFault.missing(id);
    return row;
  }

  async function checked(call: Call, item: WorkflowVersionEvaluation, nodeIds: readonly string[]) {
    const id = item.id || newId();
    const trouble = idTrouble(id, 'workflow evaluation');
    if (trouble) throw commonFault.invalid(trouble);
    if (!nodeIds.includes(item.targetNodeId))
      throw evaluationFault.invalid(
        `target_node_id is '${item.targetNodeId}'; the workflow's nodes are ${nodeIds.join(', ')}.`,
      );
    const templateId = item.workflowVersionEvaluationTemplate?.id ?? '';
    if (!findTemplate(templateId))
      throw evaluationFault.invalid(
        `workflow_version_evaluation_template.id is '${templateId}'; use one of ${templates.map((one) => one.id).join(', ')}.`,
      );
    const { appId, userId, datasetId, id: versionId } = item.groundTruthDatasetVersion ?? {};
    if (!datasetId || !versionId)
      throw evaluationFault.invalid('ground_truth_dataset_version needs dataset_id and id.');
    const grant = appId ? await call.appGrant(userId || call.app.userId, appId) : call.app;
    if (!grant.isMember) throw commonFault.membersOnly('evaluate on its data');
    const found = await findDatasetAndVersion(db, grant, datasetId, versionId);
    if (!found) throw commonFault.missing('dataset', datasetId);
    if (!found.version) throw commonFault.missing('dataset version', versionId);
    return {
      id,
      targetNodeId: item.targetNodeId,
      templateId,
      truthAppKey: grant.appKey,
      truthVersionKey: found.version.key,
      truth: { id: versionId, datasetId, appId: grant.appId, userId: grant.userId },
    };
  }

  async function showSamples(
    row: WorkflowEvaluationRow,
    samples: readonly SampleRow[],
  ): Promise<WorkflowVersionEvaluationData[]> {
    const data = await deps.jobGrant(row.truthAppKey);
    const inputs = data
      ? await deps.showInputs(
          data,
          samples.map(({ inputKey }) => inputKey),
        )
      : [];
    const byId = new Map(inputs.map((input) => [input.id, input]));
    return samples.map((sample) => {
      const input = byId.get(sample.id);
      return create(WorkflowVersionEvaluationDataSchema, {
        id: sample.id,
        ...(input ? { input } : {}),
        groundTruths: [fromBinary(DataSchema, sample.truth)],
        predictions: sample.predicted ? [fromBinary(DataSchema, sample.predicted)] : [],
        ...(sample.result
          ? {
              workflowEvaluationSampleResult: fromBinary(WorkflowEvaluationInputResultSchema, sample.result),
            }
          : {}),
      });
    });
  }
}

function show(grant: AppGrant, row: WorkflowEvaluationRow): WorkflowVersionEvaluation {
  const shown = bodyOfWorkflowEvaluation(row);
  shown.id = row.id;
  shown.targetNodeId = row.targetNodeId;
  shown.userId = grant.userId;
  shown.appId = grant.appId;
  const template = findTemplate(row.templateId);
  if (template) shown.workflowVersionEvaluationTemplate = template;
  shown.status = create(StatusSchema, status(row.statusCode as StatusCode, row.statusDetails));
  const [createdAt, modifiedAt] = [showTime(row.createdAt), showTime(row.modifiedAt)];
  if (createdAt) shown.createdAt = createdAt;
  if (modifiedAt) shown.modifiedAt = modifiedAt;
  return shown;
}
