const empty = -1;
const removed = -2;

export interface SharedKeyTable {
  keys: SharedArrayBuffer;
  slots: SharedArrayBuffer;
}

const startOf = (key: number, mask: number): number => {
  const low = key >>> 0;
  const high = (key / 4_294_967_296) >>> 0;
  let hash = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 13)) & mask;
};

/** Finds slots by key in shared memory. Reads may run in another thread than the writer's. */
export class KeyTableView {
  protected keys: Float64Array;
  protected slots: Int32Array;

  constructor(shared: SharedKeyTable) {
    this.keys = new Float64Array(shared.keys);
    this.slots = new Int32Array(shared.slots);
  }

  /** @returns the slot, or -1 when the key is unknown */
  find(key: number): number {
    const mask = this.slots.length - 1;
    for (let at = startOf(key, mask); ; at = (at + 1) & mask) {
      const slot = this.slots[at] as number;
      if (slot === empty) return -1;
      if (slot !== removed && this.keys[at] === key) return slot;
    }
  }
}

const newTable = (capacity: number): SharedKeyTable => {
  const slots = new SharedArrayBuffer(capacity * 4);
  new Int32Array(slots).fill(empty);
  return { keys: new SharedArrayBuffer(capacity * 8), slots };
};

/** The writer's side: an open-addressed table, at most 60 % full, of whole numbers from 0 to 2^53 - 1. */
export class KeyTable extends KeyTableView {
  shared: SharedKeyTable;
  size = 0;
  #used = 0;
  readonly #onMove: (shared: SharedKeyTable) => void;

  constructor(onMove: (shared: SharedKeyTable) => void) {
    const shared = newTable(64);
    super(shared);
    this.shared = shared;
    this.#onMove = onMove;
  }

  /** Sets or changes the slot of a key. */
  set(key: number, slot: number): void {
    const at = this.#positionOf(key);
    if (at >= 0) {
      Atomics.store(this.slots, at, slot);
      return;
    }
    if ((this.#used + 1) * 10 > this.slots.length * 6) this.#move();
    this.#place(key, slot);
    this.size += 1;
  }

  /** @returns the slot it had, or -1 */
  delete(key: number): number {
    const at = this.#positionOf(key);
    if (at < 0) return -1;
    this.size -= 1;
    return Atomics.exchange(this.slots, at, removed);
  }

  #positionOf(key: number): number {
    const mask = this.slots.length - 1;
    for (let at = startOf(key, mask); ; at = (at + 1) & mask) {
      const slot = this.slots[at] as number;
      if (slot === empty) return -1;
      if (slot !== removed && this.keys[at] === key) return at;
    }
  }

  #place(key: number, slot: number): void {
    const mask = this.slots.length - 1;
    let at = startOf(key, mask);
    while ((this.slots[at] as number) !== empty) at = (at + 1) & mask;
    this.keys[at] = key;
    // The key is written first: a reader that sees the slot sees its key too.
    Atomics.store(this.slots, at, slot);
    this.#used += 1;
  }

  /** Makes room, and forgets what was removed. */
  #move(): void {
    const { keys, slots } = this;
    let capacity = 64;
    while (this.size * 10 >= capacity * 3) capacity *= 2;
    this.shared = newTable(capacity);
    this.keys = new Float64Array(this.shared.keys);
    this.slots = new Int32Array(this.shared.slots);
    this.#used = 0;
    for (let at = 0; at < slots.length; at += 1) {
      const slot = slots[at] as number;
      if (slot >= 0) this.#place(keys[at] as number, slot);
    }
    this.#onMove(this.shared);
  }
}
