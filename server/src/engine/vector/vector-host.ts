import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { ArenaPool } from './arena.ts';
import { entryUrl } from './entry.ts';
import { exactSearch, type Metric, markCandidates, type Ranked, scoreEach } from './exact-search.ts';
import type {
  FromWorker,
  GraphState,
  ScoreRequest,
  SearchRequest,
  ToWorker,
  WorkerSettings,
} from './messages.ts';
import { checkKey, ScopeWriter, squaredNorm } from './scope-writer.ts';

export interface SearchOptions {
  /** Only these keys may be returned, and then exactly the nearest of them. Any order; unknown keys are ignored. */
  candidates?: Float64Array | undefined;
  /** Cosine: the smallest similarity kept. Euclidean: the largest distance kept. */
  minScore?: number | undefined;
  metric: Metric;
}

export interface SearchResult {
  /** Nearest first; equal scores by key. */
  keys: number[];
  /** Cosine similarity, -1..1, larger is nearer; or euclidean distance, >= 0, smaller is nearer. */
  scores: number[];
  /** 'graph' when a graph was asked: then a near vector may be missing. */
  way: 'exact' | 'graph';
}

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
  search(query: Float32Array, k: number, options: SearchOptions): Promise<SearchResult>;
  /**
   * Raw similarity of each candidate in the order given, NaN for keys without a vector: for callers that
   * combine several queries. See SearchResult for the meaning by metric (default cosine).
   */
  scoreAll(query: Float32Array, candidates: Float64Array, metric?: Metric): Promise<Float32Array>;
  /** Forgets all vectors and the graph file of this scope. */
  drop(): void;
}

export interface VectorHost {
  /** Opens or finds a scope. @throws RangeError when it is open with other dimensions */
  scope(name: string, dims: number): VectorIndex;
  readonly bytesHeld: number;
  /** Stops the thread and the graph processes; searches under way are refused. */
  close(): Promise<void>;
}

export interface VectorLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

export interface VectorHostOptions {
  /** Where graph files are cached; safe to delete at any time while stopped. */
  dir: string;
  log: VectorLog;
  flatMax?: number;
}

interface Running {
  request: SearchRequest | ScoreRequest;
  resolve: (message: FromWorker) => void;
  reject: (error: Error) => void;
  attempts: number;
}

/** Scans up to so many floats (about 0.15 ms) run on the calling thread: asking the worker costs as much. */
const inlineFloatsMax = 262_144;
const settleAfterMs = 400;
const attemptsMax = 3;

export function openVectorHost(options: VectorHostOptions): VectorHost {
  return new Host(options);
}

class Host implements VectorHost {
  readonly #settings: WorkerSettings;
  readonly #log: VectorLog;
  readonly #pool = new ArenaPool((index, arena) => this.post({ kind: 'arena', index, arena }));
  readonly #scopes = new Map<string, Scope>();
  readonly #running = new Map<number, Running>();
  #worker: Worker | undefined;
  #issued = 0;
  #scopesOpened = 0;
  #closed = false;
  #closing: (() => void) | undefined;

  constructor({ dir, log, flatMax = 50_000 }: VectorHostOptions) {
    this.#log = log;
    const graphEntry = fileURLToPath(entryUrl('graph-process', import.meta.url));
    this.#settings = { dir, flatMax, graphEntry };
    this.#start();
  }

  get issued(): number {
    return this.#issued;
  }

  get flatMax(): number {
    return this.#settings.flatMax;
  }

  get bytesHeld(): number {
    return this.#pool.bytesHeld;
  }

  scope(name: string, dims: number): VectorIndex {
    if (this.#closed) throw new Error('the vector host is closed');
    const open = this.#scopes.get(name);
    if (open !== undefined) {
      if (open.dims === dims) return open;
      throw new RangeError(`Vector scope ${name} has ${open.dims} dimensions, not ${dims}.`);
    }
    this.#scopesOpened += 1;
    const number = this.#scopesOpened;
    const scope: Scope = new Scope(this, number, name, dims, this.#pool);
    this.#scopes.set(name, scope);
    return scope;
  }

  forget(scope: Scope): void {
    this.#scopes.delete(scope.name);
    this.post({ kind: 'dropped', scope: scope.number, name: scope.name });
  }

  post(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  /** Runs a request in the worker. */
  ask(request: SearchRequest | ScoreRequest): Promise<FromWorker> {
    if (this.#closed) return Promise.reject(new Error('the vector host is closed'));
    return new Promise((resolve, reject) => {
      this.#running.set(request.number, { request, resolve, reject, attempts: 1 });
      this.#worker?.ref();
      this.post(request);
    });
  }

  nextNumber(): number {
    this.#issued += 1;
    return this.#issued;
  }

  /** Number of the oldest search still running: requests end in any order, but are numbered in the order asked. */
  get oldestRunning(): number {
    const first = this.#running.keys().next();
    return first.done === true ? Number.POSITIVE_INFINITY : first.value;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    const closed = new Promise<void>((resolve) => {
      this.#closing = resolve;
    });
    worker.ref();
    this.post({ kind: 'close' });
    await closed;
    await worker.terminate();
    this.#refuseAll(new Error('the vector host was closed'));
  }

  #start(): Worker {
    const worker = new Worker(entryUrl('vector-worker', import.meta.url), {
      workerData: this.#settings,
      name: 'vectors',
    });
    worker.unref();
    worker.on('message', (message: FromWorker) => this.#receive(message));
    worker.on('error', (error) => this.#restart(worker, error));
    worker.on('exit', (exitCode) =>
      this.#restart(worker, new Error(`the vector thread ended with code ${exitCode}`)),
    );
    this.#worker = worker;
    return worker;
  }

  /** All vectors are on this side, so a fresh thread takes over where the old one fell. */
  #restart(failed: Worker, error: Error): void {
    if (failed !== this.#worker) return;
    this.#worker = undefined;
    if (this.#closed) {
      this.#closing?.();
      return;
    }
    this.#log.warn({ error: error.message }, 'vector thread failed; starting another');
    const next = this.#start();
    for (const [index, arena] of this.#pool.shared.entries()) this.post({ kind: 'arena', index, arena });
    for (const scope of this.#scopes.values()) scope.introduce();
    for (const [number, running] of [...this.#running]) {
      running.attempts += 1;
      if (running.attempts > attemptsMax) {
        this.#running.delete(number);
        running.reject(error);
      } else this.post(running.request);
    }
    if (this.#running.size > 0) next.ref();
  }

  #receive(message: FromWorker): void {
    if (message.kind === 'log') {
      this.#log[message.level](message.facts, message.message);
      return;
    }
    if (message.kind === 'closed') {
      this.#closing?.();
      return;
    }
    if (message.kind === 'graph') {
      for (const scope of this.#scopes.values())
        if (scope.number === message.scope) scope.graphState = message.state;
      return;
    }
    const running = this.#running.get(message.number);
    if (running === undefined) return;
    this.#running.delete(message.number);
    if (this.#running.size === 0) this.#worker?.unref();
    if (message.kind === 'failed') running.reject(new Error(`vector search failed: ${message.message}`));
    else running.resolve(message);
  }

  #refuseAll(error: Error): void {
    for (const running of this.#running.values()) running.reject(error);
    this.#running.clear();
  }
}

class Scope implements VectorIndex {
  readonly name: string;
  readonly number: number;
  readonly dims: number;
  graphState: GraphState = 'none';
  readonly #host: Host;
  readonly #writer: ScopeWriter;
  #settling: NodeJS.Timeout | undefined;
  #dropped = false;

  constructor(host: Host, number: number, name: string, dims: number, pool: ArenaPool) {
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

  async search(query: Float32Array, k: number, options: SearchOptions): Promise<SearchResult> {
    this.#checkOpen();
    this.#checkQuery(query);
    if (!Number.isSafeInteger(k) || k < 0) throw new RangeError(`k is a whole number >= 0, not ${k}.`);
    const { metric, minScore, candidates } = options;
    const rows = Math.min(candidates?.length ?? this.size, this.size);
    const limit = Math.min(k, rows);
    if (limit === 0) return { keys: [], scores: [], way: 'exact' };
    const wanted = { query, k: limit, metric, minScore };
    const { view } = this.#writer;
    if (rows * view.stride <= inlineFloatsMax) {
      const marked = candidates === undefined ? undefined : markCandidates(view, candidates);
      return this.#show(exactSearch(view, wanted, marked?.filter), 'exact');
    }
    for (let attempt = 1; ; attempt += 1) {
      const number = this.#host.nextNumber();
      const reply = await this.#host.ask({
        kind: 'search',
        number,
        scope: this.number,
        candidates,
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
