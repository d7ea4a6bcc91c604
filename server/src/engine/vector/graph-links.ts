import { closeSync, openSync, readSync } from 'node:fs';

/** Links of each node at the bottom of a graph, and at each level above it. */
export const linksPerNode = 32;
export const linksAbove = 16;

/** Who is near whom, by graph id: a hierarchy of graphs, the lowest of which has every node. No vectors. */
export interface GraphLinks {
  readonly count: number;
  /** Where every walk begins: a node of the highest level. */
  readonly entry: number;
  readonly levels: number;
  /** int32 [count, linksPerNode]; -1 after the last. */
  readonly base: Int32Array;
  /** Where the links of a node above the bottom begin in `above`; -1 where it has none. */
  readonly aboveAt: Int32Array;
  /** For each such node how many levels it has above the bottom, then int32 [levels, linksAbove], the lowest first. */
  readonly above: Int32Array;
}

const magic = 0x466f4731;
const headWords = 8;

export function packLinks({ count, entry, levels, base, aboveAt, above }: GraphLinks): Uint8Array {
  const words = new Int32Array(headWords + base.length + aboveAt.length + above.length);
  words.set([magic, linksPerNode, linksAbove, count, entry, levels, above.length]);
  words.set(base, headWords);
  words.set(aboveAt, headWords + base.length);
  words.set(above, headWords + base.length + aboveAt.length);
  return new Uint8Array(words.buffer);
}

/**
 * The links in a file's bytes, every one of them checked: a walk can then go nowhere else.
 *
 * @param bytes at a multiple of four in their buffer
 * @throws Error when they are no links, or do not fit together
 */
export function unpackLinks(bytes: Uint8Array): GraphLinks {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  const [kind, wide, narrow, count = 0, entry = 0, levels = 0, aboveWords = 0] = words;
  const total = headWords + count * (linksPerNode + 1) + aboveWords;
  if (kind !== magic || wide !== linksPerNode || narrow !== linksAbove || bytes.byteLength !== total * 4)
    throw new Error('this is no file of links');
  const base = words.subarray(headWords, headWords + count * linksPerNode);
  const aboveAt = words.subarray(headWords + base.length, headWords + base.length + count);
  const above = words.subarray(headWords + base.length + count);
  const links: GraphLinks = { count, entry, levels, base, aboveAt, above };
  if (!isSound(links)) throw new Error('links lead out of the graph');
  return links;
}

function isSound({ count, entry, levels, base, aboveAt, above }: GraphLinks): boolean {
  const isNode = (id: number) => id >= -1 && id < count;
  if (entry < 0 || entry >= count || levels < 0) return false;
  if (!base.every(isNode)) return false;
  const levelsOf = (id: number) => (aboveAt[id] === -1 ? 0 : (above[aboveAt[id] as number] ?? 0));
  if (levelsOf(entry) < levels) return false;
  for (let id = 0; id < count; id += 1) {
    const at = aboveAt[id] as number;
    if (at === -1) continue;
    const end = at + 1 + levelsOf(id) * linksAbove;
    if (at < 0 || levelsOf(id) < 1 || end > above.length) return false;
    for (let i = at + 1; i < end; i += 1) {
      const other = above[i] as number;
      // Whoever is linked at a level has links of its own there.
      if (!isNode(other) || (other >= 0 && levelsOf(other) <= Math.floor((i - at - 1) / linksAbove)))
        return false;
    }
  }
  return true;
}

/**
 * Reads the links out of a file that usearch 2.25 has saved: the vectors, 64 bytes about them, 40 bytes about the
 * graph, a level for each node, and then the nodes: key, level, and for each level a count and the links
 * (index_dense.hpp and index.hpp of the package).
 *
 * @throws Error where the file is of another form
 */
export function linksOfUsearch(file: string): GraphLinks {
  const handle = openSync(file, 'r');
  try {
    const readAt = (position: number, length: number): DataView => {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const read = readSync(handle, bytes, done, Math.min(length - done, 1 << 30), position + done);
        if (read === 0) throw new Error('the graph file is cut short');
        done += read;
      }
      return new DataView(bytes.buffer);
    };
    const sizes = readAt(0, 8);
    const [rows, rowBytes] = [sizes.getUint32(0, true), sizes.getUint32(4, true)];
    const headAt = 8 + rows * rowBytes;
    const head = readAt(headAt, 104);
    if (Array.from('usearch').some((letter, i) => head.getUint8(i) !== letter.charCodeAt(0)))
      throw new Error('the graph file is of another form');
    const wordAt = (i: number) => Number(head.getBigUint64(64 + 8 * i, true));
    const [count, narrow, wide, levels, entrySlot] = [0, 1, 2, 3, 4].map(wordAt) as [
      number,
      number,
      number,
      number,
      number,
    ];
    if (narrow !== linksAbove || wide !== linksPerNode)
      throw new Error('the graph has another number of links');
    const levelOf = readAt(headAt + 104, 2 * count);
    return readNodes(readAt, headAt + 104 + 2 * count, levelOf, { count, levels, entrySlot });
  } finally {
    closeSync(handle);
  }
}

function readNodes(
  readAt: (position: number, length: number) => DataView,
  from: number,
  levelOf: DataView,
  { count, levels, entrySlot }: { count: number; levels: number; entrySlot: number },
): GraphLinks {
  const base = new Int32Array(count * linksPerNode).fill(-1);
  const aboveAt = new Int32Array(count).fill(-1);
  const levelsOf = (slot: number) => levelOf.getInt16(2 * slot, true);
  const baseBytes = 10 + 4 + 4 * linksPerNode;
  const levelBytes = 4 + 4 * linksAbove;
  // Links name nodes by their place in the file; keys are the ids.
  const idOf = new Int32Array(count);
  const positions = new Float64Array(count + 1);
  positions[0] = from;
  let aboveWords = 0;
  for (let slot = 0; slot < count; slot += 1) {
    positions[slot + 1] = (positions[slot] as number) + baseBytes + levelsOf(slot) * levelBytes;
    aboveWords += levelsOf(slot) > 0 ? 1 + levelsOf(slot) * linksAbove : 0;
  }
  const above = new Int32Array(aboveWords).fill(-1);
  const nodesAtOnce = 4_096;
  const eachNode = (work: (node: DataView, slot: number) => void) => {
    for (let first = 0; first < count; first += nodesAtOnce) {
      const last = Math.min(count, first + nodesAtOnce);
      const at = positions[first] as number;
      const some = readAt(at, (positions[last] as number) - at);
      for (let slot = first; slot < last; slot += 1)
        work(new DataView(some.buffer, (positions[slot] as number) - at), slot);
    }
  };
  eachNode((node, slot) => {
    const id = Number(node.getBigUint64(0, true));
    if (id >= count) throw new Error('the graph names a node that is not there');
    idOf[slot] = id;
  });
  const copy = (node: DataView, at: number, most: number, to: Int32Array, place: number) => {
    const found = node.getUint32(at, true);
    if (found > most) throw new Error('a node has more links than there is room for');
    for (let i = 0; i < found; i += 1) to[place + i] = idOf[node.getUint32(at + 4 + 4 * i, true)] ?? -1;
  };
  let next = 0;
  eachNode((node, slot) => {
    const id = idOf[slot] as number;
    copy(node, 10, linksPerNode, base, id * linksPerNode);
    if (levelsOf(slot) === 0) return;
    aboveAt[id] = next;
    above[next] = levelsOf(slot);
    for (let level = 0; level < levelsOf(slot); level += 1)
      copy(node, baseBytes + level * levelBytes, linksAbove, above, next + 1 + level * linksAbove);
    next += 1 + levelsOf(slot) * linksAbove;
  });
  return { count, entry: idOf[entrySlot] ?? -1, levels, base, aboveAt, above };
}
