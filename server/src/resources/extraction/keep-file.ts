import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { newId } from '#domain/ids.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import {
  bytesMaxOf,
  type InputKind,
  keepMedium,
  type MediaLimits,
  mediaKey,
  shaOf,
} from '../inputs/index.ts';
import { EntryFault } from './extraction.ts';
import { scratchPrefix } from './jobs.ts';
import { headBytes, isArchive, kindOf } from './sniff.ts';

/** What became of a file. `stored` settles when its bytes are safe. */
export type KeptFile =
  | {
      readonly kind: InputKind;
      readonly sha: Buffer;
      readonly sizeBytes: number;
      readonly stored: Promise<void>;
    }
  | { readonly archive: string };

/** Files up to this size are held in memory while they are stored, larger ones pass through a scratch object. */
const memoryBytesMax = 32 * 2 ** 20;

/**
 * Reads a file to its end, finds out what it is, and stores it: a medium under its hash, an archive as a scratch
 * object to be unpacked later.
 *
 * @param name only for telling texts, and for words
 * @throws EntryFault when it is neither, or too large
 */
export async function keepFile(
  objects: ObjectStore,
  limits: MediaLimits & { archiveBytesMax: number },
  name: string,
  chunks: AsyncIterable<Buffer>,
): Promise<KeptFile> {
  const source = chunks[Symbol.asyncIterator]();
  try {
    const { head, isEnded } = await readHead(source);
    const found = kindOf(head, name);
    if (!found)
      throw new EntryFault(
        head.length === 0 ? 'is empty' : 'is no image, video, sound, text or archive that is known here',
      );
    const rest = remaining(head, isEnded ? undefined : source);
    if (isArchive(found)) {
      const archive = newId();
      await objects.put(
        scratchPrefix + archive,
        streamOf(limited(rest, limits.archiveBytesMax, 'an archive')),
      );
      return { archive };
    }
    const bytesMax = bytesMaxOf(found, limits, 'url');
    const content = limited(rest, bytesMax, `${found === 'text' || found === 'video' ? 'a' : 'an'} ${found}`);
    return bytesMax <= memoryBytesMax
      ? await keepSmall(objects, found, content)
      : await keepLarge(objects, found, content);
  } finally {
    await source.return?.();
  }
}

async function readHead(source: AsyncIterator<Buffer>): Promise<{ head: Buffer; isEnded: boolean }> {
  const parts: Buffer[] = [];
  for (let length = 0; length < headBytes; ) {
    const next = await source.next();
    if (next.done) return { head: Buffer.concat(parts), isEnded: true };
    parts.push(next.value);
    length += next.value.length;
  }
  return { head: Buffer.concat(parts), isEnded: false };
}

async function* remaining(head: Buffer, source: AsyncIterator<Buffer> | undefined): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  if (!source) return;
  for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
}

async function* limited(
  chunks: AsyncIterable<Buffer>,
  bytesMax: number,
  what: string,
): AsyncGenerator<Buffer> {
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    sizeBytes += chunk.length;
    if (sizeBytes > bytesMax) throw new EntryFault(`is larger than ${bytesMax} bytes, the most for ${what}`);
    yield chunk;
  }
}

const streamOf = (chunks: AsyncIterable<Buffer>): Readable => Readable.from(chunks, { objectMode: false });

async function keepSmall(
  objects: ObjectStore,
  kind: InputKind,
  content: AsyncIterable<Buffer>,
): Promise<KeptFile> {
  const parts: Buffer[] = [];
  for await (const chunk of content) parts.push(chunk);
  const bytes = Buffer.concat(parts);
  const sha = shaOf(bytes);
  const stored = keepMedium(objects, 'orig', sha, bytes);
  // Awaited with its batch; until then a failure must not count as one that nobody handles.
  stored.catch(() => {});
  return { kind, sha, sizeBytes: bytes.length, stored };
}

/** The name of a medium is its hash, which is known at its end only. */
async function keepLarge(
  objects: ObjectStore,
  kind: InputKind,
  content: AsyncIterable<Buffer>,
): Promise<KeptFile> {
  const scratch = scratchPrefix + newId();
  const hash = createHash('sha256');
  async function* hashed() {
    for await (const chunk of content) {
      hash.update(chunk);
      yield chunk;
    }
  }
  const { sizeBytes } = await objects.put(scratch, streamOf(hashed()));
  const sha = hash.digest();
  const key = mediaKey('orig', sha);
  if ((await objects.stat(key))?.sizeBytes !== sizeBytes) {
    const copy = await objects.get(scratch);
    if (!copy) throw new Error('A scratch object is missing.');
    await objects.put(key, copy.stream);
  }
  await objects.delete(scratch);
  return { kind, sha, sizeBytes, stored: Promise.resolve() };
}
