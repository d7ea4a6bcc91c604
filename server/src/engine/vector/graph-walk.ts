import { type ArenaView, rowsPerCall } from './arena.ts';
import { type GraphLinks, linksAbove, linksPerNode } from './graph-links.ts';
import { Heap } from './heap.ts';
import { normsBytes, type ScopeView } from './scope-view.ts';

/** A graph, and where the code of each of its nodes lies: rows never move. In shared memory, for all who walk. */
export interface Places {
  readonly links: GraphLinks;
  /** By graph id. */
  readonly address: Int32Array;
  readonly arena: Uint8Array;
  /** Of each code, as it was when the graph was opened; NaN where there is no row. */
  readonly scale: Float32Array;
}

/** @param slots by graph id, -1 where the vector is gone */
export function placesOf(links: GraphLinks, view: ScopeView, slots: Int32Array): Places {
  const { count } = links;
  const address = new Int32Array(new SharedArrayBuffer(count * 4));
  const arena = new Uint8Array(new SharedArrayBuffer(count));
  const scale = new Float32Array(new SharedArrayBuffer(count * 4)).fill(Number.NaN);
  for (let id = 0; id < count; id += 1) {
    const slot = slots[id] as number;
    if (slot < 0) continue;
    address[id] = view.codeAddressOf(slot);
    arena[id] = view.arenaOf(slot);
    scale[id] = view.codeScaleOf(slot);
  }
  return { links, address, arena, scale };
}

/**
 * Finds near vectors by walking from neighbour to neighbour (HNSW, Malkov and Yashunin 2016), over the codes of the
 * vectors where they lie. A node whose row was given up since leads by whatever lies there now; whoever asks
 * leaves such rows out of what is found.
 */
export class GraphWalk {
  readonly #links: GraphLinks;
  readonly #address: Int32Array;
  readonly #arena: Uint8Array;
  readonly #scale: Float32Array;
  /** One bit for each node that was looked at; empty between walks. */
  readonly #seen: Int32Array;
  /** What was looked at in this walk, so that the bits can be taken back. */
  #touched = new Int32Array(1_024);
  #touchedCount = 0;
  readonly #ahead = new Heap();
  readonly #best = new Heap();
  readonly #batch = new Int32Array(rowsPerCall);
  readonly #scores = new Float64Array(rowsPerCall);

  constructor({ links, address, arena, scale }: Places) {
    this.#links = links;
    this.#address = address;
    this.#arena = arena;
    this.#scale = scale;
    this.#seen = new Int32Array((links.count + 31) >>> 5);
  }

  /** @returns graph ids of about the `breadth` nearest by cosine, nearest first as their codes say */
  walk(view: ScopeView, query: Float32Array, breadth: number): Int32Array {
    for (const arena of view.arenas) arena.setShortQuery(query, view.stride);
    this.#ahead.clear();
    this.#best.clear();
    let at = this.#links.entry;
    let score = this.#scoreOf(view, at);
    for (let level = this.#links.levels; level > 0; level -= 1)
      [at, score] = this.#descend(view, at, score, level);
    this.#look(at);
    if (Number.isFinite(score)) this.#keep(at, score, breadth);
    // A node without a row says nothing, but leads on.
    else this.#ahead.push(at, 0);
    while (this.#ahead.size > 0) {
      // The heap has the least on top: scores ahead are held negated.
      const reach = -this.#ahead.topScore;
      const nearest = this.#ahead.pop();
      if (this.#best.size >= breadth && reach < this.#best.topScore) break;
      this.#expand(view, nearest, breadth);
    }
    for (let i = 0; i < this.#touchedCount; i += 1) this.#seen[(this.#touched[i] as number) >>> 5] = 0;
    this.#touchedCount = 0;
    return this.#best.drained().ids;
  }

  /** The nearest node of a level that can be reached by going nearer with every step. */
  #descend(view: ScopeView, from: number, fromScore: number, level: number): [number, number] {
    const { aboveAt, above } = this.#links;
    let [at, score] = [from, fromScore];
    for (;;) {
      const first = (aboveAt[at] as number) + 1 + (level - 1) * linksAbove;
      let count = 0;
      for (let i = 0; i < linksAbove; i += 1) {
        const id = above[first + i] as number;
        if (id < 0) break;
        this.#batch[count++] = id;
      }
      this.#score(view, count);
      let next = -1;
      for (let i = 0; i < count; i += 1) {
        if (!((this.#scores[i] as number) > score)) continue;
        score = this.#scores[i] as number;
        next = this.#batch[i] as number;
      }
      if (next < 0) return [at, score];
      at = next;
    }
  }

  #expand(view: ScopeView, node: number, breadth: number): void {
    const { base } = this.#links;
    const batch = this.#batch;
    let count = 0;
    for (let i = node * linksPerNode; i < (node + 1) * linksPerNode; i += 1) {
      const id = base[i] as number;
      if (id < 0) break;
      if (this.#look(id)) batch[count++] = id;
    }
    this.#score(view, count);
    for (let i = 0; i < count; i += 1) this.#keep(batch[i] as number, this.#scores[i] as number, breadth);
  }

  /** @returns whether the node is seen for the first time */
  #look(id: number): boolean {
    const word = id >>> 5;
    const bit = 1 << (id & 31);
    const known = this.#seen[word] as number;
    if ((known & bit) !== 0) return false;
    this.#seen[word] = known | bit;
    if (this.#touchedCount === this.#touched.length) {
      const larger = new Int32Array(this.#touched.length * 2);
      larger.set(this.#touched);
      this.#touched = larger;
    }
    this.#touched[this.#touchedCount++] = id;
    return true;
  }

  #keep(id: number, score: number, breadth: number): void {
    if (this.#best.size >= breadth) {
      // Also where the score is none at all.
      if (!(score > this.#best.topScore)) return;
      this.#best.replaceTop(id, score);
    } else if (Number.isFinite(score)) this.#best.push(id, score);
    else return;
    this.#ahead.push(id, -score);
  }

  #scoreOf(view: ScopeView, id: number): number {
    this.#batch[0] = id;
    this.#score(view, 1);
    return Number.isNaN(this.#scores[0]) ? Number.NEGATIVE_INFINITY : (this.#scores[0] as number);
  }

  /** Scores the first `count` nodes of the batch; NaN where there is no row. */
  #score(view: ScopeView, count: number): void {
    if (count === 0) return;
    const { arenas, stride } = view;
    const [batch, scores, address, scale] = [this.#batch, this.#scores, this.#address, this.#scale];
    if (arenas.length === 1) {
      const arena = arenas[0] as ArenaView;
      const { list, out } = arena;
      for (let i = 0; i < count; i += 1) list[i] = address[batch[i] as number] || normsBytes;
      arena.scoreCodes(count, stride);
      for (let i = 0; i < count; i += 1)
        scores[i] = (out[i] as number) * (scale[batch[i] as number] as number);
      return;
    }
    for (let index = 0; index < arenas.length; index += 1) {
      const arena = arenas[index] as ArenaView;
      const { list, out } = arena;
      let own = 0;
      for (let i = 0; i < count; i += 1)
        if (this.#arena[batch[i] as number] === index)
          list[own++] = address[batch[i] as number] || normsBytes;
      if (own === 0) continue;
      arena.scoreCodes(own, stride);
      for (let i = 0, n = 0; i < count; i += 1) {
        const id = batch[i] as number;
        if (this.#arena[id] === index) scores[i] = (out[n++] as number) * (scale[id] as number);
      }
    }
  }
}
