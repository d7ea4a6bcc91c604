import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { ArenaPool } from './arena.ts';
import { entryUrl } from './entry.ts';
import type { FromWorker, NumberedRequest, ToWorker, WorkerSettings } from './messages.ts';
import { Scope, type ScopeHost } from './scope.ts';
import type { VectorIndex } from './vector-index.ts';

export interface VectorHost {
  /** Opens or finds a scope. @throws RangeError when it is open with other dimensions */
  scope(name: string, dims: number): VectorIndex;
  /** Forgets a scope, open or not, and its graph file. */
  dropScope(name: string): void;
  /** Removes vectors of a scope, open or not, and overwrites them in its file. */
  erase(name: string, keys: readonly number[]): Promise<void>;
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
  request: NumberedRequest;
  resolve: (message: FromWorker) => void;
  reject: (error: Error) => void;
  attempts: number;
}

/** A request is handed to so many threads before it is refused. */
const attemptsMax = 3;

export function openVectorHost(options: VectorHostOptions): VectorHost {
  return new Host(options);
}

class Host implements VectorHost, ScopeHost {
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

  get dir(): string {
    return this.#settings.dir;
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

  dropScope(name: string): void {
    const open = this.#scopes.get(name);
    if (open) open.drop();
    else this.post({ kind: 'dropped', scope: 0, name });
  }

  async erase(name: string, keys: readonly number[]): Promise<void> {
    this.#scopes.get(name)?.remove([...keys]);
    await this.ask({ kind: 'erase', number: this.nextNumber(), name, keys });
  }

  forget(scope: Scope): void {
    this.#scopes.delete(scope.name);
    this.post({ kind: 'dropped', scope: scope.number, name: scope.name });
  }

  post(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  /** Runs a request in the worker. */
  ask(request: NumberedRequest): Promise<FromWorker> {
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
        if (scope.number === message.scope) scope.takeGraph(message.state, message.shared);
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
