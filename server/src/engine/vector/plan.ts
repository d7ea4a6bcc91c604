export interface PlanFacts {
  /** Vectors in the scope. */
  size: number;
  /** Vectors left after the filter; undefined when nothing is filtered. */
  candidates?: number | undefined;
  k: number;
  /** Scopes up to this size have no graph, so candidates up to it are scanned too. */
  flatMax: number;
  /** Share of the scope's vectors, 0..1, that the loaded graph knows in their present form; 0 without a graph. */
  graphShare: number;
}

export type Plan =
  | { way: 'nothing' }
  | { way: 'exact'; of: 'all' | 'candidates' }
  /** Ask the graph for `fetch` rows, drop those the filter excludes, and scan the rows it does not know. */
  | { way: 'graph'; fetch: number };

/** Up to so many candidates the exact scan is no dearer than a walk: 5,000 cost the same, 10,000 twice as much. */
export const exactCandidatesMax = 8_000;
/** Below this share of the scope a filtered graph walk loses answers (recall 0.33 at 1 %, 0.90 at 5 %). */
export const exactShareMax = 0.05;
/** Asking the graph for more rows than this costs more than the scan. */
export const graphFetchMax = 800;
/** A graph that misses more than this share is not worth asking: the rest is scanned anyway. */
export const graphShareMin = 0.7;

/**
 * Chooses how to answer a search. Exact wherever it is cheap; a graph only where the filter keeps so much that
 * asking for somewhat more rows surely leaves k of them.
 */
export function planSearch({ size, candidates, k, flatMax, graphShare }: PlanFacts): Plan {
  const matching = candidates ?? size;
  if (matching === 0 || k === 0) return { way: 'nothing' };
  const exact: Plan = { way: 'exact', of: candidates === undefined ? 'all' : 'candidates' };
  if (graphShare < graphShareMin || matching <= Math.min(exactCandidatesMax, flatMax)) return exact;
  const share = matching / size;
  if (share < exactShareMax) return exact;
  const fetch = Math.ceil(candidates === undefined ? k * 1.3 + 17 : (k / share) * 2 + 20);
  return fetch > graphFetchMax ? exact : { way: 'graph', fetch };
}
