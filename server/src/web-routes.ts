import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { HttpRoute } from '#gateway/index.ts';

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
};

const guards = {
  // Only what this server serves may load or be called; pictures may also be ones that the page holds itself.
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' blob:",
    "font-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
};

interface Page {
  readonly html: Asset;
  /** By the name they are asked for, which holds a digest of their content. */
  readonly assets: ReadonlyMap<string, Asset>;
}

interface Asset {
  readonly contentType: string;
  readonly plain: Buffer;
  readonly gzipped: Buffer;
  readonly etag: string;
}

const prefix = '/assets/';

/**
 * The page at `/` and its assets, from the folder that the build wrote. `/settings/secrets`, where command-line
 * clients send people for a token, is the same page. Asset names hold a digest of the content, so browsers keep
 * them for a year; the page itself is asked for every time.
 */
export function webRoutes(folder: string | undefined = findPageFolder()): HttpRoute[] {
  let loaded: Promise<Page | undefined> | undefined;
  const page = () => {
    loaded ??= loadPage(folder);
    return loaded;
  };
  const showPage = async (request: IncomingMessage, response: ServerResponse) => {
    const found = await page();
    if (!found) return refuse(response, 'The page is not built; "npm run build" builds it.\n');
    await send(request, response, found.html, 'no-cache');
  };
  return [
    { verb: 'GET', path: '/', answer: showPage },
    { verb: 'GET', path: '/settings/secrets', answer: showPage },
    {
      verb: 'GET',
      path: `${prefix}*`,
      async answer(request, response, { url }) {
        const asset = (await page())?.assets.get(url.pathname.slice(prefix.length));
        if (!asset) return refuse(response, 'Not found. Reload the page: it may be older than the server.\n');
        await send(request, response, asset, 'public, max-age=31536000, immutable');
      },
    },
  ];
}

/** Reads everything once; a page of some hundred KB stays in memory. Names in the page become digest names. */
async function loadPage(folder: string | undefined): Promise<Page | undefined> {
  if (!folder) return undefined;
  const names = (await readdir(folder)).filter((name) => contentTypes[path.extname(name)]);
  const files = await Promise.all(
    names.map(async (name) => ({ name, bytes: await readFile(path.join(folder, name)) })),
  );
  const assets = new Map<string, Asset>();
  let html: string | undefined;
  const renamed = new Map<string, string>();
  for (const { name, bytes } of files) {
    if (name === 'index.html') html = bytes.toString('utf8');
    else {
      const asset = await assetOf(name, bytes);
      const digestName = `${asset.etag.slice(1, 17)}-${name}`;
      assets.set(digestName, asset);
      renamed.set(name, digestName);
    }
  }
  if (html === undefined) return undefined;
  const named = html.replaceAll(/\/assets\/([\w.-]+)/g, (whole, name: string) => {
    const digestName = renamed.get(name);
    return digestName ? prefix + digestName : whole;
  });
  return { html: await assetOf('index.html', Buffer.from(named)), assets };
}

async function assetOf(name: string, plain: Buffer): Promise<Asset> {
  const digest = createHash('sha256').update(plain).digest('hex');
  const contentType = contentTypes[path.extname(name)] ?? 'application/octet-stream';
  return { contentType, plain, gzipped: await promisify(gzip)(plain), etag: `"${digest.slice(0, 32)}"` };
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  asset: Asset,
  caching: string,
): Promise<void> {
  const headers = {
    ...guards,
    'content-type': asset.contentType,
    'cache-control': caching,
    etag: asset.etag,
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

function refuse(response: ServerResponse, words: string): void {
  response.writeHead(404, {
    ...guards,
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
  });
  response.end(words);
}

/** `web/dist` of the tree that the bundle lies in, or, for a bundle built elsewhere, of the tree its packages are in. */
export function findPageFolder(): string | undefined {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const packages = path.dirname(createRequire(import.meta.url).resolve('sharp'));
  for (const start of [here, packages]) {
    for (let folder = start; path.dirname(folder) !== folder; folder = path.dirname(folder)) {
      const candidate = path.join(folder, 'web', 'dist');
      if (existsSync(path.join(candidate, 'index.html'))) return candidate;
    }
  }
  return undefined;
}
