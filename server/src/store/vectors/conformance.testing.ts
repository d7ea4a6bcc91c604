import { expect, test } from 'vitest';
import type { VectorCollection, VectorStore } from '#domain/vector-store.ts';

const dims = 32;

/** Vectors of length one by a small generator, the same in every run. */
export function unitVectors(n: number, seed: number, width = dims): Float32Array {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  const made = new Float32Array(n * width);
  for (let row = 0; row < n; row++) {
    const own = made.subarray(row * width, (row + 1) * width);
    for (let d = 0; d < width; d++) own[d] = next();
    const length = Math.sqrt(own.reduce((sum, x) => sum + x * x, 0));
    for (let d = 0; d < width; d++) own[d] = (own[d] as number) / length;
  }
  return made;
}

const rowOf = (vectors: Float32Array, row: number) => vectors.slice(row * dims, (row + 1) * dims);
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, d) => sum + x * (b[d] as number), 0);

/** The nearest as a plain loop finds them. */
function naive(
  vectors: Float32Array,
  keys: readonly number[],
  query: Float32Array,
  k: number,
): { keys: number[]; scores: number[] } {
  const scored = keys
    .map((key, row) => ({ key, score: dot(rowOf(vectors, row), query) }))
    .sort((a, b) => b.score - a.score || a.key - b.key)
    .slice(0, k);
  return { keys: scored.map(({ key }) => key), scores: scored.map(({ score }) => score) };
}

/** What a store of vectors must do (domain/vector-store.ts), for each that is present. */
export function conforms(open: () => VectorStore) {
  const n = 300;
  const vectors = unitVectors(n, 7);
  // Not in the order of the rows, and as large as keys get.
  const keys = Array.from({ length: n }, (_, row) => ((row * 17) % n) + (row % 2 === 0 ? 0 : 2 ** 40));
  const query = rowOf(unitVectors(1, 99), 0);
  let named = 0;
  const fresh = async (filled = true): Promise<VectorCollection> => {
    named += 1;
    const name = `test_${process.pid}_${named}`;
    await open().drop(name);
    const made = await open().open(name, dims);
    if (filled) await made.upsert(keys, vectors);
    return made;
  };
  const close = (scores: readonly number[], wanted: readonly number[]) => {
    expect(scores).toHaveLength(wanted.length);
    for (const [i, score] of scores.entries()) expect(score).toBeCloseTo(wanted[i] as number, 5);
  };

  test('the nearest come first, with their scores', async () => {
    const index = await fresh();
    for (const k of [1, 10, n, n * 2]) {
      const found = await index.search(query, k, { metric: 'cosine', exact: true });
      const wanted = naive(vectors, keys, query, k);
      expect(found.keys).toEqual(wanted.keys);
      close(found.scores, wanted.scores);
      expect(found.way).toBe('exact');
    }
    expect((await index.search(query, 10, { metric: 'cosine' })).keys).toEqual(
      naive(vectors, keys, query, 10).keys,
    );
    expect(index.size).toBe(n);
  });

  test('distances are those of the same vectors', async () => {
    const index = await fresh();
    const found = await index.search(query, 5, { metric: 'euclidean', exact: true });
    const wanted = naive(vectors, keys, query, 5);
    expect(found.keys).toEqual(wanted.keys);
    close(
      found.scores,
      wanted.scores.map((cosine) => Math.sqrt(2 - 2 * cosine)),
    );
  });

  test('candidates limit what is found, exactly; unknown ones and none at all', async () => {
    const index = await fresh();
    const rows = [3, 50, 51, 200, 299];
    const among = rows.map((row) => keys[row] as number);
    const own = new Float32Array(rows.length * dims);
    for (const [i, row] of rows.entries()) own.set(rowOf(vectors, row), i * dims);
    const found = await index.search(query, 4, {
      metric: 'cosine',
      candidates: Float64Array.from([...among, 987_654_321]),
    });
    expect(found.keys).toEqual(naive(own, among, query, 4).keys);
    const none = await index.search(query, 4, { metric: 'cosine', candidates: new Float64Array() });
    expect(none.keys).toEqual([]);
    const scores = await index.scoreAll(query, Float64Array.from([987_654_321, ...among]));
    expect(scores[0]).toBeNaN();
    close(
      [...scores.slice(1)],
      rows.map((row) => dot(rowOf(vectors, row), query)),
    );
  });

  test('a smallest score cuts the end off', async () => {
    const index = await fresh();
    const all = naive(vectors, keys, query, n);
    const minScore = ((all.scores[11] as number) + (all.scores[12] as number)) / 2;
    const found = await index.search(query, 100, { metric: 'cosine', minScore, exact: true });
    expect(found.keys).toEqual(all.keys.slice(0, 12));
  });

  test('what was put or removed is seen by the next search; doing it twice changes nothing', async () => {
    const index = await fresh();
    await index.upsert([5, 5], Float32Array.from([...rowOf(vectors, 0), ...query]));
    await index.upsert([5], query);
    const found = await index.search(query, 2, { metric: 'cosine', exact: true });
    expect(found.keys[0]).toBe(5);
    expect(found.scores[0]).toBeCloseTo(1, 5);
    await index.remove([5, 123_456]);
    await index.remove([5]);
    const without = await index.search(query, n + 9, { metric: 'cosine', exact: true });
    expect(without.keys).not.toContain(5);
    const before = keys.includes(5) ? n - 1 : n;
    expect(without.keys).toHaveLength(before);
    expect(index.size).toBe(before);
  });

  test('pages give back every vector once, in the order of the keys', async () => {
    const index = await fresh();
    const seen: number[] = [];
    for (let after = -1; ; ) {
      const page = await index.page(after, 128);
      for (const [i, key] of page.keys.entries()) {
        const row = keys.indexOf(key);
        const given = page.vectors.subarray(i * dims, (i + 1) * dims);
        expect(dot(given, rowOf(vectors, row))).toBeCloseTo(1, 5);
        seen.push(key);
      }
      if (page.keys.length < 128) break;
      after = page.keys.at(-1) as number;
    }
    expect(seen).toEqual([...keys].sort((a, b) => a - b));
  });

  test('an empty collection finds nothing; another width and strange names are refused', async () => {
    const index = await fresh(false);
    expect(await index.search(query, 3, { metric: 'cosine' })).toMatchObject({ keys: [], scores: [] });
    expect((await index.page(-1, 10)).keys).toHaveLength(0);
    await expect((async () => index.search(query.slice(1), 3, { metric: 'cosine' }))()).rejects.toThrow(
      RangeError,
    );
    await expect(open().open(`test_${process.pid}_${named}`, dims + 1)).rejects.toThrow(/dimensions/);
  });

  test('a dropped collection begins anew', async () => {
    await fresh();
    await open().drop(`test_${process.pid}_${named}`);
    const again = await open().open(`test_${process.pid}_${named}`, dims);
    expect(again.size).toBe(0);
    await open().drop('test_never_there');
  });

  test('writers and searches at the same time: no errors, and only what was there', async () => {
    const index = await fresh();
    const more = unitVectors(200, 41);
    const write = async () => {
      for (let from = 0; from < 200; from += 20) {
        const own = Array.from({ length: 20 }, (_, i) => 10_000 + from + i);
        await index.upsert(own, more.subarray(from * dims, (from + 20) * dims));
        if (from % 40 === 0) await index.remove(own.slice(0, 5));
      }
    };
    const known = new Set([...keys, ...Array.from({ length: 200 }, (_, i) => 10_000 + i)]);
    const look = async () => {
      for (let i = 0; i < 15; i++) {
        const found = await index.search(query, 20, { metric: 'cosine' });
        expect(found.keys.length).toBeGreaterThan(0);
        expect(found.keys.every((key) => known.has(key))).toBe(true);
        expect(new Set(found.keys).size).toBe(found.keys.length);
      }
    };
    await Promise.all([write(), look(), look()]);
    expect(index.size).toBe(n + 200 - 25);
  });
}
