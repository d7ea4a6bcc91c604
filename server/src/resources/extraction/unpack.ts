import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { mayDie } from '#domain/failpoints.ts';
import { enqueue } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import { defaultMediaLimits } from '../inputs/index.ts';
import { openUpload } from '../uploads/index.ts';
import { Batch, commit, type Run } from './batch.ts';
import {
  defaultArchiveLimits,
  EntryFault,
  isJunk,
  type Meter,
  openMeter,
  pathTrouble,
  TooMuch,
} from './extraction.ts';
import { freeingJob, scratchPrefix } from './jobs.ts';
import { keepFile } from './keep-file.ts';
import { headBytes, kindOf } from './sniff.ts';
import { type ArchiveRow, advanceArchive, beginArchive, endArchive } from './store.ts';
import { readTar } from './tar.ts';
import { type RandomAccess, readZip, type ZipEntry } from './zip.ts';

type Entry = ZipEntry;

/**
 * Unpacks an archive from where it stands. What is wrong with one entry is noted and the others go on; what is wrong
 * with the archive ends it, and keeps what came out before.
 *
 * @returns false when the job is over, or another worker has it
 * @throws TooMuch where a limit of the whole job was passed; what came out before is kept
 */
export async function unpack(run: Run, first: ArchiveRow): Promise<boolean> {
  const { deps, grant, job } = run;
  const limits = { ...defaultArchiveLimits, ...deps.archiveLimits };
  await deps.db.transaction((tx) => beginArchive(tx, grant, job.key, first.key));
  mayDie('extraction-begun');
  const file = await openArchive(run, first);
  const before = { entries: job.entryCount, bytes: job.bytesOut, archiveBytesOut: first.bytesOut };
  const meter = openMeter(limits, file?.sizeBytes ?? 0, before);
  let archive = first;
  let batch = new Batch();
  let position = 0;
  const save = async (also: (tx: Tx) => Promise<unknown> = async () => {}): Promise<boolean> => {
    const to = { position, bytesOut: meter.seen.archiveBytesOut };
    batch.bytesOut = to.bytesOut - archive.bytesOut;
    const saved = batch;
    const isGood = await commit(run, saved, async (tx) => {
      const isMoved = await advanceArchive(tx, grant, archive, to);
      if (isMoved) await also(tx);
      return isMoved;
    });
    archive = { ...archive, ...to };
    batch = new Batch();
    return isGood;
  };
  const end = (isGood: boolean) =>
    save(async (tx) => {
      await endArchive(tx, grant, job.key, archive.key, isGood);
      if (archive.object) await enqueue(tx, freeingJob(archive.object));
    });

  try {
    if (!file) throw new EntryFault('is no longer there');
    for await (const entry of await entriesOf(file, archive)) {
      position += 1;
      if (position <= first.position) continue;
      run.signal.throwIfAborted();
      meter.entry();
      batch.entries += 1;
      if (batch.holdsIdOf(entry.path)) {
        position -= 1;
        batch.entries -= 1;
        const isGood = await save();
        position += 1;
        batch.entries += 1;
        if (!isGood) return false;
      }
      await takeEntry(run, limits, archive, entry, meter, batch);
      if ((batch.isFull || batch.entries >= entriesPerCommit) && !(await save())) return false;
    }
  } catch (thrown) {
    if (!(thrown instanceof EntryFault || thrown instanceof TooMuch)) throw thrown;
    batch.fault(archive.name, thrown.message);
    const isGood = await end(false);
    if (thrown instanceof TooMuch && thrown.endsJob) throw thrown;
    return isGood;
  }
  return end(true);
}

/** Skipped entries make no batch full; they are done nevertheless. */
const entriesPerCommit = 5000;

async function takeEntry(
  run: Run,
  limits: { depthMax: number; bytesMax: number },
  archive: ArchiveRow,
  entry: Entry,
  meter: Meter,
  batch: Batch,
): Promise<void> {
  const trouble = pathTrouble(entry.path) ?? entry.trouble;
  if (entry.isFolder || (!trouble && isJunk(entry.path))) return;
  const name = `${archive.name}/${entry.path}`;
  if (trouble) return batch.fault(name, trouble);
  async function* metered() {
    for await (const chunk of entry.content()) {
      meter.bytes(chunk.length);
      yield chunk;
    }
  }
  try {
    const media = { ...defaultMediaLimits, ...run.deps.limits, archiveBytesMax: limits.bytesMax };
    const kept = await keepFile(run.deps.objects, media, entry.path, metered());
    if ('archive' in kept && archive.depth + 1 > limits.depthMax) {
      await run.deps.objects.delete(scratchPrefix + kept.archive);
      throw new EntryFault(`lies deeper than ${limits.depthMax} archives inside each other`);
    }
    batch.add(run.template, entry.path, name, archive.depth + 1, kept);
  } catch (thrown) {
    if (!(thrown instanceof EntryFault)) throw thrown;
    batch.fault(name, thrown.message);
  }
}

async function openArchive(
  { deps, grant, job }: Run,
  { object }: ArchiveRow,
): Promise<RandomAccess | undefined> {
  if (object === null) return job.uploadKey === null ? undefined : openUpload(deps, grant, job.uploadKey);
  const found = await deps.objects.stat(scratchPrefix + object);
  if (!found) return undefined;
  async function* chunks(start: number, end: number): AsyncGenerator<Buffer> {
    const part = await deps.objects.get(scratchPrefix + object, { firstByte: start, lastByte: end - 1 });
    if (!part) throw new EntryFault('is no longer there');
    yield* part.stream as AsyncIterable<Buffer>;
  }
  return {
    sizeBytes: found.sizeBytes,
    read: (start, end) => Readable.from(chunks(start, end), { objectMode: false }),
  };
}

async function entriesOf(file: RandomAccess, archive: ArchiveRow): Promise<AsyncIterable<Entry>> {
  const head: Buffer[] = [];
  for await (const chunk of file.read(0, Math.min(headBytes, file.sizeBytes))) head.push(chunk as Buffer);
  const found = kindOf(Buffer.concat(head), archive.name);
  if (found === 'zip') return readZip(file);
  const whole = () => file.read(0, file.sizeBytes) as AsyncIterable<Buffer>;
  if (found === 'tar') return filesOf(whole());
  if (found === 'gzip') return filesOf(unzipped(file));
  throw new EntryFault('is no archive that is known here: zip, tar and tar.gz are');
}

async function* unzipped(file: RandomAccess): AsyncGenerator<Buffer> {
  const gunzip = createGunzip();
  const flow = pipeline(file.read(0, file.sizeBytes), gunzip);
  // It fails with the reading, which tells.
  flow.catch(() => {});
  try {
    yield* gunzip as AsyncIterable<Buffer>;
  } catch (error) {
    if (/^Z_/.test((error as NodeJS.ErrnoException).code ?? ''))
      throw new EntryFault('The archive is broken: it cannot be unpacked any further.');
    throw error;
  }
}

/** Entries of a tar as those of a zip. */
async function* filesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<Entry> {
  for await (const { path, type, content } of readTar(stream)) {
    const isFile = type === '0' || type === '' || type === '7';
    yield {
      path,
      isFolder: type === '5',
      trouble: isFile || type === '5' ? undefined : 'is a link or a device, not a file',
      content,
    };
  }
}
