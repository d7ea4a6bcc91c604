import { expect, test } from 'vitest';
import { recallOf } from './neighbours.ts';

const at = (label: string, angle: number) => ({
  label,
  vector: Float32Array.of(Math.cos(angle), Math.sin(angle)),
});

test('the nearest, the ten nearest and their vote are counted', () => {
  const learnt = [
    at('a', 0),
    ...Array.from({ length: 9 }, (_, i) => at('b', 0.1 + i / 100)),
    ...Array.from({ length: 20 }, (_, i) => at('c', 2 + i / 100)),
  ];
  expect(recallOf(learnt, [at('a', 0.01)])).toEqual({ atOne: 1, atTen: 1, vote: 0 });
  expect(recallOf(learnt, [at('b', 0.02), at('c', 2.1)])).toEqual({ atOne: 0.5, atTen: 1, vote: 1 });
  expect(recallOf(learnt, [at('a', 2.1)])).toEqual({ atOne: 0, atTen: 0, vote: 0 });
});
