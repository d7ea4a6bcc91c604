import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { methodRules, ruleOf } from '@fovea/contract';
import type { Ground } from './arena.ts';
import { type Attack, ledger } from './attack.ts';
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

export const fetchingAttacks = [s10, s13, s15];
