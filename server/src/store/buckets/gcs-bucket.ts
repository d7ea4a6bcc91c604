import { createSign } from 'node:crypto';
import { FetchFault } from '../fetcher/index.ts';
import { type Bucket, BucketFault, type BucketParts, listBytesMax, objectsPerList } from './bucket.ts';
import { escaped, textIn, transferMsMax } from './s3-bucket.ts';

const scope = 'https://www.googleapis.com/auth/devstorage.read_only';
const tokenSeconds = 3600;

/** Source: Cloud Storage JSON API v1 (objects.list, objects.get); OAuth 2.0 for service accounts (RFC 7523). */
export function openGcsBucket({ fetcher, address, credentials, endpoints }: BucketParts): Bucket {
  const account = credentials?.kind === 'gcs' ? readKeyFile(credentials.keyFile) : undefined;
  const base = `${(endpoints.gcs ?? 'https://storage.googleapis.com').replace(/\/+$/, '')}/storage/v1/b/${escaped(address.bucket)}/o`;
  let token: { text: string; goodUntilMs: number } | undefined;

  async function authorization(signal: AbortSignal): Promise<Record<string, string>> {
    if (!account) return {};
    if (!token || token.goodUntilMs < Date.now()) token = await newToken(signal);
    return { authorization: `Bearer ${token.text}` };
  }

  async function newToken(signal: AbortSignal) {
    if (!account) throw new TypeError('no account');
    const body = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: assertionOf(account),
    }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const options = { method: 'POST' as const, headers, body, sizeBytesMax: 2 ** 20, signal };
    const { bytes } = await fetcher.fetch(account.tokenUri, options).catch((error) => {
      throw named(error);
    });
    const found = parsed(bytes.toString()) as { access_token?: unknown; expires_in?: unknown };
    if (typeof found.access_token !== 'string')
      throw new BucketFault('The credentials were answered without a token.');
    const goodMs = (Number(found.expires_in) || tokenSeconds) * 1000 - 60_000;
    return { text: found.access_token, goodUntilMs: Date.now() + goodMs };
  }

  async function get(url: string, sizeBytesMax: number, signal: AbortSignal) {
    try {
      const headers = { ...(await authorization(signal)), 'accept-encoding': 'identity' };
      return (await fetcher.open(url, { headers, sizeBytesMax, timeoutMs: transferMsMax, signal })).stream;
    } catch (error) {
      throw named(error);
    }
  }

  function named(error: unknown): unknown {
    if (!(error instanceof FetchFault) || error.kind !== 'http') return error;
    if (error.status === 401 || error.status === 403 || /invalid_(grant|client)/.test(error.answer))
      return new BucketFault(
        `The bucket '${address.bucket}' refuses ${account ? 'these credentials' : 'access without credentials'}.`,
      );
    return error;
  }

  return {
    async list(cursor, signal) {
      // `startOffset` includes the key itself; a page token would not outlive a long break.
      const query = `maxResults=${objectsPerList}&prefix=${escaped(address.prefix)}&fields=items(name,size),nextPageToken${cursor && `&startOffset=${escaped(cursor)}`}`;
      const text = await textIn(
        await get(`${base}?${query}`, listBytesMax, signal).catch((error) => {
          if (error instanceof FetchFault && error.status === 404)
            throw new BucketFault(`There is no bucket '${address.bucket}'.`);
          throw error;
        }),
      );
      const found = parsed(text) as { items?: { name: string; size: string }[]; nextPageToken?: string };
      const items = found.items ?? [];
      const objects = items
        .filter(({ name }) => name !== cursor)
        .map(({ name, size }) => ({ key: String(name), sizeBytes: Number(size) }));
      return { objects, next: found.nextPageToken ? objects.at(-1)?.key : undefined };
    },
    open: (key, { sizeBytesMax, signal }) => get(`${base}/${escaped(key)}?alt=media`, sizeBytesMax, signal),
  };
}

interface ServiceAccount {
  readonly email: string;
  readonly key: string;
  readonly tokenUri: string;
}

/** @throws BucketFault that says nothing of what is inside */
export function readKeyFile(text: string): ServiceAccount {
  const file = parsed(text) as Record<string, unknown>;
  const {
    client_email: email,
    private_key: key,
    token_uri: tokenUri = 'https://oauth2.googleapis.com/token',
  } = file;
  if (typeof email !== 'string' || typeof key !== 'string' || typeof tokenUri !== 'string')
    throw new BucketFault('gcp_creds is not the key file of a service account (client_email, private_key).');
  return { email, key, tokenUri };
}

function assertionOf({ email, key, tokenUri }: ServiceAccount): string {
  const at = Math.floor(Date.now() / 1000);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: email, scope, aud: tokenUri, iat: at, exp: at + tokenSeconds };
  const head = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`;
  try {
    return `${head}.${createSign('RSA-SHA256').update(head).sign(key, 'base64url')}`;
  } catch {
    throw new BucketFault('The private key in gcp_creds cannot be used.');
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    throw new BucketFault('What should be JSON is not.');
  }
}
