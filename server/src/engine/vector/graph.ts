import {
  exactSearch,
  type Ranked,
  rankExactly,
  type SlotFilter,
  spare,
  type Wanted,
} from './exact-search.ts';
import type { GraphLinks } from './graph-links.ts';
import { GraphWalk } from './graph-walk.ts';
import type { ScopeView } from './scope-view.ts';

/** Which vector stands behind each id of a graph, at the time the graph was made. */
export interface GraphRows {
  /** Slot per graph id; -1 where the vector is gone or has changed since. */
  slots: Int32Array;
  /** Writes seen per slot then; a slot written again since holds another vector. */
  births: Int32Array;
}

/** A walk that keeps fewer of the nearest in sight loses its way too often. */
const breadthMin = 32;

/** A loaded graph, together with what it does not know. */
export class Graph {
  readonly #rows: GraphRows;
  readonly #known: Int32Array;
  readonly #walk: GraphWalk;
  #seenChanges = -1;
  #seenBlocks = -1;
  #unknown: SlotFilter = new Int32Array(0);
  #unknownCount = 0;
  #share = 0;

  constructor(links: GraphLinks, view: ScopeView, rows: GraphRows) {
    this.#rows = rows;
    this.#walk = new GraphWalk(links, view, rows.slots);
    this.#known = new Int32Array(rows.births.length).fill(-1);
    for (const slot of rows.slots) if (slot >= 0) this.#known[slot] = rows.births[slot] as number;
  }

  /** Share of the scope's vectors, 0..1, that the graph knows as they are now. */
  shareOf(view: ScopeView): number {
    this.#catchUp(view);
    return this.#share;
  }

  /** @returns undefined when the walk leaves too few rows; then scan instead */
  search(view: ScopeView, wanted: Wanted, fetch: number, filter?: SlotFilter): Ranked | undefined {
    const ids = this.#walk.walk(view, wanted.query, Math.max(breadthMin, fetch));
    const found: number[] = [];
    for (const id of ids) {
      const slot = this.#rows.slots[id] ?? -1;
      if (slot >= 0 && this.#isKnown(view, slot) && view.isLive(slot) && allowed(filter, slot))
        found.push(slot);
      // Near enough to each other to change places when they are scored exactly.
      if (found.length === wanted.k + spare) break;
    }
    if (found.length < wanted.k) return undefined;
    this.#catchUp(view);
    if (this.#unknownCount > 0) {
      const rest = exactSearch(view, wanted, both(this.#unknown, filter));
      found.push(...rest.slots);
    }
    return rankExactly(view, wanted, Int32Array.from(new Set(found)));
  }

  #isKnown(view: ScopeView, slot: number): boolean {
    return slot < this.#known.length && this.#known[slot] === Atomics.load(view.births, slot);
  }

  #catchUp(view: ScopeView): void {
    const { changes, blockCount } = view;
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
    this.#share = live === 0 ? 0 : 1 - unknown / live;
  }
}

const allowed = (filter: SlotFilter | undefined, slot: number): boolean =>
  filter === undefined || (((filter[slot >>> 5] ?? 0) >>> (slot & 31)) & 1) === 1;

const both = (a: SlotFilter, b: SlotFilter | undefined): SlotFilter =>
  b === undefined ? a : a.map((word, block) => word & (b[block] ?? 0));
