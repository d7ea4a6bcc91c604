import { Buffer } from 'node:buffer';
import { EntryFault } from './extraction.ts';

const blockBytes = 512;

export interface TarHeader {
  readonly path: string;
  readonly sizeBytes: number;
  /** One letter; '0' and '' are files, '5' folders. */
  readonly type: string;
}

function textAt(block: Buffer, at: number, length: number): string {
  const end = block.indexOf(0, at);
  return block.toString('utf8', at, end < 0 || end > at + length ? at + length : end);
}

/** Octal digits, or a big-endian number where the first bit is set; NaN for anything else. */
function numberAt(block: Buffer, at: number, length: number): number {
  if ((block[at] as number) & 0x80) {
    let value = (block[at] as number) & 0x7f;
    for (let i = at + 1; i < at + length; i++) value = value * 256 + (block[i] as number);
    return Number.isSafeInteger(value) ? value : Number.NaN;
  }
  const digits = block
    .toString('latin1', at, at + length)
    .replace(/[\0 ]+$/, '')
    .trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : Number.NaN;
}

/** Reads a header, or undefined where its checksum says that it is none (POSIX.1-1988 and older, GNU sizes). */
export function readTarHeader(bytes: Uint8Array): TarHeader | undefined {
  if (bytes.length < blockBytes) return undefined;
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, blockBytes);
  let sum = 0;
  for (let i = 0; i < blockBytes; i++) sum += i >= 148 && i < 156 ? 32 : (block[i] as number);
  if (sum === 8 * 32 || numberAt(block, 148, 8) !== sum) return undefined;
  const sizeBytes = numberAt(block, 124, 12);
  if (!(sizeBytes >= 0)) return undefined;
  const prefix = block.toString('latin1', 257, 262) === 'ustar' ? textAt(block, 345, 155) : '';
  const name = textAt(block, 0, 100);
  const type = String.fromCharCode(block[156] as number).replace('\0', '');
  return { path: prefix ? `${prefix}/${name}` : name, sizeBytes, type };
}

/** One entry; its content must be read, or skipped, before the next is asked for. */
export interface TarEntry extends TarHeader {
  content(): AsyncGenerator<Buffer>;
}

const longBytesMax = 2 ** 20;

/**
 * Entries of a tar stream one after the other, with long names of GNU and pax resolved.
 *
 * @throws EntryFault where the stream ends early or a header is broken: what follows cannot be found
 */
export async function* readTar(stream: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  const source = reader(stream);
  let longName: string | undefined;
  let longSize: number | undefined;
  for (;;) {
    const block = await source.take(blockBytes);
    if (block.length === 0 || block.every((byte) => byte === 0)) return;
    if (block.length < blockBytes) throw new EntryFault('The archive ends in the middle.');
    const header = readTarHeader(block);
    if (!header) throw new EntryFault('The archive is broken: what should be a header is none.');
    const isAside = header.type === 'L' || header.type === 'x' || header.type === 'g' || header.type === 'K';
    const sizeBytes = isAside ? header.sizeBytes : (longSize ?? header.sizeBytes);
    let left = sizeBytes;
    async function* content(): AsyncGenerator<Buffer> {
      while (left > 0) {
        const chunk = await source.some(left);
        if (chunk.length === 0) throw new EntryFault('The archive ends in the middle.');
        left -= chunk.length;
        yield chunk;
      }
    }
    if (isAside) {
      if (sizeBytes > longBytesMax)
        throw new EntryFault('The archive is broken: a name is longer than 1 MiB.');
      const chunks: Buffer[] = [];
      for await (const chunk of content()) chunks.push(chunk);
      const text = Buffer.concat(chunks);
      if (header.type === 'L') longName = text.toString('utf8').replace(/\0.*$/s, '');
      if (header.type === 'x') {
        const records = readPax(text);
        longName = records.get('path') ?? longName;
        longSize = records.has('size') ? Number(records.get('size')) : longSize;
      }
    } else {
      yield { ...header, path: longName ?? header.path, sizeBytes, content };
      [longName, longSize] = [undefined, undefined];
      for await (const _ of content());
    }
    await source.take((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
  }
}

/** Records of an extended header: "LENGTH KEY=VALUE\n". */
function readPax(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString('latin1', at, space));
    if (space < 0 || !(length > 0) || at + length > bytes.length) break;
    const record = bytes.toString('utf8', space + 1, at + length - 1);
    const equals = record.indexOf('=');
    if (equals > 0) records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}

function reader(stream: AsyncIterable<Buffer>) {
  const chunks = stream[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  /** At least one byte and at most `most`; none at the end. */
  async function some(most: number): Promise<Buffer> {
    while (held.length === 0) {
      const next = await chunks.next();
      if (next.done) return held;
      held = next.value;
    }
    const chunk = held.subarray(0, most);
    held = held.subarray(chunk.length);
    return chunk;
  }
  /** Exactly `n` bytes, or fewer at the end. */
  async function take(n: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let left = n; left > 0; ) {
      const chunk = await some(left);
      if (chunk.length === 0) break;
      parts.push(chunk);
      left -= chunk.length;
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }
  return { some, take };
}
