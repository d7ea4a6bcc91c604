import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { AppSchema, App_EmbeddingsStorage as storage } from '@fovea/contract';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { AppGrant } from '#domain/grant.ts';
import type { VectorCollection, VectorStore } from '#domain/vector-store.ts';
import { openVectorHost, type VectorHost } from '#engine/vector/index.ts';
import { openAuthorizer } from '#gateway/index.ts';
import { type Jobs, startJobs } from '#jobs/index.ts';
import { allMigrations } from '#migrations.ts';
import { silentLog } from '#store/log.ts';
import { openTestDatabase, type TestDatabase } from '#store/postgres/testing.ts';
import { unitVectors } from '#store/vectors/conformance.testing.ts';
import { openQdrantStore } from '#store/vectors/index.ts';
import { openQdrantStandIn } from '#store/vectors/qdrant.testing.ts';
import { openDirectory } from '../identity/index.ts';
import { collectionName } from './catalog.ts';
import { openMemoryIndexes, openVectorCatalog, type VectorCatalog, vectorJobs } from './index.ts';
import { truthOf, truthPage } from './index-store.ts';
import { type Findings, verifyIndex } from './verify.ts';

/** An app whose vectors lie in Qdrant's stand-in, on a real database and queue. */
const dims = 16;
const vectors = unitVectors(1_200, 3, dims);
const dir = mkdtempSync(join(tmpdir(), 'fovea-catalog-'));
let db: TestDatabase;
let host: VectorHost;
let standIn: Awaited<ReturnType<typeof openQdrantStandIn>>;
let store: VectorStore;
let jobs: Jobs;
let grant: AppGrant;
let catalog: VectorCatalog;
let stored = 0;

const openCatalog = () =>
  openVectorCatalog({
    db,
    memory: openMemoryIndexes(db, host, silentLog),
    stores: [store],
    log: silentLog,
    pauseMs: 50,
  });

/** Rows as indexing writes them, in one transaction. @returns keys of the embeddings */
async function put(n: number): Promise<number[]> {
  const from = stored;
  stored += n;
  const rows = await db.query<{ key: number }>(
    `with i as (insert into inputs (app_key, id, kind, status_code) select 1, 'i' || g, 'image', 30000 from generate_series($1::int, $2::int) g returning key, id),
       a as (insert into annotations (app_key, input_key, input_id, id, input_level) select 1, key, id, 'a', true from i returning key, input_key, input_id)
     insert into embeddings (app_key, model_version_key, input_key, annotation_key, vector)
     select 1, 1, a.input_key, a.key, v.vector from a join unnest($3::bytea[]) with ordinality v(vector, n) on a.input_id = 'i' || ($1::int + v.n - 1)
     order by a.key returning key`,
    [from, from + n - 1, Array.from({ length: n }, (_, i) => bytesOf(from + i))],
  );
  return rows.map(({ key }) => key);
}

const bytesOf = (row: number) => Buffer.from(vectors.slice(row * dims, (row + 1) * dims).buffer);
const vectorOf = (row: number) => vectors.slice(row * dims, (row + 1) * dims);
const opened = async () => (await catalog.open(grant, 1)) as VectorCollection;
const nearestTo = async (row: number) =>
  (await (await opened()).search(vectorOf(row), 1, { metric: 'cosine' })).keys[0];
const state = () => catalog.stateOf(grant, 1);

const verify = async (repair: boolean): Promise<Findings> =>
  verifyIndex({
    truth: {
      page: (after, limit) => truthPage(db, grant, 1, after, limit),
      read: (keys) => truthOf(db, grant, 1, keys),
    },
    index: await opened(),
    settle: opened,
    repair,
    signal: AbortSignal.timeout(30_000),
    onProgress: async () => {},
  });

beforeAll(async () => {
  db = await openTestDatabase(allMigrations);
  host = openVectorHost({ dir, log: silentLog });
  standIn = await openQdrantStandIn('secret');
  store = openQdrantStore({ url: standIn.url, apiKey: 'secret', prefix: 't_' });
  const body = toBinary(AppSchema, create(AppSchema, { embeddingsStorage: storage.QDRANT }));
  await db.query(`insert into users (id) values ('u')`);
  await db.query(`insert into apps (user_key, id, body) values (1, 'a', $1)`, [Buffer.from(body)]);
  await db.query(`insert into models (app_key, id, type_id) values (1, 'm', 'visual-embedder')`);
  await db.query(
    `insert into model_versions (app_key, model_key, id, status_code) values (1, 1, 'v', 21100)`,
  );
  const { jobGrant } = openAuthorizer(await openDirectory(db));
  grant = (await jobGrant(1)) as AppGrant;
  catalog = openCatalog();
  jobs = await startJobs({
    db,
    handlers: vectorJobs({ db, vectors: catalog, stores: [store], log: silentLog, jobGrant }),
  });
});
afterAll(async () => {
  await jobs?.stop();
  await standIn?.close();
  await host?.close();
  await db?.close();
  rmSync(dir, { recursive: true, force: true });
});
afterEach(() => jobs.idle());

test('an app is searched in memory until its store holds everything, and there afterwards', async () => {
  const keys = await put(600);
  expect(await nearestTo(7)).toBe(keys[7]);
  await jobs.idle();
  expect(await state()).toEqual({ wanted: 'qdrant', serving: 'qdrant', why: '' });
  expect(await nearestTo(7)).toBe(keys[7]);
  expect((await store.open(collectionName(1, 1), dims)).size).toBe(600);
});

test('what was committed is found at once, also by a process that starts later', async () => {
  const [key] = await put(1);
  expect(await nearestTo(stored - 1)).toBe(key);
  await db.query('update embeddings set vector = $1, xid = pg_current_xact_id() where key = $2', [
    bytesOf(1_100),
    key,
  ]);
  expect(await nearestTo(1_100)).toBe(key);
  catalog = openCatalog();
  const [next] = await put(1);
  expect(await nearestTo(stored - 1)).toBe(next);
});

test('writers and searches at the same time lose nothing', async () => {
  const writers = Array.from({ length: 4 }, async () => {
    for (let i = 0; i < 5; i++) {
      const [key] = await put(1);
      const found = await (await opened()).search(vectorOf(stored - 1), 50, { metric: 'cosine' });
      expect(found.keys.length).toBe(50);
      expect((await opened()).size).toBeGreaterThan(0);
      expect(key).toBeDefined();
    }
  });
  await Promise.all(writers);
  expect(await verify(false)).toMatchObject({ missing: 0, extra: 0, differing: 0 });
});

test('a store that lost, kept or changed vectors is noticed, and put right when asked', async () => {
  const there = await store.open(collectionName(1, 1), dims);
  const [a, b, c] = (await truthPage(db, grant, 1, -1, 3)).keys;
  await there.remove([a as number]);
  await there.upsert([b as number, 9_999_999], new Float32Array([...vectorOf(1_001), ...vectorOf(1_002)]));
  const found = await verify(false);
  expect(found).toMatchObject({
    missing: 1,
    differing: 1,
    extra: 1,
    repaired: 0,
    examples: [a, b, 9_999_999],
  });
  expect(found.total).toBe(stored);
  expect(await verify(true)).toMatchObject({ missing: 1, differing: 1, extra: 1, repaired: 3 });
  expect(await verify(false)).toMatchObject({ missing: 0, differing: 0, extra: 0 });
  expect(await nearestTo(0)).toBe(a);
  expect(c).toBeDefined();
});

test('rows that were deleted are extra until a search or a repair removes them', async () => {
  const [first] = (await truthPage(db, grant, 1, -1, 1)).keys;
  await db.query('delete from embeddings where key = $1', [first]);
  expect(await verify(true)).toMatchObject({ extra: 1, repaired: 1, examples: [first] });
  expect(await verify(false)).toMatchObject({ extra: 0 });
});

test('the memory is verified just so', async () => {
  const memory = await openMemoryIndexes(db, host, silentLog).open(grant, 1);
  const options = {
    truth: {
      page: (after: number, limit: number) => truthPage(db, grant, 1, after, limit),
      read: (keys: readonly number[]) => truthOf(db, grant, 1, keys),
    },
    index: memory as VectorCollection,
    settle: async () => {},
    repair: true,
    signal: AbortSignal.timeout(30_000),
    onProgress: async () => {},
  };
  memory?.remove([(await truthPage(db, grant, 1, -1, 1)).keys[0] as number]);
  expect(await verifyIndex(options)).toMatchObject({ missing: 1, extra: 1, repaired: 2 });
  expect(await verifyIndex(options)).toMatchObject({ missing: 0, extra: 0, differing: 0 });
});

test.each<[string, () => void]>([
  ['under a process that looks into it', () => {}],
  [
    'between two processes',
    () => {
      catalog = openCatalog();
    },
  ],
])('a store that was emptied %s costs no search, and is filled again', async (_, begin) => {
  const [key] = (await truthPage(db, grant, 1, -1, 1)).keys;
  const vector = (await truthPage(db, grant, 1, -1, 1)).vectors;
  const nearest = async () => (await (await opened()).search(vector, 1, { metric: 'cosine' })).keys;
  expect(await nearest()).toEqual([key]);
  await store.drop(collectionName(1, 1));
  begin();
  expect(await nearest()).toEqual([key]);
  await expect
    .poll(
      async () => {
        await jobs.idle();
        return [await nearest(), await state()];
      },
      { timeout: 10_000 },
    )
    .toEqual([[key], { wanted: 'qdrant', serving: 'qdrant', why: '' }]);
  expect(await verify(false)).toMatchObject({ missing: 0, differing: 0, extra: 0 });
});

test('a store that goes away in the middle costs no search', async () => {
  const index = await opened();
  const [key] = (await truthPage(db, grant, 1, -1, 1)).keys;
  const vector = (await truthPage(db, grant, 1, -1, 1)).vectors;
  await standIn.close();
  expect((await index.search(vector, 1, { metric: 'cosine' })).keys).toEqual([key]);
  expect((await (await opened()).search(vector, 1, { metric: 'cosine' })).keys).toEqual([key]);
  expect(await state()).toMatchObject({ wanted: 'qdrant', serving: 'in_process' });
  expect((await state()).why).toMatch(/^Qdrant at FOVEA_QDRANT_URL cannot be used: /);
});
