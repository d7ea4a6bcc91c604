import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { engineFault } from '../faults.ts';
import { entryUrl } from '../vector/entry.ts';
import { canShareBatch } from './batch.ts';
import type {
  InferenceWorkerData,
  ItemResult,
  Reduction,
  TensorPort,
  Tensors,
  WorkerReply,
  WorkerRequest,
} from './messages.ts';
import { Turns } from './turns.ts';

export interface PoolOptions {
  /** Worker threads, each computing on one core. */
  threads?: number | undefined;
  /** Waiting items beyond which new ones are refused as busy. */
  queueMax?: number;
  /** Networks that each thread keeps loaded. */
  sessionsMax?: number;
  /** Longest run of one batch in milliseconds, loading included; what takes longer fails and its thread is given up. */
  runMsMax?: number | undefined;
}

/** Long runs must not keep the thread that answers everybody, nor quick networks, from the processor. */
const niceness = 5;

export interface RunOptions {
  /** Names of the wanted outputs; all when absent. */
  outputs?: readonly string[];
  /** Shrinks bulky outputs inside the worker; the result is then the reduction's. */
  reduction?: Reduction;
  /** Items that may run together, 1 when absent. Only for networks whose first axis is free. */
  batchMax?: number;
  /** Lets every other waiting item go first: indexing must not delay a person who waits. */
  background?: boolean;
  /**
   * The memory of the feeds moves to the thread, and nobody looks at it here again. Without that it waits for the
   * collector, which goes through everything this thread holds for every 64 MB of such memory.
   */
  givesFeeds?: boolean;
  signal?: AbortSignal | undefined;
}

interface Job {
  /** Names the network in faults. */
  label: string;
  file: string;
  /** Absent when the network is only to be described. */
  feeds?: Tensors;
  options: RunOptions;
  resolve(value: unknown): void;
  reject(cause: unknown): void;
}

interface Thread {
  worker: Worker;
  running: Job[];
  /** When they were given to it, if it had the network loaded; undefined where that time tells nothing. */
  timedFrom: number | undefined;
  /** Takes quick networks only, while long runs hold all other threads: a run cannot be interrupted. */
  readonly isExpress: boolean;
  loaded: Set<string>;
  timer?: NodeJS.Timeout;
  /** Settles once the thread is gone, or given up. */
  gone: Promise<void>;
  release(): void;
}

const defaultRunMsMax = 60_000;
/** A network that hung so often is not started again: each time costs a core that only a restart gives back. */
const hangsMax = 2;

/**
 * Runs ONNX networks in worker threads, because a run blocks the thread that calls it.
 *
 * A free thread takes the next waiting item at once, together with those behind it that may share its batch.
 * So nobody waits for a batch to fill: batches grow by themselves while all threads are busy. Networks take turns,
 * and while runs of hundreds of milliseconds hold all threads, one more runs those of a few.
 */
export class InferencePool {
  readonly #threads: Thread[] = [];
  readonly #waiting: { interactive: Job[]; background: Job[] } = { interactive: [], background: [] };
  readonly #turns = new Turns();
  readonly #threadsMax: number;
  readonly #queueMax: number;
  readonly #sessionsMax: number;
  readonly #runMsMax: number;
  /** How often each network hung. */
  readonly #hangs = new Map<string, number>();
  /** Threads given up that have not come back. */
  #hanging = 0;
  #nextId = 1;
  #closed = false;

  constructor(options: PoolOptions = {}) {
    this.#threadsMax = Math.max(1, options.threads ?? availableParallelism());
    this.#queueMax = options.queueMax ?? 1024;
    this.#sessionsMax = options.sessionsMax ?? 16;
    this.#runMsMax = options.runMsMax ?? defaultRunMsMax;
  }

  get threads(): number {
    return this.#threadsMax;
  }

  get hanging(): number {
    return this.#hanging;
  }

  get waiting(): number {
    return this.#waiting.interactive.length + this.#waiting.background.length;
  }

  /**
   * Runs a network on one item.
   *
   * @param label name of the model, for faults
   * @param file path of the ONNX file; loaded on first use
   * @param feeds inputs by name, first dimension 1 where batches are allowed
   * @returns the outputs by name, or what the reduction made of them
   * @throws Fault 21351 when too many items wait, 21313 when the network fails on this item
   */
  run(
    label: string,
    file: string,
    feeds: Tensors,
    options: RunOptions & { reduction: Reduction },
  ): Promise<unknown>;
  run(label: string, file: string, feeds: Tensors, options?: RunOptions): Promise<Tensors>;
  run(label: string, file: string, feeds: Tensors, options: RunOptions = {}): Promise<unknown> {
    return this.#enqueue({ label, file, feeds, options });
  }

  /** Loads a network in one thread and tells its inputs and outputs. @throws Fault 21313 when it cannot be loaded */
  describe(label: string, file: string): Promise<{ inputs: TensorPort[]; outputs: TensorPort[] }> {
    return this.#enqueue({ label, file, options: {} }) as Promise<{
      inputs: TensorPort[];
      outputs: TensorPort[];
    }>;
  }

  /** Refuses what waits, lets what runs come to its end, then ends the threads. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const job of [...this.#waiting.interactive.splice(0), ...this.#waiting.background.splice(0)]) {
      job.reject(engineFault.closed());
    }
    // NOTE: never terminate() a thread inside a run: the native code then aborts the whole process.
    for (const { worker } of this.#threads) {
      worker.ref();
      worker.postMessage({ kind: 'close' } satisfies WorkerRequest);
    }
    await Promise.all(this.#threads.map((thread) => thread.gone));
  }

  #enqueue(wanted: Omit<Job, 'resolve' | 'reject'>): Promise<unknown> {
    const { signal, background } = wanted.options;
    if (this.#closed) return Promise.reject(engineFault.closed());
    if (signal?.aborted) return Promise.reject(engineFault.cancelled());
    if ((this.#hangs.get(wanted.file) ?? 0) >= hangsMax)
      return Promise.reject(engineFault.predictionFailed(wanted.label, new Error('it hung before')));
    if (this.waiting >= this.#queueMax) return Promise.reject(engineFault.busy(this.waiting));
    return new Promise((resolve, reject) => {
      const queue = background ? this.#waiting.background : this.#waiting.interactive;
      const job: Job = { ...wanted, resolve, reject };
      if (signal) forgetWhenAborted(job, queue, signal);
      queue.push(job);
      this.#dispatch();
    });
  }

  #dispatch(): void {
    while (this.waiting > 0 && !this.#closed) {
      const queue =
        this.#waiting.interactive.length > 0 ? this.#waiting.interactive : this.#waiting.background;
      if (this.#hasFreeThread()) {
        const at = this.#turns.next(queue.map(({ file }) => file));
        this.#start(this.#threadFor(queue[at] as Job), takeBatch(queue, at));
      } else if (!this.#startExpress()) return;
    }
  }

  get #usual(): Thread[] {
    return this.#threads.filter(({ isExpress }) => !isExpress);
  }

  #hasFreeThread(): boolean {
    const usual = this.#usual;
    return usual.length < this.#threadsMax || usual.some(({ running }) => running.length === 0);
  }

  /** Prefers a thread that has the network loaded, then one that stands by, then a new one. */
  #threadFor(job: Job): Thread {
    const usual = this.#usual;
    const free = usual.filter((thread) => thread.running.length === 0);
    const best = free.find((thread) => thread.loaded.has(job.file));
    if (best) return best;
    return usual.length < this.#threadsMax || !free[0] ? this.#spawn(false) : free[0];
  }

  /** @returns false where nothing quick waits, or where it will have its turn soon */
  #startExpress(): boolean {
    const isQuick = (job: Job | undefined) => job?.feeds !== undefined && this.#turns.isQuick(job.file);
    const express = this.#threads.find(({ isExpress }) => isExpress);
    if (express?.running.length || this.#usual.some(({ running }) => isQuick(running[0]))) return false;
    const queue = this.#waiting.interactive;
    const at = queue.findIndex(isQuick);
    if (at < 0) return false;
    this.#start(express ?? this.#spawn(true), takeBatch(queue, at));
    return true;
  }

  #start(thread: Thread, jobs: Job[]): void {
    const [first] = jobs as [Job];
    const id = this.#nextId++;
    thread.running = jobs;
    thread.timedFrom = thread.loaded.has(first.file) ? performance.now() : undefined;
    this.#turns.began(first.file, jobs.length);
    thread.loaded.add(first.file);
    thread.worker.ref();
    thread.timer = setTimeout(() => this.#giveUp(thread, first.file), this.#runMsMax * jobs.length);
    const { outputs, reduction } = first.options;
    const request: WorkerRequest = first.feeds
      ? {
          kind: 'run',
          id,
          file: first.file,
          items: jobs.map((job) => job.feeds as Tensors),
          ...(outputs && { outputs }),
          ...(reduction && { reduction }),
        }
      : { kind: 'describe', id, file: first.file };
    const given = jobs
      .filter(({ options }) => options.givesFeeds)
      .flatMap(({ feeds }) => memoryOf(feeds ?? {}));
    thread.worker.postMessage(request, given);
  }

  #spawn(isExpress: boolean): Thread {
    const worker = new Worker(entryUrl('inference-worker', import.meta.url), {
      workerData: {
        sessionsMax: this.#sessionsMax,
        niceness: isExpress ? 0 : niceness,
      } satisfies InferenceWorkerData,
      name: 'inference',
    });
    let release = () => {};
    const gone = new Promise<void>((resolve) => {
      release = resolve;
    });
    worker.once('exit', release);
    const thread: Thread = {
      worker,
      running: [],
      timedFrom: undefined,
      isExpress,
      loaded: new Set(),
      gone,
      release,
    };
    worker.on('message', (reply: WorkerReply) => this.#finish(thread, reply));
    worker.on('error', (cause) => this.#lose(thread, cause));
    worker.on('exit', () => this.#lose(thread, new Error('the thread ended unexpectedly')));
    worker.unref();
    this.#threads.push(thread);
    return thread;
  }

  #finish(thread: Thread, reply: WorkerReply): void {
    const jobs = thread.running;
    thread.running = [];
    clearTimeout(thread.timer);
    thread.worker.unref();
    if (thread.timedFrom !== undefined && jobs[0])
      this.#turns.took(jobs[0].file, jobs.length, performance.now() - thread.timedFrom);
    if (reply.kind === 'results') for (const [at, job] of jobs.entries()) settle(job, reply.results[at]);
    else if (reply.kind === 'described') jobs[0]?.resolve({ inputs: reply.inputs, outputs: reply.outputs });
    else for (const job of jobs) job.reject(engineFault.predictionFailed(job.label, new Error(reply.reason)));
    this.#dispatch();
  }

  /**
   * A run hangs: its items fail, and the next item gets a new thread. Native code cannot be stopped, so the thread is
   * left to itself: asked to close, should it ever come back, and keeping nobody waiting.
   */
  #giveUp(thread: Thread, file: string): void {
    this.#hangs.set(file, (this.#hangs.get(file) ?? 0) + 1);
    this.#hanging += 1;
    thread.worker.once('exit', () => (this.#hanging -= 1));
    // A stop waits for nobody who may never come.
    thread.release();
    thread.worker.postMessage({ kind: 'close' } satisfies WorkerRequest);
    thread.worker.unref();
    this.#lose(thread, new Error(`it took longer than ${this.#runMsMax / 1000} s`));
  }

  /** What waits for a network that is given up waits no longer. */
  #refuseHanging(): void {
    for (const queue of [this.#waiting.interactive, this.#waiting.background]) {
      const given = queue.filter(({ file }) => (this.#hangs.get(file) ?? 0) >= hangsMax);
      for (const job of given) {
        queue.splice(queue.indexOf(job), 1);
        job.reject(engineFault.predictionFailed(job.label, new Error('it hung before')));
      }
    }
  }

  /** A thread died: its items fail with a reason, and the next item gets a new thread. */
  #lose(thread: Thread, cause: unknown): void {
    clearTimeout(thread.timer);
    const at = this.#threads.indexOf(thread);
    if (at < 0) return;
    if (this.#closed && thread.running.length === 0) return;
    this.#threads.splice(at, 1);
    const jobs = thread.running;
    thread.running = [];
    for (const job of jobs) job.reject(engineFault.predictionFailed(job.label, cause));
    this.#refuseHanging();
    this.#dispatch();
  }
}

const memoryOf = (feeds: Tensors): ArrayBuffer[] =>
  Object.values(feeds).map(({ data }) => data.buffer as ArrayBuffer);

/** Takes a waiting item and, in order, those behind it that may run with it. */
function takeBatch(queue: Job[], at: number): Job[] {
  const [first] = queue.splice(at, 1) as [Job];
  const { batchMax = 1 } = first.options;
  const batch = [first];
  for (let index = at; index < queue.length && batch.length < batchMax; ) {
    const next = queue[index] as Job;
    const sameModel = next.file === first.file && next.label === first.label;
    if (sameModel && first.feeds && next.feeds && canShareBatch(first.feeds, next.feeds)) {
      batch.push(next);
      queue.splice(index, 1);
    } else {
      index += 1;
    }
  }
  return batch;
}

function settle(job: Job, result: ItemResult | undefined): void {
  if (result?.ok) job.resolve(result.value);
  else
    job.reject(engineFault.predictionFailed(job.label, new Error(result?.reason ?? 'no result came back')));
}

/** A run cannot be stopped; an aborted item that already runs is answered at once and its result dropped. */
function forgetWhenAborted(job: Job, queue: Job[], signal: AbortSignal): void {
  const abort = () => {
    const at = queue.indexOf(job);
    if (at >= 0) queue.splice(at, 1);
    job.reject(engineFault.cancelled());
  };
  const { resolve, reject } = job;
  const done = () => signal.removeEventListener('abort', abort);
  job.resolve = (value) => {
    done();
    resolve(value);
  };
  job.reject = (cause) => {
    done();
    reject(cause);
  };
  signal.addEventListener('abort', abort, { once: true });
}
