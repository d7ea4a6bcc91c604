import type { SharedArena } from './arena.ts';
import type { Metric } from './exact-search.ts';
import type { SharedGraph } from './graph.ts';
import type { SharedScope } from './scope-view.ts';

export interface SearchRequest {
  kind: 'search';
  number: number;
  scope: number;
  query: Float32Array;
  k: number;
  metric: Metric;
  minScore: number | undefined;
  candidates: Float64Array | undefined;
  exact: boolean | undefined;
}

export interface ScoreRequest {
  kind: 'score';
  number: number;
  scope: number;
  query: Float32Array;
  metric: Metric;
  candidates: Float64Array;
}

/** Writes all vectors of a scope into its file. */
export interface KeepRequest {
  kind: 'keep';
  number: number;
  scope: number;
  label: string;
}

/** Erases vectors from the file of a scope, open or not. */
export interface EraseRequest {
  kind: 'erase';
  number: number;
  name: string;
  keys: readonly number[];
}

export type NumberedRequest = SearchRequest | ScoreRequest | KeepRequest | EraseRequest;

export type ToWorker =
  | { kind: 'arena'; index: number; arena: SharedArena }
  | { kind: 'scope'; scope: number; name: string; shared: SharedScope }
  | { kind: 'dropped'; scope: number; name: string }
  /** The scope grew or changed and now rests: see whether its graph should be loaded or built. */
  | { kind: 'settled'; scope: number }
  | NumberedRequest
  | { kind: 'close' };

export type FromWorker =
  | {
      kind: 'found';
      number: number;
      slots: Int32Array;
      scores: Float64Array;
      way: 'nothing' | 'exact' | 'graph';
    }
  | { kind: 'scored'; number: number; scores: Float32Array }
  | { kind: 'kept'; number: number }
  | { kind: 'erased'; number: number }
  | { kind: 'failed'; number: number; message: string }
  /** With a graph that is ready, it comes along. */
  | { kind: 'graph'; scope: number; state: GraphState; shared?: SharedGraph }
  | { kind: 'log'; level: 'info' | 'warn'; facts: Record<string, unknown>; message: string }
  | { kind: 'closed' };

/** `none`: too small or not looked at yet. `building` and `loading` answer by exact scan meanwhile. */
export type GraphState = 'none' | 'building' | 'loading' | 'ready' | 'failed';

export interface WorkerSettings {
  /** Folder of the graph files; created when first needed. */
  dir: string;
  /** Scopes up to this many vectors have no graph. */
  flatMax: number;
  graphEntry: string;
}
