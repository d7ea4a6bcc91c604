import { expect, test } from 'vitest';
import { Schedule } from './schedule.ts';

test('the rate rises shortly, then falls to nothing', () => {
  const schedule = new Schedule(20, 10, 0.01);
  const rates = Array.from({ length: 200 }, (_, step) => schedule.rate(step));
  const highest = rates.indexOf(Math.max(...rates));
  expect(highest).toBeLessThan(12);
  expect(rates.slice(highest)).toEqual(rates.slice(highest).sort((a, b) => b - a));
  expect(rates.at(-1)).toBeLessThan(1e-5);
});

test.each([
  // planned, stopped after, ends at
  [40, 8, 16],
  [40, 19, 38],
  [40, 1, 3],
  [40, 20, 40],
  [40, 33, 40],
  [4, 3, 4],
])('of %i epochs, a run stopped after %i ends at %i', (planned, stopped, end) => {
  const schedule = new Schedule(planned, 10, 0.01);
  schedule.stopAfter(stopped);
  expect(schedule.epochs).toBe(end);
  schedule.stopAfter(stopped + 1);
  expect(schedule.epochs).toBe(end);
  expect(schedule.rate(end * 10 - 1)).toBeLessThan(2e-4);
});

test('an early cool-down goes on from the rate it found', () => {
  const schedule = new Schedule(40, 10, 0.01);
  const before = schedule.rate(80);
  schedule.stopAfter(8);
  expect(schedule.rate(80)).toBe(before);
  expect(schedule.rate(120)).toBeCloseTo(before / 2, 6);
});
