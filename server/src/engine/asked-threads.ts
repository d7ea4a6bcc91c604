import { Worker } from 'node:worker_threads';
import { engineFault } from './faults.ts';
import { entryUrl } from './vector/entry.ts';

/** What such a thread sends back for each question, in the order asked. */
export type Answered<Answer> = { answer: Answer } | { reason: string };

export interface AskedThreadsOptions {
  /** File of the thread without extension, and `import.meta.url` of a file beside it. */
  entry: string;
  here: string;
  /** Names the model in faults, and the thread. */
  label: string;
  threadsMax: number;
  /** Longest answer in milliseconds; then the thread is ended and its question fails. */
  msMax: number;
  /** Given to every thread. */
  workerData?: unknown;
  /** How long a thread without work is kept, in milliseconds; for good when absent. */
  idleMs?: number;
}

interface Job<Question, Answer> {
  question: Question;
  resolve(answer: Answer): void;
  reject(cause: Error): void;
}

interface Thread<Question, Answer> {
  worker: Worker;
  job?: Job<Question, Answer> | undefined;
  timer?: NodeJS.Timeout | undefined;
}

/**
 * A few threads that are asked one thing at a time: for readers whose code may hang or trap on a hostile picture.
 * They run JavaScript and WebAssembly, which, unlike native code, can be stopped in the middle.
 */
export class AskedThreads<Question, Answer> {
  readonly #options: AskedThreadsOptions;
  readonly #threads: Thread<Question, Answer>[] = [];
  readonly #waiting: Job<Question, Answer>[] = [];
  #isClosed = false;

  constructor(options: AskedThreadsOptions) {
    this.#options = options;
  }

  /** @throws Fault 21313 when the thread says no, dies, or takes too long; the next question gets a new thread */
  ask(question: Question, signal?: AbortSignal): Promise<Answer> {
    if (this.#isClosed) return Promise.reject(engineFault.closed());
    if (signal?.aborted) return Promise.reject(engineFault.cancelled());
    return new Promise((resolve, reject) => {
      const forget = () => {
        const at = this.#waiting.indexOf(job);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(engineFault.cancelled());
      };
      const done = () => signal?.removeEventListener('abort', forget);
      const job: Job<Question, Answer> = {
        question,
        resolve: (answer) => {
          done();
          resolve(answer);
        },
        reject: (cause) => {
          done();
          reject(cause);
        },
      };
      signal?.addEventListener('abort', forget, { once: true });
      this.#waiting.push(job);
      this.#dispatch();
    });
  }

  /** Refuses what waits and stops what runs. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const job of this.#waiting.splice(0)) job.reject(engineFault.closed());
    await Promise.all(this.#threads.splice(0).map((thread) => this.#end(thread, engineFault.closed())));
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#threads.find((one) => !one.job) ?? this.#spawn();
      if (!thread) return;
      this.#start(thread, this.#waiting.shift() as Job<Question, Answer>);
    }
  }

  #start(thread: Thread<Question, Answer>, job: Job<Question, Answer>): void {
    const { msMax, label } = this.#options;
    clearTimeout(thread.timer);
    thread.job = job;
    thread.worker.ref();
    thread.timer = setTimeout(() => {
      const words = `it took longer than ${msMax / 1000} s`;
      void this.#end(thread, engineFault.predictionFailed(label, new Error(words)));
    }, msMax);
    thread.worker.postMessage(job.question);
  }

  #spawn(): Thread<Question, Answer> | undefined {
    const { entry, here, label, threadsMax, workerData } = this.#options;
    if (this.#threads.length >= threadsMax) return undefined;
    const thread: Thread<Question, Answer> = {
      worker: new Worker(entryUrl(entry, here), { name: label, workerData }),
    };
    const gone = (cause: Error) => void this.#end(thread, engineFault.predictionFailed(label, cause));
    thread.worker.on('message', (answered: Answered<Answer>) => this.#hear(thread, answered));
    thread.worker.on('error', gone);
    thread.worker.on('exit', (code) => gone(new Error(`the thread ended with code ${code}`)));
    thread.worker.unref();
    this.#threads.push(thread);
    return thread;
  }

  #hear(thread: Thread<Question, Answer>, answered: Answered<Answer>): void {
    const { job } = thread;
    const { label, idleMs } = this.#options;
    clearTimeout(thread.timer);
    thread.job = undefined;
    thread.worker.unref();
    if (idleMs !== undefined)
      thread.timer = setTimeout(() => void this.#end(thread, engineFault.closed()), idleMs).unref();
    if ('reason' in answered) job?.reject(engineFault.predictionFailed(label, new Error(answered.reason)));
    else job?.resolve(answered.answer);
    this.#dispatch();
  }

  /** Ends a thread; what it works on, if anything, fails. */
  async #end(thread: Thread<Question, Answer>, cause: Error): Promise<void> {
    const at = this.#threads.indexOf(thread);
    if (at >= 0) this.#threads.splice(at, 1);
    clearTimeout(thread.timer);
    const { job } = thread;
    thread.job = undefined;
    job?.reject(cause);
    if (!this.#isClosed) this.#dispatch();
    await thread.worker.terminate();
  }
}
