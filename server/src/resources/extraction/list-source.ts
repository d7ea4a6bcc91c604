import { mayDie } from '#domain/failpoints.ts';
import {
  type Bucket,
  BucketFault,
  type BucketObject,
  type Listed,
  openBucket,
  patiently,
} from '#store/buckets/index.ts';
import { FetchFault } from '#store/fetcher/index.ts';
import { defaultMediaLimits } from '../inputs/index.ts';
import { Batch, commit, type Run } from './batch.ts';
import { defaultArchiveLimits, EntryFault, isJunk } from './extraction.ts';
import { type KeptFile, keepFile } from './keep-file.ts';
import { type Source, unsealSource } from './source.ts';
import { advanceListing, type JobRow } from './store.ts';

/** Files that are fetched at the same time; each may hold as much memory as the largest picture. */
const fetchesAtOnce = 8;

/** The source cannot be listed, and will not be in a while: the job ends. */
export class ListingFailed extends Error {
  override name = 'ListingFailed';
}

/**
 * Takes the next page of a source, or what is left of it. Pictures and the like become inputs at once; an archive is
 * copied, and the page goes on when it was unpacked.
 *
 * @returns false when the job is over, or another worker has it
 * @throws ListingFailed
 */
export async function takePage(run: Run): Promise<boolean> {
  const { deps, signal } = run;
  if (!run.job.source) return false;
  const source = unsealSource(deps.sealer, run.job.source);
  const endpoints = deps.sourceEndpoints ?? {};
  const bucket = openBucket({ fetcher: deps.fetcher, ...source, endpoints });
  const { objects, next } = await listPage(bucket, source, run.job, signal);
  mayDie('extraction-listed');
  const left = objects.filter(({ key }) => isBehind(key, run.job.listAfter));
  let job = run.job;
  for (let at = 0; at < left.length; at += fetchesAtOnce) {
    signal.throwIfAborted();
    const window = left.slice(at, at + fetchesAtOnce);
    const files = await Promise.all(window.map((object) => fetchFile(run, bucket, object)));
    let batch = new Batch();
    for (const [i, object] of window.entries()) {
      if (batch.holdsIdOf(object.key)) {
        const to = { page: job.listPage, after: (window[i - 1] as BucketObject).key, isListed: false };
        const from = job;
        if (!(await commit(run, batch, (tx) => advanceListing(tx, run.grant, from, to)))) return false;
        job = { ...job, listAfter: to.after };
        batch = new Batch();
      }
      const file = files[i];
      if (typeof file === 'string') batch.fault(object.key, file);
      else if (file) batch.add(run.template, pathOf(source, object.key), object.key, 0, file);
    }
    const to = { page: job.listPage, after: (window.at(-1) as BucketObject).key, isListed: false };
    const from = job;
    const isPaused = batch.archives.length > 0;
    if (!(await commit(run, batch, (tx) => advanceListing(tx, run.grant, from, to)))) return false;
    job = { ...job, listAfter: to.after };
    if (isPaused) return true;
  }
  const to = { page: next ?? '', after: '', isListed: next === undefined };
  return commit(run, new Batch(), (tx) => advanceListing(tx, run.grant, job, to));
}

/** Listings are ordered by the bytes of their keys. */
const isBehind = (key: string, after: string): boolean =>
  after === '' || Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0;

async function listPage(
  bucket: Bucket,
  { address }: Source,
  job: JobRow,
  signal: AbortSignal,
): Promise<Listed> {
  try {
    return await patiently(signal, () => bucket.list(job.listPage, signal));
  } catch (thrown) {
    // Credentials may open one archive without listing its neighbours.
    const isOneArchive = address.provider !== 'web' && /\.(zip|tar|tgz|tar\.gz)$/i.test(address.prefix);
    if (thrown instanceof BucketFault && isOneArchive)
      return { objects: [{ key: address.prefix, sizeBytes: undefined }], next: undefined };
    if (thrown instanceof BucketFault) throw new ListingFailed(thrown.message);
    if (thrown instanceof FetchFault && thrown.kind !== 'unreachable' && thrown.kind !== 'timeout')
      throw new ListingFailed(thrown.message);
    throw thrown;
  }
}

/** @returns the file, words about what is wrong with it, or undefined for what is none */
async function fetchFile(
  run: Run,
  bucket: Bucket,
  { key, sizeBytes }: BucketObject,
): Promise<KeptFile | string | undefined> {
  const { deps, signal } = run;
  if (key.endsWith('/') || isJunk(key.split('/').at(-1) as string)) return undefined;
  const archiveBytesMax = { ...defaultArchiveLimits, ...deps.archiveLimits }.bytesMax;
  if ((sizeBytes ?? 0) > archiveBytesMax) return `is larger than ${archiveBytesMax} bytes`;
  const limits = { ...defaultMediaLimits, ...deps.limits, archiveBytesMax };
  try {
    return await patiently(signal, async () => {
      const stream = await bucket.open(key, { sizeBytesMax: archiveBytesMax, signal });
      const kept = await keepFile(deps.objects, limits, key, stream as AsyncIterable<Buffer>);
      if ('stored' in kept) await kept.stored;
      return kept;
    });
  } catch (thrown) {
    if (thrown instanceof EntryFault || thrown instanceof BucketFault) return thrown.message;
    if (!(thrown instanceof FetchFault) || thrown.kind === 'unreachable' || thrown.kind === 'timeout')
      throw thrown;
    return thrown.status === 404 ? 'is no longer there' : `could not be read: ${thrown.message}`;
  }
}

/** The name of a file; of the web it is escaped. */
function pathOf({ address }: Source, key: string): string {
  if (address.provider !== 'web') return key;
  const path = new URL(key).pathname;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
