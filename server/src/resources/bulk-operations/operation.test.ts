import { describe, expect, test } from 'vitest';
import { chunksOf, sharesOf, splitChunks, withoutMetadata } from './operation.ts';

describe('splits', () => {
  test.each([
    [10, [80, 20], [8, 2]],
    [7, [50, 50], [4, 3]],
    [10, [33, 33, 33], [4, 3, 3]],
    [1, [1, 99], [0, 1]],
    [10, [50, 20], [5, 2]],
    [0, [60, 40], [0, 0]],
  ])('%i inputs by %j go %j', (n, percentages, shares) => {
    expect(sharesOf(n, percentages)).toEqual(shares);
  });

  test('every input goes to one dataset, none twice', () => {
    const keys = Array.from({ length: 2500 }, (_, i) => i);
    const chunks = splitChunks(keys, [
      { datasetId: 'a', percentage: 80 },
      { datasetId: 'b', percentage: 20 },
    ]);
    expect(chunks.map(({ datasetId, keys: { length } }) => [datasetId, length])).toEqual([
      ['a', 1000],
      ['a', 1000],
      ['b', 500],
    ]);
    expect(chunks.flatMap((chunk) => chunk.keys).sort((a, b) => a - b)).toEqual(keys);
  });

  test('chunks hold what there is, in its order', () => {
    expect(chunksOf([])).toEqual([]);
    expect(chunksOf([3, 1, 2])).toEqual([{ datasetId: '', keys: [3, 1, 2] }]);
  });
});

test.each([
  ['a pair that is equal goes', { a: 1, b: 2 }, { a: 1 }, { b: 2 }],
  ['one with another value stays', { a: 1 }, { a: 2 }, { a: 1 }],
  ['inside objects pairs are compared', { a: { x: 1, y: 2 } }, { a: { x: 1 } }, { a: { y: 2 } }],
  ['an equal object goes whole', { a: { x: 1 }, b: 0 }, { a: { x: 1 } }, { b: 0 }],
  ['lists are equal as wholes', { a: [1, { b: 2 }], c: [1] }, { a: [1, { b: 2 }], c: [1, 2] }, { c: [1] }],
  ['what is not there is no trouble', { a: null }, { z: 1 }, { a: null }],
])('%s', (_title, before, gone, after) => {
  expect(withoutMetadata(before, gone)).toEqual(after);
});
