import { existsSync, readFileSync } from 'node:fs';
import { ruleOf } from '@fovea/contract';
import sharp from 'sharp';
import { pngChunk } from '../../server/src/testing/png.ts';
import type { Arena, Ground } from './arena.ts';
import { type Attack, ledger } from './attack.ts';
import { keyHeader, say, settle } from './cast.ts';
import { isAlive, trouble } from './fuzz.ts';
import { rssOf } from './memory.ts';
import { hugePng } from './templates.ts';
import type { Answer, Headers, Json } from './wire.ts';

function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(stat[11]) + Number(stat[12])) / 100;
}

/** Pictures that are small to send and large to open. */
async function pictureBombs(): Promise<[string, Buffer][]> {
  const png = hugePng(64, 64, 8);
  const comments = Buffer.concat(
    Array.from({ length: 20_000 }, (_, i) => pngChunk('tEXt', Buffer.from(`k${i}\0${'v'.repeat(40)}`))),
  );
  const packedText = pngChunk(
    'zTXt',
    Buffer.concat([
      Buffer.from('k\0\0'),
      (await import('node:zlib')).deflateSync(Buffer.alloc(64 * 2 ** 20)),
    ]),
  );
  const inside = (extra: Buffer) => Buffer.concat([png.subarray(0, 33), extra, png.subarray(33)]);
  const frames = await sharp(Buffer.alloc(16 * 16 * 3 * 400, 7), {
    raw: { width: 16, height: 16 * 400, channels: 3, pageHeight: 16 } as never,
  })
    .gif()
    .toBuffer();
  const long = await sharp({ create: { width: 65_500, height: 8, channels: 3, background: 'red' } })
    .jpeg()
    .toBuffer();
  const svg = (text: string) =>
    Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9" height="9">${text}</svg>`,
    );
  return [
    ['30,000 x 30,000 PNG', hugePng(30_000, 30_000)],
    ['9,000 x 9,000 PNG', hugePng(9_000, 9_000)],
    ['1 x 2,000,000 PNG', hugePng(1, 2_000_000)],
    [
      'PNG that says 2^31',
      Buffer.concat([
        png.subarray(0, 16),
        Buffer.from([0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]),
        png.subarray(24),
      ]),
    ],
    ['20,000 PNG comments', inside(comments)],
    ['packed PNG comment of 64 MiB', inside(packedText)],
    ['65,500-pixel JPEG', long],
    ['GIF of 400 frames', frames],
    ['TIFF of one byte', Buffer.from('II*\0\x08\0\0\0\x01\0', 'latin1')],
    [
      'TIFF whose pages run in a circle',
      Buffer.concat([Buffer.from('II*\0\x08\0\0\0', 'latin1'), Buffer.from([0, 0, 8, 0, 0, 0])]),
    ],
    ['SVG that names a file', svg('<image xlink:href="file:///etc/passwd"/>')],
    [
      'SVG of laughs',
      Buffer.from(
        `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">${Array.from({ length: 12 }, (_, i) => `<!ENTITY ${String.fromCharCode(98 + i)} "${`&${String.fromCharCode(97 + i)};`.repeat(10)}">`).join('')}]><svg xmlns="http://www.w3.org/2000/svg">&m;</svg>`,
      ),
    ],
    ['GIF with a script behind it', Buffer.concat([frames, Buffer.from('<script>alert(1)</script>')])],
    ['HTML called a picture', Buffer.from('<html><script>alert(1)</script></html>')],
    ['nothing', Buffer.alloc(0)],
  ];
}

const s20: Attack = {
  id: 'S20',
  name: 'pictures that are small to send and large to open',
  async run(arena) {
    if (!existsSync('/proc/self/stat'))
      return ledger().outcome({ notJudged: 'CPU time of another process is not told here' });
    const book = ledger();
    const { wire, cast, server } = arena;
    const headers = keyHeader(cast.attacker.pat);
    const pid = server.process.pid as number;
    const before = rssOf(pid);
    let most = 0;
    let slowest = 0;
    for (const [i, [name, bytes]] of (await pictureBombs()).entries()) {
      book.count();
      const id = `bomb-${i}`;
      const cpu = cpuSecondsOf(pid);
      const answer = await wire.call(
        ruleOf('PostInputs'),
        {
          user_app_id: cast.attacker.userAppId,
          inputs: [{ id, data: { image: { base64: bytes.toString('base64') } } }],
        },
        headers,
      );
      const why = trouble(answer);
      if (why) book.through(`${name}: ${why}`);
      const inputs = await settle(wire, headers, cast.attacker.userAppId, 30_000);
      const status = inputs.find((one: Json) => one.id === id)?.status?.code;
      if ([30001, 30003].includes(status)) book.through(`${name}: not done after 30 s`);
      const spent = cpuSecondsOf(pid) - cpu;
      slowest = Math.max(slowest, spent);
      if (spent > 3) book.through(`${name}: ${spent.toFixed(1)} s of CPU`);
      most = Math.max(most, rssOf(pid) - before);
      // Whatever it was taken for, a browser must not run it.
      const shown = await wire.call(
        ruleOf('GetInput'),
        { user_app_id: cast.attacker.userAppId, input_id: id },
        headers,
      );
      const url = (shown.message as Json)?.input?.data?.image?.url as string | undefined;
      if (url?.startsWith('http')) {
        const media = await wire.send({ verb: 'GET', path: new URL(url).pathname, headers });
        const type = String(media.headers['content-type'] ?? '');
        const safe =
          media.headers['x-content-type-options'] === 'nosniff' &&
          String(media.headers['content-security-policy'] ?? '').includes('sandbox');
        if (media.http === 200 && (!safe || /html|svg|script/.test(type)))
          book.through(`${name}: served as ${type}, sandboxed: ${safe}`);
      }
    }
    if (most > 700 * 2 ** 20) book.through(`memory + ${Math.round(most / 2 ** 20)} MiB`);
    return book.outcome({
      note: `most CPU for one ${slowest.toFixed(1)} s, memory + ${Math.round(most / 2 ** 20)} MiB`,
    });
  },
};

/** Where the media of an input lie, as the API tells its owner. */
async function mediaPathOf({ wire }: Ground, headers: Headers, userAppId: Json, id: string): Promise<string> {
  const reply = await say(wire, headers, 'GetInput', { user_app_id: userAppId, input_id: id });
  const { image, video, audio, text } = reply.input.data;
  return new URL((image ?? video ?? audio ?? text)?.url || 'http://none/').pathname;
}

/** Guessed, twisted and outlived addresses of media. */
const s9: Attack = {
  id: 'S9',
  name: 'addresses of media: guessed, twisted, of others, of what is gone',
  async run(arena) {
    const { wire, cast } = arena;
    const { victim, attacker } = cast;
    const book = ledger();
    const get = (path: string, headers: Headers) => wire.send({ verb: 'GET', path, headers });
    const me = keyHeader(attacker.pat);
    const path = await mediaPathOf(
      arena,
      keyHeader(victim.pat),
      victim.userAppId,
      victim.ids['input'] as string,
    );
    // The page answers any address of its own; a medium is none of its texts.
    const isThere = ({ http, headers }: Answer) =>
      (http === 200 || http === 206) && !String(headers['content-type']).startsWith('text/html');
    if (!isThere(await get(path, keyHeader(victim.pat)))) book.through('the owner cannot read it either');
    const judge = (what: string, answer: Answer) => {
      book.count();
      if (isThere(answer)) book.through(`${what} answers ${answer.http}`);
    };
    const forms = [
      path,
      ...['thumbnail', 'tiny', 'small', 'large'].map((size) => path.replace('/orig/', `/${size}/`)),
      path.replace(victim.userId, attacker.userId),
      path.replace(victim.ids['app'] as string, attacker.ids['app'] as string),
      path
        .replace(victim.userId, attacker.userId)
        .replace(victim.ids['app'] as string, attacker.ids['app'] as string),
      path.replace('/image/', '/text/'),
      `${path}?key=${attacker.pat}`,
      `/uploads${path}`,
      path.replace('/media/', '/media//'),
      path.replace('/media/', '/media/./'),
    ];
    for (const form of forms) {
      for (const { name, headers } of cast.actors) judge(`${name}: ${form}`, await get(form, headers));
      judge(`range of ${form}`, await get(form, { ...me, range: 'bytes=0-3' }));
      judge(`other host for ${form}`, await get(form, { ...me, 'x-forwarded-user': victim.userId }));
    }
    const sha = path.slice(-64);
    for (let n = 0; n < (arena.full ? 500 : 60); n++) {
      const at = Math.floor(arena.random() * 64);
      const other = sha.slice(0, at) + Math.floor(arena.random() * 16).toString(16) + sha.slice(at + 1);
      if (other !== sha) judge('a guessed hash', await get(path.replace(sha, other), keyHeader(victim.pat)));
    }
    // What is deleted is gone from its old address, for its owner too.
    const own = { id: 'short-lived', data: { image: { base64: hugePng(33, 33, 8).toString('base64') } } };
    await say(wire, me, 'PostInputs', { user_app_id: attacker.userAppId, inputs: [own] });
    await settle(wire, me, attacker.userAppId);
    const ownPath = await mediaPathOf(arena, me, attacker.userAppId, own.id);
    if (!isThere(await get(ownPath, me))) book.through('the owner cannot read a new medium');
    await say(wire, me, 'DeleteInput', { user_app_id: attacker.userAppId, input_id: own.id });
    judge('a medium after its input was deleted', await get(ownPath, me));
    return book.outcome();
  },
};

/** Files that are two things at once, or another thing than they are called. */
async function polyglots(): Promise<readonly (readonly [string, Buffer])[]> {
  const script = Buffer.from('<html><script>alert(document.domain)</script></html>');
  const png = hugePng(40, 40, 8);
  const jpeg = await sharp(png).jpeg().toBuffer();
  const gif = await sharp(png).gif().toBuffer();
  const webp = await sharp(png).webp().toBuffer();
  const comment = Buffer.concat([
    jpeg.subarray(0, 2),
    Buffer.from([0xff, 0xfe, 0, script.length + 2]),
    script,
    jpeg.subarray(2),
  ]);
  // A GIF whose width and height open a comment of JavaScript.
  const gifJs = Buffer.concat([Buffer.from('GIF89a/*'), gif.subarray(8), Buffer.from('*/=1;alert(1)//')]);
  const svg = Buffer.from(
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="alert(1)"><script>alert(1)</script></svg>',
  );
  return [
    ['JPEG with HTML in a comment', comment],
    ['JPEG with HTML behind it', Buffer.concat([jpeg, script])],
    [
      'PNG with HTML in a text',
      Buffer.concat([png.subarray(0, 33), pngChunk('tEXt', script), png.subarray(33)]),
    ],
    ['GIF that is JavaScript', gifJs],
    ['GIF with HTML behind it', Buffer.concat([gif, script])],
    ['WebP with HTML behind it', Buffer.concat([webp, script])],
    ['HTML before a picture', Buffer.concat([script, png])],
    ['HTML', script],
    ['SVG with a script', svg],
    ['SVG behind a byte order mark', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), svg])],
    ['XML with a stylesheet', Buffer.from('<?xml version="1.0"?><?xml-stylesheet href="x.xsl"?><a/>')],
    ['PDF', Buffer.from('%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj')],
    ['ZIP behind a picture', Buffer.concat([png, Buffer.from('PK\x05\x06'), Buffer.alloc(18)])],
    ['JavaScript', Buffer.from('alert(1)//')],
    ['UTF-7 HTML', Buffer.from('+ADw-script+AD4-alert(1)+ADw-/script+AD4-')],
    ['MPEG frame that is HTML', Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0]), script])],
    ['RIFF that is HTML', Buffer.concat([Buffer.from('RIFF\xff\0\0\0WAVE', 'latin1'), script])],
  ];
}

const s23: Attack = {
  id: 'S23',
  name: 'files that are two things at once, served to a browser',
  async run(arena) {
    const { wire, cast } = arena;
    const { userAppId, pat } = cast.attacker;
    const headers = keyHeader(pat);
    const book = ledger();
    let served = 0;
    for (const [n, [name, bytes]] of (await polyglots()).entries()) {
      for (const kind of ['image', 'video', 'audio', 'text'] as const) {
        const id = `two-${kind}-${n}`;
        const base64 = bytes.toString('base64');
        const answer = await wire.call(
          ruleOf('PostInputs'),
          { user_app_id: userAppId, inputs: [{ id, data: { [kind]: { base64 } } }] },
          headers,
        );
        book.count();
        const why = trouble(answer);
        if (why) book.through(`${name} as ${kind}: ${why}`);
        if (answer.code !== 10000) continue;
        await settle(wire, headers, userAppId, 60_000);
        const path = await mediaPathOf(arena, headers, userAppId, id);
        for (const form of [path, path.replace('/orig/', '/thumbnail/'), `${path}/x.html`, `${path}.html`]) {
          book.count();
          const media = await wire.send({ verb: 'GET', path: form, headers });
          if (media.http !== 200) continue;
          served += 1;
          const of = (header: string) => String(media.headers[header] ?? '');
          const [type, policy] = [of('content-type'), of('content-security-policy')];
          if (of('x-content-type-options') !== 'nosniff' || !/default-src 'none'.*sandbox/.test(policy))
            book.through(`${name} as ${kind}: served as ${type} without nosniff and a sandbox`);
          if (/html|svg|script|xml|pdf|flash/.test(type))
            book.through(`${name} as ${kind}: served as ${type}`);
          if (!/^(image|video|audio|text\/plain)/.test(type) && !/attachment/.test(of('content-disposition')))
            book.through(`${name} as ${kind}: ${type} is not a download`);
        }
      }
    }
    return book.outcome({ note: `${served} were served` });
  },
};

const formats = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const;
const mutantsPerRequest = 32;

/** Bytes changed, cut, doubled and filled, mostly where headers are. */
function mutant({ random }: Arena, source: Buffer): Buffer {
  let bytes = Buffer.from(source);
  const place = () => Math.floor(random() * (random() < 0.5 ? Math.min(200, bytes.length) : bytes.length));
  for (let times = 1 + Math.floor(random() * 6); times > 0 && bytes.length > 0; times--) {
    const [at, how] = [place(), random()];
    if (how < 0.5) bytes[at] = Math.floor(random() * 256);
    else if (how < 0.65) bytes = bytes.subarray(0, at);
    else if (how < 0.8)
      bytes.fill(random() < 0.5 ? 0xff : 0, at, Math.min(bytes.length, at + 1 + Math.floor(random() * 8)));
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at >> 1)]);
  }
  return bytes;
}

const s27: Attack = {
  id: 'S27',
  name: 'pictures with bytes changed',
  async run(arena) {
    const { wire, cast } = arena;
    const { userAppId, pat } = cast.attacker;
    const headers = keyHeader(pat);
    const book = ledger();
    const noise = Buffer.from(Array.from({ length: 48 * 48 * 3 }, () => Math.floor(arena.random() * 256)));
    const source = sharp(noise, { raw: { width: 48, height: 48, channels: 3 } });
    const counts = new Map<number, number>();
    for (const format of formats) {
      const whole = await source.clone().toFormat(format).toBuffer();
      for (let n = 0; n < (arena.full ? 10_000 : 96); n += mutantsPerRequest) {
        const ids = Array.from({ length: mutantsPerRequest }, (_, i) => `mutant-${format}-${n + i}`);
        const inputs = ids.map((id) => ({
          id,
          data: { image: { base64: mutant(arena, whole).toString('base64') } },
        }));
        book.count(inputs.length);
        const answer = await wire.call(
          ruleOf('PostInputs'),
          { user_app_id: userAppId, inputs: inputs.filter(({ data }) => data.image.base64 !== '') },
          headers,
        );
        const why = trouble(answer);
        if (why) book.through(`${format}: ${why}`);
        const there = await settle(wire, headers, userAppId, 60_000);
        for (const { id, status } of there.filter((one: Json) => ids.includes(one.id))) {
          counts.set(status.code, (counts.get(status.code) ?? 0) + 1);
          if ([30001, 30003].includes(status.code)) book.through(`${id} is not done after a minute`);
        }
        await say(wire, headers, 'DeleteInputs', { user_app_id: userAppId, ids });
      }
      if (!(await isAlive(arena))) book.through(`after ${format} the server does not answer`);
    }
    return book.outcome({ note: [...counts].map(([code, n]) => `${code}: ${n}`).join(', ') });
  },
};

export const mediaAttacks = [s9, s20, s23, s27];
