import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { AppGrant } from '#domain/grant.ts';
import { type ByteRange, bytesOf, type ObjectStore, type StoredObject } from '#store/objects/index.ts';
import { type Db, run, sql } from '#store/sql.ts';
import { inputFault } from './faults.ts';
import type { MediaSize } from './media-url.ts';

/** Where a medium lies in the object store. Renditions carry the hash of their original. */
export const mediaKey = (size: MediaSize, sha: Uint8Array): string => {
  const hash = Buffer.from(sha).toString('hex');
  return `media/${size}/${hash.slice(0, 2)}/${hash}`;
};

export const shaOf = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** Stores bytes under their hash unless they are there; on disk when it returns. */
export async function keepMedium(
  objects: ObjectStore,
  size: MediaSize,
  sha: Buffer,
  bytes: Buffer,
): Promise<void> {
  const key = mediaKey(size, sha);
  const found = await objects.stat(key);
  if (found?.sizeBytes !== bytes.length) await objects.put(key, bytes);
}

/** For bytes that are not at hand any more: @throws Fault when there are not so many under their hash */
export async function checkKept(
  objects: ObjectStore,
  size: MediaSize,
  sha: Buffer,
  sizeBytes: number,
): Promise<void> {
  const found = await objects.stat(mediaKey(size, sha));
  if (found?.sizeBytes !== sizeBytes)
    throw inputFault.broken('The stored bytes were removed while their input was processed.');
}

const lockSpace = 0x464d; // one number for all locks on media hashes
const stripeOf = (sha: Uint8Array): number => ((sha[0] as number) << 2) | ((sha[1] as number) >> 6);
const stripesOf = (shas: readonly Uint8Array[]): number[] =>
  [...new Set(shas.map(stripeOf))].sort((a, b) => a - b);

/**
 * Keeps these media from being freed until the transaction ends. After it, check once more that the objects
 * are there (`keepMedium`): they may have been freed just before.
 *
 * Locks 1 of 1,024 stripes per hash, shared, in ascending order.
 */
export async function holdMedia(db: Db, shas: readonly Uint8Array[]): Promise<void> {
  if (shas.length === 0) return;
  await run(
    db,
    sql`select pg_advisory_xact_lock_shared(${lockSpace}::int, stripe) from unnest(${stripesOf(shas)}::int[]) as stripe`,
  );
}

/** As `holdMedia`, against everybody else: for freeing. */
export async function seizeMedia(db: Db, shas: readonly Uint8Array[]): Promise<void> {
  await run(
    db,
    sql`select pg_advisory_xact_lock(${lockSpace}::int, stripe) from unnest(${stripesOf(shas)}::int[]) as stripe`,
  );
}

/** The original bytes of a medium, checked against their hash. @throws Fault when they are missing or damaged */
export async function readOriginal(objects: ObjectStore, grant: AppGrant, sha: Buffer): Promise<Buffer> {
  const stored = await objects.get(mediaKey('orig', sha));
  if (!stored) throw inputFault.broken(`The stored bytes are missing (app ${grant.appId}).`);
  const bytes = await bytesOf(stored);
  if (!shaOf(bytes).equals(sha))
    throw inputFault.broken(`The stored bytes are damaged (app ${grant.appId}).`);
  return bytes;
}

/**
 * As `readOriginal`, as a stream: for what is too large for the memory. It fails at its end when the bytes are
 * damaged, before the last of them is handed on.
 */
export async function streamOriginal(objects: ObjectStore, grant: AppGrant, sha: Buffer): Promise<Readable> {
  const stored = await objects.get(mediaKey('orig', sha));
  if (!stored) throw inputFault.broken(`The stored bytes are missing (app ${grant.appId}).`);
  return verified(stored.stream, sha, ` (app ${grant.appId})`);
}

/** Hands bytes on, the last of them only when all are those of the hash. */
function verified(bytes: Readable, sha: Buffer, where = ''): Readable {
  const checked = async function* () {
    const hash = createHash('sha256');
    let held: Buffer | undefined;
    for await (const chunk of bytes as AsyncIterable<Buffer>) {
      hash.update(chunk);
      if (held) yield held;
      held = chunk;
    }
    if (!hash.digest().equals(sha)) throw inputFault.broken(`The stored bytes are damaged${where}.`);
    if (held) yield held;
  };
  const stream = Readable.from(checked(), { objectMode: false });
  // A stream that is dropped before its first read never enters the generator.
  stream.once('close', () => bytes.destroy());
  return stream;
}

/**
 * A rendition; `large` falls back to the original, which stands for it where they are the same. An original that is
 * read whole is checked: damaged bytes end the stream before its end.
 *
 * @throws RangeError when the range begins behind the end
 */
export async function openMedium(
  objects: ObjectStore,
  size: MediaSize,
  sha: Buffer,
  range?: ByteRange,
): Promise<StoredObject | undefined> {
  const found = size === 'orig' ? undefined : await objects.get(mediaKey(size, sha), range);
  if (found || (size !== 'orig' && size !== 'large')) return found;
  const original = await objects.get(mediaKey('orig', sha), range);
  return original && range === undefined ? { ...original, stream: verified(original.stream, sha) } : original;
}
