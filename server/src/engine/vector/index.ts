/** Vectors held in shared memory, searched exactly by a SIMD scan or, where scopes are large, through a graph. */

export { entryUrl } from './entry.ts';
export type { Metric } from './exact-search.ts';
export { openInProcessStore } from './in-process-store.ts';
export type { GraphState } from './messages.ts';
export { scoreOf } from './score.ts';
export { openVectorHost, type VectorHost, type VectorHostOptions, type VectorLog } from './vector-host.ts';
export type { SearchOptions, SearchResult, VectorIndex } from './vector-index.ts';
