import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tinyPng, uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';

let alice: Person;
let main: Person['client'];
const image = { data: { image: { base64: tinyPng(120, 64) } } };
const recognition = 'general-image-recognition';

const pictures = createServer((request, response) => {
  if (request.url === '/gone.png') response.writeHead(404).end();
  else response.writeHead(200, { 'content-type': 'image/png' }).end(tinyPng(200, 32));
});
const urlOf = (path: string) => `http://127.0.0.1:${(pictures.address() as AddressInfo).port}${path}`;

beforeAll(async () => {
  await new Promise<void>((resolve) => pictures.listen(0, '127.0.0.1', resolve));
  alice = await signedIn('alice');
  main = alice.as({ userId: 'clarifai', appId: 'main' });
});

afterAll(() => {
  pictures.close();
});

describe('the built-in models', () => {
  test.each([
    [recognition, 'visual-classifier', (data: Data) => data?.concepts.length === 20],
    ['aaa03c23b3724a16a56b629203edc62c', 'visual-classifier', (data: Data) => data?.concepts.length === 20],
    [
      'general-image-embedding',
      'visual-embedder',
      (data: Data) => data?.embeddings[0]?.vector.length === 256,
    ],
    [
      'bbb5f41425b8468d9b7a554ff10f8581',
      'visual-embedder',
      (data: Data) => data?.embeddings[0]?.numDimensions === 256,
    ],
    ['color-recognition', 'image-color-recognizer', (data: Data) => data?.colors[0]?.w3c?.name === 'Gray'],
    ['moderation-recognition', 'visual-classifier', (data: Data) => data?.concepts.length === 3],
    ['general-image-detection', 'visual-detector', (data: Data) => data?.regions.length === 0],
    ['face-detection', 'visual-detector', (data: Data) => data?.regions.length === 0],
  ])('%s of type %s answers as its type does', async (modelId, typeId, holds) => {
    const reply = await main.postModelOutputs({ modelId, inputs: [image] });
    expect(reply.status?.code, reply.status?.details).toBe(10000);
    expect(reply.outputs[0]?.model).toMatchObject({
      id: modelId,
      modelTypeId: typeId,
      userId: 'clarifai',
      appId: 'main',
    });
    expect(holds(reply.outputs[0]?.data), modelId).toBe(true);
  });

  test('have a card that names limits, source and licence', async () => {
    const { models } = await main.listModels({ perPage: 1000 });
    for (const model of models.filter((one) => one.modelTypeId !== 'image-crop')) {
      for (const heading of ['Limits', 'Source', 'Licence'])
        expect(model.notes, model.id).toContain(`## ${heading}`);
    }
  });

  test('are found from an app of one’s own, too', async () => {
    const reply = await alice.client.postModelOutputs({ modelId: recognition, inputs: [image] });
    expect([reply.status?.code, reply.outputs[0]?.model?.userId]).toEqual([10000, 'clarifai']);
  });

  test('that the operator did not switch on say so', async () => {
    expect((await main.postModelOutputs({ modelId: 'face-embedding', inputs: [image] })).status?.code).toBe(
      21353,
    );
  });
});

type Data = Awaited<ReturnType<Person['client']['postModelOutputs']>>['outputs'][number]['data'];

describe('inputs', () => {
  test('come as bytes, as a URL, or as an input of the app, and answer alike', async () => {
    await uploadPictures(alice, ['stored']);
    const reply = await alice.client.postModelOutputs({
      modelId: 'general-image-embedding',
      inputs: [
        { id: 'stored' },
        { data: { image: { base64: tinyPng(0) } } },
        { data: { image: { url: urlOf('/a.png') } } },
      ],
    });
    expect(reply.status?.code).toBe(10000);
    const [stored, bytes, url] = reply.outputs.map((output) => output.data?.embeddings[0]?.vector);
    expect(stored).toEqual(bytes);
    expect(url).toHaveLength(256);
    expect(reply.outputs[0]?.input).toMatchObject({ id: 'stored' });
  });

  test('are shown back without their bytes', async () => {
    const { json } = await alice.rest(
      'POST',
      `/v2/users/clarifai/apps/main/models/color-recognition/outputs`,
      {
        inputs: [{ data: { image: { base64: Buffer.from(tinyPng(9)).toString('base64') } } }],
      },
    );
    expect(json.outputs[0].input.data.image.base64).toBe('dHJ1ZQ==');
  });

  test('fail one by one, each with its own code', async () => {
    const reply = await main.postModelOutputs({
      modelId: recognition,
      inputs: [
        image,
        {},
        { data: { image: { url: urlOf('/gone.png') } } },
        { data: { image: { url: 'http://10.0.0.1/x.png' } } },
        { data: { image: { base64: Buffer.from('hello') } } },
        { data: { text: { raw: 'hello' } } },
        { id: 'nowhere' },
      ],
    });
    expect(reply.status?.code).toBe(10010);
    expect(reply.outputs.map((output) => output.status?.code)).toEqual([
      10000, 30104, 30002, 30106, 30101, 21202, 11101,
    ]);
    for (const output of reply.outputs.slice(1)) expect(output.status?.details).not.toBe('');
  });

  test('that all fail make the call fail, with the reasons in the outputs', async () => {
    const { http, json } = await alice.rest(
      'POST',
      `/v2/users/clarifai/apps/main/models/${recognition}/outputs`,
      { inputs: [{}, {}] },
    );
    expect([http, json.status.code, json.outputs[0].status.code]).toEqual([400, 10020, 30104]);
    expect(json.status.details).toContain(json.outputs[0].status.details);
  });

  test('of the wrong kind throughout are a mistake in the request', async () => {
    expect(
      (await main.postModelOutputs({ modelId: recognition, inputs: [{ data: { text: { raw: 'x' } } }] }))
        .status?.code,
    ).toBe(21202);
  });

  test('are 1 to 128', async () => {
    expect((await main.postModelOutputs({ modelId: recognition, inputs: [] })).status?.code).toBe(11102);
    const reply = await main.postModelOutputs({
      modelId: recognition,
      inputs: Array.from({ length: 129 }, () => ({})),
    });
    expect(reply.status?.details).toContain('128');
  });
});

describe('output settings', () => {
  const ask = (outputConfig: object) =>
    main.postModelOutputs({
      modelId: recognition,
      inputs: [image],
      model: { modelVersion: { outputInfo: { outputConfig } } },
    });

  test('limit, select and refuse', async () => {
    expect((await ask({ maxConcepts: 3 })).outputs[0]?.data?.concepts).toHaveLength(3);
    const chosen = await ask({ selectConcepts: [{ name: 'cat' }, { name: 'dog' }] });
    expect(chosen.status?.code).toBe(10000);
    expect(chosen.outputs[0]?.data?.concepts.map((one) => one.name).sort()).toEqual(['cat', 'dog']);
    expect((await ask({ selectConcepts: [{ name: 'cat' }, { name: 'unicorn' }] })).status?.code).toBe(10010);
    expect((await ask({ selectConcepts: [{ name: 'unicorn' }] })).status?.code).toBe(21202);
  });

  test('are read from the older place as well, and nothing else of the model sent along is believed', async () => {
    const reply = await main.postModelOutputs({
      modelId: recognition,
      inputs: [image],
      model: {
        id: 'other',
        appId: 'elsewhere',
        modelVersion: { id: 'none' },
        outputInfo: { outputConfig: { maxConcepts: 1 } },
      },
    });
    expect(reply.outputs[0]?.data?.concepts).toHaveLength(1);
    expect(reply.outputs[0]?.model?.id).toBe(recognition);
  });
});

describe('models that cannot answer', () => {
  test('a missing model, a missing version, an untrained model', async () => {
    await alice.client.postModels({ models: [{ id: 'untrained' }] });
    const code = async (modelId: string, versionId = '') =>
      (await alice.client.postModelOutputs({ modelId, versionId, inputs: [image] })).status?.code;
    expect(await code('nowhere')).toBe(21200);
    expect(await code(recognition, 'nowhere')).toBe(21200);
    expect(await code('untrained')).toBe(21102);
  });

  test('a type without a network says that nothing stands behind it', async () => {
    await alice.client.postModels({ models: [{ id: 'llm', modelTypeId: 'text-to-image' }] });
    expect(
      (await alice.client.postModelOutputs({ modelId: 'llm', inputs: [{ data: { text: { raw: 'x' } } }] }))
        .status?.code,
    ).toBe(10040);
  });
});

test('operators compute on what is sent: thresholds, prompts', async () => {
  await alice.client.postModels({
    models: [
      {
        id: 'threshold',
        modelTypeId: 'concept-threshold',
        modelVersion: {
          outputInfo: {
            data: {
              concepts: [
                { id: 'a', value: 0.5 },
                { id: 'b', value: 0.5 },
              ],
            },
            params: { concept_threshold_type: 'GREATER_THAN' },
          },
        },
      },
      {
        id: 'prompt',
        modelTypeId: 'prompter',
        modelVersion: { outputInfo: { params: { prompt_template: 'Say: {data.text.raw}!' } } },
      },
    ],
  });
  const kept = await alice.client.postModelOutputs({
    modelId: 'threshold',
    inputs: [
      {
        data: {
          concepts: [
            { id: 'a', value: 0.9 },
            { id: 'b', value: 0.5 },
            { id: 'c', value: 1 },
          ],
        },
      },
    ],
  });
  expect(kept.outputs[0]?.data?.concepts.map((one) => one.id)).toEqual(['a']);
  const prompted = await alice.client.postModelOutputs({
    modelId: 'prompt',
    inputs: [{ data: { text: { raw: '$& cat' } } }],
  });
  expect(prompted.outputs[0]?.data?.text?.raw).toBe('Say: $& cat!');
});

test('a pattern that would search for ever is stopped', async () => {
  await alice.client.postModels({
    models: [
      {
        id: 'pattern',
        modelTypeId: 'regex-based-classifier',
        modelVersion: { outputInfo: { params: { regex: '^(a+)+$' }, data: { concepts: [{ id: 'as' }] } } },
      },
    ],
  });
  const ask = (raw: string) =>
    alice.client.postModelOutputs({ modelId: 'pattern', inputs: [{ data: { text: { raw } } }] });
  expect((await ask('aaaa')).outputs[0]?.data?.concepts.map((one) => one.id)).toEqual(['as']);
  expect((await ask(`${'a'.repeat(60)}b`)).status?.code).toBe(21202);
});

test('a stream of outputs is one message with all of them', async () => {
  const response = await fetch(
    `${alice.url}/v2/users/clarifai/apps/main/models/color-recognition/outputs/generate`,
    {
      method: 'POST',
      headers: { authorization: `Key ${alice.pat}` },
      body: JSON.stringify({
        inputs: [{ data: { image: { base64: Buffer.from(tinyPng(9)).toString('base64') } } }],
      }),
    },
  );
  const lines = (await response.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toHaveLength(1);
  expect(lines[0].result.status.code).toBe(10000);
  expect(lines[0].result.outputs[0].data.colors.length).toBeGreaterThan(0);
});

test('a picture of the app is taken by the URL that it is shown under, and nobody else’s is', async () => {
  await uploadPictures(alice, ['grey']);
  const { input } = await alice.client.getInput({ inputId: 'grey' });
  const shown = { inputs: [{ data: { image: { url: input?.data?.image?.url ?? '' } } }] };
  const reply = await alice.client.postModelOutputs({ modelId: 'color-recognition', ...shown });
  expect(reply.status?.code, reply.outputs[0]?.status?.details).toBe(10000);
  expect(reply.outputs[0]?.data?.colors[0]?.w3c?.name).toBe('Black');
  const eve = await signedIn('eve');
  const theirs = await eve.client.postModelOutputs({ modelId: 'color-recognition', ...shown });
  expect(theirs.status?.code).not.toBe(10000);
});

test('strangers use what is public and see nothing else', async () => {
  const owner = await signedIn('owner', { visibility: 50 });
  await owner.as({ appId: '' }).postApps({
    userAppId: { userId: 'me', appId: '' },
    apps: [{ id: 'shown', visibility: { gettable: 50 } }],
  });
  const shown = owner.as({ appId: 'shown' });
  const prompt = (id: string, gettable: 10 | 50) => ({
    id,
    modelTypeId: 'prompter',
    visibility: { gettable },
    modelVersion: { outputInfo: { params: { prompt_template: '{data.text.raw}' } } },
  });
  await shown.postModels({ models: [prompt('open', 50), prompt('closed', 10)] });
  const stranger = alice.as({ userId: owner.userId, appId: 'shown' });
  const inputs = [{ data: { text: { raw: 'x' } } }];
  expect((await stranger.postModelOutputs({ modelId: 'open', inputs })).status?.code).toBe(10000);
  expect((await stranger.postModelOutputs({ modelId: 'closed', inputs })).status?.code).toBe(21200);
  const posted = await shown.postInputs({ inputs: [{ id: 'secret', data: { text: { raw: 'mine' } } }] });
  expect(posted.status?.code).toBe(10000);
  const peek = await stranger.postModelOutputs({ modelId: 'open', inputs: [{ id: 'secret' }] });
  expect(peek.outputs.map((output) => output.status?.code)).toEqual([11101]);
  expect((await stranger.listModels({})).models.map((one) => one.id)).toEqual(['open']);
  expect((await stranger.deleteModel({ modelId: 'open' })).status?.code).toBe(11007);
  const hidden = [{ id: 'n', model: { id: 'closed' } }];
  await shown.postWorkflows({ workflows: [{ id: 'half', visibility: { gettable: 50 }, nodes: hidden }] });
  expect((await stranger.postWorkflowResults({ workflowId: 'half', inputs })).status?.code).toBe(21200);
  expect((await shown.postWorkflowResults({ workflowId: 'half', inputs })).status?.code).toBe(10000);
  const node = { id: 'n', model: { id: 'open', userId: owner.userId, appId: 'shown' } };
  expect(
    (await alice.client.postWorkflows({ workflows: [{ id: 'uses', nodes: [node] }] })).status?.code,
  ).toBe(10000);
  expect((await alice.client.postWorkflowResults({ workflowId: 'uses', inputs })).status?.code).toBe(10000);
  await shown.patchModels({ models: [{ id: 'open', visibility: { gettable: 10 } }], action: 'overwrite' });
  expect((await alice.client.postWorkflowResults({ workflowId: 'uses', inputs })).status?.code).toBe(21200);
});
