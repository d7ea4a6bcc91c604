import { expect, test } from 'vitest';
import { type Person, signedIn } from '#testing/people.ts';
import { dice, shapesPng } from '#testing/shapes.ts';
import { processed, trainedVersion } from '#testing/training.ts';

const looks = [
  { id: 'disc', kind: 'disc', colour: [230, 30, 30] },
  { id: 'cross', kind: 'cross', colour: [250, 250, 250] },
] as const;

function pictures(seed: number, count: number) {
  const random = dice(seed);
  return Array.from({ length: count }, (_, i) => {
    const { id, ...look } = looks[i % looks.length] as (typeof looks)[number];
    const place = { left: 0.15 + random() * 0.1, top: 0.15 + random() * 0.1, size: 0.5 + random() * 0.15 };
    return { id, png: shapesPng([{ ...look, ...place }], random, 96) };
  });
}

const image = (base64: Buffer) => ({ data: { image: { base64 } } });

async function vectorBy(alice: Person, modelId: string, png: Buffer): Promise<number[]> {
  const { outputs } = await alice.client.postModelOutputs({ modelId, inputs: [image(png)] });
  return outputs[0]?.data?.embeddings[0]?.vector ?? [];
}

const hitsOf = async (alice: Person, annotation: object, how: 'ranks' | 'filters' = 'ranks') => {
  const query = { [how]: [{ annotation }] };
  const { hits, status } = await alice.client.postInputsSearches({ searches: [{ query }] });
  expect(status?.code, status?.details).toBe(10000);
  return hits.map(({ input, score }) => ({ id: input?.id ?? '', score }));
};

test('an embedder that was trained here carries heads, and indexes an app whose base workflow begins with it', async () => {
  const alice = await signedIn('alice', { workflow: 'General' });
  const learnt = pictures(1, 40);
  await alice.client.postInputs({
    inputs: learnt.map(({ id, png }, i) => ({
      id: `p${i}`,
      data: { image: { base64: png }, concepts: [{ id, value: 1 }] },
    })),
  });
  await processed(alice, learnt.length);
  await alice.client.postModels({
    models: [
      { id: 'near', modelTypeId: 'visual-embedder' },
      { id: 'tell', modelTypeId: 'embedding-classifier' },
      { id: 'groups', modelTypeId: 'clusterer' },
      { id: 'sure', modelTypeId: 'concept-threshold' },
      { id: 'write', modelTypeId: 'annotation-writer' },
    ],
  });
  const near = await trainedVersion(alice, 'near');
  expect(near.version?.status?.code, near.version?.status?.details).toBe(21100);
  const onIt = { inputInfo: { baseEmbedModel: { id: 'near' } } };
  const tell = await trainedVersion(alice, 'tell', onIt);
  expect(tell.version?.status?.code, tell.version?.status?.details).toBe(21100);
  const groups = await trainedVersion(alice, 'groups', {
    ...onIt,
    trainInfo: { params: { coarse_clusters: 2 } },
  });
  expect(groups.version?.status?.code, groups.version?.status?.details).toBe(21100);

  const unseen = pictures(9, 8);
  const told = await alice.client.postModelOutputs({
    modelId: 'tell',
    inputs: unseen.map(({ png }) => image(png)),
  });
  const surest = told.outputs.map(({ data }) => {
    const [first] = [...(data?.concepts ?? [])].sort((a, b) => b.value - a.value);
    return first?.id;
  });
  expect(surest).toEqual(unseen.map(({ id }) => id));

  const concepts = looks.map(({ id }) => ({ id, value: 0.6 }));
  for (const [modelId, version] of [
    ['sure', { outputInfo: { data: { concepts }, params: { concept_threshold_type: 'GREATER THAN' } } }],
    ['write', { outputInfo: { params: { annotation_status: 'ANNOTATION_PENDING' } } }],
  ] as const) {
    const { status } = await alice.client.postModelVersions({ modelId, modelVersions: [version] });
    expect(status?.code, status?.details).toBe(10000);
  }
  const node = (id: string, on: string[] = []) => ({
    id,
    model: { id },
    nodeInputs: on.map((nodeId) => ({ nodeId })),
  });
  const made = await alice.client.postWorkflows({
    workflows: [
      {
        id: 'own',
        nodes: [
          node('near'),
          node('tell', ['near']),
          node('groups', ['near']),
          node('sure', ['tell']),
          node('write', ['sure']),
        ],
      },
    ],
  });
  expect(made.status?.code, made.status?.details).toBe(10000);
  const patched = await alice.client.patchApps({
    action: 'overwrite',
    reindex: true,
    apps: [{ id: alice.appId, defaultWorkflow: { id: 'own', appId: alice.appId, userId: alice.userId } }],
  });
  expect(patched.status?.code, patched.status?.details).toBe(10000);

  // Only the new embedder makes vectors of 128 numbers, and it makes them of what was there before, too.
  const probe = await vectorBy(alice, 'near', learnt[0]?.png as Buffer);
  expect(probe).toHaveLength(128);
  const byVector = { data: { embeddings: [{ vector: probe, numDimensions: 128 }] } };
  await expect
    .poll(async () => (await hitsOf(alice, byVector)).length, { timeout: 120_000, interval: 200 })
    .toBeGreaterThan(15);
  const alike = await hitsOf(alice, byVector);
  expect(alike[0]).toMatchObject({ id: 'p0', score: expect.closeTo(1, 3) });
  const [stranger] = unseen;
  // Inputs that were there before are embedded a few at a time, so the nearest are all of a kind in the end.
  const areOfAKind = async () =>
    (await hitsOf(alice, image(stranger?.png as Buffer)))
      .slice(0, 10)
      .every(({ id }) => Number(id.slice(1)) % 2 === 0);
  await expect.poll(areOfAKind, { timeout: 60_000, interval: 200 }).toBe(true);

  // What the workflow says of a new picture: its group, and what the writer was told to write.
  await alice.client.postInputs({ inputs: [{ id: 'new', ...image(stranger?.png as Buffer) }] });
  await processed(alice, learnt.length + 1);
  const said = async () =>
    (await alice.client.listAnnotations({ inputIds: ['new'], listAllAnnotations: true })).annotations;
  await expect
    .poll(async () => (await said()).some(({ data }) => (data?.clusters.length ?? 0) > 0), {
      timeout: 120_000,
      interval: 200,
    })
    .toBe(true);
  const cluster = (await said()).flatMap(({ data }) => data?.clusters ?? [])[0];
  const written = (await said()).find(({ status }) => status?.code === 24151);
  expect(written?.data?.concepts.map(({ id }) => id)).toEqual(['disc']);
  const inGroup = await hitsOf(alice, { data: { clusters: [{ id: cluster?.id }] } }, 'filters');
  expect(inGroup.map(({ id }) => id)).toContain('new');
  const elsewhere = await hitsOf(alice, { data: { clusters: [{ id: '77_0' }] } }, 'filters');
  expect(elsewhere).toEqual([]);

  // A part that another version stands on is kept when its own is gone.
  await alice.client.deleteModel({ modelId: 'near' });
  const after = await alice.client.postModelOutputs({
    modelId: 'tell',
    inputs: [image(stranger?.png as Buffer)],
  });
  expect(after.outputs[0]?.status?.code, after.outputs[0]?.status?.details).toBe(10000);
}, 400_000);
