import { expect, test } from 'vitest';
import { signedIn } from '#testing/people.ts';

test('a version is published and withdrawn, and only a public profile may publish', async () => {
  const [alice, carol] = await Promise.all([signedIn('alice'), signedIn('carol', { visibility: 50 })]);
  for (const person of [alice, carol])
    await person.client.postModels({ models: [{ id: 'm', modelTypeId: 'concept-threshold' }] });
  const versionOf = async (person: typeof alice) =>
    (await person.client.getModel({ modelId: 'm' })).model?.modelVersion;
  const publications = async (person: typeof alice) => [{ versionId: (await versionOf(person))?.id ?? '' }];
  const refused = await alice.client.postModelVersionsPublish({
    modelId: 'm',
    publications: await publications(alice),
  });
  expect(refused.status?.details).toMatch(/user profile has to be set public/i);
  const which = { modelId: 'm', publications: await publications(carol) };
  expect((await carol.client.postModelVersionsPublish(which)).status?.code).toBe(10000);
  expect((await versionOf(carol))?.visibility?.gettable).toBe(50);
  expect((await carol.client.postModelVersionsUnPublish(which)).status?.code).toBe(10000);
  expect((await versionOf(carol))?.visibility?.gettable).toBe(10);
});

test('what a model has none of is an empty list, and what is missing is missing', async () => {
  const alice = await signedIn('alice');
  await alice.client.postModels({ models: [{ id: 'm', modelTypeId: 'concept-threshold' }] });
  const modelId = 'm';
  expect((await alice.client.listModelInputs({ modelId })).inputs).toEqual([]);
  expect((await alice.client.listModelReferences({ modelId })).modelReferences).toEqual([]);
  expect((await alice.client.listModelVersionInputExamples({ modelId })).modelVersionInputExamples).toEqual(
    [],
  );
  const example = await alice.client.getModelVersionInputExample({ modelId, exampleId: 'x' });
  expect(example.status?.code).toBe(11101);
  expect((await alice.client.listModelReferences({ modelId: 'none' })).status?.code).toBe(21200);
});
