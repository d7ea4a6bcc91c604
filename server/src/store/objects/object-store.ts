import { createHash } from 'node:crypto';
import { type Readable, Transform } from 'node:stream';

export type ObjectBody = Uint8Array | Readable;

/** Bytes `firstByte` to `lastByte`, both included, as HTTP counts them; without `lastByte`, up to the end. */
export type ByteRange = { firstByte: number; lastByte?: number };

export type StoredObject = {
  /** Must be read or destroyed. Fails with `ObjectDamaged` before its last bytes when content is not what was put. */
  stream: Readable;
  /** Size of the whole object, whatever the range. */
  sizeBytes: number;
  firstByte: number;
  lastByte: number;
};

export type ObjectFacts = { key: string; sizeBytes: number; modifiedAt: Date };

/**
 * Bytes by name: media, model files, exports.
 *
 * What `put` and `putContent` acknowledge is on disk. A failed or interrupted put leaves no object. Keys are
 * paths of letters, digits and `. _ = -`; a key must not be the folder of another.
 */
export type ObjectStore = {
  /** Stores under a name of the caller's choice, replacing what was there. @throws ObjectTooLarge */
  put(key: string, body: ObjectBody, options?: { sizeBytesMax?: number }): Promise<{ sizeBytes: number }>;
  /**
   * Stores under the name of its content, `contentKey(sha256)`; the same bytes twice are one object, whose
   * `modifiedAt` moves on, so that a sweep of unused objects spares what was just put again.
   *
   * @throws ObjectTooLarge
   */
  putContent(
    body: ObjectBody,
    options?: { sizeBytesMax?: number },
  ): Promise<{ sha256: string; sizeBytes: number }>;
  /** Undefined when there is none. @throws RangeError when the range begins behind the end */
  get(key: string, range?: ByteRange): Promise<StoredObject | undefined>;
  stat(key: string): Promise<ObjectFacts | undefined>;
  /** Deleting what is not there is fine. */
  delete(key: string): Promise<void>;
  /** Keys that begin with `prefix` and come after `after` ('' for all), in byte order. */
  list(prefix: string, after: string, limit: number): Promise<ObjectFacts[]>;
  /** Throws when objects cannot be stored now. */
  ready(): Promise<void>;
};

export class ObjectTooLarge extends Error {
  override name = 'ObjectTooLarge';
}

/** The stored bytes are not those that were put: bit rot, or somebody changed them. */
export class ObjectDamaged extends Error {
  override name = 'ObjectDamaged';
}

const contentFolder = 'blobs/';

/** Where `putContent` keeps content, fanned out over 256 folders. @param sha256 64 hexadecimal digits */
export function contentKey(sha256: string): string {
  if (!/^[0-9a-f]{64}$/.test(sha256))
    throw new TypeError('A content hash is 64 lower-case hexadecimal digits.');
  return `${contentFolder}${sha256.slice(0, 2)}/${sha256}`;
}

/** The content hash that a key promises, or undefined for keys of the caller's choice. */
export function promisedHash(key: string): string | undefined {
  return key.startsWith(contentFolder) ? key.slice(contentFolder.length + 3) : undefined;
}

const keyPattern = /^(?!\.)[\w.=-]+(\/(?!\.)[\w.=-]+)*$/;

/** @throws TypeError for a key that could leave its folder or that some backend could not hold */
export function checkKey(key: string): string {
  if (key.length <= 512 && keyPattern.test(key)) return key;
  throw new TypeError(`Not an object key: ${JSON.stringify(key.slice(0, 100))}`);
}

/** Lets bytes through, counting and hashing them. @throws ObjectTooLarge in the stream */
export function measure(sizeBytesMax = Number.POSITIVE_INFINITY) {
  const hash = createHash('sha256');
  const seen = { sizeBytes: 0 };
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen.sizeBytes += chunk.length;
      if (seen.sizeBytes > sizeBytesMax) return done(tooLarge(sizeBytesMax));
      hash.update(chunk);
      done(null, chunk);
    },
  });
  return { stream, seen, sha256: () => hash.digest('hex') };
}

export function tooLarge(sizeBytesMax: number): ObjectTooLarge {
  return new ObjectTooLarge(`More than ${sizeBytesMax} bytes.`);
}

/**
 * Lets content through only if it is whole: the last chunk waits for the hash, so damaged bytes never look
 * like a complete object to the reader.
 */
export function verifying(key: string, sha256: string): Transform {
  const hash = createHash('sha256');
  let held: Buffer | undefined;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      const ready = held;
      held = chunk;
      done(null, ready);
    },
    flush(done) {
      if (hash.digest('hex') !== sha256) return done(new ObjectDamaged(`Object ${key} is damaged.`));
      done(null, held);
    },
  });
}

/** The first and last byte to read. @throws RangeError when the range begins behind the end */
export function resolveRange(
  range: ByteRange | undefined,
  sizeBytes: number,
): { firstByte: number; lastByte: number } {
  const firstByte = range?.firstByte ?? 0;
  const lastByte = Math.min(range?.lastByte ?? sizeBytes - 1, sizeBytes - 1);
  if (range === undefined || (firstByte >= 0 && firstByte <= lastByte)) return { firstByte, lastByte };
  throw new RangeError(`Bytes ${firstByte} to ${range.lastByte ?? 'the end'} of ${sizeBytes} do not exist.`);
}

/** All bytes of an object that was got. */
export async function bytesOf({ stream }: StoredObject): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
