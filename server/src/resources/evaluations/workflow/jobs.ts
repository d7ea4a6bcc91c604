import { setTimeout as sleep } from 'node:timers/promises';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  type Data,
  DataSchema,
  InputSchema,
  OutputConfigSchema,
  StatusCode,
  WorkflowEvaluationInputResultSchema,
  type WorkflowEvaluationResultSchema,
  WorkflowVersionEvaluationSchema,
} from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { Job, JobContext, JobHandler } from '#jobs/index.ts';
import { packBody, unpackBody } from '../../common/translate.ts';
import { versionsNamed } from '../../datasets/index.ts';
import { bodyOfVersion } from '../../models/index.ts';
import { type ReadyNode, readyNodes, runWorkflow, workflowVersionByKey } from '../../workflows/index.ts';
import type { EvaluationDeps } from '../deps.ts';
import { conceptMatcher, conceptsOfVersion } from '../evaluation.ts';
import { EvaluationTrouble } from '../faults.ts';
import { sizesOf, truthsOf } from '../gather.ts';
import {
  annotationsOfVersion,
  inputsOfVersion,
  type TrueAnnotation,
  type TrueInput,
} from '../truth-store.ts';
import { type Figure, figuresOfSamples, sampleFigures } from './figures.ts';
import {
  findWorkflowEvaluationByKey,
  insertSamples,
  keepSample,
  type SampleRow,
  samplesFrom,
  updateWorkflowEvaluation,
  type WorkflowEvaluationRow,
} from './store.ts';
import type { TemplateKind } from './templates.ts';

export const workflowEvaluateKind = 'evaluations.workflow';

interface Payload {
  readonly evaluationKey: number;
}

const open: readonly number[] = [
  StatusCode.EVALUATION_PENDING,
  StatusCode.EVALUATION_QUEUED,
  StatusCode.EVALUATION_IN_PROGRESS,
];
const chunk = 500;
/** Concepts that are left out could not be judged. */
const allConcepts = create(OutputConfigSchema, { maxConcepts: 100_000 });
const versionWaitMs = 10 * 60_000;
const gatherTimeoutMs = 10 * 60_000;

/**
 * Runs a workflow on the inputs of a dataset version and judges one of its nodes. Killed half-way, it goes on with
 * the samples that have no answer yet.
 */
export const workflowEvaluationJobs = (deps: EvaluationDeps): Record<string, JobHandler> => ({
  [workflowEvaluateKind]: {
    concurrency: 1,
    run: ([job], context) => runOne(deps, job as Job<Payload>, context),
    async onDead(job, error, tx) {
      const grant = job.appKey === null ? undefined : await deps.jobGrant(job.appKey);
      const row =
        grant && (await findWorkflowEvaluationByKey(tx, grant, (job.payload as Payload).evaluationKey));
      if (!grant || !row) return;
      deps.log.warn({ job: job.id, error }, 'a workflow evaluation was given up');
      const statusDetails = 'The evaluation failed on the server; post another to try again.';
      await updateWorkflowEvaluation(
        tx,
        grant,
        row.key,
        { statusCode: StatusCode.EVALUATION_UNEXPECTED_ERROR, statusDetails, body: row.body },
        open,
      );
    },
  },
});

async function runOne(deps: EvaluationDeps, job: Job<Payload>, context: JobContext): Promise<void> {
  const grant = job.appKey === null ? undefined : await deps.jobGrant(job.appKey);
  const row = grant && (await findWorkflowEvaluationByKey(deps.db, grant, job.payload.evaluationKey));
  if (!grant || !row || !open.includes(row.statusCode)) return;
  const told = (statusCode: number, statusDetails = '', body = row.body) => ({
    statusCode,
    statusDetails,
    body,
  });
  await updateWorkflowEvaluation(deps.db, grant, row.key, told(StatusCode.EVALUATION_IN_PROGRESS), open);
  let end: ReturnType<typeof told>;
  try {
    const { result, failed, total } = await judge(deps, grant, row, context.signal);
    const evaluation = unpackBody(WorkflowVersionEvaluationSchema, row.body);
    const body = packBody(
      WorkflowVersionEvaluationSchema,
      create(WorkflowVersionEvaluationSchema, {
        ...(evaluation.workflowVersion ? { workflowVersion: evaluation.workflowVersion } : {}),
        ...(evaluation.groundTruthDatasetVersion
          ? { groundTruthDatasetVersion: evaluation.groundTruthDatasetVersion }
          : {}),
        workflowEvaluationResult: result,
      }),
      [],
    );
    if (failed === total)
      end = told(StatusCode.EVALUATION_FAILED, `The workflow failed on all ${total} inputs.`);
    else if (failed > 0)
      end = told(StatusCode.EVALUATION_MIXED, `The workflow failed on ${failed} of ${total} inputs.`, body);
    else end = told(StatusCode.EVALUATION_SUCCESS, '', body);
  } catch (error) {
    if (!(error instanceof EvaluationTrouble)) throw error;
    end = told(error.code, error.message);
  }
  await deps.db.transaction(async (tx) => {
    await updateWorkflowEvaluation(tx, grant, row.key, end, open);
    mayDie('evaluation-ended');
    await context.complete(tx, [job]);
  });
}

async function judge(deps: EvaluationDeps, grant: AppGrant, row: WorkflowEvaluationRow, signal: AbortSignal) {
  const data = await deps.jobGrant(row.truthAppKey);
  const version = await workflowVersionByKey(deps.db, grant, row.workflowVersionKey);
  if (!data || row.truthVersionKey === null || !version)
    throw new EvaluationTrouble(
      StatusCode.EVALUATION_FAILED_TO_RETRIEVE_DATA,
      'The workflow version, or the dataset version to judge by, is gone.',
    );
  // Every node is shown: the one that is judged may be a suppressed one.
  const nodes = (await readyNodes(deps, grant, version, allConcepts)).map((ready) => ({
    ...ready,
    node: { ...ready.node, suppressOutput: false },
  }));
  const target = nodes.find(({ node }) => node.id === row.targetNodeId);
  if (!target)
    throw new EvaluationTrouble(StatusCode.EVALUATION_INVALID_ARGUMENT, 'The target node is gone.');
  const kind = row.templateId as TemplateKind;
  if ((await samplesFrom(deps.db, row, 0, 1)).length === 0)
    await gather(deps, row, row.truthVersionKey, data, kind, target, signal);
  mayDie('evaluation-gathered');
  await answer(deps, row, data, kind, nodes, target, signal);
  mayDie('evaluation-predicted');
  const samples: SampleRow[] = [];
  for (let next = 0; ; next += chunk) {
    const page = await samplesFrom(deps.db, row, next, chunk);
    samples.push(...page);
    if (page.length < chunk) break;
  }
  const answered = samples.filter(({ predicted }) => predicted !== null);
  return {
    result: shownResult(await figuresOfSamples(kind, answered, signal)),
    failed: samples.length - answered.length,
    total: samples.length,
  };
}

const shownResult = (
  figures: readonly Figure[],
): MessageInitShape<typeof WorkflowEvaluationResultSchema> => ({
  summary: {
    evaluationMetricValues: figures.map(({ id, value, byConcept }) => ({
      evaluationMetricId: id,
      metricValue: { metricValue: { case: 'floatValue', value } },
      perConceptValues: Object.fromEntries(
        Object.entries(byConcept ?? {}).map(([concept, number]) => [
          concept,
          { metricValue: { case: 'floatValue' as const, value: number } },
        ]),
      ),
    })),
  },
});

async function gather(
  deps: EvaluationDeps,
  row: WorkflowEvaluationRow,
  versionKey: number,
  data: AppGrant,
  kind: TemplateKind,
  target: ReadyNode,
  signal: AbortSignal,
): Promise<void> {
  for (const began = performance.now(); ; ) {
    const version = (await versionsNamed(deps.db, [versionKey])).get(versionKey);
    if (version?.statusCode === StatusCode.DATASET_VERSION_READY) break;
    if (!version || performance.now() - began > versionWaitMs || version.statusCode > 64_015)
      throw new EvaluationTrouble(
        StatusCode.EVALUATION_FAILED_TO_RETRIEVE_DATA,
        'The dataset version to judge by is not ready.',
      );
    await sleep(100, undefined, { signal });
  }
  const known = conceptsOfVersion(target.pinned.version, bodyOfVersion(target.pinned.version));
  // A node without concepts of its own (a threshold, say) passes on those of others.
  const conceptOf = known.length > 0 ? conceptMatcher(known) : (id: string) => id;
  await deps.db.transaction(
    async (tx) => {
      let position = 0;
      for (let after = 0; ; ) {
        const inputs = await inputsOfVersion(tx, data, versionKey, after, chunk);
        if (inputs.length === 0) break;
        after = inputs.at(-1)?.inputKey ?? after;
        const keys = inputs.map(({ inputKey }) => inputKey);
        const annotations = await annotationsOfVersion(tx, versionKey, keys);
        const truths =
          kind === 'text'
            ? textsOf(inputs, annotations)
            : truthsOf(inputs, annotations, await sizesOf(deps, data, keys), kind, conceptOf);
        await insertSamples(
          tx,
          row,
          truths.map((one) => ({ ...one, id: one.inputId, position: position++ })),
        );
      }
      if (position === 0)
        throw new EvaluationTrouble(
          StatusCode.EVALUATION_FAILED_TO_RETRIEVE_DATA,
          'No input of the dataset version is labelled with anything that the node says.',
        );
    },
    { isolation: 'repeatable read', timeoutMs: gatherTimeoutMs },
  );
}

/** Inputs with the text that somebody wrote about them. */
function textsOf(inputs: readonly TrueInput[], annotations: readonly TrueAnnotation[]) {
  const texts = new Map<number, Data>();
  for (const annotation of annotations) {
    const data = unpackBody(DataSchema, annotation.data);
    if (data.text?.raw) texts.set(annotation.inputKey, create(DataSchema, { text: { raw: data.text.raw } }));
  }
  return inputs.flatMap(({ inputKey, inputId }) => {
    const data = texts.get(inputKey);
    return data
      ? [{ inputKey, inputId, width: 1, height: 1, truth: Buffer.from(toBinary(DataSchema, data)) }]
      : [];
  });
}

async function answer(
  deps: EvaluationDeps,
  row: WorkflowEvaluationRow,
  data: AppGrant,
  kind: TemplateKind,
  nodes: readonly ReadyNode[],
  target: ReadyNode,
  signal: AbortSignal,
): Promise<void> {
  const at = nodes.indexOf(target);
  for (let next = 0; ; next += chunk) {
    const page = await samplesFrom(deps.db, row, next, chunk);
    for (const sample of page) {
      if (sample.predicted || sample.trouble) continue;
      signal.throwIfAborted();
      const input = create(InputSchema, { id: sample.id });
      const { outputs, status } = await runWorkflow(deps, data, nodes, input, { signal, background: true });
      const output = outputs[at];
      if (output?.status?.code !== StatusCode.SUCCESS || !output.data) {
        const trouble = (output?.status ?? status)?.details || 'The workflow failed on this input.';
        await keepSample(deps.db, row, sample.position, { trouble });
        continue;
      }
      const { concepts, regions, text } = output.data;
      const said = create(DataSchema, { concepts, regions, ...(text ? { text } : {}) });
      const figures = sampleFigures(kind, fromBinary(DataSchema, sample.truth), said);
      await keepSample(deps.db, row, sample.position, {
        predicted: Buffer.from(toBinary(DataSchema, said)),
        result: Buffer.from(
          toBinary(
            WorkflowEvaluationInputResultSchema,
            create(WorkflowEvaluationInputResultSchema, {
              inputEvaluationMetricValues: figures.map(({ id, value }) => ({
                evaluationMetricId: id,
                metricValue: { metricValue: { case: 'floatValue' as const, value } },
              })),
            }),
          ),
        ),
      });
    }
    if (page.length < chunk) return;
  }
}
