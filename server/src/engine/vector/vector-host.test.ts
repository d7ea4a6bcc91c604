import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { exactScore, type Metric } from './exact-search.ts';
import { openVectorHost, type VectorHost } from './vector-host.ts';
import type { VectorIndex } from './vector-index.ts';

let dir: string;
let host: VectorHost;
const log = { info: () => {}, warn: () => {} };

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'vectors-'));
  host = openVectorHost({ dir, log });
});
afterAll(async () => {
  await host.close();
  rmSync(dir, { recursive: true });
});

/** A small generator with a fixed period, so that failures repeat. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4_294_967_296;
  };
}

const randomVectors = (rows: number, dims: number, random: () => number): Float32Array =>
  Float32Array.from({ length: rows * dims }, () => random() * 2 - 1);

/** The plain definition, as a map of key to vector. */
class Naive {
  readonly dims: number;
  readonly vectors = new Map<number, Float32Array>();

  constructor(dims: number) {
    this.dims = dims;
  }

  upsert(keys: number[], vectors: Float32Array): void {
    keys.forEach((key, i) => {
      this.vectors.set(key, vectors.slice(i * this.dims, (i + 1) * this.dims));
    });
  }

  search(query: Float32Array, k: number, metric: Metric, candidates?: Set<number>) {
    const sign = metric === 'cosine' ? -1 : 1;
    return [...this.vectors]
      .filter(([key]) => candidates === undefined || candidates.has(key))
      .map(([key, vector]) => ({ key, score: exactScore(query, vector, metric) }))
      .sort((a, b) => sign * (a.score - b.score) || a.key - b.key)
      .slice(0, k);
  }
}

async function expectSame(
  index: VectorIndex,
  naive: Naive,
  query: Float32Array,
  k: number,
  metric: Metric,
  only?: number[],
) {
  const candidates = only === undefined ? undefined : Float64Array.from(only).sort();
  const found = await index.search(query, k, { metric, candidates });
  const wanted = naive.search(query, k, metric, only === undefined ? undefined : new Set(only));
  expect(found.keys).toEqual(wanted.map((hit) => hit.key));
  expect(found.scores).toEqual(wanted.map((hit) => hit.score));
}

describe.each([
  // dims, rows: small scopes are scanned where they are asked, large ones in the thread
  [1, 40],
  [3, 200],
  [16, 1000],
  [17, 700],
  [100, 5000],
  [512, 1500],
])('with %i dimensions and %i vectors', (dims, rows) => {
  test('a search gives what the definition gives, through changes and removals', async () => {
    const random = randomFrom(dims * 1000 + rows);
    const index = host.scope(`same-${dims}`, dims);
    const naive = new Naive(dims);
    const keys = Array.from({ length: rows }, (_, i) => i * 7 + (i % 3 === 0 ? 2 ** 40 : 0));
    const vectors = randomVectors(rows, dims, random);
    index.upsert(keys, vectors);
    naive.upsert(keys, vectors);
    for (let round = 0; round < 3; round += 1) {
      const changed = keys.filter(() => random() < 0.1);
      const fresh = randomVectors(changed.length, dims, random);
      index.upsert(changed, fresh);
      naive.upsert(changed, fresh);
      const gone = keys.filter(() => random() < 0.05);
      index.remove(gone);
      for (const key of gone) naive.vectors.delete(key);
      expect(index.size).toBe(naive.vectors.size);
      for (const metric of ['cosine', 'euclidean'] as const) {
        const query = randomVectors(1, dims, random);
        await expectSame(index, naive, query, 10, metric);
        await expectSame(
          index,
          naive,
          query,
          10,
          metric,
          keys.filter(() => random() < 0.3),
        );
        await expectSame(index, naive, query, 5, metric, [keys[3] as number, -1 + 2 ** 50]);
      }
    }
    expect([...index.keys()]).toEqual([...naive.vectors.keys()].sort((a, b) => a - b));
    index.drop();
  });
});

test('equal vectors come in the order of their keys, wherever they lie', async () => {
  const index = host.scope('ties', 64);
  const one = randomVectors(1, 64, randomFrom(5));
  const keys = Array.from({ length: 5000 }, (_, i) => (i * 7919) % 5000);
  index.upsert(
    keys,
    Float32Array.from({ length: 5000 * 64 }, (_, i) => one[i % 64] as number),
  );
  const { keys: found, scores } = await index.search(one, 7, { metric: 'cosine' });
  expect(found).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(scores.every((score) => Math.abs(score - 1) < 1e-12)).toBe(true);
});

test.each([
  ['cosine', 0.5, [1, 2]],
  ['euclidean', 1, [1, 2, 4]],
  ['euclidean', 0, [1]],
] as const)('a %s limit of %d keeps what is near enough', async (metric, minScore, expected) => {
  const index = host.scope('limits', 2);
  index.upsert([1, 2, 3, 4], Float32Array.from([1, 0, 1, 0.5, 0, 1, 0, 0]));
  const { keys } = await index.search(Float32Array.from([1, 0]), 10, { metric, minScore });
  expect(keys).toEqual(expected);
});

test('a vector of zeros is similar to nothing, and never breaks a search', async () => {
  const index = host.scope('zeros', 2);
  index.upsert([1, 2], Float32Array.from([0, 0, -1, 0]));
  const { keys, scores } = await index.search(Float32Array.from([1, 0]), 5, { metric: 'cosine' });
  expect([keys, scores]).toEqual([
    [1, 2],
    [0, -1],
  ]);
});

test('bad vectors, keys and queries are refused with the reason, and nothing of the batch is kept', async () => {
  const index = host.scope('refusals', 2);
  expect(() => index.upsert([1, 2], Float32Array.from([1, 0, Number.NaN, 0]))).toThrow('must be finite');
  expect(() => index.upsert([1], Float32Array.from([1, 0, 0]))).toThrow('2 floats, not 3');
  expect(() => index.upsert([-1], Float32Array.from([1, 0]))).toThrow('key');
  expect(index.size).toBe(0);
  await expect(index.search(Float32Array.from([1]), 5, { metric: 'cosine' })).rejects.toThrow('dimensions');
  expect(() => host.scope('refusals', 3)).toThrow('2 dimensions, not 3');
});

test('what was removed before a search starts, or while it runs, is never returned', async () => {
  const random = randomFrom(77);
  const index = host.scope('freshness', 128);
  const rows = 6000;
  index.upsert(
    Array.from({ length: rows }, (_, i) => i),
    randomVectors(rows, 128, random),
  );
  const removed = new Set<number>();
  for (let round = 0; round < 40; round += 1) {
    const query = randomVectors(1, 128, random);
    const running = index.search(query, 20, { metric: 'cosine' });
    const victims = (await index.search(query, 3, { metric: 'cosine' })).keys;
    const late = index.search(query, 20, { metric: 'cosine' });
    index.remove(victims);
    for (const key of victims) removed.add(key);
    // Freed rows are taken by other vectors at once.
    index.upsert([100_000 + round], query);
    const after = await index.search(query, 20, { metric: 'cosine' });
    expect(after.keys[0]).toBe(100_000 + round);
    for (const result of [await late, after]) {
      expect(result.keys).toHaveLength(20);
      expect(result.keys.filter((key) => removed.has(key))).toEqual([]);
    }
    await running;
  }
});

test('scores of named candidates come in the order asked, and unknown keys have none', async () => {
  const random = randomFrom(9);
  const index = host.scope('scores', 40);
  const vectors = randomVectors(9000, 40, random);
  index.upsert(
    Array.from({ length: 9000 }, (_, i) => i),
    vectors,
  );
  const query = randomVectors(1, 40, random);
  for (const metric of ['cosine', 'euclidean'] as const) {
    for (const asked of [[5, 99_999, 3], Array.from({ length: 9000 }, (_, i) => 8999 - i)]) {
      const scores = await index.scoreAll(query, Float64Array.from(asked), metric);
      asked.forEach((key, i) => {
        if (key >= 9000) expect(scores[i]).toBeNaN();
        else
          expect(scores[i]).toBeCloseTo(
            exactScore(query, vectors.subarray(key * 40, key * 40 + 40), metric),
            5,
          );
      });
    }
  }
});

test('memory of a dropped scope serves the next one', async () => {
  const fill = (name: string) => {
    const index = host.scope(name, 256);
    index.upsert(
      Array.from({ length: 3000 }, (_, i) => i),
      randomVectors(3000, 256, randomFrom(1)),
    );
    return index;
  };
  fill('first').drop();
  const held = host.bytesHeld;
  for (let i = 0; i < 5; i += 1) fill(`next-${i}`).drop();
  expect(host.bytesHeld).toBe(held);
});

test('a closed host refuses to search', async () => {
  const other = openVectorHost({ dir, log });
  const index = other.scope('late', 512);
  index.upsert(
    Array.from({ length: 2000 }, (_, i) => i),
    randomVectors(2000, 512, randomFrom(2)),
  );
  await other.close();
  await expect(index.search(new Float32Array(512), 5, { metric: 'cosine' })).rejects.toThrow('closed');
});

test('a thread that ends is replaced, and the searches it had are answered', async () => {
  const threads: Worker[] = [];
  const original = Worker.prototype.postMessage;
  const post = vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (this: Worker, ...args) {
    // The bundler that prepares the entry has a thread too.
    if (args[0]?.kind !== undefined && !threads.includes(this)) threads.push(this);
    return original.apply(this, args);
  });
  const warnings: string[] = [];
  const other = openVectorHost({
    dir,
    log: { info: () => {}, warn: (_, message) => warnings.push(message) },
  });
  try {
    const index = other.scope('survivor', 512);
    const vectors = randomVectors(3000, 512, randomFrom(3));
    index.upsert(
      Array.from({ length: 3000 }, (_, i) => i),
      vectors,
    );
    const running = index.search(vectors.slice(0, 512), 1, { metric: 'cosine' });
    void threads[0]?.terminate();
    expect((await running).keys).toEqual([0]);
    expect((await index.search(vectors.slice(512, 1024), 1, { metric: 'cosine' })).keys).toEqual([1]);
    expect(threads).toHaveLength(2);
    expect(warnings).toEqual(['vector thread failed; starting another']);
  } finally {
    post.mockRestore();
    await other.close();
  }
});
