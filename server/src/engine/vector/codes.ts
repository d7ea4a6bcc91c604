import { type ArenaView, rowsPerCall } from './arena.ts';
import { codeMost } from './scan-kernel.ts';
import { rowsPerBlock, type ScopeView, type SlotFilter } from './scope-view.ts';
import { Top } from './top.ts';

/**
 * A code is a row again, of 8 bits a number: a quarter of the bytes to read, and told how far it lies from the row.
 * So it can say which rows surely are not among the nearest.
 */
export function writeCode(view: ScopeView, slot: number, vector: Float32Array, norm: number): void {
  const { stride } = view;
  const arena = view.arenas[view.arenaOf(slot)] as ArenaView;
  const from = view.codeAddressOf(slot);
  const codes = arena.codesUpTo(from + stride);
  let most = 0;
  for (let i = 0; i < vector.length; i += 1) {
    const size = Math.abs(vector[i] as number);
    if (size > most) most = size;
  }
  const step = most / codeMost;
  const toCode = most > 0 ? codeMost / most : 0;
  let error = 0;
  for (let i = 0; i < vector.length; i += 1) {
    const value = vector[i] as number;
    // Rounds, as what is cut off is positive; Math.round takes four times as long.
    const code = ((value * toCode + 128.5) | 0) - 128;
    codes[from + i] = code;
    const rest = value - code * step;
    error += rest * rest;
  }
  codes.fill(0, from + vector.length, from + stride);
  const scaleAt = view.codeScaleAt(slot);
  const floats = arena.floatsUpTo((scaleAt + rowsPerBlock + 1) * 4);
  floats[scaleAt] = norm > 0 ? step / norm : 0;
  floats[scaleAt + rowsPerBlock] = norm > 0 ? Math.sqrt(error) / norm : 0;
}

/** What is rounded on the way to a cosine, in single precision, is less than this. */
const rounding = 2e-6;

/** Reads codes in batches, and tells between what bounds each cosine lies. */
class CodeScan {
  readonly #view: ScopeView;
  readonly #query: Float32Array;
  readonly #norm: number;
  readonly #top: Top;
  readonly #slots = new Int32Array(rowsPerCall);
  readonly #near: number[] = [];
  readonly #ceilings: number[] = [];
  #arena = -1;
  #count = 0;
  #seen = 0;
  /** Cosine of a dot product, once multiplied with the code's scale. */
  #scale = 0;
  /** What the query's rounding adds to an error, and by what the code's own is multiplied. */
  #queryError = 0;
  #codeShare = 0;
  readonly #loaded = new Set<number>();

  constructor(view: ScopeView, query: Float32Array, norm: number, k: number) {
    this.#view = view;
    this.#query = query;
    this.#norm = norm;
    this.#top = new Top(k, view.keys);
  }

  block(index: number, bits: number): void {
    const view = this.#view;
    const arena = view.blocks[index * 2] as number;
    if (arena !== this.#arena || this.#count + rowsPerBlock > rowsPerCall) this.flush();
    this.#arena = arena;
    const { list } = view.arenas[arena] as ArenaView;
    const codes = view.codeAddressOf(index * rowsPerBlock);
    const { stride } = view;
    let rest = bits;
    while (rest !== 0) {
      const row = 31 - Math.clz32(rest & -rest);
      rest &= rest - 1;
      list[this.#count] = codes + row * stride;
      this.#slots[this.#count] = index * rowsPerBlock + row;
      this.#count += 1;
    }
  }

  flush(): void {
    const count = this.#count;
    if (count === 0) return;
    this.#count = 0;
    this.#seen += count;
    const view = this.#view;
    const arena = view.arenas[this.#arena] as ArenaView;
    if (!this.#loaded.has(this.#arena)) this.#load(arena);
    arena.scoreCodes(count, view.stride);
    const { out } = arena;
    const slots = this.#slots;
    const top = this.#top;
    let block = -1;
    let scales = 0;
    let floats = arena.floatsUpTo(0);
    for (let i = 0; i < count; i += 1) {
      const slot = slots[i] as number;
      if (slot >>> 5 !== block) {
        block = slot >>> 5;
        scales = view.codeScaleAt(block * rowsPerBlock);
        floats = arena.floatsUpTo((scales + 2 * rowsPerBlock) * 4);
      }
      const at = scales + (slot & 31);
      const cosine = (out[i] as number) * (floats[at] as number) * this.#scale;
      const error = (floats[at + rowsPerBlock] as number) * this.#codeShare + this.#queryError;
      if (cosine + error < top.floor) continue;
      this.#near.push(slot);
      this.#ceilings.push(cosine + error);
      if (cosine - error >= top.floor) top.offer(slot, cosine - error);
    }
  }

  /** Whether the codes leave most of what was looked through, as among copies of one vector: then they only cost. */
  get isVain(): boolean {
    const { floor } = this.#top;
    let count = 0;
    for (const ceiling of this.#ceilings) if (ceiling >= floor) count += 1;
    return 2 * count > this.#seen;
  }

  /** Marks what may be among the nearest. */
  left(blocks: number): SlotFilter {
    const filter = new Int32Array(blocks);
    const { floor } = this.#top;
    for (const [i, slot] of this.#near.entries())
      if ((this.#ceilings[i] as number) >= floor)
        filter[slot >>> 5] = (filter[slot >>> 5] as number) | (1 << (slot & 31));
    return filter;
  }

  #load(arena: ArenaView): void {
    this.#loaded.add(this.#arena);
    const query = this.#query;
    const step = arena.setShortQuery(query, this.#view.stride);
    let error = 0;
    let short = 0;
    for (let i = 0; i < query.length; i += 1) {
      const value = (arena.shortQuery[i] as number) * step;
      short += value * value;
      error += ((query[i] as number) - value) ** 2;
    }
    this.#scale = step / this.#norm;
    // |q·r - q'·r'| <= |q'|·|r - r'| + |q - q'|·|r| (Cauchy and Schwarz).
    this.#codeShare = (1 + rounding) * Math.sqrt(short / this.#norm ** 2);
    this.#queryError = Math.sqrt(error) / this.#norm + rounding;
  }
}

/** So many blocks show whether the codes tell anything. */
const trialBlocks = 256;

/**
 * Those of the rows in `marked` among which the `k` nearest by cosine surely are: a few more than k where vectors lie
 * as vectors do, and all of them where the codes tell nothing.
 *
 * @param norm length of the query, more than 0
 */
export function mayBeNearest(
  view: ScopeView,
  query: Float32Array,
  norm: number,
  k: number,
  marked: SlotFilter,
): SlotFilter {
  const scan = new CodeScan(view, query, norm, k);
  let looked = 0;
  for (let block = 0; block < marked.length; block += 1) {
    const bits = marked[block] as number;
    if (bits === 0) continue;
    scan.block(block, bits);
    looked += 1;
    if (looked === trialBlocks) {
      scan.flush();
      if (scan.isVain) return marked;
    }
  }
  scan.flush();
  return scan.left(marked.length);
}
