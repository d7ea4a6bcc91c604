import { expect, test } from 'vitest';
import { exclusiveLabels, independentLabels, lacksNegatives, samplesOf } from './problem.ts';

const label = (inputKey: number, conceptId: string, value: number, regionKey = 0) => ({
  inputKey,
  regionKey,
  vectorKey: regionKey || inputKey * 10,
  conceptId,
  value,
});

const samples = samplesOf(
  [
    label(1, 'cat', 1),
    label(2, 'cat', 0),
    label(2, 'dog', 1),
    label(3, 'cat', 1),
    label(3, 'dog', 1),
    label(1, 'dog', 1, 77),
    label(4, 'dog', 0),
  ],
  ['cat', 'dog'],
);

test('labels of an input come together, and a region is a sample of its own', () => {
  expect(samples.map(({ inputKey, regionKey, vectorKey }) => [inputKey, regionKey, vectorKey])).toEqual([
    [1, 0, 10],
    [2, 0, 20],
    [3, 0, 30],
    [1, 77, 77],
    [4, 0, 40],
  ]);
});

test('where concepts exclude each other, inputs with none or several are left out', () => {
  expect([...exclusiveLabels(samples)]).toEqual([0, 1, -1, 1, -1]);
});

test.each([
  [true, [1, 0, 0, 1, 1, 1, 0, 1, -1, 0]],
  [false, [1, -1, 0, 1, 1, 1, -1, 1, -1, 0]],
])('with enrich %s, what nobody said counts as absent only beside something present', (enrich, expected) => {
  expect([...independentLabels(samples, 2, enrich)]).toEqual(expected);
});

test.each([
  [[1, 0, 0, 1], false],
  [[1, 1, 1, 0], true],
  [[-1, 0, 1, -1], true],
])('labels %j lack negatives: %s', (labels, lacking) => {
  expect(lacksNegatives(Int8Array.from(labels), 2)).toBe(lacking);
});
