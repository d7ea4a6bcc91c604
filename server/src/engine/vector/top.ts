/**
 * Keeps the best `limit` slots seen. Larger scores are better; between equal scores the smaller key is,
 * so the answer does not depend on the order in which slots were offered.
 */
export class Top {
  readonly limit: number;
  readonly #keys: Float64Array;
  readonly #slots: Int32Array;
  readonly #scores: Float64Array;
  size = 0;
  /** A score below this one cannot enter any more. */
  floor: number;

  constructor(limit: number, keys: Float64Array, floor = -Infinity) {
    this.limit = limit;
    this.#keys = keys;
    this.#slots = new Int32Array(limit);
    this.#scores = new Float64Array(limit);
    this.floor = floor;
  }

  offer(slot: number, score: number): void {
    if (score < this.floor || this.limit === 0) return;
    if (this.size < this.limit) {
      this.#rise(this.size, slot, score);
      this.size += 1;
      if (this.size === this.limit) this.floor = Math.max(this.floor, this.#scores[0] as number);
      return;
    }
    if (!this.#worse(this.#slots[0] as number, this.#scores[0] as number, slot, score)) return;
    this.#sink(slot, score);
    this.floor = this.#scores[0] as number;
  }

  /** Slots kept, in no order. */
  slots(): Int32Array {
    return this.#slots.slice(0, this.size);
  }

  #worse(slotA: number, scoreA: number, slotB: number, scoreB: number): boolean {
    if (scoreA !== scoreB) return scoreA < scoreB;
    return (this.#keys[slotA] as number) > (this.#keys[slotB] as number);
  }

  #rise(start: number, slot: number, score: number): void {
    let at = start;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const parentSlot = this.#slots[parent] as number;
      const parentScore = this.#scores[parent] as number;
      if (!this.#worse(slot, score, parentSlot, parentScore)) break;
      this.#slots[at] = parentSlot;
      this.#scores[at] = parentScore;
      at = parent;
    }
    this.#slots[at] = slot;
    this.#scores[at] = score;
  }

  #sink(slot: number, score: number): void {
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= this.size) break;
      const right = child + 1;
      if (right < this.size && this.#childWorse(right, child)) child = right;
      if (!this.#worse(this.#slots[child] as number, this.#scores[child] as number, slot, score)) break;
      this.#slots[at] = this.#slots[child] as number;
      this.#scores[at] = this.#scores[child] as number;
      at = child;
    }
    this.#slots[at] = slot;
    this.#scores[at] = score;
  }

  #childWorse(a: number, b: number): boolean {
    const slotA = this.#slots[a] as number;
    return this.#worse(slotA, this.#scores[a] as number, this.#slots[b] as number, this.#scores[b] as number);
  }
}
