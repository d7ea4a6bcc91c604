import type { ArenaView } from './arena.ts';
import { KeyTableView, type SharedKeyTable } from './key-table.ts';
import { strideStep } from './scan-kernel.ts';

/** Rows in one block: one bit each in one 32-bit word of the live map. */
export const rowsPerBlock = 32;

export const strideOf = (dims: number): number => Math.ceil(dims / strideStep) * strideStep;

/**
 * A block holds 32 inverse norms, then 32 rows of `stride` floats, their 32 codes of `stride` bytes, and for each
 * code a scale and an error (codes.ts).
 */
export const normsBytes = rowsPerBlock * 4;
const codesFrom = (stride: number): number => normsBytes + rowsPerBlock * stride * 4;
const scalesFrom = (stride: number): number => codesFrom(stride) + rowsPerBlock * stride;
export const blockBytes = (stride: number): number => scalesFrom(stride) + 2 * rowsPerBlock * 4;

/** What threads share about a scope; replaced as a whole when it has to grow. */
export interface SharedScope {
  dims: number;
  /** int32 per block: one bit per row that holds a vector. */
  live: SharedArrayBuffer;
  /** float64 per slot. */
  keys: SharedArrayBuffer;
  /** int32 pairs per block: arena, address. */
  blocks: SharedArrayBuffer;
  /** int32 per slot: how often it was written; tells a reused slot from the vector once found there. */
  births: SharedArrayBuffer;
  /** int32: blocks in use, rows in use, changes made. */
  counts: SharedArrayBuffer;
  table: SharedKeyTable;
}

/** Bits, one per slot, that a search may return. */
export type SlotFilter = Int32Array;

/** A scope as a reading thread sees it. Slots are numbered block by block. */
export class ScopeView {
  readonly dims: number;
  readonly stride: number;
  readonly live: Int32Array;
  readonly keys: Float64Array;
  readonly blocks: Int32Array;
  readonly births: Int32Array;
  readonly counts: Int32Array;
  readonly table: KeyTableView;
  readonly arenas: readonly ArenaView[];

  constructor(shared: SharedScope, arenas: readonly ArenaView[], table?: KeyTableView) {
    this.dims = shared.dims;
    this.stride = strideOf(shared.dims);
    this.live = new Int32Array(shared.live);
    this.keys = new Float64Array(shared.keys);
    this.blocks = new Int32Array(shared.blocks);
    this.births = new Int32Array(shared.births);
    this.counts = new Int32Array(shared.counts);
    this.table = table ?? new KeyTableView(shared.table);
    this.arenas = arenas;
  }

  get blockCount(): number {
    return Math.min(Atomics.load(this.counts, 0), this.live.length);
  }

  get size(): number {
    return Atomics.load(this.counts, 1);
  }

  /** Moves with every vector set or removed. */
  get changes(): number {
    return Atomics.load(this.counts, 2);
  }

  isLive(slot: number): boolean {
    return ((Atomics.load(this.live, slot >>> 5) >>> (slot & 31)) & 1) === 1;
  }

  arenaOf(slot: number): number {
    return this.blocks[(slot >>> 5) * 2] as number;
  }

  /** Byte address of a row in its arena. */
  addressOf(slot: number): number {
    return (this.blocks[(slot >>> 5) * 2 + 1] as number) + normsBytes + (slot & 31) * this.stride * 4;
  }

  /** Byte address of the code of a row. */
  codeAddressOf(slot: number): number {
    const { stride } = this;
    return (this.blocks[(slot >>> 5) * 2 + 1] as number) + codesFrom(stride) + (slot & 31) * stride;
  }

  /** Where the scale of a row's code lies among the floats of its arena; its error lies `rowsPerBlock` after it. */
  codeScaleAt(slot: number): number {
    return ((this.blocks[(slot >>> 5) * 2 + 1] as number) + scalesFrom(this.stride)) / 4 + (slot & 31);
  }

  codeScaleOf(slot: number): number {
    const at = this.codeScaleAt(slot);
    return (this.arenas[this.arenaOf(slot)] as ArenaView).floatsUpTo(at * 4 + 4)[at] as number;
  }

  /** 1 / length of a row; 0 for a row of zeros. */
  inverseNormOf(slot: number): number {
    const at = (this.blocks[(slot >>> 5) * 2 + 1] as number) / 4 + (slot & 31);
    const arena = this.arenas[this.arenaOf(slot)] as ArenaView;
    return arena.floatsUpTo(at * 4 + 4)[at] as number;
  }

  /** The row itself, without padding: a window on shared memory, not a copy. */
  row(slot: number): Float32Array {
    const arena = this.arenas[this.arenaOf(slot)] as ArenaView;
    const start = this.addressOf(slot) / 4;
    return arena.floatsUpTo((start + this.stride) * 4).subarray(start, start + this.dims);
  }
}
