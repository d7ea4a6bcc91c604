/** How readers and writers see files. Who calls them decides what lies behind: a folder, an archive, a store. */

export interface FileEntry {
  readonly path: string;
  readonly size: number;
}

export interface RandomFile {
  readonly size: number;
  /** Bytes from start up to end; fewer only at the end of the file. */
  read(start: number, end: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A folder or an archive. Paths are relative with forward slashes; only listed ones can be opened. */
export interface FileTree {
  list(): Promise<readonly FileEntry[]>;
  stream(path: string): AsyncIterable<Uint8Array>;
  open(path: string): Promise<RandomFile>;
  close(): Promise<void>;
}

/** Where a writer puts its files, one after the other. */
export interface FileSink {
  add(path: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
  /** A place for what must wait until the rest is written. */
  spool(): Spool;
}

export interface Spool {
  write(bytes: Uint8Array): Promise<void>;
  read(): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

const encoder = new TextEncoder();
export const utf8 = (text: string): Uint8Array => encoder.encode(text);

/** All bytes of a file that must be small; reads no further than the limit. */
export async function readAll(tree: FileTree, path: string, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of tree.stream(path)) {
    size += chunk.length;
    if (size > maxBytes) throw new FileTooLarge(path, maxBytes);
    parts.push(chunk);
  }
  return concat(parts, size);
}

export async function readText(tree: FileTree, path: string, maxBytes = 64 * 2 ** 20): Promise<string> {
  return textOf(await readAll(tree, path, maxBytes));
}

/** UTF-8 with or without a mark; broken sequences become replacement characters. */
export const textOf = (bytes: Uint8Array): string => new TextDecoder('utf-8').decode(bytes);

export class FileTooLarge extends Error {
  override name = 'FileTooLarge';
  constructor(path: string, maxBytes: number) {
    super(`${path} is larger than ${maxBytes} bytes`);
  }
}

export function concat(parts: readonly Uint8Array[], size?: number): Uint8Array {
  if (parts.length === 1) return parts[0] as Uint8Array;
  const whole = new Uint8Array(size ?? parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A spool in memory, for small sets and for tests. */
export function memorySpool(): Spool {
  const parts: Uint8Array[] = [];
  return {
    async write(bytes) {
      parts.push(bytes);
    },
    async *read() {
      yield* parts;
    },
    async close() {
      parts.length = 0;
    },
  };
}

/** A folder in memory that can be written and then read. */
export function memoryFiles(): FileTree & FileSink & { readonly files: Map<string, Uint8Array> } {
  const files = new Map<string, Uint8Array>();
  const get = (path: string) => {
    const found = files.get(path);
    if (!found) throw new Error(`${path} is not there`);
    return found;
  };
  return {
    files,
    async list() {
      return [...files].map(([path, bytes]) => ({ path, size: bytes.length }));
    },
    async *stream(path) {
      yield get(path);
    },
    async open(path) {
      const bytes = get(path);
      return {
        size: bytes.length,
        read: async (start, end) => bytes.subarray(start, end),
        close: async () => {},
      };
    },
    close: async () => {},
    async add(path, chunks) {
      if (files.has(path)) throw new Error(`${path} is written twice`);
      const parts: Uint8Array[] = [];
      for await (const chunk of chunks) parts.push(chunk);
      files.set(path, concat(parts));
    },
    spool: memorySpool,
  };
}
