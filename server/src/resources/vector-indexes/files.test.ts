import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { AppGrant } from '#domain/grant.ts';
import { openVectorHost, type VectorHost, type VectorIndex } from '#engine/vector/index.ts';
import { openAuthorizer } from '#gateway/index.ts';
import { allMigrations } from '#migrations.ts';
import { silentLog } from '#store/log.ts';
import { openTestDatabase, type TestDatabase } from '#store/postgres/testing.ts';
import { unitVectors } from '#store/vectors/conformance.testing.ts';
import { openDirectory } from '../identity/index.ts';
import { openMemoryIndexes } from './index.ts';
import { truthOf, truthPage } from './index-store.ts';
import { verifyIndex } from './verify.ts';

/** Vectors of an app that are large enough for a file beside them, read again by one process after the other. */
const dims = 16;
const rows = 3_000;
const vectors = unitVectors(rows + 10, 5, dims);
const bytesOf = (row: number) => Buffer.from(vectors.slice(row * dims, (row + 1) * dims).buffer);
let db: TestDatabase;
let grant: AppGrant;
let dir: string;
let host: VectorHost | undefined;

beforeAll(async () => {
  db = await openTestDatabase(allMigrations);
  await db.query(`insert into users (id) values ('u')`);
  await db.query(`insert into apps (user_key, id) values (1, 'a')`);
  grant = (await openAuthorizer(await openDirectory(db)).jobGrant(1)) as AppGrant;
  await put(0, rows);
});
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fovea-files-'));
  return async () => {
    await host?.close();
    host = undefined;
    rmSync(dir, { recursive: true });
  };
});
afterAll(() => db?.close());

async function put(from: number, n: number): Promise<void> {
  await db.query(
    `with i as (insert into inputs (app_key, id, kind, status_code) select 1, 'i' || g, 'image', 30000 from generate_series($1::int, $2::int) g returning key, id),
       a as (insert into annotations (app_key, input_key, input_id, id, input_level) select 1, key, id, 'a', true from i returning key, input_key, input_id)
     insert into embeddings (app_key, model_version_key, input_key, annotation_key, vector)
     select 1, 1, a.input_key, a.key, v.vector from a join unnest($3::bytea[]) with ordinality v(vector, n) on a.input_id = 'i' || ($1::int + v.n - 1)`,
    [from, from + n - 1, Array.from({ length: n }, (_, i) => bytesOf(from + i))],
  );
}

/** A process that begins. @returns its index, and how often it read all rows */
async function begun(): Promise<{ index: VectorIndex; wholeReads: number }> {
  await host?.close();
  host = openVectorHost({ dir, log: silentLog, flatMax: 1_000 });
  let wholeReads = 0;
  const counting = new Proxy(db, {
    get: (target, name) => {
      if (name === 'transaction') wholeReads += 1;
      return Reflect.get(target, name);
    },
  });
  const index = (await openMemoryIndexes(counting, host, silentLog).open(grant, 1)) as VectorIndex;
  return { index, wholeReads };
}

const file = () => join(dir, readdirSync(dir).find((name) => name.endsWith('.vectors')) ?? 'none');
const known = () => db.query<{ label: string }>('select label from vector_files');

/** The first process of the folder, until its file can be believed. */
async function firstLife(): Promise<void> {
  await db.query('delete from vector_files');
  expect((await begun()).wholeReads).toBe(1);
  await expect.poll(async () => (await known()).length, { timeout: 20_000 }).toBe(1);
}

const verified = (index: VectorIndex) =>
  verifyIndex({
    truth: {
      page: (after, limit) => truthPage(db, grant, 1, after, limit),
      read: (keys) => truthOf(db, grant, 1, keys),
    },
    index,
    settle: async () => {},
    repair: false,
    signal: AbortSignal.timeout(30_000),
    onProgress: async () => {},
  });

test('after a restart vectors come from the file, and what changed since from the rows', async () => {
  await firstLife();
  const [one, other] = (await truthPage(db, grant, 1, -1, 2)).keys;
  await db.query('update embeddings set vector = $2, xid = pg_current_xact_id() where key = $1', [
    one,
    bytesOf(rows + 9),
  ]);
  await db.query('delete from embeddings where key = $1', [other]);
  await put(rows, 3);
  const { index, wholeReads } = await begun();
  expect(wholeReads).toBe(0);
  // What was deleted meanwhile is noticed when it is found.
  expect(await verified(index)).toMatchObject({ missing: 0, differing: 0, extra: 1, examples: [other] });
  const { keys } = await index.search(vectors.slice((rows + 9) * dims), 1, { metric: 'cosine' });
  expect(keys).toEqual([one]);
});

test('what was deleted is erased from the file, of which the rest is still believed', async () => {
  await firstLife();
  const { keys, vectors: found } = await truthPage(db, grant, 1, 100, 1);
  const bytes = Buffer.from(found.buffer);
  const holdsIt = () => readFileSync(file()).includes(bytes);
  await db.query('delete from embeddings where key = $1', [keys[0]]);
  expect(holdsIt()).toBe(true);
  // A process that has opened none of its indexes since its start erases, too.
  await host?.close();
  host = openVectorHost({ dir, log: silentLog, flatMax: 1_000 });
  await openMemoryIndexes(db, host, silentLog).eraseDeleted();
  expect(holdsIt()).toBe(false);
  const { index, wholeReads } = await begun();
  expect(wholeReads).toBe(0);
  expect(await verified(index)).toMatchObject({ missing: 0, differing: 0, extra: 0 });
});

test.each<[string, () => unknown]>([
  ['is cut short', () => truncateSync(file(), readFileSync(file()).length - 100)],
  [
    'has another bit in the middle',
    () => {
      const bytes = readFileSync(file());
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 8;
      writeFileSync(file(), bytes);
    },
  ],
  ['begins with nonsense', () => writeFileSync(file(), Buffer.from('nonsense'))],
  ['is gone', () => rmSync(file())],
  [
    'is not known to the database, which is another one or of an earlier time',
    () => db.query('delete from vector_files'),
  ],
])('a file that %s is not believed', async (_, spoil) => {
  await firstLife();
  await spoil();
  const { index, wholeReads } = await begun();
  expect(wholeReads).toBe(1);
  expect(await verified(index)).toMatchObject({ missing: 0, differing: 0, extra: 0 });
});

test('a deleted app leaves no file behind, though nobody has searched it since the start', async () => {
  await firstLife();
  await host?.close();
  host = openVectorHost({ dir, log: silentLog, flatMax: 1_000 });
  await openMemoryIndexes(db, host, silentLog).forgetApp(db, 1);
  await expect.poll(() => readdirSync(dir), { timeout: 5_000 }).toEqual([]);
});
