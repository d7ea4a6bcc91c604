import type { Cell } from './search-app.ts';
import { cosinesOf, keeps, nearest, recallOf, type VectorSet } from './vector-set.ts';

/** How many hits every search asks for. */
export const k = 10;

/** What a search has to find, by plain arithmetic over all rows. */
export interface Truth {
  /** The nearest rows of a query among all. */
  all(query: number): number[];
  cell(query: number, cell: Pick<Cell, 'correlation' | 'share'>): number[];
  readonly queries: number;
}

export function truthOf(set: VectorSet, queries: number): Truth {
  const known = new Map<string, number[]>();
  const cosines = Array.from({ length: queries }, (_, q) => cosinesOf(set, set.queries[q] as Float32Array));
  const once = (name: string, make: () => number[]) => {
    const found = known.get(name) ?? make();
    known.set(name, found);
    return found;
  };
  return {
    queries,
    all: (query) => once(`${query}`, () => nearest(cosines[query] as Float32Array, k, () => true)),
    cell: (query, { correlation, share }) =>
      once(`${query} ${correlation} ${share}`, () =>
        nearest(cosines[query] as Float32Array, k, (row) => keeps(set, correlation, share, row)),
      ),
  };
}

export const meanRecall = (found: readonly (readonly number[])[], truth: Truth): number =>
  found.slice(0, truth.queries).reduce((sum, rows, q) => sum + recallOf(rows, truth.all(q)), 0) /
  truth.queries;
