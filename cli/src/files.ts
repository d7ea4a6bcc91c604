import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { type FileHandle, mkdir, mkdtemp, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  type FileSink,
  type FileTree,
  openZip,
  type RandomFile,
  type Rereadable,
  type Spool,
  safePath,
  ZipBroken,
  zipTo,
} from '@fovea/formats';
import { CliFault, exitCode } from './faults.ts';

/** A folder or a ZIP archive on this machine. @throws CliFault when it is neither */
export async function openTree(path: string, spool: () => Spool & Rereadable): Promise<FileTree> {
  const facts = await stat(path).catch(() => undefined);
  if (!facts) throw new CliFault(`${path} is not there.`, exitCode.missing);
  if (facts.isDirectory()) return folderTree(path);
  try {
    return await openZip(await openFile(path), { spool });
  } catch (error) {
    if (!(error instanceof ZipBroken)) throw error;
    throw new CliFault(`${path}: ${error.message}. Give a folder or a ZIP archive.`);
  }
}

export async function openFile(path: string): Promise<RandomFile> {
  const file: FileHandle = await open(path, 'r');
  const { size } = await file.stat();
  return {
    size,
    async read(start, end) {
      const length = Math.max(0, Math.min(end, size) - start);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start);
      return buffer.subarray(0, bytesRead);
    },
    close: () => file.close(),
  };
}

/** Links are not followed: they could lead out of the folder. */
function folderTree(root: string): FileTree {
  const inside = (path: string) => join(root, ...path.split('/'));
  return {
    async list() {
      const found: { path: string; size: number }[] = [];
      const folders = [root];
      for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
        for (const entry of await readdir(folder, { withFileTypes: true })) {
          const path = join(folder, entry.name);
          if (entry.isDirectory()) folders.push(path);
          else if (entry.isFile()) {
            found.push({ path: relative(root, path).split(sep).join('/'), size: (await stat(path)).size });
          }
        }
      }
      return found;
    },
    stream: (path) => createReadStream(inside(path)),
    open: (path) => openFile(inside(path)),
    close: async () => {},
  };
}

/** Temporary files of one command. */
export async function openTemp() {
  const dir = await mkdtemp(join(tmpdir(), 'fovea-'));
  let count = 0;
  const spool = (): Spool & Rereadable => {
    const path = join(dir, String(count++));
    let out: WriteStream | undefined;
    let ended: Promise<void> | undefined;
    const end = () => {
      ended ??= new Promise<void>((resolve, reject) => {
        if (!out) return resolve();
        out.once('error', reject);
        out.end(() => resolve());
      });
      return ended;
    };
    return {
      async write(bytes) {
        out ??= createWriteStream(path);
        if (!out.write(bytes)) await new Promise<void>((resolve) => out?.once('drain', () => resolve()));
      },
      async *read() {
        await end();
        if (out) yield* createReadStream(path);
      },
      async close() {
        await end();
        await rm(path, { force: true });
      },
      async reread() {
        await end();
        return openFile(path);
      },
    };
  };
  return { spool, close: () => rm(dir, { recursive: true, force: true }) };
}

export interface Target extends FileSink {
  /** Puts the whole under its name. */
  finish(): Promise<void>;
  /** Takes away what was written. */
  drop(): Promise<void>;
}

/** A new folder, or a new archive where the name ends in `.zip`. Nothing lies under the name before all is written. */
export async function openTarget(path: string, spool: () => Spool): Promise<Target> {
  if (await stat(path).catch(() => undefined))
    throw new CliFault(`${path} exists already; name a new folder or archive.`, exitCode.usage);
  await mkdir(dirname(path) || '.', { recursive: true });
  const draft = `${path}.part-${process.pid}`;
  return path.toLowerCase().endsWith('.zip')
    ? archiveTarget(path, draft, spool)
    : folderTarget(path, draft, spool);
}

async function archiveTarget(path: string, draft: string, spool: () => Spool): Promise<Target> {
  const file = await open(draft, 'wx');
  const zip = zipTo(async (bytes) => void (await file.write(bytes)), spool);
  return {
    spool,
    add: (name, chunks) => zip.add(name, chunks),
    async finish() {
      await zip.finish();
      await file.sync();
      await file.close();
      await rename(draft, path);
    },
    async drop() {
      await file.close().catch(() => {});
      await rm(draft, { force: true });
    },
  };
}

async function folderTarget(path: string, draft: string, spool: () => Spool): Promise<Target> {
  await mkdir(draft);
  return {
    spool,
    async add(name, chunks) {
      if (safePath(name) !== name) throw new CliFault(`${name} would be written outside of ${path}.`);
      const to = join(draft, ...name.split('/'));
      await mkdir(dirname(to), { recursive: true });
      await pipeline(Readable.from(chunks), createWriteStream(to, { flags: 'wx' }));
    },
    finish: () => rename(draft, path),
    drop: () => rm(draft, { recursive: true, force: true }),
  };
}
