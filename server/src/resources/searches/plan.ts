/** How the hits of a similarity search are found. */
export type Plan =
  | { readonly way: 'all'; readonly why: string }
  | { readonly way: 'filter_first'; readonly why: string }
  | { readonly way: 'walk_and_filter'; readonly why: string };

/**
 * Candidates that an exact scan takes in stride: 50,000 × 256 numbers are 51 MB, about 5 ms on one core
 * (docs/decisions/0005). Above that the index is walked in rank order and its hits are filtered, which finds enough
 * soon because so many match; below 5 % of a large app it would find next to nothing (PERF_RELIABILITY A3).
 */
export const candidatesMax = 50_000;

/**
 * @param hasFilters  whether anything narrows the search
 * @param matches     rows that match the filters, counted up to `candidatesMax + 1`
 */
export function planSearch(hasFilters: boolean, matches: number): Plan {
  if (!hasFilters) return { way: 'all', why: 'nothing narrows the search' };
  if (matches <= candidatesMax) return { way: 'filter_first', why: `${matches} matches are scored exactly` };
  return { way: 'walk_and_filter', why: `more than ${candidatesMax} match, so a walk meets one often` };
}
