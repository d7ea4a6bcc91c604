import { expect, test } from 'vitest';
import {
  exclusiveLabels,
  independentLabels,
  inputsOf,
  lacksNegatives,
  openSamples,
  samplesWhere,
} from './problem.ts';

const label = (inputKey: number, conceptId: string, value: number, regionKey = 0) => ({
  inputKey,
  regionKey,
  vectorKey: regionKey || inputKey * 10,
  conceptId,
  value,
});

const gathering = openSamples(['cat', 'dog']);
for (const row of [
  label(1, 'cat', 1),
  label(1, 'dog', 1, 77),
  label(2, 'cat', 0),
  label(2, 'dog', 1),
  label(3, 'cat', 1),
  label(3, 'dog', 1),
  label(4, 'bird', 1),
  label(4, 'dog', 0),
])
  gathering.add(row);
const samples = gathering.done();

test('labels of an input come together, and a region is a sample of its own', () => {
  expect(samples.count).toBe(5);
  expect([...samples.inputKeys]).toEqual([1, 1, 2, 3, 4]);
  expect([...samples.regionKeys]).toEqual([0, 77, 0, 0, 0]);
  expect([...samples.vectorKeys]).toEqual([10, 77, 20, 30, 40]);
  expect(inputsOf(samples)).toBe(4);
});

test('samples that are chosen keep their labels', () => {
  const chosen = samplesWhere(samples, (at) => at !== 1 && at !== 3);
  expect([...chosen.inputKeys]).toEqual([1, 2, 4]);
  expect([...independentLabels(chosen, 2, false)]).toEqual([1, -1, 0, 1, -1, 0]);
  expect(samplesWhere(samples, () => true)).toBe(samples);
});

test('columns grow', () => {
  const many = openSamples(['cat']);
  for (let n = 1; n <= 5_000; n += 1) many.add(label(n, 'cat', n % 2));
  const made = many.done();
  expect(made.count).toBe(5_000);
  expect(exclusiveLabels(made).filter((index) => index === 0)).toHaveLength(2_500);
  expect([made.inputKeys[4_999], made.starts[5_000]]).toEqual([5_000, 5_000]);
});

test('where concepts exclude each other, inputs with none or several are left out', () => {
  expect([...exclusiveLabels(samples)]).toEqual([0, 1, 1, -1, -1]);
});

test.each([
  [true, [1, 0, 0, 1, 0, 1, 1, 1, -1, 0]],
  [false, [1, -1, -1, 1, 0, 1, 1, 1, -1, 0]],
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
