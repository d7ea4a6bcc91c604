import { expect, test } from 'vitest';
import { ArenaPool } from './arena.ts';
import { mayBeNearest } from './codes.ts';
import { exactScore, exactSearch, squaredLength } from './exact-search.ts';
import { ScopeWriter } from './scope-writer.ts';

/** The same numbers in every run, between -0.5 and 0.5. */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4_294_967_296 - 0.5;
  };
}

function filled(dims: number, rows: readonly Float32Array[]) {
  const pool = new ArenaPool(() => {});
  const writer = new ScopeWriter(dims, pool, () => {});
  for (const [key, row] of rows.entries()) writer.set(key, row, 0);
  return writer;
}

const rowsOf = (count: number, dims: number, number: () => number) =>
  Array.from({ length: count }, () => Float32Array.from({ length: dims }, number));

function nearest(
  rows: readonly Float32Array[],
  query: Float32Array,
  k: number,
  isKept: (key: number) => boolean,
) {
  return rows
    .map((row, key) => ({ key, score: exactScore(query, row, 'cosine') }))
    .filter(({ key }) => isKept(key))
    .sort((a, b) => b.score - a.score || a.key - b.key)
    .slice(0, k)
    .map(({ key }) => key);
}

const keysIn = (filter: Int32Array): number[] =>
  Array.from({ length: filter.length * 32 }, (_, slot) => slot).filter(
    (slot) => (((filter[slot >>> 5] as number) >>> (slot & 31)) & 1) === 1,
  );

test.each([3, 16, 50, 512])(
  'what codes of %i numbers leave holds all of the nearest, and few others',
  (dims) => {
    const number = numbersFrom(dims);
    const rows = rowsOf(3000, dims, number);
    // One with a number that leaves the others of its code at nothing, one of zeros, one of tiny numbers, and copies.
    (rows[7] as Float32Array)[1] = 1e6;
    (rows[8] as Float32Array).fill(0);
    rows[9] = (rows[10] as Float32Array).map((value) => value * 1e-20);
    for (let copy = 20; copy < 60; copy += 1) rows[copy] = (rows[11] as Float32Array).slice();
    const { view } = filled(dims, rows);
    for (let q = 0; q < 30; q += 1) {
      const query = (rows[q] as Float32Array).map((value) => value + 0.2 * number());
      const left = mayBeNearest(view, query, Math.sqrt(squaredLength(query)), 10, view.live);
      const wanted = nearest(rows, query, 10, () => true);
      expect(keysIn(left)).toEqual(expect.arrayContaining(wanted));
      if (dims === 512) expect(keysIn(left).length).toBeLessThan(300);
      const { slots } = exactSearch(view, { query, k: 10, metric: 'cosine' });
      expect([...slots]).toEqual(wanted);
    }
  },
);

test('codes are looked through for what a filter keeps and is there', () => {
  const number = numbersFrom(5);
  const rows = rowsOf(2500, 40, number);
  const writer = filled(40, rows);
  const query = rows[600] as Float32Array;
  writer.delete(600, 0);
  writer.set(601, rows[602] as Float32Array, 0);
  const filter = new Int32Array(writer.view.blockCount).fill(0x55555555);
  const { slots } = exactSearch(writer.view, { query, k: 5, metric: 'cosine' }, filter);
  const kept = nearest(rows, query, 5, (key) => key % 2 === 0 && key !== 600);
  expect([...slots]).toEqual(kept);
});

test('a query of zeros is as near to all', () => {
  const rows = rowsOf(2000, 20, numbersFrom(6));
  const { slots, scores } = exactSearch(filled(20, rows).view, {
    query: new Float32Array(20),
    k: 3,
    metric: 'cosine',
  });
  expect([[...slots], [...scores]]).toEqual([
    [0, 1, 2],
    [0, 0, 0],
  ]);
});

test('sums of the longest rows do not overflow', () => {
  const dims = 16_384;
  const rows = rowsOf(1100, dims, numbersFrom(7));
  rows[1000] = new Float32Array(dims).fill(3);
  rows[1001] = new Float32Array(dims).fill(-3);
  const query = new Float32Array(dims).fill(0.1);
  const { view } = filled(dims, rows);
  const left = mayBeNearest(view, query, Math.sqrt(squaredLength(query)), 1, view.live);
  expect(keysIn(left)).toEqual(expect.arrayContaining([1000]));
  expect(keysIn(left)).not.toContain(1001);
});

test('among copies of one vector the codes are given up, and the first of them by key are found', () => {
  const one = rowsOf(1, 48, numbersFrom(8))[0] as Float32Array;
  const { view } = filled(48, Array(10_000).fill(one));
  const query = one.map((value, i) => value + 0.1 * Math.sin(i));
  expect(mayBeNearest(view, query, Math.sqrt(squaredLength(query)), 5, view.live)).toBe(view.live);
  const { slots } = exactSearch(view, { query, k: 5, metric: 'cosine' });
  expect([...slots]).toEqual([0, 1, 2, 3, 4]);
});
