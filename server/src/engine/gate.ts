import { engineFault } from './faults.ts';

interface Visitor {
  enter(): void;
}

/**
 * Lets a few tasks in at a time, those that a person waits for before background ones, so that a request with
 * many pictures does not hold all of them decoded at once.
 */
export class Gate {
  readonly #insideMax: number;
  readonly #waitingMax: number;
  readonly #waiting: { interactive: Visitor[]; background: Visitor[] } = { interactive: [], background: [] };
  #inside = 0;

  constructor(insideMax: number, waitingMax: number) {
    this.#insideMax = insideMax;
    this.#waitingMax = waitingMax;
  }

  /**
   * Runs a task when its turn comes.
   *
   * @throws Fault 21351 when too many wait already, or what the task throws
   */
  async pass<T>(task: () => Promise<T>, { background = false, signal }: GateOptions = {}): Promise<T> {
    await this.#enter(background, signal);
    try {
      return await task();
    } finally {
      this.#inside -= 1;
      this.#admitNext();
    }
  }

  #enter(background: boolean, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return Promise.reject(engineFault.cancelled());
    const { interactive, background: patient } = this.#waiting;
    const waiting = interactive.length + patient.length;
    if (waiting >= this.#waitingMax) return Promise.reject(engineFault.busy(waiting));
    return new Promise((resolve, reject) => {
      const queue = background ? patient : interactive;
      const visitor = {
        enter() {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = () => {
        const at = queue.indexOf(visitor);
        if (at >= 0) queue.splice(at, 1);
        reject(engineFault.cancelled());
      };
      signal?.addEventListener('abort', leave, { once: true });
      queue.push(visitor);
      this.#admitNext();
    });
  }

  #admitNext(): void {
    if (this.#inside >= this.#insideMax) return;
    const next = this.#waiting.interactive.shift() ?? this.#waiting.background.shift();
    if (!next) return;
    this.#inside += 1;
    next.enter();
  }
}

export interface GateOptions {
  background?: boolean;
  signal?: AbortSignal | undefined;
}
