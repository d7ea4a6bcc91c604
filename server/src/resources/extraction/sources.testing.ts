import { createHmac, createPublicKey, createVerify, generateKeyPairSync } from 'node:crypto';
import http, { type IncomingMessage } from 'node:http';
import { signed } from '#store/buckets/s3-bucket.ts';
import { type Files, type Stub, stubOf } from '#testing/stubs.ts';

/** s3rver takes any signature of version 4; this tells whether it was made with the secret. */
export function isSignedWith(secret: string, request: IncomingMessage): boolean {
  const { authorization = '', host } = request.headers;
  const [, id = '', region = ''] = /Credential=([^/]+)\/\d{8}\/([^/]+)\//.exec(authorization) ?? [];
  const at = String(request.headers['x-amz-date']).replace(
    /^(....)(..)(..)T(..)(..)(..)Z$/,
    '$1-$2-$3T$4:$5:$6Z',
  );
  if (Number.isNaN(Date.parse(at))) return false;
  const url = new URL(`http://${host}${request.url}`);
  return signed(url, { id, secret, token: '' }, region, new Date(at)).authorization === authorization;
}

const pageOf = (files: Files, prefix: string, from: (key: string) => boolean, size: number) => {
  const keys = [...files.keys()].filter((key) => key.startsWith(prefix) && from(key)).sort();
  return { keys: keys.slice(0, size), isMore: keys.length > size };
};

/** The JSON API of Cloud Storage, for one service account whose key it makes. */
export async function gcsStub(bucket: string, files: Files, pageSize = 3) {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  let token = '';
  const stub: Stub = await stubOf((request, response, url, body) => {
    const json = (code: number, value: object) =>
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (url.pathname === '/token') {
      const [head, claims, signature] = (new URLSearchParams(body).get('assertion') ?? '').split('.') as [
        string,
        string,
        string,
      ];
      const isGood = createVerify('RSA-SHA256')
        .update(`${head}.${claims}`)
        .verify(createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })), signature, 'base64url');
      const { iss, aud } = JSON.parse(Buffer.from(claims, 'base64url').toString());
      if (!isGood || iss !== 'robot@example.org' || aud !== `${stub.url}/token`)
        return json(400, { error: 'invalid_grant' });
      token = `token-${stub.asked.length}`;
      return json(200, { access_token: token, expires_in: 3600 });
    }
    if (request.headers.authorization !== `Bearer ${token}` || token === '')
      return json(401, { error: { code: 401 } });
    const root = `/storage/v1/b/${bucket}/o`;
    if (!url.pathname.startsWith(root)) return json(404, { error: { code: 404 } });
    if (url.pathname === root) {
      const start = url.searchParams.get('startOffset') ?? '';
      const { keys, isMore } = pageOf(
        files,
        url.searchParams.get('prefix') ?? '',
        (key) => key >= start,
        pageSize,
      );
      const items = keys.map((name) => ({ name, size: String(files.get(name)?.length) }));
      return json(200, { items, ...(isMore ? { nextPageToken: 'more' } : {}) });
    }
    const found = files.get(decodeURIComponent(url.pathname.slice(root.length + 1)));
    return found && url.searchParams.get('alt') === 'media' ? response.end(found) : json(404, {});
  });
  const keyFile = (email = 'robot@example.org') =>
    JSON.stringify({
      type: 'service_account',
      client_email: email,
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      token_uri: `${stub.url}/token`,
    });
  return { ...stub, keyFile };
}

/** The REST API of Azure Blob storage with Shared Key authorization, as its documentation writes the string to sign. */
export async function azureStub(
  account: string,
  key: string,
  container: string,
  files: Files,
  pageSize = 3,
): Promise<Stub> {
  const plainHeaders = [
    'content-encoding',
    'content-language',
    'content-length',
    'content-md5',
    'content-type',
    'date',
  ];
  const conditional = ['if-modified-since', 'if-match', 'if-none-match', 'if-unmodified-since', 'range'];
  const signatureOf = (request: IncomingMessage, url: URL): string => {
    const own = Object.keys(request.headers)
      .filter((name) => name.startsWith('x-ms-'))
      .sort();
    const query = [...url.searchParams.keys()].sort();
    const lines = [
      request.method,
      ...[...plainHeaders, ...conditional].map((name) => request.headers[name] ?? ''),
      ...own.map((name) => `${name}:${request.headers[name]}`),
      `/${account}${url.pathname}`,
      ...query.map((name) => `${name}:${url.searchParams.get(name)}`),
    ];
    return createHmac('sha256', Buffer.from(key, 'base64')).update(lines.join('\n')).digest('base64');
  };
  const escaped = (text: string) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return stubOf((request, response, url) => {
    const isSas = url.searchParams.get('sig') === 'let-me-in';
    if (!isSas && request.headers.authorization !== `SharedKey ${account}:${signatureOf(request, url)}`)
      return response.writeHead(403, { 'x-ms-error-code': 'AuthenticationFailed' }).end();
    const [, first, ...rest] = decodeURIComponent(url.pathname).split('/');
    if (first !== container) return response.writeHead(404, { 'x-ms-error-code': 'ContainerNotFound' }).end();
    if (url.searchParams.get('comp') === 'list') {
      const marker = url.searchParams.get('marker') ?? '';
      const { keys, isMore } = pageOf(
        files,
        url.searchParams.get('prefix') ?? '',
        (name) => name > marker,
        pageSize,
      );
      const blobs = keys.map(
        (name) =>
          `<Blob><Name>${escaped(name)}</Name><Properties><Content-Length>${files.get(name)?.length}</Content-Length></Properties></Blob>`,
      );
      return response.end(
        `<?xml version="1.0"?><EnumerationResults><Blobs>${blobs.join('')}</Blobs><NextMarker>${isMore ? escaped(keys.at(-1) as string) : ''}</NextMarker></EnumerationResults>`,
      );
    }
    const found = files.get(rest.join('/'));
    return found ? response.end(found) : response.writeHead(404, { 'x-ms-error-code': 'BlobNotFound' }).end();
  });
}

/**
 * What a proxy does to one request: let it pass, answer with a status, cut the body in half, pass half of it off as the
 * whole, or wait before it passes.
 */
export type Trick = 'pass' | 'cut' | 'half' | 'slow' | number;

/** Stands before another server and plays tricks on the way; the `Host` that was signed stays. */
export async function trickster(
  target: string,
  trickFor: (asked: string, times: number) => Trick,
  mayPass: (request: IncomingMessage) => boolean,
): Promise<Stub> {
  const times = new Map<string, number>();
  const stub: Stub = await stubOf(async (request, response) => {
    const asked = `${request.method} ${request.url}`;
    times.set(asked, (times.get(asked) ?? 0) + 1);
    if (!mayPass(request))
      return response.writeHead(403).end('<Error><Code>SignatureDoesNotMatch</Code></Error>');
    const trick = trickFor(asked, times.get(asked) as number);
    if (typeof trick === 'number')
      return response.writeHead(trick).end('<Error><Code>SlowDown</Code></Error>');
    if (trick === 'slow') await new Promise((resolve) => setTimeout(resolve, 300));
    const { port } = new URL(target);
    http.get({ port, path: request.url, headers: request.headers }, (answer) => {
      if (trick === 'half')
        return answer.toArray().then((chunks: Buffer[]) => {
          const whole = Buffer.concat(chunks);
          response.writeHead(answer.statusCode as number).end(whole.subarray(0, whole.length >> 1));
        });
      response.writeHead(answer.statusCode as number, answer.headers);
      if (trick !== 'cut') return answer.pipe(response);
      answer.once('data', (chunk: Buffer) => {
        response.write(chunk.subarray(0, chunk.length >> 1));
        setTimeout(() => response.destroy(), 20);
      });
    });
  });
  return stub;
}
