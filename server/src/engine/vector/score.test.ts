import { expect, test } from 'vitest';
import { scoreOf } from './score.ts';

test.each([
  ['cosine', 1, 1],
  ['cosine', 0, 0.5],
  ['cosine', -1, 0],
  ['euclidean', 0, 1],
  ['euclidean', Math.SQRT2, 0.5],
  ['euclidean', 2, 0],
  ['euclidean', 30, 0],
] as const)('a %s of %d scores %d', (metric, raw, score) => {
  expect(scoreOf(metric, raw)).toBeCloseTo(score, 12);
});
