import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';

/** A file of an archive: whole, or as it is made. */
export interface ZipEntry {
  /** Path with forward slashes. */
  readonly name: string;
  readonly body: Buffer | AsyncIterable<Buffer>;
  /** Left as it is; small files that readers look for come so. */
  readonly stored?: boolean;
}

const deflate = promisify<Buffer, Buffer>(zlib.deflateRaw);
const limit32 = 0xffff_ffff;
const limit16 = 0xffff;
/** 1980-01-01: an archive of the same things is the same bytes. */
const dosDate = 0x21;
const utf8Name = 0x800;
const sizesBehind = 0x8;

interface Listed {
  readonly name: Buffer;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

/**
 * A ZIP archive as its bytes are made, with never more than one entry's part in memory. Past 4 GiB or 65,535 entries
 * it is ZIP64, and so are entries whose size is not known beforehand (APPNOTE.TXT 4.3, 4.5.3).
 */
export async function* zipOf(entries: AsyncIterable<ZipEntry>): AsyncGenerator<Buffer> {
  const listed: Listed[] = [];
  let offset = 0;
  for await (const entry of entries) {
    const write = Buffer.isBuffer(entry.body)
      ? wholeEntry(entry, entry.body)
      : streamedEntry(entry, entry.body);
    const start = offset;
    for (;;) {
      const { done, value } = await write.next();
      if (done) {
        listed.push({ ...value, offset: start });
        break;
      }
      offset += value.length;
      yield value;
    }
  }
  yield* directoryOf(listed, offset);
}

type Written = Omit<Listed, 'offset'>;

async function* wholeEntry({ name, stored }: ZipEntry, body: Buffer): AsyncGenerator<Buffer, Written> {
  const method = stored ? 0 : 8;
  const packed = stored ? body : await deflate(body);
  const written = {
    name: Buffer.from(name),
    flags: utf8Name,
    method,
    crc: crc32(body, 0),
    packed: packed.length,
    size: body.length,
  };
  yield localHeader(written);
  yield packed;
  return written;
}

/** Sizes and sum follow the content, as nobody knows them before. */
async function* streamedEntry(
  { name }: ZipEntry,
  body: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, Written> {
  const written = {
    name: Buffer.from(name),
    flags: utf8Name | sizesBehind,
    method: 8,
    crc: 0,
    packed: 0,
    size: 0,
  };
  yield localHeader(written);
  const measured = async function* () {
    for await (const part of body) {
      written.crc = crc32(part, written.crc);
      written.size += part.length;
      yield part;
    }
  };
  for await (const part of Readable.from(measured()).pipe(zlib.createDeflateRaw())) {
    written.packed += (part as Buffer).length;
    yield part as Buffer;
  }
  const behind = Buffer.alloc(24);
  behind.writeUInt32LE(0x08074b50, 0);
  behind.writeUInt32LE(written.crc, 4);
  behind.writeBigUInt64LE(BigInt(written.packed), 8);
  behind.writeBigUInt64LE(BigInt(written.size), 16);
  yield behind;
  return written;
}

function localHeader({ name, flags, method, crc, packed, size }: Written): Buffer {
  const streamed = (flags & sizesBehind) !== 0;
  const head = Buffer.alloc(30);
  head.writeUInt32LE(0x04034b50, 0);
  head.writeUInt16LE(streamed ? 45 : 20, 4);
  head.writeUInt16LE(flags, 6);
  head.writeUInt16LE(method, 8);
  head.writeUInt16LE(dosDate, 12);
  head.writeUInt32LE(streamed ? 0 : crc, 14);
  head.writeUInt32LE(streamed ? limit32 : packed, 18);
  head.writeUInt32LE(streamed ? limit32 : size, 22);
  head.writeUInt16LE(name.length, 26);
  const extra = streamed ? zip64Extra([0, 0]) : Buffer.alloc(0);
  head.writeUInt16LE(extra.length, 28);
  return Buffer.concat([head, name, extra]);
}

function zip64Extra(values: readonly number[]): Buffer {
  if (values.length === 0) return Buffer.alloc(0);
  const extra = Buffer.alloc(4 + values.length * 8);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(values.length * 8, 2);
  for (const [i, value] of values.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + i * 8);
  return extra;
}

function* directoryOf(listed: readonly Listed[], start: number): Generator<Buffer> {
  let length = 0;
  for (const entry of listed) {
    const line = directoryEntry(entry);
    length += line.length;
    yield line;
  }
  const isLarge = listed.length >= limit16 || start + length >= limit32;
  if (isLarge) yield zip64End(listed.length, length, start);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  const n = isLarge ? limit16 : listed.length;
  end.writeUInt16LE(n, 8);
  end.writeUInt16LE(n, 10);
  end.writeUInt32LE(isLarge ? limit32 : length, 12);
  end.writeUInt32LE(isLarge ? limit32 : start, 16);
  yield end;
}

function directoryEntry({ name, flags, method, crc, packed, size, offset }: Listed): Buffer {
  const isLarge = [packed, size, offset].some((value) => value >= limit32) || (flags & sizesBehind) !== 0;
  const extra = isLarge ? zip64Extra([size, packed, offset]) : Buffer.alloc(0);
  const head = Buffer.alloc(46);
  head.writeUInt32LE(0x02014b50, 0);
  head.writeUInt16LE(isLarge ? 45 : 20, 4);
  head.writeUInt16LE(isLarge ? 45 : 20, 6);
  head.writeUInt16LE(flags, 8);
  head.writeUInt16LE(method, 10);
  head.writeUInt16LE(dosDate, 14);
  head.writeUInt32LE(crc, 16);
  head.writeUInt32LE(isLarge ? limit32 : packed, 20);
  head.writeUInt32LE(isLarge ? limit32 : size, 24);
  head.writeUInt16LE(name.length, 28);
  head.writeUInt16LE(extra.length, 30);
  head.writeUInt32LE(isLarge ? limit32 : offset, 42);
  return Buffer.concat([head, name, extra]);
}

function zip64End(n: number, length: number, start: number): Buffer {
  const end = Buffer.alloc(56 + 20);
  end.writeUInt32LE(0x06064b50, 0);
  end.writeBigUInt64LE(44n, 4);
  end.writeUInt16LE(45, 12);
  end.writeUInt16LE(45, 14);
  end.writeBigUInt64LE(BigInt(n), 24);
  end.writeBigUInt64LE(BigInt(n), 32);
  end.writeBigUInt64LE(BigInt(length), 40);
  end.writeBigUInt64LE(BigInt(start), 48);
  end.writeUInt32LE(0x07064b50, 56);
  end.writeBigUInt64LE(BigInt(start + length), 64);
  end.writeUInt32LE(1, 72);
  return end;
}

const native = (zlib as { crc32?: (data: Buffer, seed: number) => number }).crc32;

/** CRC-32 of some bytes behind those of `seed`. Node 20.15 brings it along; before that it is computed here. */
export function crc32(data: Buffer, seed: number): number {
  if (native) return native(data, seed);
  let crc = ~seed;
  for (const byte of data) crc = (table[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});
