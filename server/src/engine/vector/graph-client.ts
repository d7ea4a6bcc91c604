import { type ChildProcess, fork } from 'node:child_process';
import type { FromGraph, ToGraph } from './graph-process.ts';

type Question = ToGraph extends infer Each ? (Each extends ToGraph ? Omit<Each, 'number'> : never) : never;
export type GraphReply = Extract<FromGraph, { ok: true }>;

interface Waiting {
  resolve: (reply: GraphReply) => void;
  reject: (error: Error) => void;
}

/** One graph process, asked by number. When it dies, every open question is refused. */
export class GraphClient {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;
  #ended = false;
  readonly ended: Promise<void>;

  constructor(entry: string) {
    // The environment is not handed on: this process needs nothing from it.
    this.#child = fork(entry, [], {
      serialization: 'advanced',
      execArgv: [],
      env: {},
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child.on('message', (reply: FromGraph) => this.#receive(reply));
    this.ended = new Promise((resolve) => {
      const end = () => {
        this.#ended = true;
        for (const waiting of this.#waiting.values()) waiting.reject(new Error('the graph process ended'));
        this.#waiting.clear();
        resolve();
      };
      this.#child.on('exit', end);
      this.#child.on('error', end);
    });
  }

  ask(question: Question): Promise<GraphReply> {
    if (this.#ended) return Promise.reject(new Error('the graph process ended'));
    this.#asked += 1;
    const number = this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#child.send({ ...question, number }, (error) => {
        if (error !== null && this.#waiting.delete(number)) reject(error);
      });
    });
  }

  async end(): Promise<void> {
    if (!this.#ended) this.#child.kill('SIGKILL');
    await this.ended;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  #receive(reply: FromGraph): void {
    const waiting = this.#waiting.get(reply.number);
    this.#waiting.delete(reply.number);
    if (reply.ok) waiting?.resolve(reply);
    else waiting?.reject(new Error(reply.message));
  }
}
