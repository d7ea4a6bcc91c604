import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { HttpRoute } from '../http.ts';
import type { NameStyle } from '../json/index.ts';
import { referencePage } from './docs-page.ts';
import { openApiText } from './document.ts';
import { referenceScript } from './reference-script.ts';
import { referenceStyle } from './reference-style.ts';

export { openApiDocument } from './document.ts';

interface Asset {
  readonly contentType: string;
  readonly etag: string;
  readonly plain: Buffer;
  readonly gzipped: Buffer;
}

const pageHeaders = {
  // Nothing but our own three files may load, and nobody may frame the page.
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

async function assetOf(contentType: string, text: string): Promise<Asset> {
  const plain = Buffer.from(text);
  const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
  return { contentType, etag, plain, gzipped: await promisify(gzip)(plain) };
}

/** Makes an asset when it is first asked for, once. */
function lazily(contentType: string, text: () => string | Promise<string>): () => Promise<Asset> {
  let asset: Promise<Asset> | undefined;
  return () => {
    asset ??= Promise.resolve(text()).then((made) => assetOf(contentType, made));
    return asset;
  };
}

function send(request: IncomingMessage, response: ServerResponse, asset: Asset): void {
  const headers = {
    ...pageHeaders,
    'content-type': asset.contentType,
    etag: asset.etag,
    'cache-control': 'no-cache',
    vary: 'accept-encoding',
  };
  if (request.headers['if-none-match'] === asset.etag) {
    response.writeHead(304, headers).end();
    return;
  }
  const zipped = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  const body = zipped ? asset.gzipped : asset.plain;
  response.writeHead(200, {
    ...headers,
    'content-length': body.length,
    ...(zipped ? { 'content-encoding': 'gzip' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/**
 * The description of the API and the page that shows it: `/v2/openapi.json`, `/v2/swagger.json` (the same),
 * `/docs`. They need no sign-in and no network.
 */
export function referenceRoutes(): HttpRoute[] {
  const json = 'application/json; charset=utf-8';
  const documents: Readonly<Record<NameStyle, () => Promise<Asset>>> = {
    snake: lazily(json, () => openApiText('snake')),
    camel: lazily(json, () => openApiText('camel')),
  };
  const page = lazily('text/html; charset=utf-8', () => referencePage);
  const script = lazily('text/javascript; charset=utf-8', () => referenceScript);
  const style = lazily('text/css; charset=utf-8', () => referenceStyle);
  const get = (path: string, pick: (url: URL) => () => Promise<Asset>): HttpRoute => ({
    verb: 'GET',
    path,
    async answer(request, response, { url }) {
      send(request, response, await pick(url)());
    },
  });
  const document = (url: URL) => documents[url.searchParams.get('names') === 'camel' ? 'camel' : 'snake'];
  return [
    get('/v2/openapi.json', document),
    get('/v2/swagger.json', document),
    get('/docs', () => page),
    get('/docs/', () => page),
    get('/docs/reference.js', () => script),
    get('/docs/reference.css', () => style),
  ];
}
