import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { tinyPng, uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';

let alice: Person;
const dark = Array.from({ length: 12 }, (_, i) => `dark-${i}`);
const bright = Array.from({ length: 12 }, (_, i) => `bright-${i}`);

/** Dark and bright squares: two concepts that any embedding tells apart. */
async function uploadShades(person: Person) {
  const input = (id: string, shade: number, concepts: { id: string; value: number }[]) => ({
    id,
    data: { image: { base64: tinyPng(shade, 64) }, concepts },
  });
  await person.client.postInputs({
    inputs: [
      ...dark.map((id, i) => input(id, i * 4, [{ id: 'dark', value: 1 }])),
      ...bright.map((id, i) => input(id, 255 - i * 4, [{ id: 'bright', value: 1 }])),
    ],
  });
  for (let tries = 0; tries < 600; tries++) {
    const { inputs } = await person.client.listInputs({ perPage: 1000, status: { code: 30000 } });
    if (inputs.length === 24) return;
    await sleep(50);
  }
  throw new Error('the pictures were not processed');
}

/** Posts a version and waits until it has ended. @returns every status seen on the way, and the last version */
async function train(person: Person, modelId: string, version: object = {}) {
  const posted = await person.client.postModelVersions({ modelId, modelVersions: [version] });
  expect(posted.status?.code, posted.status?.details).toBe(10000);
  const made = posted.model?.modelVersion;
  const seen = [made?.status?.code];
  for (let tries = 0; tries < 600; tries++) {
    const { modelVersion } = await person.client.getModelVersion({ modelId, versionId: made?.id ?? '' });
    const code = modelVersion?.status?.code;
    if (seen.at(-1) !== code) seen.push(code);
    if (code !== 21103 && code !== 21101) return { seen, version: modelVersion };
    await sleep(20);
  }
  throw new Error('the training did not end');
}

const shot = (shade: number) => ({ data: { image: { base64: tinyPng(shade, 64) } } });

beforeAll(async () => {
  alice = await signedIn('alice', { workflow: 'General' });
  await uploadShades(alice);
});

describe('a classifier on embeddings', () => {
  test('goes from queued to trained, tells its concepts apart, and keeps a log for everyone with its URL', async () => {
    await alice.client.postModels({ models: [{ id: 'shades' }] });
    const { seen, version } = await train(alice, 'shades', {
      outputInfo: {
        data: { concepts: [{ id: 'dark' }, { id: 'bright' }] },
        outputConfig: { conceptsMutuallyExclusive: true },
      },
    });
    expect(seen[0]).toBe(21103);
    expect(seen.at(-1)).toBe(21100);
    expect(version).toMatchObject({ totalInputCount: 24, activeConceptCount: 2 });
    const log = await fetch((version?.trainLog ?? '').replace(/^https?:\/\/[^/]+/, alice.url));
    expect(log.headers.get('content-type')).toContain('text/plain');
    expect(await log.text()).toContain('24 labelled images');
    const { outputs } = await alice.client.postModelOutputs({
      modelId: 'shades',
      inputs: [shot(6), shot(250)],
    });
    expect(outputs.map((output) => output.data?.concepts[0]?.id)).toEqual(['dark', 'bright']);
    const sum = outputs[0]?.data?.concepts.reduce((total, concept) => total + concept.value, 0);
    expect(sum).toBeCloseTo(1, 4);
  });

  test('the same data give the same answers again, and the newest trained version answers', async () => {
    await train(alice, 'shades');
    const { modelVersions } = await alice.client.listModelVersions({ modelId: 'shades', trainedOnly: true });
    expect(modelVersions).toHaveLength(2);
    const ask = async (versionId: string) => {
      const { outputs } = await alice.client.postModelOutputs({
        modelId: 'shades',
        versionId,
        inputs: [shot(100)],
      });
      return outputs[0]?.data?.concepts.map(({ id, value }) => [id, value]);
    };
    expect(await ask(modelVersions[0]?.id as string)).toEqual(await ask(modelVersions[1]?.id as string));
    expect(
      (await alice.client.postModelOutputs({ modelId: 'shades', inputs: [shot(1)] })).outputs[0]?.model
        ?.modelVersion?.id,
    ).toBe(modelVersions[0]?.id);
  });

  test('concepts that stand for themselves are learnt against the others, and a concept alone against the rest', async () => {
    await alice.client.postModels({ models: [{ id: 'single' }] });
    const { version } = await train(alice, 'single', {
      outputInfo: { data: { concepts: [{ id: 'dark' }] } },
    });
    expect(version?.status?.code).toBe(21100);
    const { outputs } = await alice.client.postModelOutputs({
      modelId: 'single',
      inputs: [shot(6), shot(250)],
    });
    const values = outputs.map((output) => output.data?.concepts[0]?.value ?? -1) as [number, number];
    expect(values[0]).toBeGreaterThan(0.5);
    expect(values[1]).toBeLessThan(0.5);
  });

  test('a dataset limits what is learnt from', async () => {
    await alice.client.postDatasets({ datasets: [{ id: 'some' }] });
    await alice.client.postDatasetInputs({
      datasetId: 'some',
      datasetInputs: [...dark.slice(0, 5), ...bright.slice(0, 5)].map((id) => ({ input: { id } })),
    });
    await alice.client.postModels({ models: [{ id: 'of-some' }] });
    const { version } = await train(alice, 'of-some', { trainInfo: { params: { dataset_id: 'some' } } });
    expect(version?.status?.code).toBe(21100);
    expect(version?.totalInputCount).toBe(10);
    const { concepts } = await alice.client.listModelConcepts({ modelId: 'of-some' });
    expect(concepts.map((concept) => concept.id).sort()).toEqual(['bright', 'dark']);
  });

  test('a visual classifier is trained the same way, and says so', async () => {
    await alice.client.postModels({ models: [{ id: 'visual', modelTypeId: 'visual-classifier' }] });
    const { version } = await train(alice, 'visual', {
      trainInfo: { params: { template: 'MMClassification_EfficientNet', num_epochs: 1 } },
      outputInfo: { data: { concepts: [{ id: 'dark' }, { id: 'bright' }] } },
    });
    expect(version?.status?.code).toBe(21100);
    expect(JSON.stringify(version?.metadata)).toContain('not fine-tuned');
  });
});

test('how good a version is can be asked for, in parts', async () => {
  const { modelVersions } = await alice.client.listModelVersions({ modelId: 'shades' });
  const versionId = modelVersions[0]?.id as string;
  const short = await alice.client.getModelVersionMetrics({ modelId: 'shades', versionId });
  expect(short.modelVersion?.metrics?.status?.code).toBe(21300);
  expect(short.modelVersion?.metrics?.summary?.macroAvgRocAuc).toBeGreaterThan(0.9);
  expect(short.modelVersion?.metrics?.binaryMetrics).toEqual([]);
  const long = await alice.client.getModelVersionMetrics({
    modelId: 'shades',
    versionId,
    fields: { confusionMatrix: true, binaryMetrics: true },
  });
  expect(long.modelVersion?.metrics?.confusionMatrix?.matrix).toHaveLength(4);
  expect(long.modelVersion?.metrics?.binaryMetrics.map((one) => one.concept?.id).sort()).toEqual([
    'bright',
    'dark',
  ]);
  expect(long.modelVersion?.metrics?.binaryMetrics[0]?.rocCurve?.thresholds).toHaveLength(101);
  await alice.client.postModels({ models: [{ id: 'unjudged' }] });
  const none = await alice.client.getModelVersionMetrics({ modelId: 'unjudged' });
  expect(none.modelVersion?.metrics?.status?.code).toBe(21302);
});

describe('trainings that cannot be', () => {
  test.each([
    ['embedding-classifier', { num_epochs: 3 }, /no parameter 'num_epochs'\. There are .*enrich_dataset/],
    ['embedding-classifier', { template: 'MMClassification' }, /have no templates/],
    [
      'visual-classifier',
      { num_epoch: 3, sed: 1 },
      /no parameter 'num_epoch', 'sed'\. There are .*num_epochs/,
    ],
    ['visual-classifier', { template: 'Nonsense' }, /template is one of MMClassification_EfficientNet/],
    ['clusterer', { coarse_cluster: 2 }, /coarse_clusters/],
    ['clusterer', { class_weights: 'balanced' }, /no parameter 'class_weights'/],
    [
      'embedding-classifier',
      { class_weights: 'balance' },
      /class_weights is one of none, balanced, not 'balance'/,
    ],
    ['embedding-classifier', { enrich_dataset: 'never' }, /enrich_dataset is one of Automatic, Disabled/],
  ])('of %s with %j are refused at once, with the names that there are', async (typeId, params, words) => {
    const modelId = `strict-${typeId}`;
    await alice.client.postModels({ models: [{ id: modelId, modelTypeId: typeId }] });
    const refused = await alice.client.postModelVersions({
      modelId,
      modelVersions: [{ trainInfo: { params } }],
    });
    expect(refused.status?.code).toBe(21118);
    expect(refused.status?.details).toMatch(words);
    const { modelVersions } = await alice.client.listModelVersions({ modelId });
    expect(modelVersions.map(({ status }) => status?.code)).toEqual([21102]);
  });

  test('take every parameter that their type shows, as it shows it', async () => {
    const { modelTypes } = await alice.client.listModelTypes({ perPage: 1000 });
    const names = (fields: (typeof modelTypes)[number]['modelTypeFields']): string[] =>
      fields
        .filter(({ path }) => /^(train_info|input_info)\.params\./.test(path))
        .flatMap((field) => [
          field.path.split('.').at(-1) ?? '',
          ...field.modelTypeEnumOptions.flatMap((option) => names(option.modelTypeFields)),
        ]);
    for (const { id, trainable, modelTypeFields } of modelTypes) {
      if (!trainable || id === 'text-to-text') continue;
      const all = [...names(modelTypeFields), 'dataset_id', 'dataset_version_id'];
      const version = { trainInfo: { params: Object.fromEntries(all.map((name) => [name, ''])) } };
      await alice.client.postModels({ models: [{ id: `all-${id}`, modelTypeId: id }] });
      const { status } = await alice.client.postModelVersions({
        modelId: `all-${id}`,
        modelVersions: [version],
      });
      expect(status?.code, `${id}: ${status?.details}`).toBe(10000);
    }
  });

  test.each([
    ['nothing labelled', 21110, { outputInfo: { data: { concepts: [{ id: 'unseen' }] } } }],
    [
      'no dataset of that id',
      21118,
      { trainInfo: { params: { dataset_id: 'nope' } }, outputInfo: { data: { concepts: [{ id: 'dark' }] } } },
    ],
    [
      'a parameter that is no number',
      21118,
      { trainInfo: { params: { seed: 'many' } }, outputInfo: { data: { concepts: [{ id: 'dark' }] } } },
    ],
    [
      'no such embedder',
      21118,
      { inputInfo: { baseEmbedModel: { id: 'nope' } }, outputInfo: { data: { concepts: [{ id: 'dark' }] } } },
    ],
    [
      'one concept that excludes itself',
      21112,
      {
        outputInfo: {
          data: { concepts: [{ id: 'dark' }] },
          outputConfig: { conceptsMutuallyExclusive: true },
        },
      },
    ],
    [
      'a concept without examples, where that is to fail',
      21111,
      {
        outputInfo: {
          data: { concepts: [{ id: 'dark' }, { id: 'unseen' }] },
          outputConfig: { failOnMissingPositiveExamples: true },
        },
      },
    ],
  ])('%s ends with %i and words', async (name, code, version) => {
    const modelId = name.replace(/\W+/g, '-');
    await alice.client.postModels({ models: [{ id: modelId }] });
    const { version: ended } = await train(alice, modelId, version);
    expect(ended?.status?.code).toBe(code);
    expect(ended?.status?.details).not.toBe('');
    expect((await alice.client.postModelOutputs({ modelId, inputs: [shot(1)] })).status?.code).toBe(21102);
  });
});

test('a model deleted while it is trained leaves nothing behind', async () => {
  await alice.client.postModels({ models: [{ id: 'short-lived' }] });
  await alice.client.postModelVersions({ modelId: 'short-lived', modelVersions: [{}] });
  expect((await alice.client.deleteModel({ modelId: 'short-lived' })).status?.code).toBe(10000);
  expect((await alice.client.getModel({ modelId: 'short-lived' })).status?.code).toBe(21200);
  await alice.client.postModels({ models: [{ id: 'next' }] });
  expect((await train(alice, 'next')).version?.status?.code).toBe(21100);
});

test('inputs that were never indexed are embedded for the training', async () => {
  const bob = await signedIn('bob');
  await uploadPictures(bob, ['p', 'q'], { p: [{ id: 'first', value: 1 }], q: [{ id: 'second', value: 1 }] });
  await bob.client.postModels({ models: [{ id: 'm' }] });
  const { version } = await train(bob, 'm');
  expect(version?.status?.code).toBe(21100);
  const log = await fetch((version?.trainLog ?? '').replace(/^https?:\/\/[^/]+/, bob.url));
  expect(await log.text()).toContain('2 of them computed now');
});
