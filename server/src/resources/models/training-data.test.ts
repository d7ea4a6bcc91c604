import { expect, test } from 'vitest';
import { signedIn } from '#testing/people.ts';
import { dice, shapesPng } from '#testing/shapes.ts';
import { processed, trainedVersion } from '#testing/training.ts';

const looks = [
  { id: 'disc', kind: 'disc', colour: [230, 30, 30] },
  { id: 'cross', kind: 'cross', colour: [250, 250, 250] },
] as const;

test('a training that names no dataset keeps what it learnt from, and shares it with the next', async () => {
  const alice = await signedIn('alice', { workflow: 'General' });
  const random = dice(4);
  await alice.client.postInputs({
    inputs: Array.from({ length: 12 }, (_, i) => {
      const { id, ...look } = looks[i % 2] as (typeof looks)[number];
      const shape = { ...look, left: 0.2, top: 0.2, size: 0.5 + random() * 0.1 };
      return {
        id: `p${i}`,
        data: { image: { base64: shapesPng([shape], random, 96) }, concepts: [{ id, value: 1 }] },
      };
    }),
  });
  await processed(alice, 12);
  await alice.client.postModels({ models: [{ id: 'tell', modelTypeId: 'embedding-classifier' }] });
  const first = await trainedVersion(alice, 'tell');
  expect(first.version?.status?.code, first.version?.status?.details).toBe(21100);
  const held = first.version?.trainInfo?.dataset;
  expect(held?.id).toBe('all-inputs');

  // What happens to the inputs afterwards changes nothing of it.
  await alice.client.deleteInputs({ ids: ['p0'] });
  const { datasetVersion } = await alice.client.getDatasetVersion({
    datasetId: held?.id,
    datasetVersionId: held?.version?.id,
  });
  expect(datasetVersion?.requestOrigin).toBe(2);
  expect(datasetVersion?.status?.code).toBe(64015);
  const { datasetVersionMetricsGroups: groups } = await alice.client.listDatasetVersionMetricsGroups({
    datasetId: held?.id,
    datasetVersionId: held?.version?.id,
  });
  const concepts = groups.filter(({ value }) => value?.kind.case === 'stringValue');
  expect(concepts.length).toBeGreaterThan(0);

  const second = await trainedVersion(alice, 'tell');
  expect(second.version?.totalInputCount).toBe(11);
  expect(first.version?.totalInputCount).toBe(12);
  expect(second.version?.trainInfo?.dataset?.id).toBe(held?.id);
  expect(second.version?.trainInfo?.dataset?.version?.id).not.toBe(held?.version?.id);
  // Nobody made this dataset, so it stands in no list, and no input is told to be in it.
  expect((await alice.client.listDatasets({})).datasets).toEqual([]);
  expect((await alice.client.getInput({ inputId: 'p1' })).input?.datasetIds).toEqual([]);
  // The first version again, by its name: what it learnt from is still whole.
  const again = await trainedVersion(alice, 'tell', { trainInfo: { dataset: held } });
  expect(again.version?.status?.code, again.version?.status?.details).toBe(21100);

  // Examples of what it learnt from.
  const examples = await alice.client.listModelVersionInputExamples({
    modelId: 'tell',
    modelVersionId: second.version?.id,
  });
  expect(examples.status?.code, examples.status?.details).toBe(10000);
  expect(examples.modelVersionInputExamples).toHaveLength(6);
  const [example] = examples.modelVersionInputExamples;
  expect(example?.data?.concepts[0]?.id).toMatch(/^(disc|cross)$/);
  expect(example?.data?.image?.url).toMatch(/^http/);
  const one = await alice.client.getModelVersionInputExample({
    modelId: 'tell',
    modelVersionId: second.version?.id,
    exampleId: example?.id,
  });
  expect(one.modelVersionInputExample?.id).toBe(example?.id);
  const missing = await alice.client.getModelVersionInputExample({
    modelId: 'tell',
    modelVersionId: second.version?.id,
    exampleId: 'nothing',
  });
  expect(missing.status?.code).toBe(11101);
}, 240_000);
