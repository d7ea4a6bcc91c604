import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { ruleOf } from '@fovea/contract';
import { openFetcher } from '../../server/src/store/fetcher/index.ts';
import { type Attack, ledger, type Outcome } from './attack.ts';
import { keyHeader, settle } from './cast.ts';
import { openCanary } from './fetching.ts';
import { rssOf } from './memory.ts';
import type { Json } from './wire.ts';

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

export const siteAttacks = [s11, s12, s14];
