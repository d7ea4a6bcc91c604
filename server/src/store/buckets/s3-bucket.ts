import { createHash, createHmac } from 'node:crypto';
import { FetchFault } from '../fetcher/index.ts';
import { type Bucket, BucketFault, type BucketParts, listBytesMax, objectsPerList } from './bucket.ts';
import { checkListing, elementsOf, textOf } from './listing-xml.ts';

const emptyHash = createHash('sha256').update('').digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();

/** RFC 3986, as signatures want it. */
export const escaped = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * A bucket of any S3 server, read only. Not the SDK that holds our own objects: that one opens connections of its own,
 * past the guard that addresses given by users have to pass.
 *
 * Source: AWS Signature Version 4; ListObjectsV2; GetObject.
 */
export function openS3Bucket({ fetcher, address, credentials, endpoints }: BucketParts): Bucket {
  const creds = credentials?.kind === 's3' ? credentials : undefined;
  let region = creds?.region || 'us-east-1';

  function urlOf(key: string, query: Record<string, string>): URL {
    const path = key.split('/').map(escaped).join('/');
    const pairs = Object.entries(query).sort(([a], [b]) => (a < b ? -1 : 1));
    const search = pairs.map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join('&');
    // A name with dots does not fit the certificate of the host that would carry it.
    const isHosted = endpoints.s3 === undefined && !address.bucket.includes('.');
    const base = endpoints.s3 ?? `https://${isHosted ? `${address.bucket}.` : ''}s3.${region}.amazonaws.com`;
    return new URL(
      `${base.replace(/\/+$/, '')}${isHosted ? '' : `/${address.bucket}`}/${path}${search && `?${search}`}`,
    );
  }

  async function get(key: string, query: Record<string, string>, sizeBytesMax: number, signal: AbortSignal) {
    for (let isSecond = false; ; isSecond = true) {
      const url = urlOf(key, query);
      const headers = creds ? signed(url, creds, region, new Date()) : {};
      try {
        return await fetcher.open(url.href, {
          headers: { ...headers, 'accept-encoding': 'identity' },
          sizeBytesMax,
          timeoutMs: transferMsMax,
          signal,
        });
      } catch (error) {
        const home = error instanceof FetchFault ? error.headers['x-amz-bucket-region'] : undefined;
        if (isSecond || !home || home === region || !/^[a-z0-9-]{2,40}$/.test(home)) throw named(error);
        region = home;
      }
    }
  }

  function named(error: unknown): unknown {
    if (!(error instanceof FetchFault) || error.kind !== 'http') return error;
    const code = textOf(error.answer, 'Code')
      .replace(/[^A-Za-z]/g, '')
      .slice(0, 60);
    if (code === 'NoSuchBucket') return new BucketFault(`There is no bucket '${address.bucket}'.`);
    if (error.status === 401 || error.status === 403)
      return new BucketFault(
        `The bucket '${address.bucket}' refuses ${creds ? 'these credentials' : 'access without credentials'}${code && ` (${code})`}.`,
      );
    return error;
  }

  return {
    async list(cursor, signal) {
      const query = {
        'list-type': '2',
        'max-keys': String(objectsPerList),
        prefix: address.prefix,
        ...(cursor === '' ? {} : { 'start-after': cursor }),
      };
      const { stream } = await get('', query, listBytesMax, signal);
      const xml = await textIn(stream);
      checkListing(xml, 'ListBucketResult', 'S3');
      const objects = elementsOf(xml, 'Contents').map((one) => ({
        key: textOf(one, 'Key'),
        sizeBytes: Number(textOf(one, 'Size')),
      }));
      const isMore = textOf(xml, 'IsTruncated') === 'true';
      return { objects, next: isMore ? objects.at(-1)?.key : undefined };
    },
    open: async (key, { sizeBytesMax, signal }) => (await get(key, {}, sizeBytesMax, signal)).stream,
  };
}

export const transferMsMax = 3_600_000;

export async function textIn(stream: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** Headers that sign a GET without a body. */
export function signed(
  url: URL,
  creds: { id: string; secret: string; token: string },
  region: string,
  now: Date,
): Record<string, string> {
  const at = now.toISOString().replace(/[-:]|\.\d{3}/g, '');
  const day = at.slice(0, 8);
  const headers: Record<string, string> = {
    host: url.host,
    'x-amz-content-sha256': emptyHash,
    'x-amz-date': at,
    ...(creds.token ? { 'x-amz-security-token': creds.token } : {}),
  };
  const names = Object.keys(headers).sort();
  const canonical = [
    'GET',
    url.pathname,
    url.search.slice(1),
    ...names.map((name) => `${name}:${headers[name]}`),
    '',
    names.join(';'),
    emptyHash,
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const hash = createHash('sha256').update(canonical).digest('hex');
  const key = hmac(hmac(hmac(hmac(`AWS4${creds.secret}`, day), region), 's3'), 'aws4_request');
  const signature = hmac(key, ['AWS4-HMAC-SHA256', at, scope, hash].join('\n')).toString('hex');
  const { host: _, ...sent } = headers;
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${creds.id}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
  };
}
