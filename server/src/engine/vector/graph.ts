import { exactSearch, type Ranked, rankExactly, scoreSlots, type Wanted } from './exact-search.ts';
import type { GraphLinks } from './graph-links.ts';
import { GraphWalk, type Places, placesOf } from './graph-walk.ts';
import type { ScopeView, SlotFilter } from './scope-view.ts';

/** Which vector stands behind each id of a graph, at the time the graph was made. */
export interface GraphRows {
  /** Slot per graph id; -1 where the vector is gone or has changed since. */
  slots: Int32Array;
  /** Writes seen per slot then; a slot written again since holds another vector. */
  births: Int32Array;
}

/** A graph as threads share it. */
export interface SharedGraph {
  readonly places: Places;
  /** Slot per graph id, -1 where there is none. */
  readonly slots: Int32Array;
  /** Per slot how often it had been written when it got its vector; -1 where the graph knows none of it. */
  readonly known: Int32Array;
}

export function sharedGraph(links: GraphLinks, view: ScopeView, rows: GraphRows): SharedGraph {
  const known = new Int32Array(new SharedArrayBuffer(rows.births.length * 4)).fill(-1);
  const slots = new Int32Array(new SharedArrayBuffer(rows.slots.length * 4));
  slots.set(rows.slots);
  for (const slot of slots) if (slot >= 0) known[slot] = rows.births[slot] as number;
  return { places: placesOf(links, view, slots), slots, known };
}

/** A walk that keeps fewer of the nearest in sight loses its way too often. */
const breadthMin = 36;
/** Cosines that are summed in single precision are right to far less than this. */
const rounding = 5e-5;
/** Rows that a walk looks at for each one that it keeps in sight, about. */
const rowsPerBreadth = 12;

/** A loaded graph, together with what it does not know. */
export class Graph {
  readonly #slots: Int32Array;
  readonly #known: Int32Array;
  readonly #walk: GraphWalk;
  #seenChanges = -1;
  #seenBlocks = -1;
  #unknown: SlotFilter = new Int32Array(0);
  #unknownCount = 0;
  #live = 0;
  #isFollowed = false;

  constructor({ places, slots, known }: SharedGraph) {
    this.#slots = slots;
    this.#known = known;
    this.#walk = new GraphWalk(places);
  }

  /** From now on the writer tells of every change, and nothing is looked through for it any more. */
  follow(view: ScopeView): void {
    this.#catchUp(view);
    this.#isFollowed = true;
  }

  written(slot: number): void {
    const block = slot >>> 5;
    if (block >= this.#unknown.length) {
      const larger = new Int32Array(Math.max(block + 1, this.#unknown.length * 2));
      larger.set(this.#unknown);
      this.#unknown = larger;
    }
    this.#unknown[block] = (this.#unknown[block] as number) | (1 << (slot & 31));
    this.#unknownCount += 1;
  }

  gone(slot: number): void {
    const bits = this.#unknown[slot >>> 5] ?? 0;
    if (((bits >>> (slot & 31)) & 1) === 0) return;
    this.#unknown[slot >>> 5] = bits & ~(1 << (slot & 31));
    this.#unknownCount -= 1;
  }

  /** Rows that a search looks at, about. */
  costOf(view: ScopeView, fetch: number): number {
    this.#catchUp(view);
    return Math.max(breadthMin, fetch) * rowsPerBreadth + this.#unknownCount;
  }

  /** Share of the scope's vectors, 0..1, that the graph knows as they are now. */
  shareOf(view: ScopeView): number {
    this.#catchUp(view);
    const live = this.#isFollowed ? view.size : this.#live;
    return live === 0 ? 0 : 1 - this.#unknownCount / live;
  }

  /** @returns undefined when the walk leaves too few rows; then scan instead */
  search(view: ScopeView, wanted: Wanted, fetch: number, filter?: SlotFilter): Ranked | undefined {
    const ids = this.#walk.walk(view, wanted.query, Math.max(breadthMin, fetch));
    const found: number[] = [];
    for (const id of ids) {
      const slot = this.#slots[id] ?? -1;
      if (slot < 0 || !this.#isKnown(view, slot) || !view.isLive(slot) || !allowed(filter, slot)) continue;
      found.push(slot);
    }
    if (found.length < wanted.k) return undefined;
    const nearest = nearestOf(view, wanted, found);
    this.#catchUp(view);
    if (this.#unknownCount === 0) return rankExactly(view, wanted, Int32Array.from(nearest));
    const rest = exactSearch(view, wanted, both(this.#unknown, filter));
    return rankExactly(view, wanted, Int32Array.from(new Set([...nearest, ...rest.slots])));
  }

  #isKnown(view: ScopeView, slot: number): boolean {
    return slot < this.#known.length && this.#known[slot] === Atomics.load(view.births, slot);
  }

  #catchUp(view: ScopeView): void {
    const { changes, blockCount } = view;
    if (this.#isFollowed) return;
    if (changes === this.#seenChanges && blockCount === this.#seenBlocks) return;
    this.#seenChanges = changes;
    this.#seenBlocks = blockCount;
    this.#unknown = new Int32Array(blockCount);
    let live = 0;
    let unknown = 0;
    for (let block = 0; block < blockCount; block += 1) {
      let rest = Atomics.load(view.live, block);
      while (rest !== 0) {
        const bit = rest & -rest;
        rest &= rest - 1;
        live += 1;
        if (this.#isKnown(view, block * 32 + 31 - Math.clz32(bit))) continue;
        this.#unknown[block] = (this.#unknown[block] as number) | bit;
        unknown += 1;
      }
    }
    this.#unknownCount = unknown;
    this.#live = live;
  }
}

/** The `k` nearest by cosine, summed in single precision, and those that rounding might have put behind them. */
function nearestOf(view: ScopeView, { query, k }: Wanted, slots: readonly number[]): number[] {
  const scores = scoreSlots(view, query, slots, 'cosine');
  const last = Float32Array.from(scores).sort()[slots.length - k] as number;
  return slots.filter((_, i) => !((scores[i] as number) < last - rounding));
}

const allowed = (filter: SlotFilter | undefined, slot: number): boolean =>
  filter === undefined || (((filter[slot >>> 5] ?? 0) >>> (slot & 31)) & 1) === 1;

const both = (a: SlotFilter, b: SlotFilter | undefined): SlotFilter =>
  b === undefined ? a : a.map((word, block) => word & (b[block] ?? 0));
