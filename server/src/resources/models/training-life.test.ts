import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { tinyPng } from '#testing/inputs.ts';
import { type Person, personWith, signedIn } from '#testing/people.ts';
import { startServer, type TestServer } from '#testing/server.ts';
import { processed, trainedVersion } from '#testing/training.ts';

let alice: Person;
const count = 24;

async function uploadShades(person: Person) {
  await person.client.postInputs({
    inputs: Array.from({ length: count }, (_, i) => ({
      id: `s${i}`,
      data: {
        image: { base64: tinyPng(i % 2 === 0 ? i * 3 : 255 - i * 3, 64) },
        concepts: [{ id: i % 2 === 0 ? 'dark' : 'bright', value: 1 }],
      },
    })),
  });
  await processed(person, count);
}

beforeAll(async () => {
  alice = await signedIn('alice', { workflow: 'General' });
  await uploadShades(alice);
});

test('a dataset named without a version gets one, and the model remembers what it was trained on', async () => {
  await alice.client.postDatasets({ datasets: [{ id: 'd' }] });
  await alice.client.postDatasetInputs({
    datasetId: 'd',
    datasetInputs: Array.from({ length: 12 }, (_, i) => ({ input: { id: `s${i}` } })),
  });
  await alice.client.postModels({ models: [{ id: 'pinned' }] });
  const { version } = await trainedVersion(alice, 'pinned', { trainInfo: { params: { dataset_id: 'd' } } });
  expect(version?.status?.code, version?.status?.details).toBe(21100);
  expect(version?.totalInputCount).toBe(12);
  const { datasetVersions } = await alice.client.listDatasetVersions({ datasetId: 'd' });
  expect(datasetVersions).toHaveLength(1);
  // DatasetVersionRequestOrigin: TRAINING.
  expect(datasetVersions[0]?.requestOrigin).toBe(2);
  expect(version?.trainInfo?.dataset).toMatchObject({ id: 'd', version: { id: datasetVersions[0]?.id } });
});

test('a training that asks for it is judged when it ends', async () => {
  await alice.client.postModels({ models: [{ id: 'judged' }] });
  const { version } = await trainedVersion(
    alice,
    'judged',
    {},
    { evalInfo: { params: { use_kfold: true } } },
  );
  expect(version?.status?.code).toBe(21100);
  for (let tries = 0; tries < 600; tries++) {
    const { evalMetrics } = await alice.client.listModelVersionEvaluations({
      modelId: 'judged',
      modelVersionId: version?.id ?? '',
    });
    const code = evalMetrics[0]?.status?.code;
    if (code === 21300) return;
    expect([21303, 21301, undefined]).toContain(code);
    await sleep(50);
  }
  throw new Error('the evaluation did not end');
});

test('the time of a training is told before it, by what others took', async () => {
  await alice.client.postModels({ models: [{ id: 'slow' }] });
  const ask = async (estimatedInputCount: bigint) => {
    const reply = await alice.client.postModelVersionsTrainingTimeEstimate({
      modelId: 'slow',
      modelVersions: [{}],
      estimatedInputCount,
    });
    expect(reply.status?.code, reply.status?.details).toBe(10000);
    const [estimate] = reply.trainingTimeEstimates;
    return Number(estimate?.seconds) + Number(estimate?.nanos) / 1e9;
  };
  const [few, many, own] = [await ask(10n), await ask(100_000n), await ask(0n)];
  expect(few).toBeGreaterThan(0);
  expect(many).toBeGreaterThan(few * 10);
  expect(own).toBeLessThan(many);
  await alice.client.postModels({ models: [{ id: 'writer', modelTypeId: 'text-to-text' }] });
  const refused = await alice.client.postModelVersionsTrainingTimeEstimate({
    modelId: 'writer',
    modelVersions: [{}],
  });
  expect(refused.status?.code).toBe(10040);
});

test('concepts become their synonyms, and prompts take what the app knows', async () => {
  const bob = await signedIn('bob');
  await bob.client.postConcepts({ concepts: [{ id: 'kitty' }, { id: 'cat' }, { id: 'dog' }] });
  const related = await bob.client.postConceptRelations({
    conceptId: 'kitty',
    conceptRelations: [{ objectConcept: { id: 'cat' }, predicate: 'synonym' }],
  });
  expect(related.status?.code, related.status?.details).toBe(10000);
  await bob.client.postModels({ models: [{ id: 'mapper', modelTypeId: 'concept-synonym-mapper' }] });
  const concepts = [
    { id: 'kitty', name: 'kitty', value: 0.7 },
    { id: 'dog', name: 'dog', value: 0.9 },
  ];
  const mapped = await bob.client.postModelOutputs({ modelId: 'mapper', inputs: [{ data: { concepts } }] });
  expect(mapped.outputs[0]?.data?.concepts.map((one) => one.id)).toEqual(['cat']);
  expect(mapped.outputs[0]?.data?.concepts[0]?.value).toBeCloseTo(0.7, 5);
  await bob.client.postInputs({
    inputs: [{ id: 't', data: { text: { raw: 'refunds take fourteen days' } } }],
  });
  await processed(bob, 1);
  await bob.client.postModels({
    models: [
      {
        id: 'rag',
        modelTypeId: 'rag-prompter',
        outputInfo: {
          params: { prompt_template: 'Know: {data.hits}\nAsk: {data.text.raw}', min_score: 0.1 },
        },
      },
    ],
  });
  const { outputs } = await bob.client.postModelOutputs({
    modelId: 'rag',
    inputs: [{ data: { text: { raw: 'refunds' } } }],
  });
  expect(outputs[0]?.data?.text?.raw).toBe('Know: refunds take fourteen days\nAsk: refunds');
});

test.each(['training-begun', 'training-fitted', 'training-part-due', 'training-head-kept', 'training-ended'])(
  'killed at %s, a clusterer is trained after the next start',
  async (point) => {
    let server: TestServer | undefined = await startServer({ env: { FOVEA_FAILPOINTS: point } });
    const dataDir = server.dataDir;
    const as = ({ url, userId, pat }: TestServer) => personWith({ url, userId, pat, appId: 'crash' });
    try {
      const before = as(server);
      await before.client.postApps({
        userAppId: { userId: 'me', appId: '' },
        apps: [{ id: 'crash', defaultWorkflow: { id: 'General', appId: 'main', userId: 'clarifai' } }],
      });
      await uploadShades(before);
      await before.client.postModels({ models: [{ id: 'm', modelTypeId: 'clusterer' }] });
      const ended = once(server.process, 'exit');
      const posted = await before.client.postModelVersions({
        modelId: 'm',
        modelVersions: [{ trainInfo: { params: { coarse_clusters: 2 } } }],
      });
      await ended;
      server = await startServer({ dataDir });
      const after = as(server);
      let code = 0;
      for (let tries = 0; tries < 1_200 && ![21100, 21106].includes(code); tries++) {
        const { modelVersion } = await after.client.getModelVersion({
          modelId: 'm',
          versionId: posted.model?.modelVersion?.id ?? '',
        });
        code = modelVersion?.status?.code ?? 0;
        await sleep(50);
      }
      expect(code).toBe(21100);
      const { outputs } = await after.client.postModelOutputs({
        modelId: 'm',
        inputs: [{ data: { image: { base64: tinyPng(3, 64) } } }],
      });
      expect(outputs[0]?.data?.clusters[0]?.id).toMatch(/^\d_\d$/);
    } finally {
      await server?.stop();
    }
  },
  120_000,
);
