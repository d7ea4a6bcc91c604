import { engineFault } from './faults.ts';

export interface GateOptions {
  /** What is asked for: a crowd that waits for one thing does not keep others from another. */
  key?: string;
  background?: boolean;
  /** Part of a request that was let in before: it is not turned away half-way because others wait. */
  isAdmitted?: boolean;
  signal?: AbortSignal | undefined;
}

interface Visitor {
  enter(): void;
}

/** Those who ask for one thing. */
interface Lane {
  readonly interactive: Visitor[];
  readonly background: Visitor[];
  inside: number;
  /** What a task of it takes, in milliseconds. */
  usualMs: number;
}

/** Weight of the last task in what tasks usually take. */
const latestShare = 0.05;

/**
 * Lets a few tasks in at a time, those that a person waits for before background ones, so that a request with
 * many pictures does not hold all of them decoded at once. Places go to whatever has fewest; what has none gets one,
 * even above the number.
 */
export class Gate {
  readonly #insideMax: number;
  readonly #waitingMax: number;
  readonly #waitMsMax: number;
  readonly #lanes = new Map<string, Lane>();
  #inside = 0;
  #waiting = 0;

  /**
   * @param waitMsMax who would wait longer than this, by what tasks took lately, is turned away at once: answers
   *   that nobody waits for any more are work that others wait for
   */
  constructor(insideMax: number, waitingMax: number, waitMsMax = Number.POSITIVE_INFINITY) {
    this.#insideMax = insideMax;
    this.#waitingMax = waitingMax;
    this.#waitMsMax = waitMsMax;
  }

  /**
   * Runs a task when its turn comes.
   *
   * @throws Fault 21351 when too many wait already, or what the task throws
   */
  async pass<T>(task: () => Promise<T>, options: GateOptions = {}): Promise<T> {
    const lane = this.#laneOf(options.key ?? '');
    await this.#enter(lane, options);
    const began = performance.now();
    try {
      return await task();
    } finally {
      lane.usualMs += (performance.now() - began - lane.usualMs) * latestShare;
      lane.inside -= 1;
      this.#inside -= 1;
      this.#admit();
    }
  }

  #laneOf(key: string): Lane {
    const known = this.#lanes.get(key);
    if (known) return known;
    const lane = { interactive: [], background: [], inside: 0, usualMs: 0 };
    this.#lanes.set(key, lane);
    return lane;
  }

  #enter(lane: Lane, { background = false, isAdmitted = false, signal }: GateOptions): Promise<void> {
    if (signal?.aborted) return Promise.reject(engineFault.cancelled());
    const queue = background ? lane.background : lane.interactive;
    const expectedMs = (queue.length * lane.usualMs) / Math.max(1, lane.inside);
    const takesTooLong = !background && !isAdmitted && expectedMs > this.#waitMsMax;
    if (takesTooLong || this.#waiting >= this.#waitingMax)
      return Promise.reject(engineFault.busy(this.#waiting));
    return new Promise((resolve, reject) => {
      const visitor = {
        enter() {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = () => {
        const at = queue.indexOf(visitor);
        if (at < 0) return;
        queue.splice(at, 1);
        this.#waiting -= 1;
        reject(engineFault.cancelled());
      };
      signal?.addEventListener('abort', leave, { once: true });
      queue.push(visitor);
      this.#waiting += 1;
      this.#admit();
    });
  }

  #admit(): void {
    for (;;) {
      const [lane, queue] = this.#next('interactive') ?? this.#next('background') ?? [];
      if (!lane || !queue) return;
      const isFull = this.#inside >= this.#insideMax;
      if (isFull && (lane.inside > 0 || queue === lane.background)) return;
      this.#inside += 1;
      this.#waiting -= 1;
      lane.inside += 1;
      queue.shift()?.enter();
    }
  }

  /** The lane with fewest inside of those where somebody waits. */
  #next(kind: 'interactive' | 'background'): [Lane, Visitor[]] | undefined {
    let best: Lane | undefined;
    for (const lane of this.#lanes.values())
      if (lane[kind].length > 0 && lane.inside < (best?.inside ?? Number.POSITIVE_INFINITY)) best = lane;
    return best && [best, best[kind]];
  }
}
