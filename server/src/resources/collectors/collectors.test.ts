import { beforeAll, describe, expect, test, vi } from 'vitest';
import { tinyPng, uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';

type Sent = NonNullable<Parameters<Person['client']['postCollectors']>[0]['collectors']>[number];
type Source = { modelVersionId?: string; postInputsKeyId?: string; callerUserId?: string };

const modelId = 'general-image-recognition';
const soon = { timeout: 20_000, interval: 30 };
let alice: Person;
let versionId: string;

beforeAll(async () => {
  alice = await signedIn('alice');
  const main = alice.as({ userId: 'clarifai', appId: 'main' });
  versionId = (await main.getModel({ modelId })).model?.modelVersion?.id as string;
});

const collector = (
  person: Person,
  id: string,
  rest: Omit<Sent, '$typeName'> = {},
  source: Source = {},
): Sent => ({
  id,
  preQueueRandomSample: 1,
  collectorSource: {
    apiPostModelOutputsCollectorSource: {
      modelUserId: 'clarifai',
      modelAppId: 'main',
      modelId,
      modelVersionId: versionId,
      postInputsKeyId: person.pat,
      ...source,
    },
  },
  ...rest,
});

async function predict(person: Person, shade: number) {
  const main = person.as({ userId: 'clarifai', appId: 'main' });
  const reply = await main.postModelOutputs({
    modelId,
    versionId,
    inputs: [{ data: { image: { base64: tinyPng(shade, 32) } } }],
  });
  expect(reply.status?.code, reply.status?.details).toBe(10000);
  return reply.outputs[0];
}

const inputsOf = async (person: Person) => (await person.client.listInputs({})).inputs;

/** A model that lets everything pass (1), or nothing (0). */
async function gate(person: Person, id: string, fraction: number) {
  const reply = await person.client.postModels({
    models: [
      {
        id,
        modelTypeId: 'random-sample',
        modelVersion: { outputInfo: { params: { keep_fraction: fraction } } },
      },
    ],
  });
  expect(reply.status?.code, reply.status?.details).toBe(10000);
}

test('a collector is kept without its secret, listed, changed field by field and deleted', async () => {
  const made = await alice.client.postCollectors({
    collectors: [
      collector(alice, 'c1', { description: 'some', collectOutputs: true }),
      collector(alice, 'c2'),
    ],
  });
  expect(made.status?.code, made.status?.details).toBe(10000);
  const source = made.collectors[0]?.collectorSource?.apiPostModelOutputsCollectorSource;
  expect(source).toMatchObject({ modelId, modelVersionId: versionId, postInputsKeyId: '' });
  expect((await alice.client.listCollectors({})).collectors.map(({ id }) => id)).toEqual(['c2', 'c1']);
  const patched = await alice.client.patchCollectors({
    action: 'overwrite',
    collectors: [{ id: 'c1', status: { code: 52002 } }],
  });
  expect(patched.collectors[0]).toMatchObject({
    status: { code: 52002 },
    description: 'some',
    collectOutputs: true,
  });
  expect((await alice.client.getCollector({ collectorId: 'c1' })).collector).toMatchObject({
    preQueueRandomSample: 1,
    status: { code: 52002 },
  });
  expect((await alice.client.deleteCollectors({ ids: ['c1', 'none'] })).status?.code).toBe(11101);
  expect((await alice.client.deleteCollectors({ ids: ['c1'] })).status?.code).toBe(10000);
  expect((await alice.client.deleteCollectors({ deleteAll: true })).status?.code).toBe(10000);
  expect((await alice.client.listCollectors({})).collectors).toEqual([]);
});

describe('what cannot be collected', () => {
  const refused = async (sent: Sent) => (await alice.client.postCollectors({ collectors: [sent] })).status;
  test.each<[string, () => Sent, RegExp | number]>([
    [
      'without any choice',
      () => collector(alice, 'x', { preQueueRandomSample: 0 }),
      /pre_queue_random_sample/,
    ],
    ['more than all', () => collector(alice, 'x', { preQueueRandomSample: 1.5 }), /above 0 to 1/],
    [
      'without a key',
      () => collector(alice, 'x', {}, { postInputsKeyId: '' }),
      /post_inputs_key_id is missing/,
    ],
    [
      'with an unknown key',
      () => collector(alice, 'x', {}, { postInputsKeyId: '00' }),
      /cannot be posted here/,
    ],
    ['of another person', () => collector(alice, 'x', {}, { callerUserId: 'admin' }), /caller_user_id/],
    [
      'through a workflow that is not there',
      () => collector(alice, 'x', { postQueueWorkflowId: 'none' }),
      11101,
    ],
    ['of a version that is not there', () => collector(alice, 'x', {}, { modelVersionId: 'none' }), 21200],
  ])('%s', async (_title, sent, why) => {
    const status = await refused(sent());
    if (typeof why === 'number') expect(status?.code).toBe(why);
    else expect(status).toMatchObject({ code: 11102, details: expect.stringMatching(why) });
    expect((await alice.client.listCollectors({})).collectors).toEqual([]);
  });

  test('with a key that may not post inputs', async () => {
    const { keys } = await alice.client.postKeys({
      keys: [
        { description: 'narrow', scopes: ['Apps_Get'], apps: [{ id: alice.appId, userId: alice.userId }] },
      ],
    });
    const status = await refused(collector(alice, 'x', {}, { postInputsKeyId: keys[0]?.id ?? '' }));
    expect(status).toMatchObject({ code: 11102, details: expect.stringContaining('post_inputs_key_id') });
  });
});

test('what is predicted comes in, with its outputs, and only while the collector is active', async () => {
  const bea = await signedIn('bea');
  await bea.client.postCollectors({ collectors: [collector(bea, 'c', { collectOutputs: true })] });
  const stranger = await signedIn('stranger');
  await predict(stranger, 10);
  const output = await predict(bea, 20);
  const [input] = await vi.waitFor(async () => {
    const inputs = await inputsOf(bea);
    expect(inputs.map(({ status }) => status?.code)).toEqual([30000]);
    return inputs;
  }, soon);
  const said = await vi.waitFor(async () => {
    const { annotations } = await bea.client.listAnnotations({
      inputIds: [input?.id ?? ''],
      listAllAnnotations: true,
    });
    const found = annotations.find(({ modelVersionId }) => modelVersionId === versionId);
    expect(found?.status?.code).toBe(24150);
    return found;
  }, soon);
  expect(said?.data?.concepts.map(({ id }) => id)).toEqual(output?.data?.concepts.map(({ id }) => id));
  await bea.client.patchCollectors({
    action: 'overwrite',
    collectors: [{ id: 'c', status: { code: 52002 } }],
  });
  await predict(bea, 30);
  await bea.client.patchCollectors({
    action: 'overwrite',
    collectors: [{ id: 'c', status: { code: 52001 } }],
  });
  await predict(bea, 40);
  await vi.waitFor(async () => expect(await inputsOf(bea)).toHaveLength(2), soon);
});

test('workflows choose: before the queue by what was seen, after it by the input', async () => {
  const cleo = await signedIn('cleo');
  for (const [id, value] of [
    ['any', 1],
    ['none', 0],
  ] as const) {
    await gate(cleo, id, value);
    const { model } = await cleo.client.getModel({ modelId: id });
    const made = await cleo.client.postWorkflows({
      workflows: [{ id, nodes: [{ id: 'n', model: { id, modelVersion: { id: model?.modelVersion?.id } } }] }],
    });
    expect(made.status?.code, made.status?.details).toBe(10000);
  }
  const chosen = { preQueueRandomSample: 0 };
  await cleo.client.postCollectors({
    collectors: [
      collector(cleo, 'lets-all', { ...chosen, preQueueWorkflowId: 'any' }),
      collector(cleo, 'lets-none', { ...chosen, preQueueWorkflowId: 'none' }),
    ],
  });
  await predict(cleo, 50);
  await vi.waitFor(async () => expect(await inputsOf(cleo)).toHaveLength(1), soon);
  await cleo.client.deleteCollectors({ ids: ['lets-all'] });
  await cleo.client.postCollectors({
    collectors: [collector(cleo, 'seen', { ...chosen, postQueueWorkflowId: 'General' })],
  });
  await predict(cleo, 60);
  await vi.waitFor(async () => expect(await inputsOf(cleo)).toHaveLength(2), soon);
});

test('a key that was revoked since stops the collecting and says why', async () => {
  const dora = await signedIn('dora');
  const { keys } = await dora.client.postKeys({
    keys: [{ description: 'poster', scopes: ['All'], apps: [{ id: dora.appId, userId: dora.userId }] }],
  });
  const secret = keys[0]?.id as string;
  const made = await dora.client.postCollectors({
    collectors: [collector(dora, 'c', {}, { postInputsKeyId: secret })],
  });
  expect(made.status?.code, made.status?.details).toBe(10000);
  await dora.client.deleteKey({ keyId: secret });
  await predict(dora, 70);
  await vi.waitFor(async () => {
    const { collector: seen } = await dora.client.getCollector({ collectorId: 'c' });
    expect(seen?.status?.details).toContain('could not be collected');
  }, soon);
  expect(await inputsOf(dora)).toEqual([]);
});

test('streams and inputs named by id are collected, with their bytes', async () => {
  const carol = await signedIn('carol');
  await uploadPictures(carol, ['stored']);
  const made = await carol.client.postCollectors({ collectors: [collector(carol, 'all')] });
  expect(made.status?.code, made.status?.details).toBe(10000);
  const before = (await inputsOf(carol)).length;
  const byId = await carol.client.postModelOutputs({ modelId, versionId, inputs: [{ id: 'stored' }] });
  expect(byId.status?.code, byId.status?.details).toBe(10000);
  await vi.waitFor(async () => expect(await inputsOf(carol)).toHaveLength(before + 1), soon);
  const base64 = Buffer.from(tinyPng(77, 32)).toString('base64');
  const { http } = await carol.rest('POST', `models/${modelId}/versions/${versionId}/outputs/generate`, {
    inputs: [{ data: { image: { base64 } } }],
  });
  expect(http).toBe(200);
  await vi.waitFor(async () => expect(await inputsOf(carol)).toHaveLength(before + 2), soon);
  // The stored picture came again, as it is.
  await vi.waitFor(async () => {
    const inputs = await inputsOf(carol);
    expect(inputs.every(({ status }) => status?.code === 30000)).toBe(true);
    expect(new Set(inputs.map(({ data }) => data?.image?.hosted?.suffix)).size).toBe(2);
  }, soon);
});
