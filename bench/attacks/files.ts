import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { methodRules, ruleOf } from '@fovea/contract';
import { tarOf, zipOf } from '../../server/src/testing/archives.ts';
import { type Attack, ledger } from './attack.ts';
import { keyHeader, say, settle } from './cast.ts';
import { openCanary } from './fetching.ts';
import { isAlive, trouble } from './fuzz.ts';
import { rssOf } from './memory.ts';
import { isIdField, leavesOf, namingRequest, pathWords, withLeaf } from './shapes.ts';
import { templateFor } from './templates.ts';
import type { Json } from './wire.ts';

const pathTricks = [
  '%zz',
  '%',
  '%E0%A4%A',
  '../../../../etc/passwd',
  '..%2f..%2f..%2fetc%2fpasswd',
  '%2e%2e/%2e%2e/etc/passwd',
  '%252e%252e%252fetc%252fpasswd',
  '..\\..\\..\\etc\\passwd',
  '..%5c..%5cetc%5cpasswd',
  '%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd',
  '....//....//etc/passwd',
  '/etc/passwd',
  '//etc/passwd',
  'file:///etc/passwd',
  '.',
  '..',
  'a\u0000.png',
  '%00',
  'CON',
  'aux.txt',
  'a'.repeat(4096),
  '\u202egnp.exe',
  '😀',
  'a\nb',
  'a\r\nSet-Cookie: x=y',
  '~root',
  '$HOME',
  '`id`',
  'master.key',
  '..;/..;/master.key',
];

/** All paths below a folder, the database's own left out. */
export function filesOf(folder: string, skip: RegExp): string[] {
  const found: string[] = [];
  const visit = (at: string) => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (skip.test(path)) continue;
      if (entry.isDirectory()) visit(path);
      else found.push(path);
    }
  };
  visit(folder);
  return found;
}

const s28: Attack = {
  id: 'S28',
  name: 'paths and names that lead out of their folder',
  async run(arena) {
    const book = ledger();
    const { wire, cast, server } = arena;
    const headers = keyHeader(cast.attacker.pat);
    const secret = readFileSync(join(server.dataDir, 'master.key'), 'latin1').slice(0, 12);
    const judge = (what: string, answer: { text: string; http: number; code: number; grpcCode: number }) => {
      book.count();
      if (/root:.*:0:0:/.test(answer.text) || answer.text.includes(secret))
        book.through(`${what} shows a file of the server`);
      const why = trouble(answer as never);
      if (why) book.through(`${what}: ${why}`);
    };
    const app = `/v2/users/${cast.attacker.userId}/apps/${cast.attacker.ids['app']}`;
    const routes = [
      '/',
      '/data/',
      '/media/',
      '/users/',
      `/data/orig/users/${cast.attacker.userId}/apps/${cast.attacker.ids['app']}/inputs/image/`,
      '/data/users/',
      `${app}/inputs/`,
      `${app}/`,
      '/v2/',
      '/docs/',
      '/assets/',
      '/static/',
      '/web/',
    ];
    for (const route of routes)
      for (const trick of pathTricks)
        judge(
          `GET ${route}${trick.slice(0, 40)}`,
          await wire.send({
            verb: 'GET',
            path: `${route}${trick.replace(/[\u0000-\u0020]|[^\u0021-\u007e]/gu, (c) => encodeURIComponent(c))}`,
            headers,
          }),
        );
    const input = (
      await wire.call(
        ruleOf('GetInput'),
        { user_app_id: cast.attacker.userAppId, input_id: cast.attacker.ids['input'] },
        headers,
      )
    ).message as Json;
    const media = new URL(input?.input?.data?.image?.url ?? 'http://x/none').pathname;
    for (const trick of pathTricks) {
      const clean = trick.replace(/[\u0000-\u0020]|[^\u0021-\u007e]/gu, (c) => encodeURIComponent(c));
      const parts = media.split('/');
      for (let i = 1; i < parts.length; i++)
        judge(
          `media part ${i} ${clean.slice(0, 30)}`,
          await wire.send({ verb: 'GET', path: parts.with(i, clean).join('/'), headers }),
        );
      judge(
        `media with ${clean.slice(0, 30)} behind`,
        await wire.send({ verb: 'GET', path: `${media}/${clean}`, headers }),
      );
    }
    const before = new Set(filesOf(server.dataDir, /postgres|vectors/));
    for (const rule of methodRules.filter(
      (one) =>
        /^(Post|Patch|Put|Get)/.test(one.name) &&
        one.kind === 'unary' &&
        !/Outputs|Results|Keys/.test(one.name),
    )) {
      const base = {
        ...namingRequest(rule, cast.attacker.ids, 1),
        ...templateFor(rule.name, cast.attacker.ids, 120_000 + book.tried),
      };
      for (const leaf of leavesOf(rule.desc.input, isIdField, 3)
        .filter((one) => one.path[0]?.name !== 'user_app_id')
        .slice(0, 6)) {
        for (const trick of arena.full
          ? pathTricks
          : [arena.pick(pathTricks), arena.pick(pathTricks), '../../x']) {
          judge(
            `${rule.name} ${pathWords(leaf)}=${trick.slice(0, 20)}`,
            await wire.call(rule, withLeaf(base, leaf, trick), headers),
          );
        }
      }
    }
    for (const path of filesOf(server.dataDir, /postgres|vectors/)) {
      const name = path.slice(server.dataDir.length);
      if (!before.has(path) && !/^[\w./-]+$/.test(name))
        book.through(`a file called ${JSON.stringify(name)}`);
    }
    for (const outside of [join(server.dataDir, '..', 'x'), '/x', join(process.cwd(), 'x')])
      if (existsSync(outside)) book.through(`${outside} was made`);
    return book.outcome();
  },
};

const escapeName = 'fovea-escaped';

/** Archives whose entries lead elsewhere, lie, or unpack to more than they should. `good.txt` of each has to come in, or nothing. */
function hostileArchives(full: boolean): readonly (readonly [string, Buffer])[] {
  const text = (path: string, words = path) => ({ path, bytes: Buffer.from(words) });
  const good = text('good.txt');
  const out = (path: string) => text(path, escapeName);
  const zeros = Buffer.alloc(64 * 2 ** 20);
  const links = [
    ['symbolic link', '2'],
    ['hard link', '1'],
    ['character device', '3'],
    ['block device', '4'],
    ['pipe', '6'],
  ] as const;
  let nested = zipOf([text('core.txt')]);
  for (let depth = 0; depth < 10; depth++) nested = zipOf([{ path: `down${depth}.zip`, bytes: nested }]);
  // A bomb of bombs: each layer holds ten of the one below.
  let bomb = zipOf([{ path: 'zeros.txt', bytes: zeros }]);
  const layers = full ? 4 : 3;
  for (let layer = 0; layer < layers; layer++)
    bomb = zipOf(Array.from({ length: 10 }, (_, n) => ({ path: `${n}.zip`, bytes: bomb })));
  const overlapping = zipOf(
    Array.from({ length: 2_000 }, (_, n) => ({ ...text(`${n}.txt`, 'x'), lie: { offset: 0 } })),
  );
  const many = zipOf(
    Array.from({ length: full ? 200_000 : 10_000 }, (_, n) => ({
      ...text('x', ''),
      path: `e/${n}`,
      method: 'store' as const,
    })),
  );
  const cut = zipOf([good, text('b.txt')]);
  return [
    ...[
      `../${escapeName}.txt`,
      `a/../../../../../../tmp/${escapeName}.txt`,
      `/tmp/${escapeName}.txt`,
      `..\\..\\${escapeName}.txt`,
      `C:\\${escapeName}.txt`,
      `//host/share/${escapeName}.txt`,
      `a\0/../${escapeName}.txt`,
      `\u202e${escapeName}.txt`,
      `${'d/'.repeat(2_000)}${escapeName}.txt`,
      `${'n'.repeat(60_000)}.txt`,
    ].flatMap((path) => [
      [`zip: ${path.slice(0, 40)}`, zipOf([good, out(path)])] as const,
      [`tar: ${path.slice(0, 40)}`, tarOf([good, out(path.replaceAll('\0', ''))])] as const,
    ]),
    ...links.map(
      ([name, type]) => [`tar with a ${name}`, tarOf([good, { path: 'link.txt', type }])] as const,
    ),
    ['zip with a link', zipOf([good, { ...text('link.txt', '/etc/passwd'), mode: 0o120777 }])],
    ['zip with a device', zipOf([good, { ...text('dev.txt', ''), mode: 0o020666 }])],
    ['a size of 0', zipOf([good, { path: 'zero.txt', bytes: zeros, lie: { size: 0 } }])],
    ['a size of 4 GiB', zipOf([good, { ...text('big.txt'), lie: { size: 0xfffffff0 } }], { zip64: true })],
    ['a wrong checksum', zipOf([good, { ...text('sum.txt'), lie: { crc: 1 } }])],
    ['encrypted', zipOf([good, { ...text('locked.txt'), lie: { flags: 1 } }])],
    ['the same name a thousand times', zipOf(Array.from({ length: 1_000 }, () => good))],
    ['names that differ in case', zipOf([good, text('GOOD.txt'), text('Good.TXT')])],
    ['entries that overlap', overlapping],
    ['ten deep', nested],
    ['bomb', zipOf([good, ...Array.from({ length: 20 }, (_, n) => ({ path: `${n}.txt`, bytes: zeros }))])],
    ['bomb of bombs', bomb],
    ['gzip bomb', gzipSync(Buffer.alloc(512 * 2 ** 20), { level: 9 })],
    ['very many empty entries', many],
    ['cut', cut.subarray(0, cut.length - 10)],
    ['directory that leads nowhere', Buffer.concat([cut.subarray(0, 40), cut.subarray(-22)])],
    ['raw deflate', deflateRawSync(zeros)],
    ['nothing but an end', cut.subarray(-22)],
  ];
}

const extractionMs = 180_000;

const s21: Attack = {
  id: 'S21',
  name: 'archives that lead out, lie or explode',
  async run(arena) {
    const { wire, cast, server } = arena;
    const headers = keyHeader(cast.attacker.pat);
    const app = { user_app_id: cast.attacker.userAppId };
    const book = ledger();
    const pid = server.process.pid as number;
    const memory = rssOf(pid);
    let most = 0;
    for (const [n, [name, bytes]] of hostileArchives(arena.full).entries()) {
      book.count();
      const id = `hostile-${n}`;
      await say(wire, headers, 'PostInputsUploads', {
        ...app,
        inputs_uploads: [
          {
            inputs_add_job_id: id,
            input_id_conflict_resolution: 2,
            upload: { id, content_name: `${id}.zip`, content_length: bytes.length },
          },
        ],
      });
      for (let at = 0, part = 1; at < bytes.length; at += 2 ** 21, part++) {
        const data = bytes.subarray(at, at + 2 ** 21).toString('base64');
        const content_parts = [{ part_number: part, range_start: at, data }];
        await say(wire, headers, 'PutUploadContentParts', { ...app, upload_id: id, content_parts });
      }
      const job = async () => (await say(wire, headers, 'GetInputsAddJob', { ...app, id })).inputsAddJob;
      const began = Date.now();
      let status = 0;
      while (Date.now() - began < extractionMs) {
        status = (await job()).extractionJobs[0]?.status?.code ?? 0;
        most = Math.max(most, rssOf(pid) - memory);
        if (![64000, 64001].includes(status)) break;
        await sleep(100);
      }
      if ([64000, 64001].includes(status)) {
        book.through(`${name}: not done after ${extractionMs / 1000} s`);
        await wire.call(ruleOf('CancelInputsAddJob'), { ...app, id }, headers);
      }
      const inputs = await settle(wire, headers, cast.attacker.userAppId);
      for (const input of inputs)
        if (/[/\\\0]|\.\./.test(input.id)) book.through(`${name}: an input is called ${input.id}`);
      const own = inputs.filter((one: Json) => !Object.values(cast.attacker.ids).includes(one.id));
      if (own.length > 0)
        await wire.call(ruleOf('DeleteInputs'), { ...app, ids: own.map((one: Json) => one.id) }, headers);
      if (!(await isAlive(arena))) book.through(`after ${name} the server does not answer`);
    }
    if (most > 512 * 2 ** 20) book.through(`memory + ${Math.round(most / 2 ** 20)} MiB`);
    for (const folder of [
      '/',
      tmpdir(),
      process.cwd(),
      join(process.cwd(), '..'),
      join(server.dataDir, '..'),
    ])
      for (const file of readdirSync(folder))
        if (file.includes(escapeName)) book.through(`${folder}/${file}`);
    for (const file of filesOf(server.dataDir, /postgres|vectors/))
      if (file.includes(escapeName)) book.through(`${file} bears a name out of an archive`);
    return book.outcome({ note: `memory + ${Math.round(most / 2 ** 20)} MiB` });
  },
};

/** Videos that name other files and hosts, or are not what they say. */
function hostileVideos(port: number, secret: string): readonly (readonly [string, Buffer])[] {
  const hosts = [`http://127.0.0.1:${port}/a.ts`, `file://${secret}`, secret, `concat:${secret}|${secret}`];
  const text = (words: string) => Buffer.from(words);
  return [
    ...hosts.flatMap((url) => [
      [`HLS ${url}`, text(`#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${url}\n#EXT-X-ENDLIST\n`)] as const,
      [`concat ${url}`, text(`ffconcat version 1.0\nfile '${url}'\n`)] as const,
      [
        `DASH ${url}`,
        text(
          `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>${url}</BaseURL></Representation></AdaptationSet></Period></MPD>`,
        ),
      ] as const,
      [`ASX ${url}`, text(`<asx version="3.0"><entry><ref href="${url}"/></entry></asx>`)] as const,
    ]),
    [
      'HLS key',
      text(`#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="http://127.0.0.1:${port}/k"\n#EXTINF:1,\nx.ts\n`),
    ],
    [
      'SDP',
      text(`v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video ${port} RTP/AVP 96\n`),
    ],
    ['RTSP', text(`rtsp://127.0.0.1:${port}/x`)],
    ['data', text('#EXTM3U\n#EXTINF:1,\ndata:video/mp4;base64,AAAA\n')],
    ['image pattern', text('%d.png')],
    ['subtitles', text(`1\n00:00:00,000 --> 00:00:01,000\n<font face="${secret}">x</font>\n`)],
    [
      'AVI with a playlist in it',
      Buffer.concat([text('RIFF\xff\0\0\0AVI '), text(`#EXTM3U\nfile://${secret}\n`)]),
    ],
    ['MP4 that is one box of 2^63', Buffer.from('0000000166747970ffffffffffffffff', 'hex')],
    [
      'MP4 whose boxes are in each other',
      Buffer.from('00000010667479706d7034320000000000000008'.repeat(400), 'hex'),
    ],
    [
      'Matroska of unknown size',
      Buffer.from(`1a45dfa301ffffffffffffff18538067${'01ffffffffffffff'.repeat(64)}`, 'hex'),
    ],
    ['endless GIF', Buffer.concat([text('GIF89a'), Buffer.alloc(100_000, 0x2c)])],
    ['nothing but zeros', Buffer.alloc(1_000_000)],
  ];
}

const s24: Attack = {
  id: 'S24',
  name: 'videos that name files and hosts, or make a decoder hang',
  async run(arena) {
    const { wire, cast, server } = arena;
    const { userAppId, pat } = cast.attacker;
    const headers = keyHeader(pat);
    const book = ledger();
    const canary = await openCanary('127.0.0.1');
    const secret = join(server.dataDir, 'master.key');
    const secretWords = readFileSync(secret, 'latin1').slice(0, 24);
    const statuses = new Map<number, number>();
    try {
      for (const [n, [name, bytes]] of hostileVideos(canary.port, secret).entries()) {
        for (const kind of ['video', 'audio', 'image'] as const) {
          book.count();
          const id = `film-${kind}-${n}`;
          const base64 = bytes.toString('base64');
          const answer = await wire.call(
            ruleOf('PostInputs'),
            { user_app_id: userAppId, inputs: [{ id, data: { [kind]: { base64 } } }] },
            headers,
          );
          const why = trouble(answer);
          if (why) book.through(`${name} as ${kind}: ${why}`);
          const inputs = await settle(wire, headers, userAppId, 90_000);
          const input = inputs.find((one: Json) => one.id === id);
          const code = input?.status?.code ?? answer.code;
          statuses.set(code, (statuses.get(code) ?? 0) + 1);
          if ([30001, 30003].includes(code)) book.through(`${name} as ${kind}: not done after 90 s`);
          if (code === 30000) book.through(`${name} as ${kind} was taken for a medium`);
          if (JSON.stringify(input ?? {}, plainText).includes(secretWords))
            book.through(`${name} as ${kind} shows a file of the server`);
        }
        if (canary.hits() > 0) book.through(`${name}: ${canary.hits()} connections to a host it names`);
      }
    } finally {
      canary.close();
    }
    return book.outcome({ note: [...statuses].map(([code, n]) => `${code}: ${n}`).join(', ') });
  },
};

const plainText = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);

export const fileAttacks = [s21, s24, s28];
