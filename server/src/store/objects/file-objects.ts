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
    if (!(await refresh(path, sizeBytes))) await publish(draft, path);
  };

  const put = async <Result>(
    body: ObjectBody,
    sizeBytesMax: number | undefined,
    place: (draft: Draft) => Promise<Result>,
  ) => {
    await prepare();
    const file = join(drafts, randomUUID());
    try {
      return await place({ file, ...(await writeDraft(file, body, sizeBytesMax)) });
    } finally {
      await rm(file, { force: true });
    }
  };

  return {
    async put(key, body, options) {
      const path = pathOf(key);
      return put(body, options?.sizeBytesMax, async ({ file, sizeBytes }) => {
        await publish(file, path);
        return { sizeBytes };
      });
    },

    async putContent(body, options) {
      if (body instanceof Uint8Array) {
        const sha256 = createHash('sha256').update(body).digest('hex');
        if (await refresh(pathOf(contentKey(sha256)), body.length)) return { sha256, sizeBytes: body.length };
      }
      return put(body, options?.sizeBytesMax, async ({ file, sha256, sizeBytes }) => {
        await publishContent(file, sha256, sizeBytes);
        return { sha256, sizeBytes };
      });
    },

    async get(key, range) {
      const file = await openIfThere(pathOf(key));
      if (file === undefined) return undefined;
      try {
        return await read(file, key, range);
      } catch (error) {
        await file.close();
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

type Draft = { file: string; sha256: string; sizeBytes: number };

async function writeDraft(file: string, body: ObjectBody, sizeBytesMax: number | undefined) {
  if (body instanceof Uint8Array && body.length > (sizeBytesMax ?? Number.POSITIVE_INFINITY))
    throw tooLarge(sizeBytesMax ?? 0);
  const handle = await open(file, 'wx', 0o600);
  try {
    const { stream, seen, sha256 } = measure(sizeBytesMax);
    const source =
      body instanceof Uint8Array
        ? Readable.from([Buffer.from(body.buffer, body.byteOffset, body.length)])
        : body;
    await pipeline(source, stream, async (chunks: AsyncIterable<Buffer>) => {
      let at = 0;
      for await (const chunk of chunks) at = await writeWhole(handle, chunk, at);
    });
    mayDie('object-written');
    await handle.sync();
    mayDie('object-synced');
    return { sha256: sha256(), sizeBytes: seen.sizeBytes };
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
async function writeWhole(handle: FileHandle, chunk: Buffer, at: number): Promise<number> {
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

async function read(file: FileHandle, key: string, range: ByteRange | undefined): Promise<StoredObject> {
  const { size: sizeBytes } = await file.stat();
  const { firstByte, lastByte } = resolveRange(range, sizeBytes);
  const bytes =
    sizeBytes === 0
      ? await file.close().then(() => Readable.from([]))
      : file.createReadStream({ start: firstByte, end: lastByte, highWaterMark: 256 * 1024 });
  const sha256 = range === undefined ? promisedHash(key) : undefined;
  const checked = sha256 === undefined ? new PassThrough() : verifying(key, sha256);
  // The result is the reader's to handle; a failure reaches it through `checked`.
  pipeline(bytes, checked).catch(() => {});
  return { stream: checked, sizeBytes, firstByte, lastByte };
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

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY);
    if ((await file.stat()).isFile()) return file;
    await file.close();
    return undefined;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
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
