import { expect, test } from 'vitest';
import { calibrate, isStale } from './calibration.ts';

/** A bell curve by the sum of twelve draws. */
function bell(n: number, middle: number, deviation: number): number[] {
  let state = 1;
  const next = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  return Array.from({ length: n }, () => {
    const sum = Array.from({ length: 12 }, next).reduce((a, b) => a + b, 0);
    return middle + (sum - 6) * deviation;
  });
}

test('of a bell curve the cut-off lies three and a half deviations above the middle', () => {
  const { median, spread, cutoff } = calibrate(bell(20_000, 0.6, 0.03));
  expect(median).toBeCloseTo(0.6, 2);
  expect(spread).toBeCloseTo(0.03, 2);
  expect(cutoff).toBeCloseTo(0.705, 2);
});

test('pairs that belong together hardly move it', () => {
  const apart = bell(20_000, 0.6, 0.03);
  const together = Array.from({ length: 2_000 }, () => 0.97);
  expect(calibrate([...apart, ...together]).cutoff).toBeCloseTo(calibrate(apart).cutoff, 1);
});

test('pictures that are all alike still let the same one through', () => {
  expect(calibrate([1, 1, 1]).cutoff).toBe(0.995);
});

const day = 86_400_000;
test.each([
  ['as it was', 100, 0, false],
  ['a quarter more', 125, 0, false],
  ['more than that', 126, 0, true],
  ['fewer', 74, 0, true],
  ['a week later', 100, 7 * day + 1, true],
])('a sample of an app %s', (_, now, later, stale) => {
  const computedAt = new Date(0);
  expect(isStale({ vectors: 100, computedAt }, now, new Date(later))).toBe(stale);
});
