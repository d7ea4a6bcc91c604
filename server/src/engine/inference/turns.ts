/** A network whose usual run is at most so long, in milliseconds, need not wait for the end of a long one. */
const quickMsMax = 20;
/** Taken for what a network costs that has not been timed yet. */
const unknownMs = 50;
/** Weight of the latest run in what a network usually takes. */
const latestShare = 0.2;

/**
 * Whose turn it is among networks that wait for a thread: the one that was given least time so far, so that a
 * crowd that asks for one model does not keep the others waiting (start-time fair queueing, Goyal, Vin and Cheng
 * 1996). And which networks are quick.
 */
export class Turns {
  readonly #usualMs = new Map<string, number>();
  readonly #givenMs = new Map<string, number>();
  #nowMs = 0;

  /** Index of the item that is next, of its network the first. @param files the network of each waiting item */
  next(files: readonly string[]): number {
    const seen = new Set<string>();
    let best = 0;
    let leastMs = Number.POSITIVE_INFINITY;
    for (const [at, file] of files.entries()) {
      if (seen.has(file)) continue;
      seen.add(file);
      const ms = this.#startOf(file);
      if (ms < leastMs) [best, leastMs] = [at, ms];
    }
    return best;
  }

  /** Items of a network are given a thread. */
  began(file: string, items: number): void {
    this.#nowMs = this.#startOf(file);
    this.#givenMs.set(file, this.#nowMs + items * (this.#usualMs.get(file) ?? unknownMs));
  }

  /** What a run of items took, with the network loaded before. */
  took(file: string, items: number, ms: number): void {
    const usual = this.#usualMs.get(file) ?? ms / items;
    this.#usualMs.set(file, usual + (ms / items - usual) * latestShare);
  }

  isQuick(file: string): boolean {
    return (this.#usualMs.get(file) ?? Number.POSITIVE_INFINITY) <= quickMsMax;
  }

  /** A network that did not wait for a while has saved nothing up. */
  #startOf(file: string): number {
    return Math.max(this.#nowMs, this.#givenMs.get(file) ?? 0);
  }
}
