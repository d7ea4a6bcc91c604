import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';

import { gzipSync } from 'node:zlib';
import { methodRules, ruleOf } from '@fovea/contract';
import { openFetcher } from '../../server/src/store/fetcher/index.ts';
import type { Ground } from './arena.ts';
import { type Attack, ledger, type Outcome } from './attack.ts';
import { keyHeader, settle } from './cast.ts';
import { isUrlField, leavesOf, namingRequest, pathWords, withLeaf } from './shapes.ts';
import { templateFor } from './templates.ts';
import { bytesOf, type Json } from './wire.ts';

/** A listener that must stay unvisited, on every address of this machine that answers to loopback. */
export async function openCanary(
  address = '::',
): Promise<{ port: number; hits: () => number; close(): void }> {
  let hits = 0;
  const server: Server = createServer((_request, response) => response.end('canary'));
  server.on('connection', () => {
    hits += 1;
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, address, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    hits: () => hits,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const loopbackNames = [
  '127.0.0.1',
  '127.1',
  '127.0.1',
  '0',
  '0.0.0.0',
  '0x7f.1',
  '0x7f000001',
  '2130706433',
  '017700000001',
  '0177.0.0.1',
  '0177.0.0x1',
  '127.0.0.1.',
  '127.255.255.254',
  '127.1.2.3',
  'localhost',
  'LOCALHOST',
  'localhost.',
  'localhost.localdomain',
  '１２７.0.0.1',
  '127。0。0。1',
  '①②⑦.⓪.⓪.①',
  '%31%32%37.0.0.1',
  '[::1]',
  '[::]',
  '[0:0:0:0:0:0:0:1]',
  '[0000::1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::ffff:0:7f00:1]',
  '[::127.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[64:ff9b:1::7f00:1]',
  '[2002:7f00:1::]',
  '[2001:0:7f00:1::]',
  'ip6-localhost',
  'ip6-loopback',
  hostname(),
];
// Nobody listens on these here; they are asked for to see them refused, not unreachable.
const privateNames = [
  '10.0.0.1',
  '10.255.255.255',
  '172.16.0.1',
  '172.31.255.254',
  '192.168.0.1',
  '192.168.255.255',
  '100.64.0.1',
  '169.254.169.254',
  '169.254.170.2',
  '0xa9fea9fe',
  '2852039166',
  '192.0.0.192',
  '198.18.0.1',
  '224.0.0.1',
  '239.255.255.250',
  '255.255.255.255',
  '[fc00::1]',
  '[fd00:ec2::254]',
  '[fe80::1]',
  '[ff02::1]',
  '[fec0::1]',
  '[::ffff:169.254.169.254]',
  '[::ffff:a9fe:a9fe]',
  '[64:ff9b::a9fe:a9fe]',
  '240.0.0.1',
  '0.1.2.3',
];

function urlForms(port: number): string[] {
  const forms: string[] = [];
  for (const host of loopbackNames) {
    for (const scheme of ['http', 'https', 'HTTP']) forms.push(`${scheme}://${host}:${port}/x.jpg`);
    forms.push(
      `http:\\\\${host}:${port}\\x.jpg`,
      `http:${host}:${port}/x.jpg`,
      `http:////${host}:${port}/x.jpg`,
    );
  }
  for (const host of privateNames) forms.push(`http://${host}/x.jpg`, `https://${host}/x.jpg`);
  return forms;
}

const oddForms = (port: number): string[] => [
  'file:///etc/passwd',
  'file://localhost/etc/passwd',
  'file:/etc/passwd',
  'FILE:///etc/passwd',
  '/etc/passwd',
  '../../etc/passwd',
  `ftp://127.0.0.1:${port}/x`,
  `gopher://127.0.0.1:${port}/_x`,
  `dict://127.0.0.1:${port}/x`,
  `ldap://127.0.0.1:${port}/`,
  `tftp://127.0.0.1:${port}/x`,
  `jar:http://127.0.0.1:${port}/x!/y`,
  `view-source:http://127.0.0.1:${port}/`,
  `blob:http://127.0.0.1:${port}/x`,
  `unix:/run/x.sock`,
  `http+unix://%2Frun%2Fx.sock/`,
  `http://unix:/run/x.sock:/`,
  `ws://127.0.0.1:${port}/`,
  `s3://127.0.0.1:${port}/b`,
  `http://example.org@127.0.0.1:${port}/`,
  `http://127.0.0.1:${port}#@example.org/`,
  `http://example.org:80@127.0.0.1:${port}/`,
  `http://127.0.0.1:${port}\\@example.invalid/`,
  `http://user:pass@127.0.0.1:${port}/`,
  `http://127.0.0.1:${port}\r\nx: y/`,
  `http://127.0.0.1%0d%0a:${port}/`,
  `http://[::1]%0a:${port}/`,
  `http://127.0.0.1 :${port}/`,
  `\thttp://127.0.0.1:${port}/`,
  `http://\u0000127.0.0.1:${port}/`,
  `//127.0.0.1:${port}/`,
  `http://127.0.0.1:${port}\u0000.example.org/`,
  `javascript:fetch('http://127.0.0.1:${port}')`,
  `data:image/png;base64,iVBORw0KGgo=`,
  `http:/\t/127.0.0.1:${port}/`,
  `http://0x7f.0x0.0x0.0x1:${port}/`,
  `http://[0:0:0:0:0:ffff:127.0.0.1]:${port}/`,
  `http://[::ffff:127.1]:${port}/`,
  `about:blank`,
  `http://`,
  `http:///x`,
  `h\u200bttp://127.0.0.1:${port}/`,
];

/** Every field that takes a URL, found by reflection, gets every form; the listener must never be visited. */
async function everyUrlField(
  ground: Ground,
  forms: readonly string[],
  port: number,
  wide: boolean,
): Promise<number> {
  const { wire, cast } = ground;
  const headers = keyHeader(cast.attacker.pat);
  let tried = 0;
  // The busiest field gets all forms, eight a request, to be fetched in the background.
  for (let i = 0; i < forms.length; i += 8) {
    const inputs = forms.slice(i, i + 8).flatMap((url, k) =>
      ['image', ...(k % 4 === 0 ? ['text', 'video', 'audio'] : [])].map((medium) => ({
        id: `u-${wide ? 'w' : 'n'}-${i + k}-${medium}`,
        data: { [medium]: { url } },
      })),
    );
    tried += inputs.length;
    await wire.callBytes(
      ruleOf('PostInputs'),
      bytesOf(ruleOf('PostInputs'), { user_app_id: cast.attacker.userAppId, inputs }),
      headers,
    );
  }
  if (!wide) return tried;
  const few = [
    `http://127.0.0.1:${port}/x.jpg`,
    `http://[::1]:${port}/x.jpg`,
    `http://localhost:${port}/x.jpg`,
  ];
  for (const rule of methodRules) {
    if (rule.kind === 'bidi_streaming' || rule.auth === 'NoAuth' || /^Delete/.test(rule.name)) continue;
    const base: Json = {
      ...namingRequest(rule, cast.attacker.ids, 2),
      ...templateFor(rule.name, cast.attacker.ids, 70_000 + tried),
    };
    for (const leaf of leavesOf(rule.desc.input, isUrlField, 6).slice(0, 24)) {
      for (const url of few) {
        tried += 1;
        try {
          await wire.callBytes(rule, bytesOf(rule, withLeaf(base, leaf, url)), headers);
        } catch {
          throw new Error(`${rule.name} ${pathWords(leaf)} could not be written`);
        }
      }
    }
  }
  return tried;
}

const s10: Attack = {
  id: 'S10',
  name: 'URLs of this machine and of private networks, in every field that takes a URL',
  async run(arena) {
    const book = ledger();
    const canary = await openCanary();
    try {
      const forms = urlForms(canary.port);
      book.count(await everyUrlField(arena, forms, canary.port, true));
      await settle(arena.wire, keyHeader(arena.cast.attacker.pat), arena.cast.attacker.userAppId, 120_000);
      if (canary.hits() > 0) book.through(`the listener was visited ${canary.hits()} times`);
      return book.outcome({
        note: `${forms.length} forms of ${loopbackNames.length + privateNames.length} names`,
      });
    } finally {
      canary.close();
    }
  },
  async control(arena) {
    const book = ledger();
    const canary = await openCanary();
    try {
      await arena.other({ FOVEA_FETCH_ALLOW: '127.0.0.0/8' }, async (open) => {
        await everyUrlField(open, [`http://127.0.0.1:${canary.port}/x.jpg`], canary.port, false);
        await settle(open.wire, keyHeader(open.cast.attacker.pat), open.cast.attacker.userAppId);
      });
      if (canary.hits() > 0) book.through('visited where the operator allows it');
      return book.outcome();
    } finally {
      canary.close();
    }
  },
};

const s13: Attack = {
  id: 'S13',
  name: 'other schemes, tricks with user names, control characters in URLs',
  async run(arena) {
    const book = ledger();
    const canary = await openCanary();
    const { wire, cast } = arena;
    const headers = keyHeader(cast.attacker.pat);
    try {
      for (const [i, url] of oddForms(canary.port).entries()) {
        for (const medium of ['image', 'text', 'video', 'audio']) {
          book.count();
          await wire.call(
            ruleOf('PostInputs'),
            {
              user_app_id: cast.attacker.userAppId,
              inputs: [{ id: `odd-${i}-${medium}`, data: { [medium]: { url } } }],
            },
            headers,
          );
        }
      }
      const inputs = await settle(wire, headers, cast.attacker.userAppId, 60_000);
      for (const input of inputs.filter((one: Json) => /^odd-/.test(one.id) && one.status?.code === 30000)) {
        book.through(`${input.id} was fetched`);
      }
      if (canary.hits() > 0) book.through(`the listener was visited ${canary.hits()} times`);
      return book.outcome();
    } finally {
      canary.close();
    }
  },
};

/** A name that resolves to a permitted address at one look and to the canary at the next. */
const s11: Attack = {
  id: 'S11',
  name: 'names that change their address between looks',
  async run(arena) {
    const book = ledger();
    const canary = await openCanary('127.0.0.1');
    const answers: string[][] = [
      ['127.0.0.2'],
      ['127.0.0.1'],
      ['127.0.0.2', '127.0.0.1'],
      ['127.0.0.1', '127.0.0.2'],
      ['::ffff:127.0.0.1'],
      ['::1', '127.0.0.1'],
    ];
    let look = 0;
    const fetcher = openFetcher({
      allow: ['127.0.0.2/32'],
      timeoutMs: 2_000,
      idleTimeoutMs: 1_000,
      lookup: (_host, _options, done) => {
        const found = answers[look++ % answers.length] as string[];
        done(
          null,
          found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
        );
      },
    });
    try {
      const rounds = arena.full ? 5_000 : 1_000;
      for (let i = 0; i < rounds; i += 20) {
        book.count(20);
        await Promise.allSettled(
          Array.from({ length: 20 }, (_, k) =>
            fetcher.fetch(`http://name-${(i + k) % 7}.example:${canary.port}/`),
          ),
        );
      }
      if (canary.hits() > 0) book.through(`the listener was visited ${canary.hits()} times`);
      return book.outcome({ note: `${look} look-ups answered` });
    } finally {
      await fetcher.close();
      canary.close();
    }
  },
};

/** A web site at an address that the operator allows; its behaviour is what attacks. */
async function openSite(canaryPort: number): Promise<{ origin: string; close(): void } | undefined> {
  const endless = Buffer.alloc(256 * 1024);
  const bomb = gzipSync(Buffer.alloc(512 * 1024 * 1024), { level: 9 });
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    response.on('error', () => {});
    const to = /^\/go\/(\d+)\/(.*)$/.exec(path);
    if (to)
      return response
        .writeHead(Number(to[1]), { location: Buffer.from(to[2] ?? '', 'base64url').toString('latin1') })
        .end();
    if (path.startsWith('/loop')) return response.writeHead(302, { location: `/loop${Math.random()}` }).end();
    if (path === '/endless') {
      response.writeHead(200, { 'content-type': 'image/jpeg' });
      const pump = () => {
        while (!response.destroyed && response.write(endless));
      };
      response.on('drain', pump);
      return pump();
    }
    if (path === '/bomb') return response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
    if (path === '/lies') return response.writeHead(200, { 'content-length': 10_000_000_000 }).write('x');
    if (path === '/drip') {
      response.writeHead(200);
      const timer = setInterval(() => response.write('.'), 400);
      return response.once('close', () => clearInterval(timer));
    }
    return response.writeHead(404).end();
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.2', resolve);
    });
  } catch {
    return undefined;
  }
  void canaryPort;
  return {
    origin: `http://127.0.0.2:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const noSecondAddress = 'this machine has no second loopback address (127.0.0.2)';

const s12: Attack = {
  id: 'S12',
  name: 'redirects from an allowed host to where nobody may go',
  run: (arena) => redirects(arena, '127.0.0.2/32'),
  control: (arena) => redirects(arena, '127.0.0.0/8'),
};

async function redirects(
  arena: { other: import('./arena.ts').Arena['other'] },
  allow: string,
): Promise<Outcome> {
  const book = ledger();
  const canary = await openCanary();
  const site = await openSite(canary.port);
  if (!site) {
    canary.close();
    return book.outcome({ notJudged: noSecondAddress });
  }
  try {
    const targets = ['127.0.0.1', 'localhost', '[::1]', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]']
      .map((host) => `http://${host}:${canary.port}/`)
      .concat([
        `//127.0.0.1:${canary.port}/`,
        `http://a:b@127.0.0.1:${canary.port}/`,
        'file:///etc/passwd',
        `gopher://127.0.0.1:${canary.port}/`,
        `http:\\\\127.0.0.1:${canary.port}`,
        `${site.origin}/loop`,
      ]);
    await arena.other({ FOVEA_FETCH_ALLOW: allow }, async ({ wire, cast }) => {
      const headers = keyHeader(cast.attacker.pat);
      const inputs = targets.flatMap((target, t) =>
        [301, 302, 303, 307, 308].map((code) => ({
          id: `r-${t}-${code}`,
          data: {
            image: {
              url: `${site.origin}/go/${code}/${Buffer.from(target, 'latin1').toString('base64url')}`,
            },
          },
        })),
      );
      for (let i = 0; i < inputs.length; i += 20) {
        await wire.call(
          ruleOf('PostInputs'),
          { user_app_id: cast.attacker.userAppId, inputs: inputs.slice(i, i + 20) },
          headers,
        );
      }
      book.count(inputs.length);
      const done = await settle(wire, headers, cast.attacker.userAppId, 90_000);
      for (const input of done.filter(
        (one: Json) => /^r-/.test(one.id) && [30000, 30001, 30003].includes(one.status?.code),
      )) {
        book.through(`${input.id} ended with ${input.status.code}`);
      }
    });
    if (canary.hits() > 0) book.through(`the listener was visited ${canary.hits()} times`);
    return book.outcome();
  } finally {
    canary.close();
    site.close();
  }
}

const s14: Attack = {
  id: 'S14',
  name: 'endless, slow, lying and bomb bodies from a URL',
  async run(arena) {
    const book = ledger();
    const site = await openSite(0);
    if (!site) return book.outcome({ notJudged: noSecondAddress });
    let note = '';
    try {
      await arena.other({ FOVEA_FETCH_ALLOW: '127.0.0.2/32' }, async ({ wire, cast, server }) => {
        const headers = keyHeader(cast.attacker.pat);
        const rssBefore = rssOf(server.process.pid as number);
        const began = Date.now();
        let rssMost = rssBefore;
        const watch = setInterval(() => {
          rssMost = Math.max(rssMost, rssOf(server.process.pid as number));
        }, 100);
        const paths = ['/endless', '/bomb', '/lies', '/drip'];
        await wire.call(
          ruleOf('PostInputs'),
          {
            user_app_id: cast.attacker.userAppId,
            inputs: paths.map((path) => ({
              id: `slow${path.replace('/', '-')}`,
              data: { image: { url: site.origin + path } },
            })),
          },
          headers,
        );
        book.count(paths.length);
        const done = await settle(wire, headers, cast.attacker.userAppId, 120_000);
        clearInterval(watch);
        const tookS = (Date.now() - began) / 1000;
        for (const input of done.filter((one: Json) => /^slow-/.test(one.id))) {
          if ([30000, 30001, 30003].includes(input.status?.code))
            book.through(`${input.id} ended with ${input.status?.code}`);
        }
        if (tookS > 75) book.through(`took ${Math.round(tookS)} s`);
        const grewMib = Math.round((rssMost - rssBefore) / 2 ** 20);
        if (grewMib > 600) book.through(`memory grew by ${grewMib} MiB`);
        note = `${Math.round(tookS)} s, memory + ${grewMib} MiB (both bombs allowed 128 MiB each)`;
      });
    } finally {
      site.close();
    }
    return book.outcome({ note });
  },
};

const s15: Attack = {
  id: 'S15',
  name: 'refusals as a port scanner',
  async run(arena) {
    const book = ledger();
    const canary = await openCanary();
    const { wire, cast } = arena;
    const headers = keyHeader(cast.attacker.pat);
    try {
      const urls = {
        open: `http://127.0.0.1:${canary.port}/`,
        closed: 'http://127.0.0.1:9/',
        far: 'http://10.255.255.1:81/',
      };
      const words = new Map<string, Set<string>>();
      for (let i = 0; i < 5; i++) {
        await wire.call(
          ruleOf('PostInputs'),
          {
            user_app_id: cast.attacker.userAppId,
            inputs: Object.entries(urls).map(([id, url]) => ({
              id: `scan-${i}-${id}`,
              data: { image: { url: `${url}${i}.jpg` } },
            })),
          },
          headers,
        );
      }
      const done = await settle(wire, headers, cast.attacker.userAppId);
      for (const input of done.filter((one: Json) => /^scan-/.test(one.id))) {
        book.count();
        const kind = String(input.id).split('-')[2] as string;
        const text = `${input.status.code} ${input.status.details}`
          .replace(/127\.0\.0\.1|10\.255\.255\.1/g, 'HOST')
          .replace(/:\d+/g, '');
        words.set(kind, (words.get(kind) ?? new Set()).add(text));
      }
      const shapes = new Set([...words.values()].map((set) => [...set].sort().join()));
      if (shapes.size !== 1)
        book.through(`open, closed and filtered read differently: ${[...shapes].join(' | ')}`);
      return book.outcome();
    } finally {
      canary.close();
    }
  },
};

export function rssOf(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

export const fetchingAttacks = [s10, s11, s12, s13, s14, s15];
