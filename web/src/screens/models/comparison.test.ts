import { expect, test } from 'vitest';
import { changedInputs, conceptsOf, summariesOf } from './comparison.ts';

const entry = (id: string, actual: string, predicted: string) => ({
  input: { id },
  ground_truth_concepts: [{ id: actual, value: 1 }],
  predicted_concepts: [
    { id: predicted, value: 0.8 },
    { id: 'else', value: 0.1 },
  ],
});
const ids = (changes: readonly { input: { id?: string } }[]) => changes.map(({ input }) => input.id);

test('inputs are better, worse, or otherwise than before', () => {
  const before = [
    entry('same', 'cat', 'cat'),
    entry('mended', 'cat', 'dog'),
    entry('broken', 'cat', 'cat'),
    entry('other', 'cat', 'dog'),
    entry('gone', 'cat', 'cat'),
  ];
  const after = [
    entry('same', 'cat', 'cat'),
    entry('mended', 'cat', 'cat'),
    entry('broken', 'cat', 'dog'),
    entry('other', 'cat', 'owl'),
    entry('new', 'cat', 'dog'),
  ];
  const { better, worse, other, common } = changedInputs(before, after);
  expect([ids(better), ids(worse), ids(other), common]).toEqual([['mended'], ['broken'], ['other'], 4]);
});

test('of several objects on one input the share that is right counts', () => {
  const before = [entry('a', 'cat', 'cat'), entry('a', 'dog', 'cat')];
  const after = [entry('a', 'cat', 'cat'), entry('a', 'dog', 'dog')];
  expect(ids(changedInputs(before, after).better)).toEqual(['a']);
  expect(ids(changedInputs(after, before).worse)).toEqual(['a']);
  expect(changedInputs(before, before).better).toEqual([]);
});

test('figures that no evaluation has are left out, and concepts of all are there', () => {
  const evaluations = [
    { summary: { macro_avg_f1_score: 0.5 }, binary_metrics: [{ concept: { id: 'b', name: 'bee' }, f1: 1 }] },
    {
      summary: { macro_avg_f1_score: 0.75, top1_accuracy: 1 },
      binary_metrics: [{ concept: { id: 'a', name: 'ant' }, f1: 0.5 }],
    },
  ];
  expect(summariesOf(evaluations)).toEqual([
    { name: 'top1_accuracy', values: [undefined, 1] },
    { name: 'macro_avg_f1_score', values: [0.5, 0.75] },
  ]);
  expect(
    conceptsOf(evaluations).map(({ name, metrics }) => [name, ...metrics.map((one) => one?.f1)]),
  ).toEqual([
    ['ant', undefined, 0.5],
    ['bee', 1, undefined],
  ]);
});
