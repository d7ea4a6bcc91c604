import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exactScore } from './exact-search.ts';
import { openVectorHost, type VectorHost } from './vector-host.ts';
import type { VectorIndex } from './vector-index.ts';

/** Wide enough that a search of the whole scope is not worth doing where it is asked. */
const dims = 128;
const rows = 3000;
let dir: string;
let host: VectorHost;
let messages: string[];

function open(): VectorHost {
  const note = (_: object, message: string) => messages.push(message);
  return openVectorHost({ dir, log: { info: note, warn: note }, flatMax: 1000 });
}

beforeEach(() => {
  messages = [];
  dir = mkdtempSync(join(tmpdir(), 'graphs-'));
  host = open();
});
afterEach(async () => {
  await host.close();
  rmSync(dir, { recursive: true });
});

/** Clustered, as embeddings are. */
function clustered(count: number, seed: number): Float32Array {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4_294_967_296 - 0.5;
  };
  const centres = Float32Array.from({ length: 40 * dims }, random);
  return Float32Array.from(
    { length: count * dims },
    (_, i) => (centres[(Math.floor(i / dims) % 40) * dims + (i % dims)] as number) + 0.4 * random(),
  );
}

const vectors = clustered(rows, 1);
const rowOf = (row: number): Float32Array => vectors.slice(row * dims, (row + 1) * dims);
const allKeys = Array.from({ length: rows }, (_, i) => i + 1);

async function ready(index: VectorIndex): Promise<void> {
  await expect.poll(() => index.graphState, { timeout: 20_000, interval: 20 }).toBe('ready');
}

async function filled(from = host): Promise<VectorIndex> {
  const index = from.scope('app/model', dims);
  index.upsert(allKeys, vectors);
  await ready(index);
  return index;
}

function nearest(query: Float32Array, k: number, allowed: (key: number) => boolean): number[] {
  return allKeys
    .filter(allowed)
    .map((key) => ({
      key,
      score: exactScore(query, vectors.subarray((key - 1) * dims, key * dims), 'cosine'),
    }))
    .sort((a, b) => b.score - a.score || a.key - b.key)
    .slice(0, k)
    .map(({ key }) => key);
}

test('a large scope gets a graph, and still finds what an exact search finds', async () => {
  const index = await filled();
  let found = 0;
  for (let i = 0; i < 60; i += 1) {
    const query = rowOf(i * 37).map((value, d) => value + 0.1 * Math.sin(i + d));
    const { keys, scores, way } = await index.search(query, 10, { metric: 'cosine' });
    expect(way).toBe('graph');
    const wanted = new Set(nearest(query, 10, () => true));
    found += keys.filter((key) => wanted.has(key)).length;
    expect(keys).toHaveLength(10);
    expect(scores).toEqual(
      keys.map((key) => exactScore(query, vectors.subarray((key - 1) * dims, key * dims), 'cosine')),
    );
  }
  expect(found / 600).toBeGreaterThan(0.98);
});

test('filters of any width give the right number of results, all of them allowed', async () => {
  const index = await filled();
  const ways = new Map<number, string>();
  for (const step of [1, 2, 3, 10, 100, 1500]) {
    const candidates = Float64Array.from(allKeys.filter((key) => key % step === 0));
    const query = rowOf(11);
    const { keys, way } = await index.search(query, 10, { metric: 'cosine', candidates });
    ways.set(step, way);
    const wanted = nearest(query, 10, (key) => key % step === 0);
    expect(keys).toHaveLength(wanted.length);
    expect(keys.filter((key) => wanted.includes(key)).length / wanted.length).toBeGreaterThan(0.85);
  }
  expect([ways.get(1), ways.get(10)]).toEqual(['graph', 'exact']);
});

test('what changes after the graph was made is found at once, and what is removed never again', async () => {
  const index = await filled();
  const query = rowOf(5);
  index.upsert([9001], query);
  const { keys: before, way } = await index.search(query, 3, { metric: 'cosine' });
  expect(way).toBe('graph');
  expect(before).toEqual([6, 9001, before[2]]);
  index.remove([6]);
  index.upsert([9002], rowOf(70));
  expect((await index.search(query, 3, { metric: 'cosine' })).keys).not.toContain(6);
  // The same key with another vector: the graph still has the old one.
  index.upsert([9001], rowOf(80));
  expect((await index.search(query, 3, { metric: 'cosine' })).keys).not.toContain(9001);
  expect((await index.search(rowOf(80), 2, { metric: 'cosine' })).keys).toEqual([81, 9001]);
});

test('after a restart the graph is loaded, not built, and matches vectors by what they hold', async () => {
  await filled();
  await host.close();
  messages = [];
  host = open();
  const index = host.scope('app/model', dims);
  // In another order, and one of them changed meanwhile.
  const reversed = [...allKeys].reverse();
  index.upsert(reversed, Float32Array.from(reversed.flatMap((key) => [...rowOf(key - 1)])));
  index.upsert([42], rowOf(500));
  await ready(index);
  expect(messages).toEqual([]);
  expect((await index.search(rowOf(500), 2, { metric: 'cosine' })).keys).toEqual([42, 501]);
  expect((await index.search(rowOf(41), 1, { metric: 'cosine' })).keys).not.toEqual([42]);
  expect((await index.search(rowOf(300), 1, { metric: 'cosine' })).keys).toEqual([301]);
});

test.each<[string, (file: string) => void]>([
  ['cut short', (file) => truncateSync(file, 5000)],
  [
    'changed in one bit',
    (file) => {
      const bytes = readFileSync(file);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 4;
      writeFileSync(file, bytes);
    },
  ],
  ['gone', (file) => rmSync(file)],
])('a graph file that is %s is built anew', async (_, damage) => {
  await filled();
  await host.close();
  for (const name of readdirSync(dir).filter((file) => file.endsWith('.graph'))) damage(join(dir, name));
  messages = [];
  host = open();
  const index = await filled();
  await expect.poll(() => messages).toEqual(['graph file is of no use; building anew', 'vector graph built']);
  expect((await index.search(rowOf(300), 1, { metric: 'cosine' })).keys).toEqual([301]);
});

test('a scope that has changed much gets a new graph while the old one serves', async () => {
  const index = await filled();
  const fresh = clustered(800, 2);
  index.upsert(
    Array.from({ length: 800 }, (_, i) => 10_000 + i),
    fresh,
  );
  const built = () => messages.filter((message) => message === 'vector graph built').length;
  for (let i = 0; built() < 2; i += 1) {
    const query = fresh.slice((i % 800) * dims, ((i % 800) + 1) * dims);
    expect((await index.search(query, 1, { metric: 'cosine' })).keys).toEqual([10_000 + (i % 800)]);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect((await index.search(rowOf(9), 1, { metric: 'cosine' })).keys).toEqual([10]);
});

/** Process ids of this process's children that run the graph entry. */
function graphProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const parent = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1];
        return (
          parent === String(process.pid) &&
          readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('graph-process')
        );
      } catch {
        return false;
      }
    })
    .map(Number);
}

test.skipIf(!existsSync('/proc/self/stat'))(
  'a process that dies while it builds a graph costs no search, and the next change has another build it',
  async () => {
    const index = host.scope('app/model', dims);
    index.upsert(allKeys, vectors);
    await expect.poll(graphProcesses, { timeout: 20_000, interval: 5 }).toHaveLength(1);
    process.kill(graphProcesses()[0] as number, 'SIGKILL');
    await expect.poll(() => index.graphState, { timeout: 20_000 }).toBe('failed');
    for (let i = 0; i < 20; i += 1) {
      expect((await index.search(rowOf(i), 1, { metric: 'cosine' })).keys).toEqual([i + 1]);
    }
    index.upsert([9001], rowOf(80));
    await ready(index);
    expect((await index.search(rowOf(7), 1, { metric: 'cosine' })).way).toBe('graph');
    await host.close();
    expect(graphProcesses()).toEqual([]);
  },
);

test('a dropped scope leaves no file behind', async () => {
  const index = await filled();
  expect(readdirSync(dir)).toHaveLength(3);
  index.drop();
  await expect.poll(() => readdirSync(dir), { timeout: 5000 }).toEqual([]);
});
