import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { foreignKind } from '#engine/index.ts';
import { EntryFault, pathTrouble, type RandomAccess, readTar, readZip } from '../extraction/index.ts';
import { BuildTrouble } from './faults.ts';

/** A file in an archive; its content is read, or not, before the next is asked for. */
export interface ArchiveFile {
  /** From the root, without `./`. */
  readonly path: string;
  content(): AsyncIterable<Buffer>;
}

const entriesMax = 20_000;

/**
 * The plain files of a tar, tar.gz or ZIP archive.
 *
 * @throws BuildTrouble for what is none of them, is broken, or has links or paths that lead out
 */
export async function* filesIn(path: string): AsyncGenerator<ArchiveFile> {
  let entries = 0;
  try {
    for await (const file of entriesOf(path)) {
      entries += 1;
      if (entries > entriesMax) throw new BuildTrouble(`the archive has more than ${entriesMax} entries`);
      yield file;
    }
  } catch (error) {
    if (error instanceof EntryFault) throw new BuildTrouble(`the archive cannot be read: ${error.message}`);
    if (/^Z_/.test((error as NodeJS.ErrnoException).code ?? ''))
      throw new BuildTrouble(`the archive cannot be unpacked: ${(error as Error).message}`);
    throw error;
  }
}

async function* entriesOf(path: string): AsyncGenerator<ArchiveFile> {
  const head = await headOf(path);
  if (head.toString('latin1', 0, 4) === 'PK\x03\x04') {
    for await (const entry of readZip(await randomAccess(path))) {
      if (entry.isFolder) continue;
      if (entry.trouble) throw new BuildTrouble(`'${entry.path}' ${entry.trouble}`);
      yield checked(entry.path, () => entry.content());
    }
    return;
  }
  const isGzip = head[0] === 0x1f && head[1] === 0x8b;
  if (!isGzip && head.toString('latin1', 257, 262) !== 'ustar') {
    const kind = foreignKind(head);
    throw new BuildTrouble(
      `the upload is ${kind ?? 'no archive'}; send a tar, tar.gz or ZIP with model.onnx and what belongs to it. It is never opened here`,
    );
  }
  const file = createReadStream(path);
  const stream = isGzip ? file.pipe(createGunzip()) : file;
  file.once('error', (error) => stream.destroy(error));
  try {
    for await (const entry of readTar(stream as AsyncIterable<Buffer>)) {
      if (entry.type === '5' || entry.path.endsWith('/')) continue;
      if (entry.type !== '0' && entry.type !== '')
        throw new BuildTrouble(`'${entry.path}' is a link or a device; a package holds plain files alone`);
      yield checked(entry.path, () => entry.content());
    }
  } finally {
    stream.destroy();
    file.destroy();
  }
}

function checked(path: string, content: () => AsyncIterable<Buffer>): ArchiveFile {
  const trouble = pathTrouble(path);
  if (trouble) throw new BuildTrouble(`an entry of the archive ${trouble}`);
  return { path: path.replace(/^(\.\/)+/, ''), content };
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(512), 0, 512, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function randomAccess(path: string): Promise<RandomAccess> {
  const { size } = await stat(path);
  return {
    sizeBytes: size,
    read: (start, end) => createReadStream(path, { start, end: Math.max(start, end - 1) }),
  };
}
