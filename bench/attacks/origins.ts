/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import type { Arena } from './arena.ts';
import { type Attack, ledger, type Outcome } from './attack.ts';
import { shown, signIn, trapped, withBrowser } from './browser.ts';
import { keyHeader } from './cast.ts';
import type { Headers } from './wire.ts';

/** Origins that are not this server's, some of which look like it. */
const foreignOrigins = (host: string): string[] => {
  const [name, port] = host.split(':');
  return [
    'null',
    'https://evil.example',
    `http://${host}.evil.example`,
    `http://evil${host}`,
    `http://evil.example#${host}`,
    `http://evil.example?${host}`,
    `http://${host}@evil.example`,
    `https://${host}`,
    `http://${name}:${Number(port) + 1}`,
    `http://${name}`,
    'http://localhost',
    'file://',
    'chrome-extension://abcdefghijklmnop',
    `HTTP://${host.toUpperCase()}.EVIL.EXAMPLE`,
    `http://${host}%00.evil.example`,
    `http://${host}%60.evil.example`,
  ];
};

/** Whether a reply lets another origin read what belongs to a signed-in person. */
function grantOf(headers: Record<string, string | string[] | undefined>, origin: string): string | undefined {
  const allowed = headers['access-control-allow-origin'];
  const withCookies = headers['access-control-allow-credentials'];
  if (withCookies !== undefined) return `lets ${origin} send cookies`;
  if (allowed !== undefined && allowed !== '*') return `names ${String(allowed)} back`;
  return undefined;
}

const s42: Attack = {
  id: 'S42',
  name: 'other origins that ask to read: null, look-alikes, credentials with a wildcard',
  async run(arena) {
    const book = ledger();
    const { wire, cast } = arena;
    const cookie: Headers = { cookie: `x_clarifai_session_token=${cast.victim.session}` };
    const { user_id, app_id } = cast.victim.userAppId;
    const paths = [
      '/',
      '/docs',
      '/v2/ext/fovea/session',
      '/v2/users/me',
      `/v2/users/${user_id}/apps`,
      `/v2/users/${user_id}/apps/${app_id}/inputs`,
      `/v2/users/${user_id}/keys`,
      '/v2/login',
      '/assets/icon.svg',
      '/metrics',
    ];
    for (const origin of foreignOrigins(wire.host))
      for (const path of paths)
        for (const verb of ['OPTIONS', 'GET', 'POST']) {
          for (const more of [{}, { 'x-fovea-page': '1' }] as Headers[]) {
            book.count();
            const answer = await wire.send({
              verb,
              path,
              headers: {
                ...cookie,
                ...more,
                origin,
                'sec-fetch-site': 'cross-site',
                'access-control-request-method': 'POST',
                'access-control-request-headers': 'x-fovea-page, authorization',
              },
              ...(verb === 'POST' ? { body: Buffer.from('{}') } : {}),
            });
            const grant = grantOf(answer.headers, origin);
            if (grant) book.through(`${verb} ${path} ${grant}`);
          }
        }
    return book.outcome();
  },
  /** A server that lets in whoever asks. */
  async control() {
    const book = ledger();
    const open = createServer(({ headers: { origin = '*' } }, response) =>
      response
        .writeHead(200, {
          'access-control-allow-origin': origin,
          'access-control-allow-credentials': 'true',
        })
        .end('{}'),
    );
    await new Promise<void>((resolve) => open.listen(0, '127.0.0.1', resolve));
    const host = `127.0.0.1:${(open.address() as AddressInfo).port}`;
    for (const origin of foreignOrigins(host)) {
      book.count();
      const { headers } = await fetch(`http://${host}/`, { headers: { origin } });
      const grant = grantOf(Object.fromEntries(headers), origin);
      if (grant) book.through(grant);
    }
    open.close();
    open.closeAllConnections();
    return book.outcome();
  },
};

/** Tries to show an address inside a page of somebody else's. */
async function framed(browser: Browser, target: string): Promise<boolean> {
  const evil = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(`<!doctype html><iframe src="${target}" width="600" height="400"></iframe>`);
  });
  await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve));
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${(evil.address() as AddressInfo).port}/`, { waitUntil: 'load' });
    const inner = page.frames().find((frame) => frame !== page.mainFrame());
    return inner?.url().startsWith('http') ?? false;
  } finally {
    await context.close();
    evil.close();
    evil.closeAllConnections();
  }
}

async function seenBySomebodyElse(arena: Arena, browser: Browser): Promise<Outcome> {
  const book = ledger();
  const { wire, cast, server } = arena;
  const check = (fine: boolean, words: string) => {
    book.count();
    if (!fine) book.through(words);
  };
  const { user_id, app_id } = cast.victim.userAppId;
  const at = `/${user_id}/${app_id}`;
  const pages = [
    '/',
    '/settings/secrets',
    at,
    `${at}/inputs`,
    `${at}/models`,
    `${at}/settings`,
    '/start',
    '/docs',
  ];
  for (const path of pages) {
    const { headers } = await wire.send({ verb: 'GET', path, headers: { accept: 'text/html' } });
    const policy = String(headers['content-security-policy'] ?? '');
    check(
      /frame-ancestors 'none'/.test(policy) || headers['x-frame-options'] === 'DENY',
      `${path} may be framed`,
    );
    check(headers['referrer-policy'] === 'no-referrer', `${path} tells where somebody came from`);
    check(headers['x-content-type-options'] === 'nosniff', `${path} lets its kind be guessed`);
    if (path !== '/docs')
      check(
        !/unsafe-(inline|eval)/.test(policy) && policy.includes('require-trusted-types-for'),
        `${path} has a weak policy`,
      );
    check(!(await framed(browser, server.url + path)), `${path} was shown inside another page`);
  }
  for (const path of [
    '//evil.example',
    '//evil.example/..',
    '/\\evil.example',
    '/%2f%2fevil.example',
    '/%5cevil.example',
    '/https:/evil.example',
    '/?next=https://evil.example',
    '/?redirect=//evil.example',
    '/login?next=//evil.example',
    '/docs/../..//evil.example',
    '/settings/secrets?return_to=https://evil.example',
  ]) {
    const { headers } = await wire.send({ verb: 'GET', path, headers: { accept: 'text/html' } });
    check(!/evil/.test(String(headers.location ?? '')), `${path} redirects to ${String(headers.location)}`);
  }
  const me = keyHeader(cast.victim.pat);
  for (const path of [
    '/v2/users/me',
    `/v2/users/${user_id}/apps/${app_id}/inputs`,
    `/v2/users/${user_id}/keys`,
    '/v2/ext/fovea/session',
  ]) {
    const answer = await wire.send({ verb: 'GET', path, headers: me });
    const caching = String(answer.headers['cache-control'] ?? '');
    check(/no-store|private|no-cache/.test(caching), `${path} may be kept by proxies: "${caching}"`);
  }
  // In the browser: what the page listens to, where it goes, and what its cookie lets scripts do.
  const home = new URL(server.url).host;
  const { context, page, hits } = await trapped(browser, home);
  await context.addInitScript(() => {
    const listen = window.addEventListener.bind(window);
    const heard: string[] = [];
    (window as unknown as { zqHeard: string[] }).zqHeard = heard;
    window.addEventListener = ((kind: string, ...rest: [never]) => {
      if (kind === 'message') heard.push(kind);
      listen(kind, ...rest);
    }) as typeof window.addEventListener;
  });
  await signIn(context, server.url, cast.victim.pat);
  for (const path of [
    ...pages,
    '//evil.example',
    '/?next=https://evil.example',
    '/start#https://evil.example',
  ]) {
    await page.goto(server.url + path, { waitUntil: 'load' }).catch(() => {});
    await shown(page);
    check(new URL(page.url()).host === home, `${path} led to ${page.url()}`);
    const listens = await page.evaluate(
      () => (window as unknown as { zqHeard?: string[] }).zqHeard?.length ?? 0,
    );
    check(listens === 0, `${path} listens to messages of other windows`);
    await page.evaluate(() => window.postMessage({ type: 'navigate', url: 'https://evil.example' }, '*'));
    check((await page.evaluate(() => document.cookie)) === '', `${path} shows its cookies to scripts`);
  }
  for (const cookie of await context.cookies())
    check(
      cookie.httpOnly && cookie.sameSite === 'Strict' && cookie.path === '/',
      `the cookie ${cookie.name} is ${JSON.stringify({ ...cookie, value: '…' })}`,
    );
  check(hits.length === 0, hits.join('; '));
  await context.close();
  return book.outcome();
}

const s43: Attack = {
  id: 'S43',
  name: 'clickjacking, open redirects, messages of other windows, kept replies, cookies, referrers',
  run: (arena) => withBrowser((browser) => seenBySomebodyElse(arena, browser)),
  /** A page without the headers has to come out as framed. */
  control: () =>
    withBrowser(async (browser) => {
      const book = ledger();
      const plain = createServer((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/html' });
        response.end('<!doctype html><p>frame me</p>');
      });
      await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
      book.count();
      if (await framed(browser, `http://127.0.0.1:${(plain.address() as AddressInfo).port}/`))
        book.through('framed');
      plain.close();
      plain.closeAllConnections();
      return book.outcome();
    }),
};

export const originAttacks = [s42, s43];
