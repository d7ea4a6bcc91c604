import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

  test('a model that was brought', async () => {
    const archive = tarFile({
      'fovea.json': JSON.stringify({ task: 'image-embedding', preprocess: { size: 8 } }),
      'model.onnx': channelNetwork(),
    });
    const { versionId } = await broughtModel(alice, 'brought', 'visual-embedder', archive);
    const { version } = await broughtModel(
      bob,
      'brought',
      'visual-embedder',
      await exported('brought', versionId),
    );
    expect(version?.status?.code, version?.status?.details).toBe(21100);
    expect(await said(bob.client, 'brought')).toEqual(await said(alice.client, 'brought'));
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
