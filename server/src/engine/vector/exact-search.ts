import type { Metric } from '#domain/vector-store.ts';
import { type ArenaView, rowsPerCall } from './arena.ts';
import { mayBeNearest } from './codes.ts';
import { normsBytes, type ScopeView, type SlotFilter } from './scope-view.ts';
import { Top } from './top.ts';

export type { Metric };

export interface Wanted {
  query: Float32Array;
  k: number;
  metric: Metric;
  /** Cosine: the smallest similarity kept. Euclidean: the largest distance kept. */
  minScore?: number | undefined;
}

export interface Ranked {
  slots: Int32Array;
  /** Cosine similarity (-1..1, larger is nearer) or euclidean distance (>= 0, smaller is nearer). */
  scores: Float64Array;
}

/**
 * Rows taken beyond k before scores are recomputed in double precision: the scan sums in single precision,
 * so rows closer than its rounding could otherwise be cut off in the wrong order.
 */
const spare = 16;

/** From so many blocks on it pays to look through the codes first. */
const codedBlocksMin = 32;

/** Marks the slots of candidate keys; keys without a vector are passed over. */
export function markCandidates(
  view: ScopeView,
  candidates: Float64Array,
): { filter: SlotFilter; count: number } {
  const filter = new Int32Array(view.blockCount);
  let count = 0;
  for (let i = 0; i < candidates.length; i += 1) {
    const slot = view.table.find(candidates[i] as number);
    const word = slot >>> 5;
    if (slot < 0 || word >= filter.length) continue;
    filter[word] = (filter[word] as number) | (1 << (slot & 31));
    count += 1;
  }
  return { filter, count };
}

/** Collects rows until a kernel call is worth it, then offers their scores. */
class Scan {
  readonly #view: ScopeView;
  readonly #wanted: Wanted;
  readonly #top: Top;
  readonly #slots = new Int32Array(rowsPerCall);
  readonly #queryScale: number;
  readonly #loaded = new Set<number>();
  #arena = -1;
  #count = 0;

  constructor(view: ScopeView, wanted: Wanted, top: Top) {
    this.#view = view;
    this.#wanted = wanted;
    this.#top = top;
    this.#queryScale = inverseNorm(wanted.query);
  }

  block(index: number, bits: number): void {
    const arena = this.#view.blocks[index * 2] as number;
    if (arena !== this.#arena || this.#count + 32 > rowsPerCall) this.flush();
    this.#arena = arena;
    const { list } = this.#view.arenas[arena] as ArenaView;
    const rowBytes = this.#view.stride * 4;
    const rows = (this.#view.blocks[index * 2 + 1] as number) + normsBytes;
    let rest = bits;
    while (rest !== 0) {
      const row = 31 - Math.clz32(rest & -rest);
      rest &= rest - 1;
      list[this.#count] = rows + row * rowBytes;
      this.#slots[this.#count] = index * 32 + row;
      this.#count += 1;
    }
  }

  flush(): void {
    if (this.#count === 0) return;
    const arena = this.#view.arenas[this.#arena] as ArenaView;
    if (!this.#loaded.has(this.#arena)) {
      arena.query.fill(0, 0, this.#view.stride).set(this.#wanted.query);
      this.#loaded.add(this.#arena);
    }
    arena.score(this.#wanted.metric, this.#count, this.#view.stride);
    const { out } = arena;
    if (this.#wanted.metric === 'cosine') this.#offerCosines(arena);
    else
      for (let i = 0; i < this.#count; i += 1) this.#top.offer(this.#slots[i] as number, -(out[i] as number));
    this.#count = 0;
  }

  #offerCosines(arena: ArenaView): void {
    for (let i = 0; i < this.#count; i += 1) {
      const slot = this.#slots[i] as number;
      const cosine = (arena.out[i] as number) * this.#view.inverseNormOf(slot) * this.#queryScale;
      if (cosine >= this.#top.floor) this.#top.offer(slot, cosine);
    }
  }
}

/** 1 / length of a vector, or 0 for one that is all zeros. */
const inverseNorm = (vector: Float32Array): number => {
  let sum = 0;
  for (let i = 0; i < vector.length; i += 1) sum += (vector[i] as number) ** 2;
  return sum > 0 ? 1 / Math.sqrt(sum) : 0;
};

/**
 * The exact nearest rows among all live ones, or among those marked in `filter`.
 *
 * @returns at most k rows, nearest first, equal scores by key
 */
export function exactSearch(view: ScopeView, wanted: Wanted, filter?: SlotFilter): Ranked {
  const live = liveOf(view, filter);
  const norm = Math.sqrt(squaredLength(wanted.query));
  const isCoded =
    wanted.metric === 'cosine' && norm > 0 && live.length >= codedBlocksMin && wanted.k < live.length;
  // What the codes cannot rule out is scanned whole, so the answer is the same to the bit.
  return scanWhole(view, wanted, isCoded ? mayBeNearest(view, wanted.query, norm, wanted.k, live) : live);
}

/**
 * Marks the slots that hold a vector, of all or of those in `filter`. Looked up once for a search: one that is removed
 * while it runs is then found and left out by whoever asked, who sees the gap.
 */
function liveOf(view: ScopeView, filter?: SlotFilter): SlotFilter {
  const live = new Int32Array(
    filter === undefined ? view.blockCount : Math.min(filter.length, view.blockCount),
  );
  for (let block = 0; block < live.length; block += 1) {
    const wanted = filter === undefined ? -1 : (filter[block] as number);
    if (wanted !== 0) live[block] = Atomics.load(view.live, block) & wanted;
  }
  return live;
}

function scanWhole(view: ScopeView, wanted: Wanted, marked: SlotFilter): Ranked {
  const limit = Math.min(wanted.k + spare, marked.length * 32);
  const top = new Top(limit, view.keys);
  const scan = new Scan(view, wanted, top);
  for (let block = 0; block < marked.length; block += 1) {
    const bits = marked[block] as number;
    if (bits !== 0) scan.block(block, bits);
  }
  scan.flush();
  return rankExactly(view, wanted, top.slots());
}

/** Scores the slots given in double precision, sorts them, and cuts at k and at the score wanted. */
export function rankExactly(view: ScopeView, wanted: Wanted, slots: Int32Array): Ranked {
  const { metric, minScore } = wanted;
  const { query } = wanted;
  const queryNorm = squaredLength(query);
  const scored = Array.from(slots, (slot) => ({
    slot,
    key: view.keys[slot] as number,
    score:
      metric === 'cosine'
        ? cosineOf(query, queryNorm, view.row(slot))
        : exactScore(query, view.row(slot), metric),
  }));
  const sign = metric === 'cosine' ? -1 : 1;
  scored.sort((a, b) => sign * (a.score - b.score) || a.key - b.key);
  const kept = scored
    .filter(
      (hit) =>
        minScore === undefined || (metric === 'cosine' ? hit.score >= minScore : hit.score <= minScore),
    )
    .slice(0, wanted.k);
  return {
    slots: Int32Array.from(kept, (hit) => hit.slot),
    scores: Float64Array.from(kept, (hit) => hit.score),
  };
}

/**
 * Cosine similarity (0 when either vector is all zeros) or euclidean distance, summed in double precision
 * in index order: the same vectors give the same bits on every path and machine.
 */
export function exactScore(query: Float32Array, row: Float32Array, metric: Metric): number {
  if (metric === 'euclidean') {
    let sum = 0;
    for (let i = 0; i < row.length; i += 1) {
      const difference = (query[i] as number) - (row[i] as number);
      sum += difference * difference;
    }
    return Math.sqrt(sum);
  }
  return cosineOf(query, squaredLength(query), row);
}

export function squaredLength(vector: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < vector.length; i += 1) {
    const value = vector[i] as number;
    sum += value * value;
  }
  return sum;
}

function cosineOf(query: Float32Array, queryNorm: number, row: Float32Array): number {
  let dot = 0;
  let rowNorm = 0;
  for (let i = 0; i < row.length; i += 1) {
    const a = query[i] as number;
    const b = row[i] as number;
    dot += a * b;
    rowNorm += b * b;
  }
  if (queryNorm === 0 || rowNorm === 0) return 0;
  return clampCosine(dot / Math.sqrt(queryNorm * rowNorm));
}

/**
 * Raw similarity of each candidate, in the order given; NaN where a key has no vector.
 * Summed in single precision: within about 1e-6 of `exactScore` for vectors of unit length.
 */
export function scoreEach(
  view: ScopeView,
  query: Float32Array,
  candidates: Float64Array,
  metric: Metric,
): Float32Array {
  const slots = Array.from(candidates, (key) => {
    const slot = view.table.find(key);
    return slot >>> 5 < view.live.length ? slot : -1;
  });
  return scoreSlots(view, query, slots, metric);
}

/** The same of slots; NaN for -1. */
export function scoreSlots(
  view: ScopeView,
  query: Float32Array,
  slots: readonly number[],
  metric: Metric,
): Float32Array {
  const scores = new Float32Array(slots.length).fill(Number.NaN);
  const scale = inverseNorm(query);
  const at = new Int32Array(rowsPerCall);
  view.arenas.forEach((arena, index) => {
    let count = 0;
    let loaded = false;
    const flush = () => {
      if (count === 0) return;
      if (!loaded) arena.query.fill(0, 0, view.stride).set(query);
      loaded = true;
      arena.score(metric, count, view.stride);
      for (let i = 0; i < count; i += 1) {
        const raw = arena.out[i] as number;
        scores[at[i] as number] =
          metric === 'cosine'
            ? clampCosine(raw * scale * view.inverseNormOf(slots[at[i] as number] as number))
            : Math.sqrt(raw);
      }
      count = 0;
    };
    for (let i = 0; i < slots.length; i += 1) {
      const slot = slots[i] as number;
      if (slot < 0 || view.arenaOf(slot) !== index) continue;
      arena.list[count] = view.addressOf(slot);
      at[count] = i;
      count += 1;
      if (count === rowsPerCall) flush();
    }
    flush();
  });
  return scores;
}

const clampCosine = (value: number): number => Math.max(-1, Math.min(1, value));
