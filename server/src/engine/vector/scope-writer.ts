import { type ArenaPool, type Block, dimsMax } from './arena.ts';
import { writeCode } from './codes.ts';
import { KeyTable } from './key-table.ts';
import { blockBytes, normsBytes, rowsPerBlock, ScopeView, type SharedScope, strideOf } from './scope-view.ts';

const grown = (buffer: SharedArrayBuffer, bytes: number): SharedArrayBuffer => {
  const larger = new SharedArrayBuffer(bytes);
  new Uint8Array(larger).set(new Uint8Array(buffer));
  return larger;
};

/**
 * The one writer of a scope. Readers in other threads never wait: a changed vector goes to a fresh slot, and
 * a slot that was given up is written again only after every search that could have seen it has ended.
 */
export class ScopeWriter {
  view: ScopeView;
  /** Told of every slot that is written or given up. */
  follower: { written(slot: number): void; gone(slot: number): void } | undefined;
  readonly dims: number;
  readonly #pool: ArenaPool;
  readonly #table: KeyTable;
  readonly #onMove: (shared: SharedScope) => void;
  #shared: SharedScope;
  #freeSlots: number[] = [];
  /** Slots given up, with the number of the last search that may still read them. */
  #waiting: { slot: number; afterSearch: number }[] = [];
  #nextSlot = 0;

  constructor(dims: number, pool: ArenaPool, onMove: (shared: SharedScope) => void) {
    if (!Number.isInteger(dims) || dims < 1 || dims > dimsMax) {
      throw new RangeError(`A vector scope has 1 to ${dimsMax} dimensions, not ${dims}.`);
    }
    this.dims = dims;
    this.#pool = pool;
    this.#onMove = onMove;
    this.#table = new KeyTable((table) => this.#replace({ ...this.#shared, table }));
    this.#shared = {
      dims,
      live: new SharedArrayBuffer(4),
      keys: new SharedArrayBuffer(rowsPerBlock * 8),
      blocks: new SharedArrayBuffer(8),
      births: new SharedArrayBuffer(rowsPerBlock * 4),
      counts: new SharedArrayBuffer(12),
      table: this.#table.shared,
    };
    this.view = new ScopeView(this.#shared, pool.views, this.#table);
  }

  get shared(): SharedScope {
    return this.#shared;
  }

  get size(): number {
    return this.#table.size;
  }

  /**
   * Adds or replaces one vector.
   *
   * @param searchIssued number of the newest search started so far
   * @throws RangeError for a key that is not a whole number >= 0, or a vector that is not finite
   */
  set(key: number, vector: Float32Array, searchIssued: number): void {
    const squared = squaredNorm(vector);
    const slot = this.#takeSlot();
    const row = this.#rowForWriting(slot);
    row.set(vector);
    row.fill(0, vector.length);
    const norm = Math.sqrt(squared);
    this.#norms(slot)[slot & 31] = norm > 0 ? 1 / norm : 0;
    writeCode(this.view, slot, vector, norm);
    this.view.keys[slot] = key;
    Atomics.add(this.view.births, slot, 1);
    Atomics.add(this.view.counts, 2, 1);
    const before = this.#table.find(key);
    Atomics.or(this.view.live, slot >>> 5, 1 << (slot & 31));
    this.#table.set(key, slot);
    this.follower?.written(slot);
    if (before >= 0) this.#giveUp(before, searchIssued);
    else Atomics.store(this.view.counts, 1, this.#table.size);
  }

  /** @returns whether the key was known */
  delete(key: number, searchIssued: number): boolean {
    const slot = this.#table.delete(key);
    if (slot < 0) return false;
    Atomics.add(this.view.counts, 2, 1);
    this.#giveUp(slot, searchIssued);
    Atomics.store(this.view.counts, 1, this.#table.size);
    return true;
  }

  /** Lets slots be written again once no search numbered up to their mark is running. */
  settle(oldestRunningSearch: number): void {
    if (this.#waiting.length === 0) return;
    const still: { slot: number; afterSearch: number }[] = [];
    for (const entry of this.#waiting) {
      if (entry.afterSearch < oldestRunningSearch) this.#freeSlots.push(entry.slot);
      else still.push(entry);
    }
    this.#waiting = still;
  }

  /** Gives all memory back to the pool; the writer is of no use afterwards. */
  release(): void {
    const bytes = blockBytes(this.view.stride);
    for (let block = 0; block < this.view.blockCount; block += 1) {
      const arena = this.view.blocks[block * 2] as number;
      this.#pool.giveBack(bytes, { arena, address: this.view.blocks[block * 2 + 1] as number });
    }
  }

  #giveUp(slot: number, searchIssued: number): void {
    Atomics.and(this.view.live, slot >>> 5, ~(1 << (slot & 31)));
    this.#waiting.push({ slot, afterSearch: searchIssued });
    this.follower?.gone(slot);
  }

  #takeSlot(): number {
    const free = this.#freeSlots.pop();
    if (free !== undefined) return free;
    const slot = this.#nextSlot;
    if ((slot & 31) === 0) this.#addBlock(slot >>> 5);
    this.#nextSlot += 1;
    return slot;
  }

  #addBlock(index: number): void {
    if (index >= this.view.live.length) this.#grow(this.view.live.length * 2);
    const block: Block = this.#pool.take(blockBytes(strideOf(this.dims)));
    this.view.blocks[index * 2] = block.arena;
    this.view.blocks[index * 2 + 1] = block.address;
    Atomics.store(this.view.counts, 0, index + 1);
  }

  #grow(blocks: number): void {
    const { live, keys, births, blocks: addresses } = this.#shared;
    this.#replace({
      ...this.#shared,
      live: grown(live, blocks * 4),
      keys: grown(keys, blocks * rowsPerBlock * 8),
      births: grown(births, blocks * rowsPerBlock * 4),
      blocks: grown(addresses, blocks * 8),
    });
  }

  #replace(shared: SharedScope): void {
    this.#shared = shared;
    this.view = new ScopeView(shared, this.#pool.views, this.#table);
    this.#onMove(shared);
  }

  #rowForWriting(slot: number): Float32Array {
    const start = this.view.addressOf(slot) / 4;
    const { stride } = this.view;
    return this.#floats(slot, start + stride).subarray(start, start + stride);
  }

  #norms(slot: number): Float32Array {
    const start = (this.view.blocks[(slot >>> 5) * 2 + 1] as number) / 4;
    const end = start + normsBytes / 4;
    return this.#floats(slot, end).subarray(start, end);
  }

  #floats(slot: number, end: number): Float32Array {
    const arena = this.#pool.views[this.view.arenaOf(slot)];
    if (arena === undefined) throw new Error('a block names an arena that was never opened');
    return arena.floatsUpTo(end * 4);
  }
}

/** @throws RangeError naming the first value that is not finite */
export function squaredNorm(vector: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < vector.length; i += 1) {
    const value = vector[i] as number;
    sum += value * value;
  }
  if (Number.isFinite(sum)) return sum;
  const at = vector.findIndex((value) => !Number.isFinite(value));
  throw new RangeError(`A vector must be finite; value ${at} is ${vector[at]}.`);
}

/** @throws RangeError unless the key is a whole number from 0 to 2^53 - 1 */
export function checkKey(key: number): void {
  if (!Number.isSafeInteger(key) || key < 0) {
    throw new RangeError(`A vector key is a whole number from 0 to 2^53 - 1, not ${key}.`);
  }
}
