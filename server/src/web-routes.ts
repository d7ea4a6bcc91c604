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
    // The one style that React Aria adds while it runs (touch-action of what can be pressed), and no other.
    "style-src 'self' 'sha256-38RhXrc7EdReTKsOm23ZPOCUgniTUUcjky8QOOrQx6o='",
    "connect-src 'self'",
    "img-src 'self' blob:",
    "media-src 'self'",
    "font-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types default',
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
};

interface Page {
  readonly html: Asset;
  /** By file name; all but the icon carry a digest of their content in it. */
  readonly assets: ReadonlyMap<string, Asset>;
}

interface Asset {
  readonly contentType: string;
  readonly plain: Buffer;
  readonly gzipped: Buffer;
  readonly etag: string;
}

const prefix = '/assets/';

/** Addresses of screens: all that is neither the API nor a thing that other routes serve. */
const screens = /^\/(?!v2(\/|$)|assets\/|\/)/;

/**
 * The page and its assets, from the folder that the build wrote. Every address of a screen is the same page, which
 * reads the address itself: `/{user}/{app}/models/{id}`, or `/settings/secrets`, where command-line clients send
 * people for a token. Assets are kept by browsers for a year; the page itself is asked for every time.
 *
 * Stands after all other routes, since it answers whatever they leave.
 */
export function webRoutes(folder: string | undefined = findPageFolder()): HttpRoute[] {
  let loaded: Promise<Page | undefined> | undefined;
  const page = () => {
    loaded ??= loadPage(folder);
    return loaded;
  };
  return [
    {
      verb: 'GET',
      path: `${prefix}*`,
      async answer(request, response, { url }) {
        const name = url.pathname.slice(prefix.length);
        const asset = (await page())?.assets.get(name);
        if (!asset) return refuse(response, 'Not found. Reload the page: it may be older than the server.\n');
        const isForGood = /-[A-Z0-9]{8}\./.test(name);
        await send(request, response, asset, isForGood ? 'public, max-age=31536000, immutable' : 'no-cache');
      },
    },
    {
      verb: 'GET',
      path: screens,
      async answer(request, response, { url }) {
        const wantsPage = /text\/html|\*\/\*/.test(request.headers.accept ?? '*/*');
        if (!wantsPage || path.extname(url.pathname) !== '')
          return refuse(response, 'Nothing is at this address.\n');
        const found = await page();
        if (!found) return refuse(response, 'The page is not built; "npm run build" builds it.\n');
        await send(request, response, found.html, 'no-cache');
      },
    },
  ];
}

/** Reads everything once; a page of a few MB stays in memory. */
async function loadPage(folder: string | undefined): Promise<Page | undefined> {
  if (!folder) return undefined;
  const html = await readFile(path.join(folder, 'index.html'));
  const names = (await readdir(path.join(folder, 'assets'))).filter(
    (name) => contentTypes[path.extname(name)],
  );
  const assets = await Promise.all(
    names.map(async (name) => {
      return [name, await assetOf(name, await readFile(path.join(folder, 'assets', name)))] as const;
    }),
  );
  return { html: await assetOf('index.html', html), assets: new Map(assets) };
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
