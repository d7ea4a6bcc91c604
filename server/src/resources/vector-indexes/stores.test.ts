import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StoreUnavailable, type VectorStore } from '#domain/vector-store.ts';
import { openInProcessStore, openVectorHost, type VectorHost } from '#engine/vector/index.ts';
import { silentLog } from '#store/log.ts';
import { type Database, openDatabase } from '#store/postgres/index.ts';
import { openTestDatabase } from '#store/postgres/testing.ts';
import { conforms, unitVectors } from '#store/vectors/conformance.testing.ts';
import { openPgVectorStore, openQdrantStore } from '#store/vectors/index.ts';
import { openPgVector } from '#store/vectors/pgvector.testing.ts';
import { openQdrantStandIn } from '#store/vectors/qdrant.testing.ts';

describe('in the memory of the process', () => {
  let host: VectorHost;
  const dir = mkdtempSync(join(tmpdir(), 'fovea-vectors-'));
  beforeAll(() => {
    host = openVectorHost({ dir, log: silentLog });
  });
  afterAll(async () => {
    await host.close();
    rmSync(dir, { recursive: true, force: true });
  });
  conforms(() => openInProcessStore(host));
});

/**
 * A PostgreSQL with pgvector: the one of FOVEA_TEST_PGVECTOR_URL, one run from the programs in the folder
 * FOVEA_TEST_PGVECTOR_BIN, or one in WebAssembly.
 */
const pgUrl = process.env.FOVEA_TEST_PGVECTOR_URL;
const pgBin = process.env.FOVEA_TEST_PGVECTOR_BIN;

describe('pgvector', () => {
  let db: Database;
  let own: Awaited<ReturnType<typeof openPgVector>> | undefined;
  const dataDir = mkdtempSync(join(tmpdir(), 'fovea-pgvector-'));
  beforeAll(async () => {
    if (!pgUrl && !pgBin) own = await openPgVector();
    const databaseUrl = pgUrl ?? own?.url;
    db = await openDatabase(databaseUrl ? { dataDir, databaseUrl } : { dataDir, binDir: pgBin as string });
  }, 60_000);
  afterAll(async () => {
    await db?.close();
    await own?.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  conforms(() => openPgVectorStore(db));

  test('a large collection is walked by its graph, and finds nearly all that a scan finds', async () => {
    const store = openPgVectorStore(db);
    await store.drop('test_large');
    const index = await store.open('test_large', 16);
    const vectors = unitVectors(10_500, 5, 16);
    for (let from = 0; from < 10_500; from += 1_500) {
      const keys = Array.from({ length: 1_500 }, (_, i) => from + i);
      await index.upsert(keys, vectors.subarray(from * 16, (from + 1_500) * 16));
    }
    let hits = 0;
    for (let q = 0; q < 20; q++) {
      const query = unitVectors(1, 1_000 + q, 16);
      const walked = await index.search(query, 300, { metric: 'cosine' });
      expect(walked.way).toBe('graph');
      const scanned = await index.search(query, 300, { metric: 'cosine', exact: true });
      const near = new Set(walked.keys);
      expect(walked.keys).toHaveLength(300);
      hits += scanned.keys.filter((key) => near.has(key)).length;
    }
    expect(hits / 6_000).toBeGreaterThan(0.95);
    await store.drop('test_large');
  });
});

test('a PostgreSQL without pgvector is named as what is missing', async () => {
  const db = await openTestDatabase();
  const [offered] = await db.query(`select from pg_available_extensions where name = 'vector'`);
  try {
    if (!offered)
      await expect(openPgVectorStore(db).open('x', 4)).rejects.toThrow(
        /does not offer the extension "vector" \(pgvector\); install/,
      );
    await openPgVectorStore(db).drop('x');
  } finally {
    await db.close();
  }
});

const qdrantUrl = process.env.FOVEA_TEST_QDRANT_URL;
describe.skipIf(!qdrantUrl)(
  `Qdrant${qdrantUrl ? '' : ' (skipped: FOVEA_TEST_QDRANT_URL is not set)'}`,
  () => {
    conforms(() => openQdrantStore({ url: qdrantUrl ?? '', prefix: 'fovea_test_' }));
  },
);

/** Shows that the requests are well formed and the replies are read as Qdrant documents them; no more than that. */
describe("the requests to Qdrant, against a stand-in that checks them by Qdrant's documentation", () => {
  let standIn: Awaited<ReturnType<typeof openQdrantStandIn>>;
  let store: VectorStore;
  beforeAll(async () => {
    standIn = await openQdrantStandIn('secret');
    store = openQdrantStore({ url: standIn.url, apiKey: 'secret', prefix: 'p_' });
  });
  afterAll(() => standIn.close());
  conforms(() => store);

  test('a key that is refused and a server that is away are said in words', async () => {
    const wrong = openQdrantStore({ url: standIn.url, apiKey: 'wrong', prefix: 'p_' });
    await expect(wrong.open('x', 4)).rejects.toThrow(/FOVEA_QDRANT_URL cannot be used: it answered 401/);
    const away = openQdrantStore({ url: 'http://127.0.0.1:9', prefix: 'p_' });
    await expect(away.open('x', 4)).rejects.toThrow(StoreUnavailable);
  });
});
