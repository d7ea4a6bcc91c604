import { createHash, type Hash } from 'node:crypto';
import { Readable, Transform } from 'node:stream';
import { newId } from '#domain/ids.ts';
import type { ObjectBody, ObjectStore } from '#store/objects/index.ts';
import { uploadFault } from './faults.ts';
import type { Part } from './upload.ts';

export const uploadsPrefix = 'uploads/';

const objectKey = (folder: string, object: string): string => `${uploadsPrefix}${folder}/${object}`;

/**
 * Writes the bytes of a part aside, synced, before any row speaks of them. The name is never used twice: two
 * different parts with one number cannot overwrite each other.
 *
 * @throws ObjectTooLarge beyond `sizeBytesMax`
 */
export async function keepPart(
  objects: ObjectStore,
  folder: string,
  at: { partNumber: number; rangeStart: number },
  body: ObjectBody,
  sizeBytesMax?: number,
): Promise<Part> {
  const object = `${at.partNumber}-${newId().slice(0, 12)}`;
  const hash = createHash('sha256');
  const hashed = body instanceof Uint8Array ? body : body.pipe(hashing(hash));
  if (body instanceof Uint8Array) hash.update(body);
  else body.once('error', (error) => (hashed as Transform).destroy(error));
  const { sizeBytes } = await objects.put(
    objectKey(folder, object),
    hashed,
    sizeBytesMax === undefined ? {} : { sizeBytesMax },
  );
  return { ...at, sizeBytes, sha: hash.digest(), object };
}

function hashing(hash: Hash): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}

export async function dropParts(objects: ObjectStore, folder: string, parts: readonly Part[]): Promise<void> {
  for (const { object } of parts) await objects.delete(objectKey(folder, object));
}

/** Deletes whatever lies in a folder, known to a row or not. */
export async function dropFolder(objects: ObjectStore, folder: string): Promise<void> {
  for (;;) {
    const found = await objects.list(`${uploadsPrefix}${folder}/`, '', 500);
    for (const { key } of found) await objects.delete(key);
    if (found.length < 500) return;
  }
}

/** The content of a whole upload, wherever its bytes lie. */
export interface UploadContent {
  readonly name: string;
  readonly sizeBytes: number;
  /** Bytes `start` up to but not including `end`. */
  read(start: number, end: number): Readable;
}

/** `parts` in the order of their bytes, without gaps. A part that is read whole is checked against its hash. */
export function contentOf(
  objects: ObjectStore,
  folder: string,
  name: string,
  sizeBytes: number,
  parts: readonly Part[],
): UploadContent {
  async function* chunks(start: number, end: number): AsyncGenerator<Buffer> {
    for (let i = firstReaching(parts, start); i < parts.length; i++) {
      const part = parts[i] as Part;
      if (part.rangeStart >= end) return;
      const firstByte = Math.max(0, start - part.rangeStart);
      const lastByte = Math.min(part.sizeBytes, end - part.rangeStart) - 1;
      const isWhole = firstByte === 0 && lastByte === part.sizeBytes - 1;
      const found = await objects.get(
        objectKey(folder, part.object),
        isWhole ? undefined : { firstByte, lastByte },
      );
      if (!found) throw uploadFault.damaged(`Part ${part.partNumber} of the upload is missing.`);
      yield* isWhole ? checked(found.stream, part) : (found.stream as AsyncIterable<Buffer>);
    }
  }
  return {
    name,
    sizeBytes,
    read: (start, end) => Readable.from(chunks(start, end), { objectMode: false, highWaterMark: 256 * 1024 }),
  };
}

/** Index of the part that holds this byte: parts are found by halving, for archives are read in thousands of pieces. */
function firstReaching(parts: readonly Part[], byte: number): number {
  let [low, high] = [0, parts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const { rangeStart, sizeBytes } = parts[middle] as Part;
    if (rangeStart + sizeBytes <= byte) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The last chunk waits for the hash, so that damaged bytes never look whole. */
async function* checked(stream: Readable, part: Part): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let held: Buffer | undefined;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    hash.update(chunk);
    if (held) yield held;
    held = chunk;
  }
  if (!hash.digest().equals(part.sha))
    throw uploadFault.damaged(`Part ${part.partNumber} of the upload is damaged.`);
  if (held) yield held;
}
