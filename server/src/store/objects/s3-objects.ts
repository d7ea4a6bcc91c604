import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import {
  checkKey,
  contentKey,
  measure,
  type ObjectBody,
  type ObjectFacts,
  type ObjectStore,
  promisedHash,
  resolveRange,
  tooLarge,
  verifying,
} from './object-store.ts';

export type S3Config = {
  bucket: string;
  region: string;
  /** Default: Amazon's for the region. */
  endpoint?: string;
  /** Put before every key, with its slash; '' or for instance `fovea/`. */
  prefix?: string;
  /** Without both keys, the SDK's own sources (instance role, profile). */
  accessKeyId?: string;
  secretAccessKey?: string;
  /** The bucket in the path instead of the host name: what most servers other than Amazon's need. */
  forcePathStyle?: boolean;
};

/** Streams up to this size are sent from memory; larger ones wait in a temporary file until their hash is known. */
const memoryBytesMax = 8 * 1024 * 1024;

/** Content put again is written again when older than this, so that its age starts anew. */
const refreshAfterMs = 600_000;

/** Objects in a bucket of any S3 server. The SDK is loaded here and nowhere else: it costs 0.4 s and 66 MB. */
export async function openS3Objects(config: S3Config): Promise<ObjectStore> {
  const s3 = await import('@aws-sdk/client-s3');
  const { Upload } = await import('@aws-sdk/lib-storage');
  const { bucket: Bucket, prefix = '' } = config;
  const client = connect(s3.S3Client, config);
  const nameOf = (key: string) => prefix + checkKey(key);

  const putBytes = (key: string, bytes: Uint8Array, sha256?: string) =>
    client.send(
      new s3.PutObjectCommand({
        Bucket,
        Key: nameOf(key),
        Body: bytes,
        ContentLength: bytes.length,
        ...(sha256 === undefined ? {} : { ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64') }),
      }),
    );

  const putStream = async (key: string, body: Readable, sizeBytesMax?: number): Promise<number> => {
    const { stream, seen } = measure(sizeBytesMax);
    const upload = new Upload({
      client,
      params: { Bucket, Key: nameOf(key), Body: stream },
      partSize: memoryBytesMax,
    });
    const sent = pipeline(body, stream).catch(async (error) => {
      await upload.abort();
      throw error;
    });
    const [read, done] = await Promise.allSettled([sent, upload.done()]);
    if (read.status === 'rejected') throw read.reason;
    if (done.status === 'rejected') {
      body.destroy();
      throw done.reason;
    }
    const stored = await stat(key);
    if (stored?.sizeBytes === seen.sizeBytes) return seen.sizeBytes;
    throw new Error(`The object store kept ${stored?.sizeBytes ?? 'none'} of ${seen.sizeBytes} bytes.`);
  };

  const stat = async (key: string): Promise<ObjectFacts | undefined> => {
    try {
      const head = await client.send(new s3.HeadObjectCommand({ Bucket, Key: nameOf(key) }));
      return { key, sizeBytes: head.ContentLength ?? 0, modifiedAt: head.LastModified ?? new Date(0) };
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  };

  const isFresh = async (key: string, sizeBytes: number): Promise<boolean> => {
    const found = await stat(key);
    return found?.sizeBytes === sizeBytes && Date.now() - found.modifiedAt.getTime() < refreshAfterMs;
  };

  return {
    stat,

    async put(key, body, { sizeBytesMax } = {}) {
      checkKey(key);
      if (!(body instanceof Uint8Array)) return { sizeBytes: await putStream(key, body, sizeBytesMax) };
      if (body.length > (sizeBytesMax ?? Number.POSITIVE_INFINITY)) throw tooLarge(sizeBytesMax ?? 0);
      await putBytes(key, body);
      return { sizeBytes: body.length };
    },

    async putContent(body, { sizeBytesMax } = {}) {
      const spooled = await spool(body, sizeBytesMax);
      try {
        const { sha256, sizeBytes } = spooled;
        const key = contentKey(sha256);
        if (await isFresh(key, sizeBytes)) return { sha256, sizeBytes };
        if (spooled.bytes !== undefined) await putBytes(key, spooled.bytes, sha256);
        else await putStream(key, createReadStream(spooled.file));
        return { sha256, sizeBytes };
      } finally {
        if (spooled.bytes === undefined) await rm(spooled.file, { force: true });
      }
    },

    async get(key, range) {
      if (range !== undefined) resolveRange(range, Number.MAX_SAFE_INTEGER);
      const Range = range && `bytes=${range.firstByte}-${range.lastByte ?? ''}`;
      try {
        const got = await client.send(new s3.GetObjectCommand({ Bucket, Key: nameOf(key), Range }));
        const sizeBytes = Number(got.ContentRange?.split('/')[1] ?? got.ContentLength);
        const sha256 = range === undefined ? promisedHash(key) : undefined;
        const checked = sha256 === undefined ? new PassThrough() : verifying(key, sha256);
        pipeline(got.Body as Readable, checked).catch(() => {});
        return { stream: checked, sizeBytes, ...resolveRange(range, sizeBytes) };
      } catch (error) {
        if (isAbsent(error)) return undefined;
        if (statusOf(error) === 416)
          throw new RangeError(`Bytes ${range?.firstByte} and on of ${key} do not exist.`);
        throw error;
      }
    },

    async delete(key) {
      await client.send(new s3.DeleteObjectCommand({ Bucket, Key: nameOf(key) }));
    },

    async list(wanted, after, limit) {
      const found: ObjectFacts[] = [];
      while (found.length < limit) {
        const page = await client.send(
          new s3.ListObjectsV2Command({
            Bucket,
            Prefix: prefix + wanted,
            StartAfter: prefix + (found.at(-1)?.key ?? after),
            MaxKeys: Math.min(limit - found.length, 1_000),
          }),
        );
        for (const { Key = '', Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
          found.push({ key: Key.slice(prefix.length), sizeBytes: Size, modifiedAt: LastModified });
        }
        if (!page.IsTruncated) break;
      }
      return found;
    },

    async ready() {
      await client.send(new s3.HeadBucketCommand({ Bucket }));
    },
  };
}

function connect(Client: typeof S3Client, config: S3Config): S3Client {
  const { accessKeyId, secretAccessKey, region, endpoint, forcePathStyle = false } = config;
  const credentials = accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined;
  return new Client({
    region,
    endpoint,
    forcePathStyle,
    credentials,
    maxAttempts: 5,
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 60_000 },
    // By default the SDK frames streamed bodies with checksums, which several S3 servers store as if they were content.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

type Spooled = { sha256: string; sizeBytes: number } & (
  | { bytes: Uint8Array }
  | { bytes?: undefined; file: string }
);

/** Gathers a body until its hash, and with it its name, is known. */
async function spool(body: ObjectBody, sizeBytesMax?: number): Promise<Spooled> {
  if (body instanceof Uint8Array) {
    if (body.length > (sizeBytesMax ?? Number.POSITIVE_INFINITY)) throw tooLarge(sizeBytesMax ?? 0);
    return { bytes: body, sha256: createHash('sha256').update(body).digest('hex'), sizeBytes: body.length };
  }
  const { stream, seen, sha256 } = measure(sizeBytesMax);
  const file = join(tmpdir(), `fovea-put-${randomUUID()}`);
  const chunks: Buffer[] = [];
  let spilled = false;
  try {
    await pipeline(body, stream, async (source: AsyncIterable<Buffer>) => {
      const rest = source[Symbol.asyncIterator]();
      for (let next = await rest.next(); !next.done; next = await rest.next()) {
        chunks.push(next.value);
        if (seen.sizeBytes <= memoryBytesMax) continue;
        spilled = true;
        const all = (async function* () {
          yield* chunks.splice(0);
          for (let more = await rest.next(); !more.done; more = await rest.next()) yield more.value;
        })();
        await pipeline(Readable.from(all), createWriteStream(file, { flags: 'wx', mode: 0o600 }));
        return;
      }
    });
  } catch (error) {
    if (spilled) await rm(file, { force: true });
    throw error;
  }
  const facts = { sha256: sha256(), sizeBytes: seen.sizeBytes };
  return spilled ? { ...facts, file } : { ...facts, bytes: Buffer.concat(chunks) };
}

function isAbsent(error: unknown): boolean {
  return statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket';
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}
