import { createHmac } from 'node:crypto';
import { FetchFault } from '../fetcher/index.ts';
import { type Bucket, BucketFault, type BucketParts, listBytesMax, objectsPerList } from './bucket.ts';
import { checkListing, elementsOf, textOf } from './listing-xml.ts';
import { escaped, textIn, transferMsMax } from './s3-bucket.ts';

const version = '2021-08-06';

/** Source: Azure Blob service REST API (List Blobs, Get Blob); Shared Key authorization; a SAS in the URL stands as it is. */
export function openAzureBucket({ fetcher, address, credentials, endpoints }: BucketParts): Bucket {
  const creds = credentials?.kind === 'azure' ? credentials : undefined;
  const account = address.account || creds?.accountName || '';
  const base = (endpoints.azure ?? 'https://{account}.blob.core.windows.net')
    .replaceAll('{account}', account)
    .replace(/\/+$/, '');

  async function get(path: string, query: Record<string, string>, sizeBytesMax: number, signal: AbortSignal) {
    const pairs = Object.entries(query).map(([name, value]) => `${name}=${escaped(value)}`);
    const sas = creds ? '' : (address.query ?? '').replace(/^\?/, '');
    const search = [...pairs, ...(sas ? [sas] : [])].join('&');
    const url = new URL(`${base}/${path}${search && `?${search}`}`);
    const headers: Record<string, string> = {
      'x-ms-date': new Date().toUTCString(),
      'x-ms-version': version,
    };
    if (creds) headers.authorization = sharedKey(url, headers, query, creds);
    try {
      const options = {
        headers: { ...headers, 'accept-encoding': 'identity' },
        sizeBytesMax,
        timeoutMs: transferMsMax,
        signal,
      };
      return (await fetcher.open(url.href, options)).stream;
    } catch (error) {
      throw named(error);
    }
  }

  function named(error: unknown): unknown {
    if (!(error instanceof FetchFault) || error.kind !== 'http') return error;
    const code = error.headers['x-ms-error-code'] ?? textOf(error.answer, 'Code');
    if (code === 'ContainerNotFound') return new BucketFault(`There is no container '${address.bucket}'.`);
    // A container that is closed to strangers answers them as if it were not there.
    if (error.status === 401 || error.status === 403 || (code === 'ResourceNotFound' && !creds))
      return new BucketFault(
        `The container '${address.bucket}' refuses ${creds || address.query ? 'these credentials' : 'access without credentials'}.`,
      );
    return error;
  }

  return {
    async list(cursor, signal) {
      const query = {
        comp: 'list',
        maxresults: String(objectsPerList),
        prefix: address.prefix,
        restype: 'container',
        ...(cursor ? { marker: cursor } : {}),
      };
      const xml = await textIn(await get(escaped(address.bucket), query, listBytesMax, signal));
      checkListing(xml, 'EnumerationResults', 'Azure');
      const objects = elementsOf(xml, 'Blob').map((one) => ({
        key: textOf(one, 'Name'),
        sizeBytes: Number(textOf(one, 'Content-Length')),
      }));
      return { objects, next: textOf(xml, 'NextMarker') || undefined };
    },
    open: (key, { sizeBytesMax, signal }) =>
      get(`${escaped(address.bucket)}/${key.split('/').map(escaped).join('/')}`, {}, sizeBytesMax, signal),
  };
}

function sharedKey(
  url: URL,
  headers: Record<string, string>,
  query: Record<string, string>,
  { accountName, accountKey }: { accountName: string; accountKey: string },
): string {
  const own = Object.keys(headers)
    .filter((name) => name.startsWith('x-ms-'))
    .sort()
    .map((name) => `${name}:${headers[name]}`);
  const asked = Object.keys(query)
    .sort()
    .map((name) => `\n${name}:${query[name]}`);
  // Verb, eleven standard headers that a plain GET leaves empty, ours, and the resource.
  const text = ['GET', ...Array(11).fill(''), ...own, `/${accountName}${url.pathname}${asked.join('')}`].join(
    '\n',
  );
  const signature = createHmac('sha256', Buffer.from(accountKey, 'base64'))
    .update(text, 'utf8')
    .digest('base64');
  return `SharedKey ${accountName}:${signature}`;
}
