import { appendFileSync } from 'node:fs';

/** What a thing looks like, as text that compares; undefined: it is not there. */
export type State = string | undefined;

export interface Change {
  readonly key: string;
  readonly before: State;
  readonly after: State;
}

/** One request that writes, with what it does to each thing. All of it happens, or nothing. */
export interface Write {
  readonly rpc: string;
  readonly verb: string;
  readonly path: string;
  readonly body: unknown;
  readonly changes: readonly Change[];
  /** How many things the caller was told about. */
  readonly items: number;
  /** SHA-256 in hex of media that nothing shows any more afterwards. */
  readonly freed?: readonly string[];
}

export interface Found {
  /** Acknowledged and not there, or there as it was before. */
  readonly lost: string[];
  /** On their way for ever. */
  readonly stuck: string[];
  readonly other: string[];
}

export const nothingFound = (): Found => ({ lost: [], stuck: [], other: [] });

/** What the client was told, kept apart from the server: what has to be there, and what may be. */
export class Ledger {
  acknowledged = 0;
  unknown = 0;
  refused: string[] = [];
  internal = 0;
  readonly freed = new Set<string>();
  readonly #known = new Map<string, string>();
  /** What was deleted and acknowledged. */
  readonly #gone = new Set<string>();
  #open: Write[] = [];
  readonly #file: string | undefined;

  constructor(file?: string) {
    this.#file = file;
  }

  get size(): number {
    return this.#known.size;
  }

  stateOf(key: string): State {
    return this.#known.get(key);
  }

  /** The write was answered with success. */
  acknowledge(write: Write): void {
    this.acknowledged += write.items;
    this.#note('acknowledged', write);
    this.#apply(write);
  }

  /** No answer came, or one that leaves it open. */
  doubt(write: Write): void {
    this.unknown += 1;
    this.#note('unknown', write);
    this.#open.push(write);
  }

  get open(): readonly Write[] {
    return this.#open;
  }

  #apply(write: Write): void {
    for (const { key, after } of write.changes) {
      this.#set(key, after);
    }
    for (const sha of write.freed ?? []) this.freed.add(sha);
  }

  /**
   * Decides the open writes by what is there now. One that is there in parts is reported, and so is one that is
   * `decided` to have happened but has not.
   */
  settle(truth: ReadonlyMap<string, string>, decided: ReadonlySet<Write> = new Set()): string[] {
    const wrong: string[] = [];
    for (const write of this.#open) {
      const differing = write.changes.filter(({ before, after }) => before !== after);
      const done = differing.filter(({ key, after }) => truth.get(key) === after);
      const undone = differing.filter(({ key, before }) => truth.get(key) === before);
      if (done.length === differing.length) this.#apply(write);
      else if (undone.length !== differing.length) {
        const neither = differing.find(
          ({ key, before, after }) => truth.get(key) !== before && truth.get(key) !== after,
        );
        wrong.push(
          `${write.rpc} of ${differing.length} is there in part: ${done.length} done, ${undone.length} not` +
            (neither ? `, ${neither.key} is ${truth.get(neither.key)}` : ''),
        );
        this.#adopt(write, truth);
      } else if (decided.has(write)) wrong.push(`${write.rpc} was sent again and answered, and is not there`);
    }
    this.#open = [];
    return wrong;
  }

  #adopt(write: Write, truth: ReadonlyMap<string, string>): void {
    for (const { key } of write.changes) {
      this.#set(key, truth.get(key));
    }
  }

  #set(key: string, state: State): void {
    if (state === undefined) {
      if (this.#known.delete(key)) this.#gone.add(key);
      return;
    }
    this.#known.set(key, state);
    this.#gone.delete(key);
  }

  /** Holds everything against what is there. What differs is reported once and then taken as it is. */
  compare(truth: ReadonlyMap<string, string>): Found {
    const found = nothingFound();
    for (const [key, state] of this.#known) {
      const now = truth.get(key);
      if (now === state) continue;
      found.lost.push(now === undefined ? `${key} is gone` : `${key} is ${now} instead of ${state}`);
      this.#set(key, now);
    }
    for (const [key, now] of truth) {
      if (this.#known.has(key)) continue;
      if (this.#gone.has(key)) found.lost.push(`${key} was deleted and is back: ${now}`);
      else found.other.push(`${key} is there and nobody made it: ${now}`);
      this.#known.set(key, now);
    }
    return found;
  }

  #note(outcome: string, { rpc, changes }: Write): void {
    if (this.#file === undefined) return;
    appendFileSync(this.#file, `${JSON.stringify({ at: Date.now(), outcome, rpc, changes })}\n`);
  }
}
