import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';
import { isSameText, wordF1 } from './text-figures.ts';

let alice: Person;
let versionId: string;
const ids = Array.from({ length: 10 }, (_, i) => `p${i}`);
const at = () => ({ workflowId: 'judged', workflowVersionId: versionId });

/** Asks until the answer is there. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 1200; tries++) {
    const found = await ask();
    if (found !== undefined) return found;
    await sleep(25);
  }
  throw new Error('it did not happen');
}

const ended = (id: string) =>
  until(async () => {
    const reply = await alice.client.getWorkflowVersionEvaluation({
      ...at(),
      workflowVersionEvaluationId: id,
    });
    const evaluation = reply.workflowVersionEvaluation;
    return [43100, 43101].includes(evaluation?.status?.code ?? 0) ? undefined : evaluation;
  });

const valuesOf = (evaluation: Awaited<ReturnType<typeof ended>> | undefined) =>
  Object.fromEntries(
    (evaluation?.workflowEvaluationResult?.summary?.evaluationMetricValues ?? []).map((one) => [
      one.evaluationMetricId,
      one.metricValue?.metricValue.value,
    ]),
  );

beforeAll(async () => {
  alice = await signedIn('alice');
  await uploadPictures(
    alice,
    ids,
    Object.fromEntries(ids.map((id, i) => [id, [{ id: i < 5 ? 'person' : 'car', value: 1 }]])),
  );
  await alice.client.postDatasets({ datasets: [{ id: 'd' }] });
  await alice.client.postDatasetInputs({
    datasetId: 'd',
    datasetInputs: ids.map((id) => ({ input: { id } })),
  });
  await alice.client.postDatasetVersions({ datasetId: 'd', datasetVersions: [{ id: 'v1' }] });
  const made = await alice.client.postWorkflows({
    workflows: [
      {
        id: 'judged',
        nodes: [
          {
            id: 'k',
            model: { id: 'general-image-recognition', userId: 'clarifai', appId: 'main' },
            suppressOutput: true,
          },
          { id: 'e', model: { id: 'general-image-embedding', userId: 'clarifai', appId: 'main' } },
        ],
      },
    ],
  });
  versionId = made.workflows[0]?.version?.id ?? '';
});

test('templates say what can be measured', async () => {
  const reply = await alice.client.listWorkflowEvaluationTemplates({});
  const templates = reply.workflowVersionEvaluationTemplates;
  expect(templates.map(({ id }) => id)).toEqual(['classification', 'detection', 'text']);
  expect(
    templates.every((one) => one.workflowVersionEvaluationMetrics.every(({ id, summary }) => id && summary)),
  ).toBe(true);
});

test('a node is judged on every input, and each sample says what was meant, said and made of it', async () => {
  const posted = await alice.client.postWorkflowVersionEvaluations({
    ...at(),
    workflowVersionEvaluations: [
      {
        id: 'first',
        targetNodeId: 'k',
        groundTruthDatasetVersion: { datasetId: 'd', id: 'v1' },
        workflowVersionEvaluationTemplate: { id: 'classification' },
      },
    ],
  });
  expect(posted.status?.code, posted.status?.details).toBe(10000);
  expect(posted.workflowVersionEvaluations[0]?.status?.code).toBe(43100);
  const evaluation = await ended('first');
  expect(evaluation?.status?.code, evaluation?.status?.details).toBe(43102);
  const values = valuesOf(evaluation);
  expect(Object.keys(values)).toEqual([
    'accuracy',
    'macro_avg_precision',
    'macro_avg_recall',
    'macro_avg_f1',
    'macro_avg_roc_auc',
  ]);
  const { workflowVersionEvaluationData: samples } = await alice.client.listWorkflowVersionEvaluationData({
    ...at(),
    workflowVersionEvaluationId: 'first',
  });
  expect(samples.map(({ id }) => id).sort()).toEqual([...ids].sort());
  const right = samples.map(
    (one) =>
      one.workflowEvaluationSampleResult?.inputEvaluationMetricValues[0]?.metricValue?.metricValue.value,
  );
  const mean = right.reduce<number>((sum, value) => sum + Number(value), 0) / right.length;
  expect(values.accuracy).toBeCloseTo(mean, 6);
  expect(samples[0]?.predictions[0]?.concepts.length).toBeGreaterThan(20);
  const second = await alice.client.listWorkflowVersionEvaluationData({
    ...at(),
    workflowVersionEvaluationId: 'first',
    page: 2,
    perPage: 4,
  });
  expect(second.workflowVersionEvaluationData.map(({ id }) => id)).toEqual(
    samples.slice(4, 8).map(({ id }) => id),
  );
});

test('evaluations are listed newest first, patched, and their samples can be judged by others', async () => {
  const list = async (of: object) =>
    (await alice.client.listWorkflowVersionEvaluations(of)).workflowVersionEvaluations.map(({ id }) => id);
  expect(await list(at())).toEqual(['first']);
  expect(await list({})).toEqual(['first']);
  const patched = await alice.client.patchWorkflowVersionEvaluations({
    ...at(),
    action: 'overwrite',
    workflowVersionEvaluations: [
      {
        id: 'first',
        status: { code: 43109, details: 'by hand' },
        workflowEvaluationResult: {
          summary: {
            evaluationMetricValues: [
              {
                evaluationMetricId: 'accuracy',
                explanation: 'counted by hand',
                metricValue: { metricValue: { case: 'floatValue', value: 0.25 } },
              },
            ],
          },
        },
      },
    ],
  });
  expect(patched.workflowVersionEvaluations[0]).toMatchObject({
    status: { code: 43109, details: 'by hand' },
  });
  expect(valuesOf(patched.workflowVersionEvaluations[0])).toEqual({ accuracy: 0.25 });
  const merge = await alice.client.patchWorkflowVersionEvaluations({
    ...at(),
    action: 'merge',
    workflowVersionEvaluations: [{ id: 'first' }],
  });
  expect(merge.status?.code).toBe(11102);
  const judged = await alice.client.postWorkflowVersionEvaluationData({
    ...at(),
    workflowVersionEvaluationId: 'first',
    workflowVersionEvaluationData: [
      {
        id: 'p3',
        workflowEvaluationSampleResult: {
          inputEvaluationMetricValues: [{ evaluationMetricId: 'accuracy', explanation: 'fine by me' }],
        },
      },
    ],
  });
  expect(
    judged.workflowVersionEvaluationData[0]?.workflowEvaluationSampleResult?.inputEvaluationMetricValues[0]
      ?.explanation,
  ).toBe('fine by me');
});

test('what cannot be judged is refused, naming the field', async () => {
  const good = {
    targetNodeId: 'k',
    groundTruthDatasetVersion: { datasetId: 'd', id: 'v1' },
    workflowVersionEvaluationTemplate: { id: 'classification' },
  };
  const post = async (change: object) => {
    const { status } = await alice.client.postWorkflowVersionEvaluations({
      ...at(),
      workflowVersionEvaluations: [{ ...good, ...change }],
    });
    return [status?.code, status?.details] as const;
  };
  expect(await post({ targetNodeId: 'x' })).toEqual([11102, expect.stringContaining('target_node_id')]);
  expect(await post({ workflowVersionEvaluationTemplate: { id: 'x' } })).toEqual([
    11102,
    expect.stringContaining('classification, detection, text'),
  ]);
  expect((await post({ groundTruthDatasetVersion: { datasetId: 'd', id: 'x' } }))[0]).toBe(11101);
  expect((await post({ id: 'first' }))[0]).toBe(40010);
  const posted = await alice.client.postWorkflowVersionEvaluations({
    ...at(),
    workflowVersionEvaluations: [{ ...good, id: 'texts', workflowVersionEvaluationTemplate: { id: 'text' } }],
  });
  expect(posted.status?.code).toBe(10000);
  expect((await ended('texts'))?.status?.code).toBe(43103);
});

test('inputs of a pool are ordered by how like a probe they are', async () => {
  const reply = await alice.client.postWorkflowResultsSimilarity({
    workflowId: 'judged',
    probeInputs: [{ id: 'p0' }],
    poolInputs: [{ id: 'p9' }, { id: 'p0' }, { id: 'p1' }],
  });
  expect(reply.status?.code, reply.status?.details).toBe(10000);
  const hits = reply.results[0]?.poolResults ?? [];
  expect(hits[0]?.input?.id).toBe('p0');
  expect(hits[0]?.score).toBeCloseTo(1, 5);
  expect(hits.map(({ score }) => score)).toEqual(hits.map(({ score }) => score).sort((a, b) => b - a));
  const wrong = await alice.client.postWorkflowResultsSimilarity({
    workflowId: 'judged',
    modelVersionId: 'none',
    probeInputs: [{ id: 'p0' }],
    poolInputs: [{ id: 'p1' }],
  });
  expect(wrong.status?.details).toContain('model_version_id');
});

test('licences are listed for everyone; nothing here needs to be migrated', async () => {
  expect((await alice.client.listOpenSourceLicenses({})).licenses).toContain('apache-2.0');
  await alice.client.postModels({ models: [{ id: 'm', modelTypeId: 'prompter' }] });
  const migrated = await alice.client.postModelMigration({ modelId: 'm' });
  expect(migrated.model?.id).toBe('m');
  expect((await alice.client.postModelMigration({ modelId: 'none' })).status?.code).toBe(21200);
  expect((await alice.client.deleteModelMigration({ modelId: 'm' })).status?.code).toBe(11101);
  const gone = await alice.rest('DELETE', 'models/m/migration');
  expect(gone.json.status.code).toBe(11101);
});

test.each([
  ['The cat sat.', 'the cat  sat.', true, 1],
  ['a a b', 'a b b', false, 2 / 3],
  ['', '', true, 1],
  ['one', 'two', false, 0],
])('texts are compared by their words: %j and %j', (ours, theirs, same, f1) => {
  expect(isSameText(ours, theirs)).toBe(same);
  expect(wordF1(ours, theirs)).toBeCloseTo(f1, 12);
});
