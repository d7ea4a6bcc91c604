import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { methodRules, ruleOf } from '@fovea/contract';
import type { Ground } from './arena.ts';
import { type Attack, ledger } from './attack.ts';
import { keyHeader } from './cast.ts';
import { isAlive, trouble } from './fuzz.ts';
import { rssOf } from './memory.ts';
import { frameOf, rawGrpc, rawTalk } from './raw.ts';
import { bytesOf, type Json } from './wire.ts';

const mib = 2 ** 20;
const authorizationOf = (ground: Ground) => ({ authorization: `Key ${ground.cast.attacker.pat}` });

const s22: Attack = {
  id: 'S22',
  name: 'compressed request bodies that grow',
  async run(arena) {
    const book = ledger();
    const pid = arena.server.process.pid as number;
    const zeros = Buffer.alloc(1024 * mib);
    const path = ruleOf('PostInputs').path;
    const packed = {
      gzip: gzipSync(zeros, { level: 9 }),
      deflate: deflateSync(zeros.subarray(0, 512 * mib)),
    };
    let most = 0;
    const before = rssOf(pid);
    const watch = setInterval(() => {
      most = Math.max(most, rssOf(pid) - before);
    }, 50);
    try {
      for (const [encoding, body] of Object.entries(packed)) {
        for (let i = 0; i < 3; i++) {
          book.count();
          const answer = await rawGrpc(
            arena.server.url,
            path,
            { ...authorizationOf(arena), 'grpc-encoding': encoding },
            frameOf(body, 1),
          );
          if (answer.status === 'timeout' || answer.status === '0')
            book.through(`gRPC ${encoding} bomb: status ${answer.status}`);
        }
      }
      const bodies = { ...packed, br: brotliCompressSync(zeros.subarray(0, 64 * mib)) };
      // Packing held the event loop; connections that the server let go meanwhile are noticed before they are used.
      await sleep(200);
      for (const [encoding, body] of Object.entries(bodies)) {
        book.count();
        const answer = await arena.wire.send({
          verb: 'POST',
          path: `/v2/users/me/apps/${arena.cast.attacker.ids['app']}/inputs`,
          headers: {
            ...authorizationOf(arena),
            'content-encoding': encoding,
            'content-type': 'application/json',
          },
          body,
        });
        if (answer.http < 400 || answer.http >= 500)
          book.through(`REST ${encoding} bomb: HTTP ${answer.http}`);
      }
      if (!(await isAlive(arena))) book.through('the server does not answer any more');
      if (most > 512 * mib) book.through(`memory grew by ${Math.round(most / mib)} MiB`);
      return book.outcome({ note: `memory + ${Math.round(most / mib)} MiB at most, 1 GiB packed in 1 MiB` });
    } finally {
      clearInterval(watch);
    }
  },
};

const jsonBodies = (): [string, Buffer][] => {
  const deep = (open: string, close: string, n: number) => open.repeat(n) + close.repeat(n);
  const texts: [string, string][] = [
    ['arrays 200,000 deep', deep('[', ']', 200_000)],
    ['objects 200,000 deep', `${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`],
    [
      'metadata 5,000 deep',
      `{"inputs":[{"id":"d","data":{"metadata":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}}]}`,
    ],
    [
      'metadata 99 deep',
      `{"inputs":[{"id":"d99","data":{"text":{"raw":"x"},"metadata":${'{"a":'.repeat(90)}1${'}'.repeat(90)}}}]}`,
    ],
    [
      'regions 10,000 deep',
      `{"inputs":[{"data":${'{"regions":[{"data":'.repeat(10_000)}{}${'}]}'.repeat(10_000)}}]}`,
    ],
    [
      '__proto__ at the top',
      '{"__proto__":{"polluted":"zqpolluted"},"inputs":[{"id":"p1","data":{"text":{"raw":"x"}}}]}',
    ],
    [
      '__proto__ in an input',
      '{"inputs":[{"id":"p2","__proto__":{"polluted":"zqpolluted"},"data":{"text":{"raw":"x"}}}]}',
    ],
    [
      '__proto__ in metadata',
      '{"inputs":[{"id":"p3","data":{"text":{"raw":"x"},"metadata":{"__proto__":{"polluted":"zqpolluted"},"constructor":{"prototype":{"polluted":"zqpolluted"}}}}}]}',
    ],
    ['constructor.prototype', '{"constructor":{"prototype":{"polluted":"zqpolluted"}},"inputs":[]}'],
    [
      'duplicate keys',
      '{"inputs":[],"inputs":[{"id":"dup","id":"dup2","data":{"text":{"raw":"x"}}}],"inputs":[]}',
    ],
    ['1e400', '{"inputs":[{"id":"inf","data":{"text":{"raw":"x"},"metadata":{"n":1e400}}}]}'],
    [
      'lone surrogate',
      '{"inputs":[{"id":"sur","data":{"text":{"raw":"\\ud800"},"metadata":{"\\udfff":"\\ud800"}}}]}',
    ],
    [
      'NUL escape',
      '{"inputs":[{"id":"nul","data":{"text":{"raw":"x"},"metadata":{"a\\u0000b":"c\\u0000d"}}}]}',
    ],
    ['NUL in an id', '{"inputs":[{"id":"a\\u0000b","data":{"text":{"raw":"x"}}}]}'],
    ['raw NUL', '{"inputs":[{"id":"a\u0000b"}]}'],
    ['comment', '{/* c */"inputs":[]}'],
    ['trailing comma', '{"inputs":[],}'],
    ['byte order mark', '\ufeff{"inputs":[]}'],
    ['NaN', '{"inputs":[{"data":{"metadata":{"n":NaN}}}]}'],
    ['a number', '12'],
    ['a text', '"x"'],
    ['a list', '[{}]'],
    ['cut short', '{"inputs":[{"id":"x"'],
    ['200,000 keys', `{${Array.from({ length: 200_000 }, (_, i) => `"k${i}":${i}`).join(',')}}`],
    ['200,000 inputs', `{"inputs":[${'{},'.repeat(199_999)}{}]}`],
    ['long key', `{"${'k'.repeat(2_000_000)}":1}`],
    ['long number', `{"page":${'9'.repeat(100_000)}}`],
    ['long id', `{"inputs":[{"id":"${'i'.repeat(1_000_000)}"}]}`],
  ];
  return [
    ...texts.map(([name, text]): [string, Buffer] => [name, Buffer.from(text)]),
    ['not UTF-8', Buffer.from([0x7b, 0x22, 0xc0, 0x80, 0x22, 0x3a, 0x31, 0x7d])],
    ['UTF-16', Buffer.from('{"inputs":[]}', 'utf16le')],
  ];
};

const s31: Attack = {
  id: 'S31',
  name: 'JSON: depth, duplicate and poisonous keys, numbers and characters that are none',
  async run(arena) {
    const book = ledger();
    const { wire, cast } = arena;
    const headers = keyHeader(cast.attacker.pat);
    const app = `/v2/users/${cast.attacker.userId}/apps/${cast.attacker.ids['app']}`;
    const places = [
      'inputs',
      'concepts',
      'annotations',
      'datasets',
      'inputs/searches',
      'annotations/searches',
      'models',
      'workflows',
    ];
    for (const [name, body] of jsonBodies()) {
      for (const place of places) {
        for (const verb of ['POST', 'PATCH']) {
          if (verb === 'PATCH' && body.length > 100_000) continue;
          book.count();
          const answer = await wire.send({ verb, path: `${app}/${place}`, headers, body });
          const why = trouble(answer);
          if (why) book.through(`${verb} ${place}, ${name}: ${why}`);
        }
      }
    }
    const after = await wire.send({ verb: 'GET', path: `${app}/concepts`, headers });
    book.count();
    if (after.text.includes('zqpolluted') || '{}' in Object.prototype)
      book.through('a prototype was polluted');
    for (const path of ['/v2/status_codes/10000', `${app}/inputs`]) {
      book.count();
      const answer = await wire.send({ verb: 'GET', path, headers });
      const shown: Json = JSON.parse(answer.text);
      if ('polluted' in shown || 'polluted' in (shown.status ?? {}))
        book.through(`${path} shows a polluted prototype`);
    }
    if (!(await isAlive(arena))) book.through('the server does not answer any more');
    return book.outcome();
  },
  control: (arena) =>
    arena.other(
      { FOVEA_FAILPOINTS: 'skip-text-check', FOVEA_LOG_LEVEL: 'silent' },
      async ({ wire, cast }) => {
        const book = ledger();
        for (const text of ['a\\u0000b', '\\ud800']) {
          const body = Buffer.from(`{"concepts":[{"id":"control","name":"${text}"}]}`);
          const path = `/v2/users/${cast.attacker.userId}/apps/${cast.attacker.ids['app']}/concepts`;
          const answer = await wire.send({ verb: 'POST', path, headers: keyHeader(cast.attacker.pat), body });
          if (trouble(answer)) book.through(`${text} reached the database`);
        }
        return book.outcome();
      },
    ),
};

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 128n) return Buffer.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 127n) | 128);
  }
}

const s32: Attack = {
  id: 'S32',
  name: 'protobuf: depth, lengths that lie, groups, cut at every byte',
  async run(arena) {
    const book = ledger();
    const { wire, cast } = arena;
    const headers = keyHeader(cast.attacker.pat);
    const rule = ruleOf('PostInputs');
    const whole = Buffer.from(
      bytesOf(rule, {
        user_app_id: cast.attacker.userAppId,
        inputs: [
          {
            id: 'cut',
            data: {
              metadata: { a: { b: [1, 'x'] } },
              concepts: [{ id: 'c', value: 0.5 }],
              text: { raw: 'x' },
            },
          },
        ],
      }),
    );
    const field = (number: number, wire_: number) => varint(BigInt((number << 3) | wire_));
    const nested = (number: number, depth: number) => {
      let body: Buffer = Buffer.alloc(0);
      for (let i = 0; i < depth && body.length < 4 * mib; i++)
        body = Buffer.concat([field(number, 2), varint(BigInt(body.length)), body]);
      return body;
    };
    const bodies: [string, Buffer][] = [
      ...Array.from({ length: whole.length }, (_, i): [string, Buffer] => [
        `cut at ${i}`,
        whole.subarray(0, i),
      ]),
      ...[1, 2, 3, 4, 99].map((n): [string, Buffer] => [`field ${n} nested 2,000 deep`, nested(n, 2_000)]),
      ['length of 4 GiB', Buffer.concat([field(2, 2), varint(2n ** 32n - 1n)])],
      ['length of 2^63', Buffer.concat([field(2, 2), varint(2n ** 63n - 1n)])],
      ['varint of 20 bytes', Buffer.concat([field(2, 0), Buffer.alloc(20, 0xff)])],
      ['field number 0', Buffer.from([0x00, 0x01])],
      ['20,000 open groups', Buffer.alloc(20_000, 0x0b)],
      ['20,000 closed groups', Buffer.concat([Buffer.alloc(20_000, 0x0b), Buffer.alloc(20_000, 0x0c)])],
      ['only group ends', Buffer.alloc(1_000, 0x0c)],
      ['wire type 7', Buffer.from([0x0f, 0x01])],
      [
        'text that is no UTF-8',
        Buffer.concat([
          field(1, 2),
          varint(6n),
          field(1, 2),
          varint(4n),
          Buffer.from([0xc0, 0x80, 0xff, 0xfe]),
        ]),
      ],
      ['packed length lies', Buffer.concat([field(5, 2), varint(1000n), Buffer.alloc(3)])],
      ['1 MiB of noise', Buffer.from(Array.from({ length: mib }, () => Math.floor(arena.random() * 256)))],
      [
        '100,000 empty inputs',
        Buffer.concat(Array.from({ length: 100_000 }, () => Buffer.from([0x12, 0x00]))),
      ],
      [
        'one field 500,000 times',
        Buffer.concat(Array.from({ length: 500_000 }, () => Buffer.from([0x98, 0x06, 0x01]))),
      ],
    ];
    for (const [name, body] of bodies) {
      for (const target of [rule, ruleOf('PostAnnotations'), ruleOf('PostModelOutputs')]) {
        if (/^cut/.test(name) && target !== rule) continue;
        book.count();
        const answer = await wire.callBytes(target, body, headers);
        const why = trouble(answer);
        if (why) book.through(`${target.name}, ${name}: ${why}`);
        book.count();
        const web = await wire.web(target, body, headers);
        if (trouble(web)) book.through(`gRPC-Web ${target.name}, ${name}: ${trouble(web)}`);
      }
    }
    // The frame around the message.
    const url = arena.server.url;
    const frames: [string, Buffer][] = [
      ['length says more', frameOf(Buffer.alloc(3), 0, 1000)],
      ['length of 4 GiB', frameOf(Buffer.alloc(3), 0, 2 ** 32 - 1)],
      ['two messages', Buffer.concat([frameOf(whole), frameOf(whole)])],
      ['no message', Buffer.alloc(0)],
      ['half a head', Buffer.alloc(3)],
      ['flag 255', frameOf(whole, 255)],
      ['compressed, no encoding named', frameOf(gzipSync(whole), 1)],
    ];
    for (const [name, body] of frames) {
      book.count();
      const answer = await rawGrpc(url, rule.path, authorizationOf(arena), body, 8_000);
      if (answer.status === 'timeout') book.through(`frame with ${name}: no answer`);
    }
    if (!(await isAlive(arena))) book.through('the server does not answer any more');
    return book.outcome();
  },
};

const s38: Attack = {
  id: 'S38',
  name: 'sizes: bodies, pages, headers, paths and counts beyond every limit',
  async run(arena) {
    const book = ledger();
    const { wire, cast, server } = arena;
    const headers = keyHeader(cast.attacker.pat);
    const app = `/v2/users/${cast.attacker.userId}/apps/${cast.attacker.ids['app']}`;
    const expectRefused = (
      what: string,
      answer: { http: number; code: number; text: string },
      allowed: readonly number[],
    ) => {
      book.count();
      if (!allowed.includes(answer.http)) book.through(`${what}: HTTP ${answer.http}, code ${answer.code}`);
    };
    // Announced sizes are refused by the header alone.
    const announced = await rawTalk(
      wire.host,
      `POST ${app}/inputs HTTP/1.1\r\nHost: x\r\nAuthorization: ${headers['authorization']}\r\nContent-Length: ${128 * mib + 1}\r\n\r\n`,
      5_000,
    );
    book.count();
    if (!/^HTTP\/1\.1 413/.test(announced.text))
      book.through(`128 MiB + 1 announced: ${announced.text.slice(0, 40) || 'no answer'}`);
    const before = rssOf(server.process.pid as number);
    const chunked = net.connect(Number(new URL(server.url).port), '127.0.0.1');
    let chunkedAnswer = '';
    chunked.on('data', (part) => {
      chunkedAnswer += part.toString('latin1');
    });
    chunked.on('error', () => {});
    chunked.write(
      `POST ${app}/inputs HTTP/1.1\r\nHost: x\r\nAuthorization: ${headers['authorization']}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const piece = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(mib, 32), Buffer.from('\r\n')]);
    for (let i = 0; i < 200 && chunkedAnswer === '' && !chunked.destroyed; i++) {
      if (!chunked.write(piece))
        await Promise.race([new Promise((r) => chunked.once('drain', r)), sleep(2_000)]);
    }
    await sleep(300);
    chunked.destroy();
    book.count();
    if (!/413/.test(chunkedAnswer.slice(0, 40)) && chunkedAnswer !== '')
      book.through(`200 MiB in pieces: ${chunkedAnswer.slice(0, 40)}`);
    const grew = Math.round((rssOf(server.process.pid as number) - before) / mib);
    if (grew > 400) book.through(`200 MiB in pieces: memory + ${grew} MiB`);
    const big = await rawGrpc(
      server.url,
      ruleOf('PostInputs').path,
      authorizationOf(arena),
      frameOf(Buffer.alloc(0), 0, 128 * mib + 1),
      8_000,
    );
    book.count();
    if (big.status !== '8') book.through(`gRPC message of 128 MiB + 1: status ${big.status} ${big.message}`);

    const tooMany = Array.from({ length: 129 }, (_, i) => ({
      id: `many-${i}`,
      data: { text: { raw: 'x' } },
    }));
    const many = await wire.call(
      ruleOf('PostInputs'),
      { user_app_id: cast.attacker.userAppId, inputs: tooMany },
      headers,
    );
    book.count();
    if (many.code === 10000 || trouble(many)) book.through(`129 inputs: ${many.code}`);
    for (const rule of methodRules.filter((one) =>
      one.desc.input.fields.some((field) => field.name === 'per_page'),
    )) {
      for (const [page, perPage] of [
        [2 ** 32 - 1, 2 ** 32 - 1],
        [2 ** 31, 1000],
        [1, 1001],
        [2 ** 32 - 1, 1],
        [1_000_000, 1000],
      ]) {
        book.count();
        const answer = await wire.call(
          rule,
          { user_app_id: cast.attacker.userAppId, page, per_page: perPage },
          headers,
        );
        const why =
          trouble(answer) ??
          (answer.elapsedMs > 3_000 ? `took ${Math.round(answer.elapsedMs)} ms` : undefined);
        if (why) book.through(`${rule.name} page ${page} of ${perPage}: ${why}`);
      }
    }
    for (const rpc of ['PostInputsSearches', 'PostAnnotationsSearches']) {
      for (const pagination of [
        { page: 2 ** 32 - 1, per_page: 2 ** 32 - 1 },
        { page: 11, per_page: 1000 },
      ]) {
        book.count();
        const answer = await wire.call(
          ruleOf(rpc),
          { user_app_id: cast.attacker.userAppId, searches: [{ query: {} }], pagination },
          headers,
        );
        if (trouble(answer)) book.through(`${rpc} page ${pagination.page}: ${trouble(answer)}`);
      }
    }
    expectRefused(
      '10 MiB header',
      await wire.send({
        verb: 'GET',
        path: `${app}/inputs`,
        headers: { ...headers, 'x-long': 'x'.repeat(10 * mib) },
      }),
      [431, 0],
    );
    expectRefused(
      '1 MiB path',
      await wire.send({ verb: 'GET', path: `${app}/inputs/${'a'.repeat(mib)}`, headers }),
      [431, 414, 0, 404, 400],
    );
    expectRefused(
      'a thousand headers',
      await wire.send({
        verb: 'GET',
        path: `${app}/inputs`,
        headers: {
          ...headers,
          ...Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`x-${i}`, 'y'])),
        },
      }),
      [431, 0, 200],
    );
    expectRefused(
      'many parameters',
      await wire.send({ verb: 'GET', path: `${app}/inputs?${'ids=a&'.repeat(2_000)}`, headers }),
      [431, 414, 400, 200],
    );
    if (!(await isAlive(arena))) book.through('the server does not answer any more');
    return book.outcome({ note: `200 MiB in pieces: memory + ${grew} MiB` });
  },
};

export const protocolAttacks = [s22, s31, s32, s38];
