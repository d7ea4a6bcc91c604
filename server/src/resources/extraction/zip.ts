import { PassThrough, type Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import yauzl from 'yauzl';
import { EntryFault } from './extraction.ts';

/** A file that is read at any place. */
export interface RandomAccess {
  readonly sizeBytes: number;
  /** Bytes `start` up to but not including `end`. */
  read(start: number, end: number): Readable;
}

export interface ZipEntry {
  readonly path: string;
  readonly isFolder: boolean;
  /** Why it cannot be read, or undefined. */
  readonly trouble: string | undefined;
  /** Checked against its size and its checksum. @throws EntryFault */
  content(): AsyncGenerator<Buffer>;
}

const windowBytes = 256 * 1024;
/** Without name and extra field (APPNOTE 4.3.7). */
const localHeaderBytes = 30;

/** Small reads of a directory come in thousands: they are served from the piece of the file around the last one. */
class WindowedReader extends yauzl.RandomAccessReader {
  readonly #file: RandomAccess;
  #start = 0;
  #window: Buffer = Buffer.alloc(0);

  constructor(file: RandomAccess) {
    super();
    this.#file = file;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    const isHeld = start >= this.#start && end <= this.#start + this.#window.length;
    const source = isHeld ? undefined : this.#file.read(start, end);
    const through = new PassThrough();
    if (!source) through.end(this.#window.subarray(start - this.#start, end - this.#start));
    else {
      source.once('error', (error) => through.destroy(error));
      through.once('close', () => source.destroy());
      source.pipe(through);
    }
    return through;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    done: (error: Error | null) => void,
  ): void {
    this.#fill(position, length).then(
      () => {
        this.#window.copy(buffer, offset, position - this.#start, position - this.#start + length);
        done(null);
      },
      (error) => done(error),
    );
  }

  async #fill(position: number, length: number): Promise<void> {
    if (position >= this.#start && position + length <= this.#start + this.#window.length) return;
    const end = Math.min(this.#file.sizeBytes, position + Math.max(length, windowBytes));
    const chunks: Buffer[] = [];
    for await (const chunk of this.#file.read(position, end)) chunks.push(chunk as Buffer);
    this.#window = Buffer.concat(chunks);
    this.#start = position;
    if (this.#window.length < length) throw new EntryFault('The archive ends in the middle.');
  }
}

/**
 * Entries of a zip file in the order of its directory, read one at a time.
 *
 * @throws EntryFault where it is no zip file, or its directory is broken: what follows cannot be found
 */
export async function* readZip(file: RandomAccess): AsyncGenerator<ZipEntry> {
  const options = { lazyEntries: true, decodeStrings: false, autoClose: false, validateEntrySizes: true };
  const zip = await yauzl
    .fromRandomAccessReaderPromise(new WindowedReader(file), file.sizeBytes, options)
    .catch((error) => {
      throw asFault(error);
    });
  let packedBytes = 0;
  try {
    for (;;) {
      const entry = await nextEntry(zip);
      if (!entry) return;
      // Entries that lie on one another let a small file unpack to a huge one; apart they fit into it.
      packedBytes += localHeaderBytes + entry.fileNameLength + entry.compressedSize;
      if (packedBytes > file.sizeBytes) throw new EntryFault('The archive is broken: its entries overlap.');
      yield showEntry(zip, entry);
    }
  } finally {
    zip.close();
  }
}

function nextEntry(zip: yauzl.ZipFile): Promise<yauzl.Entry | undefined> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      zip.removeListener('entry', onEntry);
      zip.removeListener('end', onEnd);
      zip.removeListener('error', onError);
    };
    const onEntry = (entry: yauzl.Entry) => {
      settle();
      resolve(entry);
    };
    const onEnd = () => {
      settle();
      resolve(undefined);
    };
    const onError = (error: Error) => {
      settle();
      reject(asFault(error));
    };
    zip.once('entry', onEntry).once('end', onEnd).once('error', onError);
    zip.readEntry();
  });
}

const fileTypeMask = 0o170000;
const [plainFile, folder, none] = [0o100000, 0o040000, 0];

function showEntry(zip: yauzl.ZipFile, entry: yauzl.Entry): ZipEntry {
  const name = entry.fileName as unknown as Buffer;
  const path = yauzl.getFileNameLowLevel(entry.generalPurposeBitFlag, name, entry.extraFields, true);
  // Only archives made on Unix say what sort of file it is; 3 is Unix, 19 macOS.
  const madeOnUnix = [3, 19].includes(entry.versionMadeBy >> 8);
  const type = madeOnUnix ? (entry.externalFileAttributes >>> 16) & fileTypeMask : none;
  const isLink = ![plainFile, folder, none].includes(type);
  const trouble = entry.isEncrypted()
    ? 'is encrypted'
    : isLink
      ? 'is a link or a device, not a file'
      : entry.canDecodeFileData()
        ? undefined
        : `is packed by a method that is not supported (${entry.compressionMethod})`;
  return {
    path,
    isFolder: path.endsWith('/') || type === folder,
    trouble,
    async *content() {
      let sum = 0;
      try {
        const stream = await zip.openReadStreamPromise(entry);
        for await (const chunk of stream as AsyncIterable<Buffer>) {
          sum = crc32(chunk, sum);
          yield chunk;
        }
      } catch (error) {
        throw asFault(error);
      }
      if (sum !== entry.crc32) throw new EntryFault('is damaged: its checksum is wrong');
    },
  };
}

/** What the reader says of a broken file is for its owner; what went wrong with our own store is not. */
function asFault(error: unknown): unknown {
  if (error instanceof EntryFault) return error;
  const { code, name, message } = error as NodeJS.ErrnoException;
  const isOurs = name === 'Fault' || name === 'ObjectDamaged' || (code !== undefined && !/^Z_/.test(code));
  return isOurs ? error : new EntryFault(`is broken (${message.slice(0, 120)})`);
}
