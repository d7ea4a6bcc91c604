import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ObjectStore } from '#store/objects/index.ts';
import { readTar } from '../extraction/index.ts';
import { packageKey } from './build-version.ts';

const plainName = /^[\w][\w.-]*$/;

/**
 * Packages of the object store, unpacked on this machine when they are first used. The folders are derived and may be
 * deleted at any time.
 *
 * @param dir a folder of its own
 */
export function openPackageFolders(dir: string, objects: ObjectStore) {
  const running = new Map<string, Promise<string>>();

  async function unpack(sha: string): Promise<string> {
    const folder = join(dir, sha);
    if (await stat(folder).catch(() => undefined)) return folder;
    const stored = await objects.get(packageKey(sha));
    if (!stored) throw new Error(`package ${sha} is missing`);
    const draft = `${folder}.${process.pid}.draft`;
    await rm(draft, { recursive: true, force: true });
    await mkdir(draft, { recursive: true });
    for await (const entry of readTar(stored.stream as AsyncIterable<Buffer>)) {
      if (!plainName.test(entry.path)) throw new Error(`package ${sha} holds '${entry.path}'`);
      await pipeline(Readable.from(entry.content()), createWriteStream(join(draft, entry.path)));
    }
    await rename(draft, folder);
    return folder;
  }

  return {
    folderOf(sha: string): Promise<string> {
      const found = running.get(sha) ?? unpack(sha).finally(() => running.delete(sha));
      running.set(sha, found);
      return found;
    },
    /** Deletes what `isKept` does not know any more. */
    async sweep(isKept: (sha: string) => Promise<boolean>): Promise<void> {
      for (const name of await readdir(dir).catch(() => [])) {
        const sha = name.slice(0, 64);
        if (!running.has(sha) && !(await isKept(sha)))
          await rm(join(dir, name), { recursive: true, force: true });
      }
    },
  };
}

export type PackageFolders = ReturnType<typeof openPackageFolders>;
