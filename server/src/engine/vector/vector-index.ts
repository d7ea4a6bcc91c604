import type { Metric, SearchOptions, SearchResult, VectorPage } from '#domain/vector-store.ts';
import type { GraphState } from './messages.ts';

export type { SearchOptions, SearchResult } from '#domain/vector-store.ts';

/** The vectors of one scope. Changes are visible to every search that starts after the call returns. */
export interface VectorIndex {
  readonly dims: number;
  readonly size: number;
  /** 'ready' once searches may use the graph. */
  readonly graphState: GraphState;
  /**
   * Adds or replaces vectors; nothing is changed when any of them is refused.
   *
   * @param keys whole numbers from 0 to 2^53 - 1; of equal keys the last wins
   * @param vectors float32 [keys, dims], row by row; copied
   * @throws RangeError naming what does not fit
   */
  upsert(keys: Float64Array | number[], vectors: Float32Array): void;
  /** Removes vectors; unknown keys are ignored. @returns how many were there */
  remove(keys: Float64Array | number[]): number;
  has(key: number): boolean;
  /** A copy of one vector. */
  vectorOf(key: number): Float32Array | undefined;
  /** All keys, ascending. */
  keys(): Float64Array;
  /** As VectorCollection has it. */
  page(afterKey: number, limit: number): Promise<VectorPage>;
  search(query: Float32Array, k: number, options: SearchOptions): Promise<SearchResult>;
  /**
   * Raw similarity of each candidate in the order given, NaN for keys without a vector: for callers that
   * combine several queries. See SearchResult for the meaning by metric (default cosine).
   */
  scoreAll(query: Float32Array, candidates: Float64Array, metric?: Metric): Promise<Float32Array>;
  /** Large enough for a graph, and for files beside it. */
  readonly isLarge: boolean;
  /**
   * Writes all vectors into a file, so that they can be loaded after a restart. The file is a cache: what it says was
   * true at some moment between the call and its end, for each vector.
   */
  keep(label: string): Promise<void>;
  /** The label of the file that is there. */
  keptLabel(): Promise<string | undefined>;
  /** Adds what is in the file. @returns whether all of it could be read */
  loadKept(): Promise<boolean>;
  /** Forgets all vectors and the files of this scope. */
  drop(): void;
}
