import { expect, test } from 'vitest';
import type { Goal } from './bench.ts';
import { boundsOf, judge, medianOf, type Verdict } from './judge.ts';
import { changedVerdicts } from './report.ts';

const lower: Goal = { id: 'T1', what: 'a ratio', unit: 'x', better: 'lower', pass: 2, record: 1.5 };
const higher: Goal = { ...lower, better: 'higher', pass: 0.5, record: 0.8 };
const latency: Goal = { ...lower, isLatency: true };

test.each([
  // goal    samples                      noisy   verdict
  [lower, [1.4, 1.45, 1.5, 1.5, 3], false, 'record'],
  [lower, [1.7, 1.8, 1.9, 1.9, 1.9], false, 'pass'],
  [lower, [1.7, 1.9, 2.1, 2.2, 2.3], false, 'pass'],
  [lower, [1.9, 2.1, 2.2, 2.3, 2.4], false, 'missed'],
  [lower, [2.1, 2.2, 2.3], false, 'missed'],
  [lower, [2.1, 2.2, 2.3], true, 'missed'],
  [lower, [], false, 'not measured'],
  [lower, [1, Number.NaN, 1], false, 'not measured'],
  [higher, [0.9, 0.8, 0.7], false, 'record'],
  [higher, [0.45, 0.48, 0.55], false, 'pass'],
  [higher, [0.1, 0.2, 0.3], false, 'missed'],
  [latency, [2.1, 2.2, 2.3], false, 'missed'],
  [latency, [2.1, 2.2, 2.3], true, 'not judged (noisy)'],
  [latency, [1, 1, 1], true, 'not judged (noisy)'],
] as const)('%o with %o, noisy %s: %s', (goal, samples, isNoisy, verdict) => {
  expect(judge(goal, samples, isNoisy)).toBe(verdict);
});

test.each([
  [[3], { lower: 3, upper: 3 }],
  [[1, 2, 3], { lower: 1, upper: 3 }],
  [[5, 4, 3, 2, 1], { lower: 2, upper: 4 }],
  [[1, 2, 3, 4, 5, 6, 7, 8, 9], { lower: 3, upper: 7 }],
])('the 80 %% bounds of the median of %o are %o', (samples, bounds) => {
  expect(boundsOf(samples)).toEqual(bounds);
});

test('the median of an even number of samples lies between the two middle ones', () => {
  expect(medianOf([4, 1, 3, 2])).toBe(2.5);
});

test.each<[Verdict, Verdict, string[]]>([
  ['missed', 'missed', []],
  ['record', 'pass', []],
  ['pass', 'missed', ['T1 pass → missed']],
  ['missed', 'record', ['T1 missed → record']],
  ['missed', 'not judged (noisy)', []],
  ['absent', 'missed', []],
])('%s, then %s: %j', (before, now, changed) => {
  const row = (verdict: Verdict) => ({ bench: 'b', goal: lower, samples: [], verdict });
  expect(changedVerdicts([row(before)], [row(now)])).toEqual(changed);
  expect(changedVerdicts([], [row(now)])).toEqual([]);
});
