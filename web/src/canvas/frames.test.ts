import { expect, test } from 'vitest';
import { FrameClock, timecode } from './frames.ts';

test('frames of a variable rate are found by the time at which they are on the screen', () => {
  const clock = new FrameClock([0, 40, 100, 101, 500], 700);
  expect([-5, 0, 39, 40, 99, 100, 101, 499, 500, 9999].map((ms) => clock.at(ms))).toEqual([
    0, 0, 0, 1, 1, 2, 3, 3, 4, 4,
  ]);
  expect(clock.timeOf(3)).toBe(101);
  expect([clock.endOf(3), clock.endOf(4)]).toEqual([500, 700]);
});

test.each([
  [0, '0:00.000'],
  [62_480, '1:02.480'],
  [3_723_004, '1:02:03.004'],
])('%d ms is %s', (ms, words) => {
  expect(timecode(ms)).toBe(words);
});
