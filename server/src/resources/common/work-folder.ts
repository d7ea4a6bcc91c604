import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RandomFile, Rereadable, Spool } from '@fovea/formats';
import { newId } from '#domain/ids.ts';

const blockBytes = 256 * 1024;

/**
 * Files of one job that live as long as its run. The folder is emptied when the run ends; what a killed process
 * left is removed by the next run of the same job.
 */
export async function openWorkFolder(dir: string) {
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  const spool = (): Spool & Rereadable => {
    const path = join(dir, newId());
    let file: Promise<FileHandle> | undefined;
    let size = 0;
    const handle = () => {
      file ??= open(path, 'wx+');
      return file;
    };
    const block = async (start: number, end: number) => {
      const length = Math.max(0, Math.min(end, size) - start);
      const { buffer, bytesRead } = await (await handle()).read(Buffer.alloc(length), 0, length, start);
      return buffer.subarray(0, bytesRead);
    };
    const close = async () => {
      await (await file)?.close();
      file = undefined;
      await rm(path, { force: true });
    };
    return {
      async write(bytes) {
        await (await handle()).write(bytes, 0, bytes.length, size);
        size += bytes.length;
      },
      async *read() {
        for (let at = 0; at < size; at += blockBytes) yield await block(at, at + blockBytes);
      },
      close,
      async reread(): Promise<RandomFile> {
        return { size, read: block, close };
      },
    };
  };
  return { spool, close: () => rm(dir, { recursive: true, force: true }) };
}
