/** Work of several parties, a few of each at a time, so that none holds what all of them need. */
export class Turns<Key> {
  readonly #atOnce: number;
  readonly #waitingMax: number;
  readonly #parties = new Map<Key, { running: number; waiting: (() => void)[] }>();

  constructor(atOnce: number, waitingMax: number) {
    this.#atOnce = atOnce;
    this.#waitingMax = waitingMax;
  }

  /** Runs the work when a turn of its party is free, in the order asked. @throws what `refusal` makes when too many wait */
  async take<T>(key: Key, work: () => Promise<T>, refusal: (waiting: number) => Error): Promise<T> {
    const party = this.#parties.get(key) ?? { running: 0, waiting: [] };
    this.#parties.set(key, party);
    if (party.running >= this.#atOnce) {
      if (party.waiting.length >= this.#waitingMax) throw refusal(party.waiting.length);
      // Who leaves hands the turn on, so that nobody slips in between.
      await new Promise<void>((resolve) => party.waiting.push(resolve));
    } else {
      party.running += 1;
    }
    try {
      return await work();
    } finally {
      const next = party.waiting.shift();
      if (next) next();
      else {
        party.running -= 1;
        if (party.running === 0) this.#parties.delete(key);
      }
    }
  }
}
