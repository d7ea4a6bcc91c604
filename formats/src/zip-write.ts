import { deflateRaw } from 'node:zlib';
import { concat, type FileEntry, type FileSink, memorySpool, type Spool, utf8 } from './files.ts';
import { crc32 } from './png.ts';
import { descriptorMark, end64Mark, endMark, entryMark, localMark, locatorMark } from './zip-marks.ts';

/** ZIP archives, written as they come; ZIP64 where the sizes ask for it. */

export interface ZipWriter extends FileSink {
  /** @param asIs stored without packing; by default, what is packed already */
  add(path: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, asIs?: boolean): Promise<void>;
  /** Writes the directory; the archive is whole after that. */
  finish(): Promise<void>;
  readonly bytesWritten: number;
  readonly entries: number;
}

interface Written {
  readonly name: Uint8Array;
  readonly header: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly method: number;
}

const isPackedAlready = (path: string): boolean =>
  /\.(jpe?g|png|webp|gif|avif|zip|gz|mp4|mov|webm|mp3|flac|ogg)$/i.test(path);

/**
 * An archive written piece by piece; `write` is awaited, so a slow taker slows the maker. Two runs over the same files
 * give the same bytes: no times of day go in.
 *
 * @param write takes the bytes of the archive in order
 * @param stored nothing is packed, so that `storedZipSize` tells the size beforehand
 */
export function zipTo(
  write: (bytes: Uint8Array) => Promise<void>,
  spool: () => Spool = memorySpool,
  { stored = false }: { stored?: boolean } = {},
): ZipWriter {
  const written: Written[] = [];
  let at = 0;
  const put = async (bytes: Uint8Array) => {
    at += bytes.length;
    await write(bytes);
  };
  return {
    spool,
    get bytesWritten() {
      return at;
    },
    get entries() {
      return written.length;
    },
    async add(path, chunks, asIs = stored || isPackedAlready(path)) {
      const name = utf8(path);
      const header = at;
      const method = asIs ? 0 : 8;
      await put(localHeader(name, method));
      const start = at;
      let crc = 0;
      let size = 0;
      for await (const block of method === 0
        ? chunks
        : deflated(chunks, (bytes) => {
            crc = crc32(bytes, crc);
            size += bytes.length;
          })) {
        if (method === 0) {
          crc = crc32(block, crc);
          size += block.length;
        }
        await put(block);
      }
      const entry = { name, header, crc, packed: at - start, size, method };
      await put(descriptor(entry));
      written.push(entry);
    },
    async finish() {
      const start = at;
      for (const entry of written) await put(directoryEntry(entry));
      await put(endOf(written.length, start, at - start));
    },
  };
}

/** Bytes of an archive in which all of these files are stored as they are. */
export function storedZipSize(files: readonly FileEntry[]): number {
  const written: Written[] = [];
  let at = 0;
  for (const { path, size } of files) {
    const name = utf8(path);
    written.push({ name, header: at, crc: 0, packed: size, size, method: 0 });
    at += localHeader(name, 0).length + size + descriptorBytes;
  }
  const directory = written.reduce((sum, entry) => sum + directoryEntry(entry).length, 0);
  return at + directory + endOf(written.length, at, directory).length;
}

const packWhole = (bytes: Uint8Array): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    deflateRaw(bytes, (error, packed) => (error ? reject(error) : resolve(packed)));
  });

/** Text goes through one stream; small pieces are packed at once. Neither holds up the thread that asked. */
async function* deflated(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  seen: (bytes: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const source = (async function* () {
    for await (const chunk of chunks) yield chunk;
  })();
  for (;;) {
    const { value, done } = await source.next();
    if (done) {
      yield await packWhole(concat(parts, size));
      return;
    }
    seen(value);
    parts.push(value);
    size += value.length;
    if (size > 1 << 20) break;
  }
  const { createDeflateRaw } = await import('node:zlib');
  const stream = createDeflateRaw();
  const feeding = (async () => {
    for (const part of parts) stream.write(part);
    for await (const chunk of source) {
      seen(chunk);
      if (!stream.write(chunk)) await new Promise((resolve) => stream.once('drain', resolve));
    }
    stream.end();
  })();
  feeding.catch((error) => stream.destroy(error));
  for await (const chunk of stream) yield chunk as Uint8Array;
  await feeding;
}

/** Sizes follow the bytes; names are UTF-8; the date is the first that the format knows. */
const flagBits = 0x0808;
const firstDate = 0x0021;

function fields(size: number, fill: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(size);
  fill(new DataView(bytes.buffer));
  return bytes;
}

function localHeader(name: Uint8Array, method: number): Uint8Array {
  const head = fields(30, (view) => {
    view.setUint32(0, localMark, true);
    view.setUint16(4, 45, true);
    view.setUint16(6, flagBits, true);
    view.setUint16(8, method, true);
    view.setUint16(12, firstDate, true);
    view.setUint16(26, name.length, true);
    view.setUint16(28, 20, true);
  });
  // An empty field for long sizes tells readers that the descriptor has long ones.
  const extra = fields(20, (view) => {
    view.setUint16(0, 1, true);
    view.setUint16(2, 16, true);
  });
  return concat([head, name, extra]);
}

const descriptorBytes = 24;

const descriptor = ({ crc, packed, size }: Written): Uint8Array =>
  fields(descriptorBytes, (view) => {
    view.setUint32(0, descriptorMark, true);
    view.setUint32(4, crc, true);
    view.setBigUint64(8, BigInt(packed), true);
    view.setBigUint64(16, BigInt(size), true);
  });

function directoryEntry({ name, header, crc, packed, size, method }: Written): Uint8Array {
  const isLarge = Math.max(header, packed, size) >= 0xffffffff;
  const head = fields(46, (view) => {
    view.setUint32(0, entryMark, true);
    view.setUint16(4, 45, true);
    view.setUint16(6, 45, true);
    view.setUint16(8, flagBits, true);
    view.setUint16(10, method, true);
    view.setUint16(14, firstDate, true);
    view.setUint32(16, crc, true);
    view.setUint32(20, isLarge ? 0xffffffff : packed, true);
    view.setUint32(24, isLarge ? 0xffffffff : size, true);
    view.setUint16(28, name.length, true);
    view.setUint16(30, isLarge ? 28 : 0, true);
    view.setUint32(42, isLarge ? 0xffffffff : header, true);
  });
  if (!isLarge) return concat([head, name]);
  const extra = fields(28, (view) => {
    view.setUint16(0, 1, true);
    view.setUint16(2, 24, true);
    view.setBigUint64(4, BigInt(size), true);
    view.setBigUint64(12, BigInt(packed), true);
    view.setBigUint64(20, BigInt(header), true);
  });
  return concat([head, name, extra]);
}

function endOf(count: number, start: number, size: number): Uint8Array {
  const isLarge = count >= 0xffff || start >= 0xffffffff || size >= 0xffffffff;
  const end64 = fields(76, (view) => {
    view.setUint32(0, end64Mark, true);
    view.setBigUint64(4, 44n, true);
    view.setUint16(12, 45, true);
    view.setUint16(14, 45, true);
    view.setBigUint64(24, BigInt(count), true);
    view.setBigUint64(32, BigInt(count), true);
    view.setBigUint64(40, BigInt(size), true);
    view.setBigUint64(48, BigInt(start), true);
    view.setUint32(56, locatorMark, true);
    view.setBigUint64(64, BigInt(start + size), true);
    view.setUint32(72, 1, true);
  });
  const end = fields(22, (view) => {
    view.setUint32(0, endMark, true);
    view.setUint16(8, isLarge ? 0xffff : count, true);
    view.setUint16(10, isLarge ? 0xffff : count, true);
    view.setUint32(12, isLarge ? 0xffffffff : size, true);
    view.setUint32(16, isLarge ? 0xffffffff : start, true);
  });
  return isLarge ? concat([end64, end]) : end;
}
