import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FetchFault } from './fetch-fault.ts';
import { type Fetcher, openFetcher } from './fetcher.ts';
import type { Lookup } from './guarded-connector.ts';

const zeros = Buffer.alloc(4 * 1024 * 1024);
const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));

let site: Server;
let secret: TcpServer;
let origin = '';
let secretPort = 0;
let secretHits = 0;
let drips = 0;
let fetcher: Fetcher;

/** A web site with every kind of behaviour, and a secret listener on all addresses that must stay unvisited. */
beforeAll(async () => {
  site = createServer(async ({ url = '' }, reply) => {
    const path = url.split('?')[0] ?? '';
    const to = new URLSearchParams(url.split('?')[1]).get('to') ?? '';
    if (path === '/cat.jpg') return reply.setHeader('content-type', 'Image/JPEG; q=1').end('a cat');
    if (path === '/go') return reply.writeHead(302, { location: to }).end('moved');
    if (path === '/loop') return reply.writeHead(307, { location: '/loop' }).end();
    if (path === '/gzip') return reply.setHeader('content-encoding', 'gzip').end(gzipSync('a packed cat'));
    if (path === '/br')
      return reply.setHeader('content-encoding', 'br').end(brotliCompressSync('a packed cat'));
    if (path === '/bomb') return reply.setHeader('content-encoding', 'gzip').end(bomb);
    if (path === '/twice')
      return reply.setHeader('content-encoding', 'gzip, gzip').end(gzipSync(gzipSync('x')));
    if (path === '/torn')
      return reply.setHeader('content-encoding', 'gzip').end(gzipSync('a packed cat').subarray(0, 20));
    if (path === '/large') return reply.setHeader('content-length', zeros.length).end(zeros);
    if (path === '/endless') {
      while (reply.writable && !reply.destroyed) {
        if (!reply.write(zeros)) await Promise.race([new Promise((r) => reply.once('drain', r)), sleep(500)]);
      }
      return;
    }
    if (path === '/drip') {
      drips++;
      reply.once('close', () => drips--);
      while (!reply.destroyed) {
        reply.write('.');
        await sleep(50);
      }
      return;
    }
    if (path === '/cut') {
      reply.setHeader('content-length', 100).write('half');
      return void setTimeout(() => reply.destroy(), 20);
    }
    if (path === '/silent') return;
    return reply.writeHead(404).end('no such page');
  });
  secret = createTcpServer((socket) => {
    secretHits++;
    socket.on('error', () => {});
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret');
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  await new Promise<void>((resolve) => secret.listen(0, '::', resolve));
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  secretPort = (secret.address() as AddressInfo).port;
  fetcher = openFetcher({
    allow: ['127.0.0.1'],
    sizeBytesMax: 1024 * 1024,
    timeoutMs: 1_500,
    idleTimeoutMs: 400,
    lookup: fakeLookup,
  });
});

afterAll(async () => {
  await fetcher.close();
  site.closeAllConnections();
  site.close();
  secret.close();
});

const names: Record<string, string[]> = {
  'inner.example': ['127.0.0.2'],
  'mapped.example': ['::ffff:127.0.0.2'],
  'mixed.example': ['127.0.0.2', '127.0.0.1'],
};

const fakeLookup: Lookup = (host, _options, done) => {
  const found = names[host]?.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  if (found === undefined) return done(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), []);
  done(null, found);
};

const faultOf = async (url: string, options = {}) => {
  const error = await fetcher.fetch(url, options).then(
    () => undefined,
    (thrown: FetchFault) => thrown,
  );
  return error && { kind: error.kind, message: error.message };
};

test('a picture comes with its type and its final place', async () => {
  const fetched = await fetcher.fetch(`${origin}/go?to=/cat.jpg`);
  expect({ ...fetched, bytes: String(fetched.bytes) }).toEqual({
    bytes: 'a cat',
    contentType: 'image/jpeg',
    finalUrl: `${origin}/cat.jpg`,
  });
});

test.each(['/gzip', '/br'])('a packed answer (%s) is unpacked', async (path) => {
  expect(String((await fetcher.fetch(origin + path)).bytes)).toBe('a packed cat');
});

test('a name with a permitted and a private address is reached at the permitted one only', async () => {
  const url = origin.replace('127.0.0.1', 'mixed.example');
  expect(String((await fetcher.fetch(`${url}/cat.jpg`)).bytes)).toBe('a cat');
});

test('no way of writing a private address reaches it, directly or by redirect', async () => {
  const hosts = [
    '127.0.0.2',
    '127.2',
    '0x7f.2',
    '0x7f000002',
    '2130706434',
    '0177.0.0.2',
    '017700000002',
    '０x7f000002',
    '１２７.0.0.2',
    '127。0。0。2',
    '127.0.0.2.',
    '0',
    '0.0.0.0',
    '[::1]',
    '[::]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.2]',
    '[::ffff:7f00:2]',
    '[::127.0.0.2]',
    '[64:ff9b::7f00:2]',
    '[2002:7f00:2::]',
    '%31%32%37.0.0.2',
    'inner.example',
    'INNER.example',
    'mapped.example',
  ];
  for (const host of hosts) {
    for (const scheme of ['http', 'https']) {
      const direct = `${scheme}://${host}:${secretPort}/`;
      expect(await faultOf(direct), direct).toMatchObject({ kind: 'forbidden' });
      // A header holds ASCII only.
      const target = /^[ -~]+$/.test(host) ? direct : new URL(direct).href;
      const redirected = `${origin}/go?to=${encodeURIComponent(target)}`;
      expect(await faultOf(redirected), redirected).toMatchObject({ kind: 'forbidden' });
    }
  }
  expect(secretHits).toBe(0);
});

test('the system resolver is guarded as well', async () => {
  const plain = openFetcher();
  for (const host of ['localhost', 'localhost.']) {
    // Not every system resolves the form with a dot.
    const kind = expect.stringMatching(host === 'localhost' ? /^forbidden$/ : /^(forbidden|unreachable)$/);
    await expect(plain.fetch(`http://${host}:${secretPort}/`)).rejects.toMatchObject({ kind });
  }
  await plain.close();
  expect(secretHits).toBe(0);
});

test.each([
  ['ftp://127.0.0.1/x', 'http:// or https://'],
  ['file:///etc/passwd', 'http:// or https://'],
  ['data:text/plain,x', 'http:// or https://'],
  ['//127.0.0.1/', 'cannot be read'],
  ['http://', 'cannot be read'],
  ['', 'cannot be read'],
  ['http://alice:secret@127.0.0.1/', 'user name or password'],
  ['http://photos.example@127.0.0.1/', 'user name or password'],
  [`http://127.0.0.1/${'x'.repeat(9000)}`, 'longer than'],
])('%s is not a URL to fetch', async (url, words) => {
  expect(await faultOf(url)).toEqual({ kind: 'invalid', message: expect.stringContaining(words) });
});

test.each([
  ['/missing', 'http', 'status 404'],
  ['/loop', 'http', 'more than 5 redirects'],
  ['/go?to=file:///etc/passwd', 'invalid', 'http:// or https://'],
  ['/go?to=http://a:b@127.0.0.1/', 'invalid', 'user name'],
  ['/large', 'too_large', '1048576'],
  ['/endless', 'too_large', '1048576'],
  ['/bomb', 'too_large', '1048576'],
  ['/twice', 'http', 'encoding'],
  ['/torn', 'http', 'encoding'],
  ['/cut', 'unreachable', '127.0.0.1'],
  ['/silent', 'timeout', '127.0.0.1'],
  ['/drip', 'timeout', '127.0.0.1'],
])('%s ends as %s', async (path, kind, words) => {
  const beganMs = performance.now();
  expect(await faultOf(origin + path)).toEqual({ kind, message: expect.stringContaining(words) });
  expect(performance.now() - beganMs).toBeLessThan(4_000);
});

test('a name that does not exist and a port that nobody serves are unreachable', async () => {
  expect(await faultOf('http://nowhere.example/')).toMatchObject({ kind: 'unreachable' });
  expect(await faultOf('http://127.0.0.1:9/')).toMatchObject({ kind: 'unreachable' });
});

test('a caller can set a smaller limit, and can give up', async () => {
  expect(await faultOf(`${origin}/cat.jpg`, { sizeBytesMax: 4 })).toMatchObject({ kind: 'too_large' });
  const signal = AbortSignal.timeout(60);
  await expect(fetcher.fetch(`${origin}/drip`, { signal })).rejects.toMatchObject({ name: 'TimeoutError' });
});

test('a bomb is unpacked only up to the limit', async () => {
  const { stream } = await fetcher.open(`${origin}/bomb`);
  let sizeBytes = 0;
  const reading = (async () => {
    for await (const chunk of stream) sizeBytes += (chunk as Buffer).length;
  })();
  await expect(reading).rejects.toMatchObject({ kind: 'too_large' });
  expect(sizeBytes).toBeLessThanOrEqual(1024 * 1024);
});

test('a stream that nobody reads frees its connection', async () => {
  const dripping = () => drips;
  const { stream } = await fetcher.open(`${origin}/drip`);
  expect(dripping()).toBe(1);
  stream.destroy();
  await expect.poll(dripping, { timeout: 1_000 }).toBe(0);
});
