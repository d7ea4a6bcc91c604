import type { VectorPage } from '#domain/vector-store.ts';
import type { ArenaPool } from './arena.ts';
import {
  exactSearch,
  type Metric,
  markCandidates,
  type Ranked,
  scoreEach,
  type Wanted,
} from './exact-search.ts';
import { Graph, type SharedGraph } from './graph.ts';
import { pathsFor } from './graph-files.ts';
import type { FromWorker, GraphState, NumberedRequest, ToWorker } from './messages.ts';
import { planSearch } from './plan.ts';
import { labelOf, readRows } from './row-file.ts';
import { checkKey, ScopeWriter, squaredNorm } from './scope-writer.ts';
import type { SearchOptions, SearchResult, VectorIndex } from './vector-index.ts';

/** What a scope needs of the host it lives in. */
export interface ScopeHost {
  readonly flatMax: number;
  /** Number of the newest search started. */
  readonly issued: number;
  /** Number of the oldest search still running; infinite when none is. */
  readonly oldestRunning: number;
  nextNumber(): number;
  /** Where files of scopes are. */
  readonly dir: string;
  ask(request: NumberedRequest): Promise<FromWorker>;
  post(message: ToWorker): void;
  forget(scope: Scope): void;
}

/** Scans up to so many floats (about 0.15 ms) run on the calling thread: asking the worker costs as much. */
const inlineFloatsMax = 262_144;
/** The same of a walk: one for ten hits among vectors of 512 numbers is just below. */
const walkedFloatsMax = 393_216;
const settleAfterMs = 400;
/** Searches are repeated so often when what they found was removed meanwhile. */
const attemptsMax = 3;

/** One scope as its callers see it: writes here, searches here when small, and in the thread otherwise. */
export class Scope implements VectorIndex {
  readonly name: string;
  readonly number: number;
  readonly dims: number;
  graphState: GraphState = 'none';
  readonly #host: ScopeHost;
  readonly #writer: ScopeWriter;
  #graph: Graph | undefined;
  #settling: NodeJS.Timeout | undefined;
  #dropped = false;

  constructor(host: ScopeHost, number: number, name: string, dims: number, pool: ArenaPool) {
    this.#host = host;
    this.number = number;
    this.name = name;
    this.dims = dims;
    this.#writer = new ScopeWriter(dims, pool, () => this.introduce());
    this.introduce();
  }

  get size(): number {
    return this.#writer.size;
  }

  /** The thread has opened a graph of this scope, or has none any more. */
  takeGraph(state: GraphState, shared: SharedGraph | undefined): void {
    this.graphState = state;
    if (shared === undefined && state === 'ready') return;
    this.#graph = shared && new Graph(shared);
    this.#graph?.follow(this.#writer.view);
    this.#writer.follower = this.#graph;
  }

  /** Tells the worker where this scope lies now. */
  introduce(): void {
    this.#host.post({ kind: 'scope', scope: this.number, name: this.name, shared: this.#writer.shared });
    if (this.#writer.size > this.#host.flatMax) this.#settleSoon();
  }

  upsert(keys: Float64Array | number[], vectors: Float32Array): void {
    this.#checkOpen();
    const { dims } = this;
    if (vectors.length !== keys.length * dims) {
      throw new RangeError(`${keys.length} keys need ${keys.length * dims} floats, not ${vectors.length}.`);
    }
    for (let i = 0; i < keys.length; i += 1) {
      checkKey(keys[i] as number);
      squaredNorm(vectors.subarray(i * dims, (i + 1) * dims));
    }
    this.#writer.settle(this.#host.oldestRunning);
    for (let i = 0; i < keys.length; i += 1) {
      this.#writer.set(keys[i] as number, vectors.subarray(i * dims, (i + 1) * dims), this.#host.issued);
    }
    if (this.size > this.#host.flatMax) this.#settleSoon();
  }

  remove(keys: Float64Array | number[]): number {
    this.#checkOpen();
    let removed = 0;
    for (const key of keys) if (this.#writer.delete(key, this.#host.issued)) removed += 1;
    this.#writer.settle(this.#host.oldestRunning);
    if (removed > 0 && this.size > this.#host.flatMax) this.#settleSoon();
    return removed;
  }

  has(key: number): boolean {
    return this.#writer.view.table.find(key) >= 0;
  }

  vectorOf(key: number): Float32Array | undefined {
    const slot = this.#writer.view.table.find(key);
    return slot < 0 ? undefined : Float32Array.from(this.#writer.view.row(slot));
  }

  keys(): Float64Array {
    const { view } = this.#writer;
    const found = new Float64Array(this.size);
    let count = 0;
    for (let slot = 0; slot < view.blockCount * 32; slot += 1) {
      if (view.isLive(slot)) found[count++] = view.keys[slot] as number;
    }
    return found.sort();
  }

  async page(afterKey: number, limit: number): Promise<VectorPage> {
    const all = this.keys();
    let from = 0;
    for (let to = all.length; from < to; ) {
      const middle = (from + to) >>> 1;
      if ((all[middle] as number) > afterKey) to = middle;
      else from = middle + 1;
    }
    const keys = all.slice(from, from + limit);
    const vectors = new Float32Array(keys.length * this.dims);
    for (const [i, key] of keys.entries()) vectors.set(this.vectorOf(key) as Float32Array, i * this.dims);
    return { keys, vectors };
  }

  async search(query: Float32Array, k: number, options: SearchOptions): Promise<SearchResult> {
    this.#checkOpen();
    this.#checkQuery(query);
    if (!Number.isSafeInteger(k) || k < 0) throw new RangeError(`k is a whole number >= 0, not ${k}.`);
    const { metric, minScore, candidates, exact } = options;
    const rows = Math.min(candidates?.length ?? this.size, this.size);
    const limit = Math.min(k, rows);
    if (limit === 0) return { keys: [], scores: [], way: 'exact' };
    const wanted = { query, k: limit, metric, minScore };
    const { view } = this.#writer;
    if (rows * view.stride <= inlineFloatsMax) {
      const marked = candidates === undefined ? undefined : markCandidates(view, candidates);
      return this.#show(exactSearch(view, wanted, marked?.filter), 'exact');
    }
    const walked = candidates === undefined && !exact ? this.#walkHere(wanted) : undefined;
    if (walked) return this.#show(walked, 'graph');
    for (let attempt = 1; ; attempt += 1) {
      const number = this.#host.nextNumber();
      const reply = await this.#host.ask({
        kind: 'search',
        number,
        scope: this.number,
        candidates,
        exact,
        ...wanted,
      });
      if (reply.kind !== 'found') throw new Error('vector search: the thread answered something else');
      const shown = this.#show(reply, reply.way === 'graph' ? 'graph' : 'exact');
      // Rows removed or replaced while the search ran are left out; when that leaves a gap, look again.
      if (shown.keys.length === reply.slots.length || attempt === attemptsMax) return shown;
    }
  }

  async scoreAll(
    query: Float32Array,
    candidates: Float64Array,
    metric: Metric = 'cosine',
  ): Promise<Float32Array> {
    this.#checkOpen();
    this.#checkQuery(query);
    const { view } = this.#writer;
    if (candidates.length * view.stride <= inlineFloatsMax) return scoreEach(view, query, candidates, metric);
    const number = this.#host.nextNumber();
    const reply = await this.#host.ask({
      kind: 'score',
      number,
      scope: this.number,
      query,
      candidates,
      metric,
    });
    if (reply.kind !== 'scored') throw new Error('vector scores: the thread answered something else');
    return reply.scores;
  }

  get isLarge(): boolean {
    return this.size > this.#host.flatMax;
  }

  async keep(label: string): Promise<void> {
    this.#checkOpen();
    await this.#host.ask({ kind: 'keep', number: this.#host.nextNumber(), scope: this.number, label });
  }

  keptLabel(): Promise<string | undefined> {
    return labelOf(pathsFor(this.#host.dir, this.name).vectors, this.dims);
  }

  loadKept(): Promise<boolean> {
    const { vectors } = pathsFor(this.#host.dir, this.name);
    return readRows(vectors, this.dims, (keys, rows) => this.upsert(keys, rows));
  }

  drop(): void {
    if (this.#dropped) return;
    this.#dropped = true;
    clearTimeout(this.#settling);
    this.#host.forget(this);
    // NOTE: memory goes back to the pool only when no search that was asked before can still read it.
    const lastSearch = this.#host.issued;
    const release = () => {
      if (this.#host.oldestRunning > lastSearch) this.#writer.release();
      else setTimeout(release, 50).unref();
    };
    release();
  }

  /** What the graph says, where a walk is so short that asking the thread would cost as much. */
  #walkHere(wanted: Wanted): Ranked | undefined {
    const { view } = this.#writer;
    if (this.#graph === undefined || wanted.metric !== 'cosine') return undefined;
    const graphShare = this.#graph.shareOf(view);
    const plan = planSearch({ size: this.size, k: wanted.k, flatMax: this.#host.flatMax, graphShare });
    if (plan.way !== 'graph') return undefined;
    if (this.#graph.costOf(view, plan.fetch) * view.stride > walkedFloatsMax) return undefined;
    return this.#graph.search(view, wanted, plan.fetch);
  }

  #show(ranked: Ranked, way: SearchResult['way']): SearchResult {
    const { view } = this.#writer;
    const result: SearchResult = { keys: [], scores: [], way };
    ranked.slots.forEach((slot, i) => {
      if (!view.isLive(slot)) return;
      result.keys.push(view.keys[slot] as number);
      result.scores.push(ranked.scores[i] as number);
    });
    return result;
  }

  #settleSoon(): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(
      () => this.#host.post({ kind: 'settled', scope: this.number }),
      settleAfterMs,
    );
    this.#settling.unref();
  }

  #checkOpen(): void {
    if (this.#dropped) throw new Error(`vector scope ${this.name} was dropped`);
  }

  #checkQuery(query: Float32Array): void {
    if (query.length !== this.dims) {
      throw new RangeError(`The query has ${query.length} dimensions; this scope has ${this.dims}.`);
    }
    squaredNorm(query);
  }
}
