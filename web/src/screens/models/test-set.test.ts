import { expect, test } from 'vitest';
import { countsAt, entriesOfCell } from './test-set.ts';

const entry = (id: string, actual: string, predictions: Readonly<Record<string, number>>) => ({
  input: { id },
  ground_truth_concepts: [
    { id: actual, value: 1 },
    { id: 'never', value: 0 },
  ],
  predicted_concepts: Object.entries(predictions).map(([concept, value]) => ({ id: concept, value })),
});
const entries = [
  entry('1', 'cat', { cat: 0.9, dog: 0.2 }),
  entry('2', 'cat', { cat: 0.3, dog: 0.6 }),
  entry('3', 'dog', { cat: 0.7, dog: 0.6 }),
];
const ids = (found: readonly { input?: { id?: string } }[]) => found.map(({ input }) => input?.id);

test('a threshold parts right from wrong', () => {
  const at = (threshold: number) => countsAt(entries, 'cat', threshold);
  expect(ids(at(0.5).truePositives)).toEqual(['1']);
  expect(ids(at(0.5).falsePositives)).toEqual(['3']);
  expect(ids(at(0.5).falseNegatives)).toEqual(['2']);
  expect(ids(at(0.2).truePositives)).toEqual(['1', '2']);
  expect(ids(at(1).falseNegatives)).toEqual(['1', '2']);
});

test('a cell holds what was one thing and was taken first for another', () => {
  expect(ids(entriesOfCell(entries, 'cat', 'dog'))).toEqual(['2']);
  expect(ids(entriesOfCell(entries, 'dog', 'cat'))).toEqual(['3']);
  expect(ids(entriesOfCell(entries, 'dog', 'dog'))).toEqual([]);
  expect(ids(entriesOfCell(entries, 'never', 'cat'))).toEqual([]);
});
