import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import type { ScopeView } from './scope-view.ts';

/** A file begins with what is in it, as JSON filled up with spaces. */
const headBytes = 4_096;
const version = 1;
/** Rows between two checksums. */
const rowsPerChunk = 1_024;

interface Head {
  readonly version: number;
  readonly label: string;
  readonly dims: number;
  readonly count: number;
}

/** Stands for the key of a row that was erased. */
const erasedKey = -1;

/** Keys as float64, rows as float32, then a checksum of both and four bytes of nothing. */
const chunkBytes = (rows: number, dims: number): number => rows * (8 + 4 * dims) + 8;

/** 32-bit FNV-1a over the words of a chunk. */
function checksumOf(words: Uint32Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < words.length; i += 1) hash = Math.imul(hash ^ (words[i] as number), 0x01000193);
  return hash >>> 0;
}

/**
 * Writes the vectors of a scope as they are. Nobody is kept waiting: what changes meanwhile is in the file as it was
 * or as it is now, and whoever reads the file asks for what has changed since anyway.
 */
export async function writeRows(file: string, label: string, view: () => ScopeView): Promise<void> {
  const aside = `${file}.${process.pid}.part`;
  const { dims } = view();
  const handle = await open(aside, 'w');
  try {
    const chunk = new Uint8Array(chunkBytes(rowsPerChunk, dims));
    let [count, position, slot] = [0, headBytes, 0];
    for (;;) {
      const filled = fill(chunk, view(), slot);
      if (filled.rows === 0) break;
      const bytes = chunkBytes(filled.rows, dims);
      await handle.write(chunk, 0, bytes, position);
      position += bytes;
      count += filled.rows;
      slot = filled.next;
    }
    const head: Head = { version, label, dims, count };
    await handle.write(JSON.stringify(head).padEnd(headBytes), 0, 'utf8');
    await handle.sync();
    await handle.close();
    await rename(aside, file);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(aside, { force: true });
    throw error;
  }
}

/** The next live rows from a slot on, with their checksum. */
function fill(chunk: Uint8Array, view: ScopeView, from: number): { rows: number; next: number } {
  const { dims } = view;
  const slots: number[] = [];
  let next = from;
  for (; next < view.blockCount * 32 && slots.length < rowsPerChunk; next += 1)
    if (view.isLive(next)) slots.push(next);
  const rows = slots.length;
  const keys = new Float64Array(chunk.buffer, 0, rows);
  const floats = new Float32Array(chunk.buffer, rows * 8, rows * dims);
  for (const [row, slot] of slots.entries()) {
    keys[row] = view.keys[slot] as number;
    floats.set(view.row(slot), row * dims);
  }
  const words = new Uint32Array(chunk.buffer, 0, rows * (2 + dims));
  new Uint32Array(chunk.buffer, words.byteLength, 2).set([checksumOf(words), 0]);
  return { rows, next };
}

/** What the file says of itself; undefined where there is none, or none that can be read. */
export async function labelOf(file: string, dims: number): Promise<string | undefined> {
  return reading(file, async (handle) => {
    const head = await headOf(handle);
    return head?.dims === dims ? head.label : undefined;
  });
}

/**
 * Reads rows, chunk by chunk, each of which is checked before it is handed on.
 *
 * @returns whether all of it was there
 */
export async function readRows(
  file: string,
  dims: number,
  take: (keys: Float64Array, rows: Float32Array) => void,
): Promise<boolean> {
  const isWhole = await reading(file, async (handle) => {
    const head = await headOf(handle);
    if (head?.dims !== dims) return false;
    const chunk = new Uint8Array(chunkBytes(rowsPerChunk, dims));
    for (let [left, position] = [head.count, headBytes]; left > 0; ) {
      const rows = Math.min(left, rowsPerChunk);
      const bytes = chunkBytes(rows, dims);
      if (!(await readWhole(handle, chunk, bytes, position))) return false;
      const words = new Uint32Array(chunk.buffer, 0, rows * (2 + dims));
      if (new Uint32Array(chunk.buffer, words.byteLength, 1)[0] !== checksumOf(words)) return false;
      const keys = new Float64Array(chunk.buffer, 0, rows);
      const vectors = new Float32Array(chunk.buffer, rows * 8, rows * dims);
      takeRuns(keys, vectors, dims, take);
      left -= rows;
      position += bytes;
    }
    return true;
  });
  return isWhole ?? false;
}

/** Hands on what lies between erased rows. */
function takeRuns(
  keys: Float64Array,
  vectors: Float32Array,
  dims: number,
  take: (keys: Float64Array, rows: Float32Array) => void,
): void {
  for (let from = 0; from < keys.length; ) {
    const gone = keys.indexOf(erasedKey, from);
    const until = gone < 0 ? keys.length : gone;
    if (until > from) take(keys.subarray(from, until), vectors.subarray(from * dims, until * dims));
    from = until + 1;
  }
}

/**
 * Overwrites rows with nothing, in place. Cut off in the middle, a chunk has another checksum than it says, and the file is
 * not believed any more.
 */
export async function eraseRows(file: string, gone: ReadonlySet<number>): Promise<void> {
  const work = async (handle: FileHandle) => {
    const head = await headOf(handle);
    if (!head) return;
    const { dims, count } = head;
    const chunk = new Uint8Array(chunkBytes(rowsPerChunk, dims));
    for (let [left, position] = [count, headBytes]; left > 0; ) {
      const rows = Math.min(left, rowsPerChunk);
      const bytes = chunkBytes(rows, dims);
      const keys = new Float64Array(chunk.buffer, 0, rows);
      if (!(await readWhole(handle, chunk, rows * 8, position))) return;
      if (keys.some((key) => gone.has(key))) {
        if (!(await readWhole(handle, chunk, bytes, position))) return;
        const words = new Uint32Array(chunk.buffer, 0, rows * (2 + dims));
        const checksum = new Uint32Array(chunk.buffer, words.byteLength, 1);
        // What was damaged before is not made to look whole.
        const isWhole = checksum[0] === checksumOf(words);
        for (const [row, key] of keys.entries()) {
          if (!gone.has(key)) continue;
          keys[row] = erasedKey;
          new Float32Array(chunk.buffer, (rows * 2 + row * dims) * 4, dims).fill(0);
        }
        if (isWhole) checksum[0] = checksumOf(words);
        await handle.write(chunk, 0, bytes, position);
      }
      left -= rows;
      position += bytes;
    }
    await handle.sync();
  };
  await reading(file, work, 'r+');
}

async function reading<T>(
  file: string,
  work: (handle: FileHandle) => Promise<T>,
  flags = 'r',
): Promise<T | undefined> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, flags);
    return await work(handle);
  } catch {
    return undefined;
  } finally {
    await handle?.close();
  }
}

async function headOf(handle: FileHandle): Promise<Head | undefined> {
  const bytes = new Uint8Array(headBytes);
  if (!(await readWhole(handle, bytes, headBytes, 0))) return undefined;
  const head = JSON.parse(new TextDecoder().decode(bytes)) as Head;
  return head.version === version ? head : undefined;
}

async function readWhole(
  handle: FileHandle,
  into: Uint8Array,
  bytes: number,
  position: number,
): Promise<boolean> {
  for (let done = 0; done < bytes; ) {
    const { bytesRead } = await handle.read(into, done, bytes - done, position + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}
