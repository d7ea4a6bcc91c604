import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '#testing/deaths.ts';
import { type Person, personWith } from '#testing/people.ts';
import { startServer, type TestServer } from '#testing/server.ts';
import { dice, shapesPng } from '#testing/shapes.ts';
import { processed, trainedVersion } from '#testing/training.ts';

const count = 150;
const looks = [
  { id: 'disc', kind: 'disc', colour: [230, 30, 30] },
  { id: 'cross', kind: 'cross', colour: [40, 90, 250] },
] as const;
const random = dice(7);
const pictures = Array.from({ length: count + 3 }, (_, i) => {
  const { id, ...look } = looks[i % looks.length] as (typeof looks)[number];
  const place = { left: random() * 0.4, top: random() * 0.4, size: 0.3 + random() * 0.3 };
  return { id, png: shapesPng([{ ...look, ...place }], random, 96) };
});
const pngOf = (i: number) => pictures[i]?.png as Buffer;

let server: TestServer;
let ann: Person;
const present = () => personWith({ url: server.url, userId: server.userId, pat: server.pat, appId: 'moved' });

/** The embedders by the ids of their model versions. */
let [old, fresh] = ['', ''];

beforeAll(async () => {
  server = await startServer();
  ann = present();
  await ann.client.postApps({
    userAppId: { userId: 'me', appId: '' },
    apps: [{ id: 'moved', defaultWorkflow: { id: 'General', appId: 'main', userId: 'clarifai' } }],
  });
  await post(0, count);
  await processed(ann, count);
  await ann.client.postModels({ models: [{ id: 'near', modelTypeId: 'visual-embedder' }] });
  const { version } = await trainedVersion(ann, 'near');
  expect(version?.status?.code, version?.status?.details).toBe(21100);
  fresh = version?.id ?? '';
  const made = await ann.client.postWorkflows({
    workflows: [{ id: 'own', nodes: [{ id: 'near', model: { id: 'near' } }] }],
  });
  expect(made.status?.code, made.status?.details).toBe(10000);
}, 240_000);
afterAll(() => server?.stop());

async function post(from: number, to: number) {
  for (let at = from; at < to; at += 50) {
    const { status } = await ann.client.postInputs({
      inputs: pictures.slice(at, Math.min(to, at + 50)).map(({ id, png }, i) => ({
        id: `p${at + i}`,
        data: { image: { base64: png }, ...(at + i < 60 ? { concepts: [{ id, value: 1 }] } : {}) },
      })),
    });
    expect(status?.code, status?.details).toBe(10000);
  }
}

async function isProcessed(id: string): Promise<true | undefined> {
  const { input } = await ann.client.getInput({ inputId: id });
  return input?.status?.code === 30000 ? true : undefined;
}

/** Every input of the app, most alike first, and which embedder said so. */
async function ranked(i: number) {
  const { hits, status, foveaExplain } = await ann.client.postInputsSearches({
    foveaExplain: true,
    searches: [{ query: { ranks: [{ annotation: { data: { image: { base64: pngOf(i) } } } }] } }],
    pagination: { perPage: 1000 },
  });
  expect(status?.code, status?.details).toBe(10000);
  const { embedderVersionId, comingEmbedderVersionId } = foveaExplain[0] as (typeof foveaExplain)[number];
  return { ids: hits.map(({ input }) => input?.id), embedderVersionId, comingEmbedderVersionId };
}

/** The first hit for a picture's own vector, and which embedder said so, of a search that names none. */
async function nearestOf(i: number) {
  const answer = await ann.client.postModelOutputs({
    modelId: 'near',
    inputs: [{ data: { image: { base64: pngOf(i) } } }],
  });
  const vector = answer.outputs[0]?.data?.embeddings[0]?.vector ?? [];
  const { hits, status, foveaExplain } = await ann.client.postInputsSearches({
    foveaExplain: true,
    searches: [{ query: { ranks: [{ annotation: { data: { embeddings: [{ vector }] } } }] } }],
  });
  expect(status?.code, status?.details).toBe(10000);
  return { id: hits[0]?.input?.id, embedderVersionId: foveaExplain[0]?.embedderVersionId };
}

async function searchOld(): Promise<void> {
  const image = { base64: pngOf(3) };
  const { status } = await ann.client.postInputsSearches({
    searches: [{ query: { ranks: [{ annotation: { modelVersionId: old, data: { image } } }] } }],
  });
  expect(status?.code, status?.details).toBe(10000);
}

const indexes = async (): Promise<Record<string, { vectors: number; progress?: { done: number } }>> => {
  const path = `/v2/ext/fovea/users/${ann.userId}/apps/${ann.appId}/indexes`;
  const { json } = await ann.rest('GET', path);
  return Object.fromEntries(json.indexes.map((one: { role: string }) => [one.role, one]));
};

async function loseBytes(bytes: Buffer): Promise<void> {
  const sha = createHash('sha256').update(bytes).digest('hex');
  const media = join(server.dataDir, 'objects', 'media');
  for (const name of await readdir(media, { recursive: true }))
    if (name.endsWith(sha)) await rm(join(media, name));
}

const useWorkflow = async (workflow: object) => {
  const { status } = await ann.client.patchApps({
    action: 'overwrite',
    apps: [{ id: ann.appId, defaultWorkflow: workflow }],
  });
  expect(status?.code, status?.details).toBe(10000);
};

/** Searches without a pause until another embedder answers than before; every answer is of all inputs by one of them. */
async function untilSwitched(
  before: string,
  after: string,
  size: { before: number; after: number },
): Promise<number> {
  const sets: string[] = [];
  for (const began = performance.now(); performance.now() - began < 120_000; ) {
    const { ids, embedderVersionId, comingEmbedderVersionId } = await ranked(3);
    expect([before, after]).toContain(embedderVersionId);
    expect(comingEmbedderVersionId).toBe(embedderVersionId === before ? after : '');
    expect(ids).toHaveLength(embedderVersionId === before ? size.before : size.after);
    expect(ids[0]).toBe('p3');
    sets.push(embedderVersionId);
    if (embedderVersionId === after) return sets.length - 1;
  }
  throw new Error(`${before} still answers`);
}

test('while an app changes its embedder, searches answer by all vectors of the old one, also when the server is killed on the way, and then by all of the new one', async () => {
  const before = await ranked(3);
  old = before.embedderVersionId;
  expect(old).not.toBe('');
  expect(before.ids).toHaveLength(count);

  // One picture cannot be read any more: the old embedder has seen it, the new one never will.
  await loseBytes(pngOf(9));
  await useWorkflow({ id: 'own', appId: ann.appId, userId: ann.userId });
  expect(await ranked(3)).toEqual({ ...before, comingEmbedderVersionId: fresh });
  const seen = await until('some of the way', async () => {
    const { coming } = await indexes();
    return coming?.progress && coming.progress.done > 0 ? coming.progress.done : undefined;
  });
  expect(seen).toBeLessThan(count);

  const died = once(server.process, 'exit');
  server.process.kill('SIGKILL');
  await died;
  server = await startServer({ dataDir: server.dataDir });
  ann = present();

  const { serving, coming } = await indexes();
  expect(serving).toMatchObject({ vectors: count, model_version_id: old });
  expect(coming).toMatchObject({ model_version_id: fresh });
  expect(coming?.progress?.done).toBeGreaterThanOrEqual(seen);
  expect(await ranked(3)).toEqual({ ...before, comingEmbedderVersionId: fresh });

  // What is new in the middle of the way is found at once, by whichever of them answers.
  await post(count, count + 1);
  await until('the new input', () => isProcessed(`p${count}`));
  expect((await ranked(count)).ids[0]).toBe(`p${count}`);

  expect(await untilSwitched(old, fresh, { before: count + 1, after: count })).toBeGreaterThan(0);
  await sleep(500);
  const after = await ranked(3);
  expect(after).toMatchObject({ embedderVersionId: fresh, comingEmbedderVersionId: '' });
  // What the last search looked into is opened ahead for the next one: that is never taken for granted.
  for (let n = 0; n < 3; n++) {
    await searchOld();
    expect(await nearestOf(3)).toEqual({ id: 'p3', embedderVersionId: fresh });
  }
  expect([...after.ids, 'p9'].sort()).toEqual([...before.ids, `p${count}`].sort());
  expect(await indexes()).toMatchObject({
    serving: { model_version_id: fresh, vectors: count },
    kept: { model_version_id: old, vectors: count + 1 },
  });
}, 240_000);

test('back at the old one, only what it has not seen is embedded anew', async () => {
  await post(count + 1, count + 2);
  await until('the new input', () => isProcessed(`p${count + 1}`));
  expect((await indexes()).kept?.vectors).toBe(count + 1);
  await useWorkflow({ id: 'General', appId: 'main', userId: 'clarifai' });
  await untilSwitched(fresh, old, { before: count + 1, after: count + 2 });
  expect((await ranked(count + 1)).ids[0]).toBe(`p${count + 1}`);
  expect(await indexes()).toMatchObject({
    serving: { model_version_id: old, vectors: count + 2 },
    kept: { model_version_id: fresh, vectors: count + 1 },
  });
}, 240_000);
