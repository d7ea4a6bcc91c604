import { inflateRawSync } from 'node:zlib';
import {
  concat,
  type FileEntry,
  type FileTree,
  memorySpool,
  type RandomFile,
  type Spool,
  textOf,
} from './files.ts';
import { crc32 } from './png.ts';
import { end64Mark, endMark, entryMark, localMark, locatorMark } from './zip-marks.ts';

/** ZIP archives, read in any order; ZIP64 where the sizes ask for it. */

export class ZipBroken extends Error {
  override name = 'ZipBroken';
}

export interface ZipLimits {
  /** Entries in the archive. */
  readonly entriesMax: number;
  /** Bytes of all entries together, unpacked. */
  readonly bytesMax: number;
  /** How many times larger than packed an entry may be. */
  readonly ratioMax: number;
}

export const zipLimits: ZipLimits = { entriesMax: 5_000_000, bytesMax: 2 ** 43, ratioMax: 1_100 };

interface Entry extends FileEntry {
  readonly packed: number;
  readonly method: number;
  readonly header: number;
  readonly crc: number;
}

/**
 * An archive as a tree. Folders, links and encrypted entries are passed over.
 *
 * @param spool for entries that must be read in any order although they are packed
 * @throws ZipBroken for what is no archive, or one larger than the limits
 */
export async function openZip(
  file: RandomFile,
  {
    limits = zipLimits,
    spool = memorySpool,
  }: { limits?: ZipLimits; spool?: () => Spool & Partial<Rereadable> } = {},
): Promise<FileTree> {
  const entries = await readDirectory(file, limits);
  const find = (path: string): Entry => {
    const entry = entries.get(path);
    if (!entry) throw new ZipBroken(`${path} is not in the archive`);
    return entry;
  };
  return {
    list: async () => [...entries.values()].map(({ path, size }) => ({ path, size })),
    stream: (path) => unpack(file, find(path)),
    async open(path) {
      const entry = find(path);
      if (entry.method === 0) return window(file, await dataStart(file, entry), entry.size);
      const kept = spool();
      for await (const chunk of unpack(file, entry)) await kept.write(chunk);
      return kept.reread ? await kept.reread() : await inMemory(kept);
    },
    close: () => file.close(),
  };
}

/** A spool that can be read in any order once it is full. */
export interface Rereadable {
  reread(): Promise<RandomFile>;
}

async function inMemory(spool: Spool): Promise<RandomFile> {
  const parts: Uint8Array[] = [];
  for await (const part of spool.read()) parts.push(part);
  const bytes = concat(parts);
  return {
    size: bytes.length,
    read: async (start, end) => bytes.subarray(start, end),
    close: () => spool.close(),
  };
}

const window = (file: RandomFile, from: number, size: number): RandomFile => ({
  size,
  read: (start, end) => file.read(from + Math.min(start, size), from + Math.min(end, size)),
  close: async () => {},
});

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const big = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

async function findDirectory(file: RandomFile): Promise<{ start: number; size: number; count: number }> {
  const from = Math.max(0, file.size - 65_557);
  const tail = await file.read(from, file.size);
  const view = viewOf(tail);
  for (let at = tail.length - 22; at >= 0; at--) {
    if (view.getUint32(at, true) !== endMark) continue;
    const found = {
      count: view.getUint16(at + 10, true),
      size: view.getUint32(at + 12, true),
      start: view.getUint32(at + 16, true),
    };
    const isLarge = found.count === 0xffff || found.size === 0xffffffff || found.start === 0xffffffff;
    if (!isLarge || at < 20 || view.getUint32(at - 20, true) !== locatorMark) return found;
    const end64 = big(view, at - 12);
    const bytes = await file.read(end64, end64 + 56);
    if (bytes.length < 56 || viewOf(bytes).getUint32(0, true) !== end64Mark)
      throw new ZipBroken('the directory of the archive is broken');
    return { count: big(viewOf(bytes), 32), size: big(viewOf(bytes), 40), start: big(viewOf(bytes), 48) };
  }
  throw new ZipBroken('the file is no ZIP archive, or its end is missing');
}

async function readDirectory(file: RandomFile, limits: ZipLimits): Promise<Map<string, Entry>> {
  const { start, size, count } = await findDirectory(file);
  if (count > limits.entriesMax)
    throw new ZipBroken(`the archive has ${count} entries; at most ${limits.entriesMax} are read`);
  if (start + size > file.size) throw new ZipBroken('the directory of the archive lies outside of it');
  const entries = new Map<string, Entry>();
  let total = 0;
  const block = 1 << 20;
  let held: Uint8Array = new Uint8Array();
  let next = start;
  const end = start + size;
  for (let i = 0; i < count; i++) {
    // The largest entry of a directory is three times 64 kB and its head.
    if (held.length < 200_000 && next < end) {
      const more = await file.read(next, Math.min(end, next + block));
      next += more.length;
      held = concat([held, more]);
    }
    const { entry, length } = readEntry(held);
    held = held.subarray(length);
    if (!entry) continue;
    if (entry.size > 1 << 20 && entry.size > entry.packed * limits.ratioMax)
      throw new ZipBroken(`${entry.path} unpacks to more than ${limits.ratioMax} times its size`);
    total += entry.size;
    if (total > limits.bytesMax)
      throw new ZipBroken(`the archive unpacks to more than ${limits.bytesMax} bytes`);
    if (!entries.has(entry.path)) entries.set(entry.path, entry);
  }
  return entries;
}

function readEntry(held: Uint8Array): { entry: Entry | undefined; length: number } {
  const view = viewOf(held);
  if (held.length < 46 || view.getUint32(0, true) !== entryMark)
    throw new ZipBroken('the directory of the archive is broken');
  const [nameSize, extraSize, noteSize] = [
    view.getUint16(28, true),
    view.getUint16(30, true),
    view.getUint16(32, true),
  ];
  const length = 46 + nameSize + extraSize + noteSize;
  if (held.length < length) throw new ZipBroken('the directory of the archive is broken');
  // Some tools put `./` before every name.
  const path = textOf(held.subarray(46, 46 + nameSize))
    .replaceAll('\\', '/')
    .replace(/^(\.\/+)+/, '');
  const wide = wideFields(view, 46 + nameSize, extraSize);
  const sizeOf = (value: number) => (value === 0xffffffff ? wide() : value);
  const size = sizeOf(view.getUint32(24, true));
  const packed = sizeOf(view.getUint32(20, true));
  const header = sizeOf(view.getUint32(42, true));
  const isEncrypted = (view.getUint16(8, true) & 1) === 1;
  const isLink = (view.getUint16(40, true) & 0xf000) === 0xa000;
  const method = view.getUint16(10, true);
  const isFile =
    path !== '' && !path.endsWith('/') && !isEncrypted && !isLink && (method === 0 || method === 8);
  const crc = view.getUint32(16, true);
  return { entry: isFile ? { path, size, packed, header, method, crc } : undefined, length };
}

/** Hands out the long numbers of the ZIP64 field in their order. */
function wideFields(view: DataView, start: number, size: number): () => number {
  for (let at = start; at + 4 <= start + size; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    let next = at + 4;
    return () => {
      if (next + 8 > start + size) throw new ZipBroken('the directory of the archive is broken');
      next += 8;
      return big(view, next - 8);
    };
  }
  return () => {
    throw new ZipBroken('the directory of the archive is broken');
  };
}

async function dataStart(file: RandomFile, { header, path }: Entry): Promise<number> {
  const head = await file.read(header, header + 30);
  if (head.length < 30 || viewOf(head).getUint32(0, true) !== localMark)
    throw new ZipBroken(`${path} is broken in the archive`);
  return header + 30 + viewOf(head).getUint16(26, true) + viewOf(head).getUint16(28, true);
}

/** Entries up to this size are unpacked at once. */
const wholeMax = 32 * 2 ** 20;

async function* unpack(file: RandomFile, entry: Entry): AsyncGenerator<Uint8Array> {
  const start = await dataStart(file, entry);
  if (entry.method === 8 && entry.size <= wholeMax) {
    yield unpackWhole(entry, await file.read(start, start + entry.packed));
    return;
  }
  const blocks =
    entry.method === 0 ? blocksOf(file, start, entry.packed) : inflate(blocksOf(file, start, entry.packed));
  let crc = 0;
  let size = 0;
  for await (const block of blocks) {
    crc = crc32(block, crc);
    size += block.length;
    if (size > entry.size) throw new ZipBroken(`${entry.path} is longer than the archive says`);
    yield block;
  }
  if (crc !== entry.crc || size !== entry.size)
    throw new ZipBroken(`${entry.path} does not have the checksum that the archive says`);
}

function unpackWhole(entry: Entry, packed: Uint8Array): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.size) });
  } catch {
    throw new ZipBroken(`${entry.path} is broken in the archive`);
  }
  if (bytes.length !== entry.size || crc32(bytes) !== entry.crc)
    throw new ZipBroken(`${entry.path} does not have the checksum that the archive says`);
  return bytes;
}

async function* blocksOf(file: RandomFile, start: number, size: number): AsyncGenerator<Uint8Array> {
  const block = 256 * 1024;
  for (let at = 0; at < size; at += block)
    yield await file.read(start + at, start + Math.min(size, at + block));
}

async function* inflate(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { createInflateRaw } = await import('node:zlib');
  const stream = createInflateRaw();
  const feeding = (async () => {
    for await (const block of blocks) {
      if (!stream.write(block)) await new Promise((resolve) => stream.once('drain', resolve));
    }
    stream.end();
  })();
  feeding.catch((error) => stream.destroy(error));
  for await (const chunk of stream) yield chunk as Uint8Array;
  await feeding;
}
