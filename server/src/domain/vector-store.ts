/**
 * Where the vectors of apps are kept to be searched. A store is derived from the rows of `embeddings`: losing it loses
 * nothing, and what it returns is looked up there before anybody sees it.
 *
 * Three exist: in the memory of the process (engine/vector), pgvector and Qdrant (store/vectors). What each must do is
 * written as a suite that runs against all of them: store/vectors/conformance.testing.ts.
 */
export interface VectorStore {
  readonly kind: VectorStoreKind;
  /** @throws StoreUnavailable when the store cannot be used; the message says what to do */
  check(): Promise<void>;
  /**
   * Opens a collection, making it where there is none.
   *
   * @param name letters, digits, `-` and `_`, at most 40
   * @throws StoreUnavailable when the store cannot be reached or lacks something; the message says what to do
   * @throws RangeError when it exists with other dimensions
   */
  open(name: string, dims: number): Promise<VectorCollection>;
  /** Removes a collection that may not be open, and may not exist. */
  drop(name: string): Promise<void>;
}

export type VectorStoreKind = 'in_process' | 'pgvector' | 'qdrant';

export type Metric = 'cosine' | 'euclidean';

export interface SearchOptions {
  /** Only these keys may be returned, and then exactly the nearest of them. Any order; unknown keys are ignored. */
  candidates?: Float64Array | undefined;
  /** Cosine: the smallest similarity kept. Euclidean: the largest distance kept. */
  minScore?: number | undefined;
  metric: Metric;
  /** Every vector is looked at, whatever a graph could answer sooner. */
  exact?: boolean | undefined;
}

export interface SearchResult {
  /** Nearest first; equal scores by key. */
  keys: number[];
  /** Cosine similarity, -1..1, larger is nearer; or euclidean distance, >= 0, smaller is nearer. */
  scores: number[];
  /** 'graph' when a graph was asked: then a near vector may be missing. */
  way: 'exact' | 'graph';
}

export interface VectorPage {
  /** Ascending. */
  readonly keys: Float64Array;
  /** float32 [keys, dims], row by row. */
  readonly vectors: Float32Array;
}

/**
 * Vectors of length one and of one length, by key (whole numbers from 0 to 2^53 - 1). What a call changed is seen by
 * every search that starts after it has ended.
 */
export interface VectorCollection {
  readonly dims: number;
  /** How many there are; in stores outside of this process as of the last change or look of this process. */
  readonly size: number;
  /** Adds or replaces; of equal keys the last wins. Done twice it changes nothing. */
  upsert(keys: Float64Array | number[], vectors: Float32Array): void | Promise<void>;
  /** Removes; unknown keys are ignored. */
  remove(keys: Float64Array | number[]): number | Promise<unknown>;
  search(query: Float32Array, k: number, options: SearchOptions): Promise<SearchResult>;
  /** Raw similarity of each candidate in the order given, NaN for keys without a vector. Default cosine. */
  scoreAll(query: Float32Array, candidates: Float64Array, metric?: Metric): Promise<Float32Array>;
  /** The next vectors after a key (-1: from the start), in key order; fewer than `limit` only at the end. */
  page(afterKey: number, limit: number): Promise<VectorPage>;
}

/** The store cannot be used now; the words name the cause and the way out. Searches go on in memory. */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable';
}
