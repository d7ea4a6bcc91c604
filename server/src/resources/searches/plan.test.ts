import { expect, test } from 'vitest';
import { candidatesMax, fewMax, lookSize, planSearch } from './plan.ts';

test.each([
  [false, 0, false, 'nearest'],
  [false, candidatesMax + 1, false, 'nearest'],
  [true, 0, false, 'filter_first'],
  [true, fewMax, false, 'filter_first'],
  [true, fewMax + 1, false, 'look_first'],
  [true, fewMax + 1, true, 'filter_first'],
  [true, candidatesMax, true, 'filter_first'],
  [true, candidatesMax + 1, true, 'walk'],
] as const)('filters %s with %d matches, looked %s: %s', (hasFilters, matches, hasLooked, way) => {
  expect(planSearch(hasFilters, matches, hasLooked)).toBe(way);
});

test.each([
  [10, 256],
  [100, 400],
  [500, 2_000],
  [501, 0],
])('for %d hits %d of the nearest are looked at', (wanted, size) => {
  expect(lookSize(wanted)).toBe(size);
});
