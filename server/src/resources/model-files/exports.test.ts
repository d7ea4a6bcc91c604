import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OnnxGraph } from '#engine/convert/onnx-graph.ts';
import { openClient, type TestClient } from '#testing/client.ts';
import { colourPng } from '#testing/inputs.ts';
import { broughtModel, channelNetwork, tarFile } from '#testing/models.ts';
import { type Person, signedIn } from '#testing/people.ts';
import { startServer, type TestServer } from '#testing/server.ts';
import { processed, trainedVersion } from '#testing/training.ts';

let alice: Person;
let stranger: Person;
let elsewhere: TestServer;
let bob: Person;

beforeAll(async () => {
  alice = await signedIn('alice', { workflow: 'General' });
  stranger = await signedIn('stranger');
  elsewhere = await startServer();
  const { client } = openClient(
    new URL(elsewhere.url).host,
    { authorization: `Key ${elsewhere.pat}` },
    { userId: 'admin', appId: 'taken' },
  );
  await client.postApps({
    userAppId: { userId: 'admin' },
    apps: [{ id: 'taken', defaultWorkflowId: 'Empty' }],
  });
  bob = {
    url: elsewhere.url,
    pat: elsewhere.pat,
    userId: 'admin',
    appId: 'taken',
    client,
  } as unknown as Person;
  await alice.client.postInputs({
    inputs: Array.from({ length: 16 }, (_, at) => {
      const isRed = at % 2 === 0;
      const base64 = isRed ? colourPng(255 - at, at, at, 64) : colourPng(at, at, 255 - at, 64);
      const concepts = [{ id: isRed ? 'warm' : 'cold', value: 1 }];
      return { id: `p${at}`, data: { image: { base64 }, concepts } };
    }),
  });
  await processed(alice, 16);
});
afterAll(() => elsewhere?.stop());

async function exported(modelId: string, versionId: string): Promise<Buffer> {
  const first = await alice.client.getModelVersionExport({ modelId, versionId });
  expect(first.status?.code).toBe(11101);
  const asked = await alice.client.putModelVersionExports({ modelId, versionId });
  expect(asked.status?.code, asked.status?.details).toBe(10000);
  expect([21503, 21501, 21500]).toContain(asked.export?.status?.code);
  for (let tries = 0; tries < 600; tries += 1) {
    const { export: made } = await alice.client.getModelVersionExport({ modelId, versionId });
    if (made?.status?.code !== 21500) {
      expect([21503, 21501]).toContain(made?.status?.code);
      await sleep(50);
      continue;
    }
    const url = made.url.replace(/^https?:\/\/[^/]+/, alice.url);
    const headers = { authorization: `Key ${alice.pat}` };
    const whole = Buffer.from(await (await fetch(url, { headers })).arrayBuffer());
    expect(whole.length).toBe(Number(made.size));
    const part = await fetch(url, { headers: { ...headers, range: 'bytes=100-199' } });
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe(`bytes 100-199/${whole.length}`);
    expect(Buffer.from(await part.arrayBuffer()).equals(whole.subarray(100, 200))).toBe(true);
    expect((await fetch(url)).status).toBe(401);
    expect((await fetch(url, { headers: { authorization: `Key ${stranger.pat}` } })).status).toBe(404);
    return whole;
  }
  throw new Error('the version was not exported');
}

const inputs = [colourPng(240, 10, 10, 64), colourPng(10, 10, 240, 64), colourPng(120, 130, 110, 64)].map(
  (base64) => ({
    data: { image: { base64 } },
  }),
);

/** What a model says, without ids that are new each time. */
async function said(client: TestClient, modelId: string) {
  const { outputs, status } = await client.postModelOutputs({ modelId, inputs });
  expect(status?.code, status?.details).toBe(10000);
  return outputs.map(({ data }) => ({
    concepts: data?.concepts.map(({ id, name, value }) => ({ id, name, value })),
    vectors: data?.embeddings.map(({ vector }) => vector),
    clusters: data?.clusters.map(({ id, projection }) => ({ id, projection })),
    heatmaps: data?.heatmaps.map(({ base64 }) => Buffer.from(base64).toString('base64')),
    regions: data?.regions.map(({ value, regionInfo }) => ({
      value,
      regionInfo: JSON.stringify(regionInfo),
    })),
  }));
}

describe('an export, taken to another server, answers as it did', () => {
  test.each([
    ['embedding-classifier', {}],
    ['visual-classifier', {}],
    ['visual-embedder', { trainInfo: { params: { template: 'Clarifai_ResNet_AngularMargin' } } }],
    ['clusterer', { trainInfo: { params: { coarse_clusters: 2 } } }],
  ])('a trained %s', async (typeId, version) => {
    const id = `of-${typeId}`;
    await alice.client.postModels({ models: [{ id, modelTypeId: typeId }] });
    const { version: trained } = await trainedVersion(alice, id, version);
    expect(trained?.status?.code, trained?.status?.details).toBe(21100);
    const archive = await exported(id, trained?.id ?? '');
    const { version: taken } = await broughtModel(bob, id, typeId, archive);
    expect(taken?.status?.code, taken?.status?.details).toBe(21100);
    expect(await said(bob.client, id)).toEqual(await said(alice.client, id));
  });

  // What a repository says of the preparation of pictures is not in an export; what was made of it is.
  test.each([
    ['usual pixels', { size: 8 }],
    ['pixels as they are', { size: 8, do_normalize: false }],
    ['pixels in another order and scale', { size: 8, do_flip_channel_order: true, rescale_factor: 0.5 }],
    ['a letterbox on black', { size: 8, fit: 'letterbox', pad_value: 1, image_mean: [0.5, 0.5, 0.5] }],
  ])('a model that was brought, fed with %s', async (what, preprocess) => {
    const id = `brought-${what.replaceAll(' ', '-')}`;
    const archive = tarFile({
      'fovea.json': JSON.stringify({ task: 'image-classification', labels: ['r', 'g', 'b'] }),
      'preprocessor_config.json': JSON.stringify(preprocess),
      'model.onnx': channelNetwork(),
    });
    const { versionId } = await broughtModel(alice, id, 'visual-classifier', archive);
    const taken = await exported(id, versionId);
    const { version } = await broughtModel(bob, id, 'visual-classifier', taken);
    expect(version?.status?.code, version?.status?.details).toBe(21100);
    expect(await said(bob.client, id)).toEqual(await said(alice.client, id));
  });

  test('a network that reads texts, with the words and lengths it was brought with', async () => {
    const graph = new OnnxGraph();
    const ids = graph.input('input_ids', 'int64', ['batch', 'tokens']);
    const table = graph.floats([0.1, 0.2, 0.3, 1, 0, 0, 0, 1, 0, 0, 0, 1], [4, 3]);
    graph.output('tokens_out', graph.node('Gather', [table, ids]), 'float32', ['batch', 'tokens', 3]);
    const archive = tarFile({
      'model.onnx': graph.finish('tests'),
      'tokenizer.json': JSON.stringify({
        version: '1.0',
        added_tokens: [],
        normalizer: { type: 'Lowercase' },
        pre_tokenizer: { type: 'Whitespace' },
        model: { type: 'WordPiece', unk_token: '[UNK]', vocab: { '[UNK]': 0, red: 1, green: 2, blue: 3 } },
      }),
      'tokenizer_config.json': JSON.stringify({ model_max_length: 4 }),
      // The first token stands for the whole text.
      '1_Pooling/config.json': JSON.stringify({ pooling_mode_cls_token: true }),
    });
    const texts = ['green red blue', 'red', 'something blue red green blue red'];
    const vectors = async (client: TestClient) =>
      (
        await client.postModelOutputs({
          modelId: 'words',
          inputs: texts.map((raw) => ({ data: { text: { raw } } })),
        })
      ).outputs.map(({ data }) => data?.embeddings[0]?.vector);
    const { versionId } = await broughtModel(alice, 'words', 'text-embedder', archive);
    const taken = await exported('words', versionId);
    const { version } = await broughtModel(bob, 'words', 'text-embedder', taken);
    expect(version?.status?.code, version?.status?.details).toBe(21100);
    expect((await vectors(alice.client))[0]).toEqual([0, 1, 0]);
    expect(await vectors(bob.client)).toEqual(await vectors(alice.client));
  });

  test('not with settings that were spoilt on the way', async () => {
    const archive = tarFile({
      'fovea.json': JSON.stringify({ task: 'image-embedding', preprocess: { size: 8 } }),
      'model.onnx': channelNetwork(),
    });
    const { versionId } = await broughtModel(alice, 'spoilt', 'visual-embedder', archive);
    const taken = await exported('spoilt', versionId);
    const spoilt = Buffer.from(taken);
    const at = spoilt.indexOf('"kernel": "linear"');
    spoilt.write('"kernel": "lineal"', at);
    const { version } = await broughtModel(bob, 'spoilt', 'visual-embedder', spoilt);
    expect(version?.status).toMatchObject({
      code: 21108,
      details: expect.stringContaining('image.pixels.kernel must be one of nearest, linear'),
    });
  });

  test('not into a model of another type, not damaged, not untrained', async () => {
    const again = await alice.client.listModelVersions({ modelId: 'of-embedding-classifier' });
    const versionId = again.modelVersions[0]?.id ?? '';
    const { export: made } = await alice.client.getModelVersionExport({
      modelId: 'of-embedding-classifier',
      versionId,
    });
    const url = (made?.url ?? '').replace(/^https?:\/\/[^/]+/, alice.url);
    const bytes = Buffer.from(
      await (await fetch(url, { headers: { authorization: `Key ${alice.pat}` } })).arrayBuffer(),
    );
    const other = await broughtModel(bob, 'other-type', 'clusterer', bytes);
    expect(other.version?.status).toMatchObject({
      code: 21108,
      details: expect.stringContaining('embedding-classifier'),
    });
    const damaged = Buffer.from(bytes);
    const at = damaged.indexOf('head.bin') + 600;
    damaged[at] = (damaged[at] as number) ^ 0xff;
    const broken = await broughtModel(bob, 'damaged', 'embedding-classifier', damaged);
    expect(broken.version?.status).toMatchObject({
      code: 21108,
      details: expect.stringContaining('damaged'),
    });
    await alice.client.postModels({ models: [{ id: 'raw', modelTypeId: 'embedding-classifier' }] });
    expect((await alice.client.putModelVersionExports({ modelId: 'raw' })).status?.code).toBe(21102);
    expect((await alice.client.putModelVersionExports({ modelId: 'nobody' })).status?.code).toBe(21200);
  });
});
