import { createHash, randomUUID } from 'node:crypto';
import { constants, type Dirent } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { mayDie } from '#domain/failpoints.ts';
import {
  type ByteRange,
  checkKey,
  contentKey,
  measure,
  type ObjectBody,
  type ObjectFacts,
  type ObjectStore,
  promisedHash,
  resolveRange,
  type StoredObject,
  tooLarge,
  verifying,
} from './object-store.ts';

/** Leftovers of interrupted puts are removed once this old; younger ones may be another process at work. */
const draftAgeMsMax = 3_600_000;

/**
 * Objects as files of one folder.
 *
 * A put writes aside, syncs the file, renames it into place and syncs the folder: after a crash or a power
 * cut an object is whole or absent, and present if it was acknowledged.
 */
export function openFileObjects(root: string): ObjectStore {
  const drafts = join(root, '.drafts');
  const synced = new Set<string>();
  const pathOf = (key: string) => join(root, checkKey(key));
  let prepared: Promise<void> | undefined;

  const prepare = () => {
    prepared ??= mkdir(drafts, { recursive: true, mode: 0o700 }).then(() => removeOldDrafts(drafts));
    return prepared.catch((error) => {
      prepared = undefined;
      throw error;
    });
  };

  /** Makes a folder whose name survives a power cut. */
  const makeFolder = async (folder: string): Promise<void> => {
    if (synced.has(folder)) return;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (let made = folder; made !== dirname(root); made = dirname(made)) await syncFolder(dirname(made));
    synced.add(folder);
  };

  const publish = async (draft: string, path: string): Promise<void> => {
    await makeFolder(dirname(path));
    await rename(draft, path);
    mayDie('object-renamed');
    await syncFolder(dirname(path));
  };

  /** Gives the content's name to a draft, unless the same content is there. */
  const publishContent = async (draft: string, sha256: string, sizeBytes: number): Promise<void> => {
    const path = pathOf(contentKey(sha256));
    if (await refresh(path, sizeBytes)) await rm(draft, { force: true });
    else await publish(draft, path);
  };

  /** @param write a draft to the file that it is given. @param place gives the draft its name, or removes it */
  const put = async <Written, Result>(
    write: (file: string) => Promise<Written>,
    place: (file: string, written: Written) => Promise<Result>,
  ): Promise<Result> => {
    await prepare();
    const file = join(drafts, randomUUID());
    try {
      return await place(file, await write(file));
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    }
  };

  return {
    async put(key, body, options) {
      const path = pathOf(key);
      return put(
        (file) => writeDraft(file, body, options?.sizeBytesMax),
        async (file, { sizeBytes }) => {
          await publish(file, path);
          return { sizeBytes };
        },
      );
    },

    async putContent(body, options) {
      const sizeBytesMax = options?.sizeBytesMax;
      if (!(body instanceof Uint8Array))
        return put(
          (file) => writeStream(file, body, sizeBytesMax),
          async (file, { sizeBytes, sha256 }) => {
            await publishContent(file, sha256, sizeBytes);
            return { sha256, sizeBytes };
          },
        );
      const sha256 = createHash('sha256').update(body).digest('hex');
      const facts = { sha256, sizeBytes: body.length };
      if (await refresh(pathOf(contentKey(sha256)), body.length)) return facts;
      return put(
        (file) => writeDraft(file, body, sizeBytesMax),
        async (file) => {
          await publishContent(file, sha256, body.length);
          return facts;
        },
      );
    },

    async get(key, range) {
      const found = await openIfThere(pathOf(key));
      if (found === undefined) return undefined;
      try {
        return await read(found.file, found.sizeBytes, key, range);
      } catch (error) {
        await found.file.close();
        throw error;
      }
    },

    async stat(key) {
      const found = await statIfThere(pathOf(key));
      return found && { key, sizeBytes: found.size, modifiedAt: found.mtime };
    },

    async delete(key) {
      const path = pathOf(key);
      await rm(path, { force: true });
      mayDie('object-deleted');
      await syncFolder(dirname(path)).catch(() => {});
    },

    async list(prefix, after, limit) {
      const found: ObjectFacts[] = [];
      for await (const key of keysIn(root, '', prefix, after)) {
        if (found.length >= limit) break;
        const facts = await statIfThere(join(root, key));
        if (facts !== undefined) found.push({ key, sizeBytes: facts.size, modifiedAt: facts.mtime });
      }
      return found;
    },

    async ready() {
      await prepare();
      const file = join(drafts, randomUUID());
      await writeDraft(file, new Uint8Array(1), undefined);
      await rm(file);
    },
  };
}

/** On disk when it returns. @throws ObjectTooLarge */
async function writeDraft(
  file: string,
  body: ObjectBody,
  sizeBytesMax: number | undefined,
): Promise<{ sizeBytes: number }> {
  if (!(body instanceof Uint8Array)) return writeStream(file, body, sizeBytesMax);
  if (body.length > (sizeBytesMax ?? Number.POSITIVE_INFINITY)) throw tooLarge(sizeBytesMax ?? 0);
  await withDraft(file, async (handle) => void (await writeWhole(handle, body, 0)));
  return { sizeBytes: body.length };
}

async function writeStream(file: string, body: Readable, sizeBytesMax: number | undefined) {
  const { stream, seen, sha256 } = measure(sizeBytesMax);
  await withDraft(file, (handle) =>
    pipeline(body, stream, async (chunks: AsyncIterable<Buffer>) => {
      let at = 0;
      for await (const chunk of chunks) at = await writeWhole(handle, chunk, at);
    }),
  );
  return { sha256: sha256(), sizeBytes: seen.sizeBytes };
}

async function withDraft(file: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await write(handle);
    mayDie('object-written');
    await handle.sync();
    mayDie('object-synced');
  } finally {
    await handle.close();
  }
}

/**
 * A write may take only part of the bytes when the disk fills up. Each says where it begins, so that nothing depends on
 * how far an earlier one moved the file's own place.
 *
 * @returns where the next chunk begins
 */
async function writeWhole(handle: FileHandle, chunk: Uint8Array, at: number): Promise<number> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await handle.write(chunk, done, chunk.length - done, at + done);
    done += bytesWritten;
  }
  return at + chunk.length;
}

/** True when a file of this size is there already; its age then starts anew. */
async function refresh(path: string, sizeBytes: number): Promise<boolean> {
  const found = await statIfThere(path);
  if (found?.size !== sizeBytes) return false;
  const now = new Date();
  try {
    await utimes(path, now, now);
    // Who put it first may not have got this far yet.
    await syncFolder(dirname(path));
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

/** So much is read at once: most pictures, and all that is rendered of them. */
const readAtOnceMax = 256 * 1024;

/** Closes the file when all is read. */
async function read(
  file: FileHandle,
  sizeBytes: number,
  key: string,
  range: ByteRange | undefined,
): Promise<StoredObject> {
  const { firstByte, lastByte } = resolveRange(range, sizeBytes);
  const found = { sizeBytes, firstByte, lastByte };
  const sha256 = range === undefined ? promisedHash(key) : undefined;
  if (sha256 === undefined && lastByte - firstByte < readAtOnceMax)
    return { ...found, stream: streamOf(await readWhole(file, firstByte, lastByte + 1)) };
  const bytes =
    sizeBytes === 0
      ? await file.close().then(() => Readable.from([]))
      : file.createReadStream({ start: firstByte, end: lastByte, highWaterMark: readAtOnceMax });
  const checked = sha256 === undefined ? new PassThrough() : verifying(key, sha256);
  // The result is the reader's to handle; a failure reaches it through `checked`.
  pipeline(bytes, checked).catch(() => {});
  return { ...found, stream: checked };
}

/** Bytes from start up to end, and closes the file; fewer where it became shorter meanwhile. */
async function readWhole(file: FileHandle, start: number, end: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(Math.max(0, end - start));
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, start + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  await file.close();
  return bytes.subarray(0, done);
}

/** Bytes that are there as a stream, without what a stream of anything else would need. */
function streamOf(bytes: Buffer): Readable {
  return new Readable({
    read() {
      if (bytes.length > 0) this.push(bytes);
      this.push(null);
    },
  });
}

/** Keys below a folder in byte order. A folder sorts as its name and a slash, which is how its keys begin. */
async function* keysIn(root: string, folder: string, prefix: string, after: string): AsyncGenerator<string> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(noneIfAbsent);
  const names = entries
    .filter((entry) => !entry.name.startsWith('.') && (entry.isFile() || entry.isDirectory()))
    .map((entry) => (entry.isDirectory() ? `${folder}${entry.name}/` : `${folder}${entry.name}`))
    .sort((a, b) => (a < b ? -1 : 1));
  for (const name of names) {
    if (!name.endsWith('/')) {
      if (name > after && name.startsWith(prefix)) yield name;
      continue;
    }
    const mayHold = name.startsWith(prefix) || prefix.startsWith(name);
    const allBefore = name < after && !after.startsWith(name);
    if (mayHold && !allBefore) yield* keysIn(root, name, prefix, after);
  }
}

function noneIfAbsent(error: unknown): Dirent[] {
  if (isAbsent(error)) return [];
  throw error;
}

async function openIfThere(path: string): Promise<{ file: FileHandle; sizeBytes: number } | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  try {
    const facts = await file.stat();
    if (facts.isFile()) return { file, sizeBytes: facts.size };
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return undefined;
}

async function statIfThere(path: string) {
  try {
    const found = await stat(path);
    return found.isFile() ? found : undefined;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function removeOldDrafts(drafts: string): Promise<void> {
  for (const name of await readdir(drafts)) {
    const found = await statIfThere(join(drafts, name));
    if (found !== undefined && Date.now() - found.mtimeMs > draftAgeMsMax)
      await rm(join(drafts, name), { force: true });
  }
}
