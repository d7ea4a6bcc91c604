import { expect, test } from 'vitest';
import { candidatesMax, planSearch } from './plan.ts';

test.each([
  [false, 0, 'all'],
  [false, candidatesMax + 1, 'all'],
  [true, 0, 'filter_first'],
  [true, candidatesMax, 'filter_first'],
  [true, candidatesMax + 1, 'walk_and_filter'],
] as const)('filters %s with %d matches: %s', (hasFilters, matches, way) => {
  expect(planSearch(hasFilters, matches).way).toBe(way);
});
