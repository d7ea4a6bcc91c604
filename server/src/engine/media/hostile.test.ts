import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ffmpegPath, made, numberedClip, toneClip } from '#testing/clips.ts';
import { type MediaDecoder, openMediaDecoder } from './index.ts';

let dir: string;
let work: string;
let decoder: MediaDecoder;
/** Connections that somebody made to a server that nothing may reach. */
let callers = 0;
const trap = createServer((_request, response) => {
  callers += 1;
  response.end('caught');
});
let trapUrl: string;
/** A clip of somebody else, in a place that can be guessed. */
let foreign: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fovea-hostile-'));
  work = join(dir, 'work');
  decoder = openMediaDecoder({ dir: work, ffmpeg: ffmpegPath });
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
  trapUrl = `http://127.0.0.1:${(trap.address() as AddressInfo).port}`;
  foreign = join(dir, 'foreign.ts');
  if (!ffmpegPath) return;
  await writeFile(
    foreign,
    await made('ts', Buffer.alloc(0), ['-f', 'lavfi', '-t', '1', '-i', 'testsrc=size=64x64:rate=5']),
  );
});
afterAll(async () => {
  trap.close();
  await rm(dir, { recursive: true, force: true });
});

const withFfmpeg = test.skipIf(!ffmpegPath);
const opened = (bytes: Uint8Array, limits = {}) =>
  decoder.withVideo(
    bytes,
    async (video) => {
      await video.frameAt({ number: 0 });
      return video.facts;
    },
    { limits },
  );

const playlist = (entry: string) =>
  `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${entry}\n#EXT-X-ENDLIST\n`;
const mpd = (entry: string) =>
  `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1"><BaseURL>${entry}</BaseURL></Representation></AdaptationSet></Period></MPD>`;

describe('texts that name other files or hosts', () => {
  const texts: [string, () => string][] = [
    ['an HLS playlist of a local file', () => playlist(foreign)],
    ['an HLS playlist by file URL', () => playlist(`file://${foreign}`)],
    ['an HLS playlist of a host', () => playlist(`${trapUrl}/a.ts`)],
    ['an HLS playlist by concat', () => playlist(`concat:${foreign}|${foreign}`)],
    ['an ffconcat list', () => `ffconcat version 1.0\nfile '${foreign}'\n`],
    ['a DASH manifest of a local file', () => mpd(`file://${foreign}`)],
    ['a DASH manifest of a host', () => mpd(`${trapUrl}/a.mp4`)],
    ['an SDP', () => 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n'],
    ['an ASX playlist', () => `<asx version="3.0"><entry><ref href="${trapUrl}/a.wmv"/></entry></asx>`],
    ['an RTSP text', () => 'RTSPtext\nrtsp://127.0.0.1:9/a\n'],
    ['subtitles', () => '1\n00:00:00,000 --> 00:00:01,000\nHello\n'],
  ];
  for (const [name, text] of texts) {
    withFfmpeg(name, async () => {
      const bytes = Buffer.from(text());
      await expect(opened(bytes)).rejects.toMatchObject({ code: 30101 });
      // The same behind the first bytes of real containers: the reader for those is asked, and no other.
      const disguises = [
        Buffer.concat([Buffer.from('\0\0\0\x14ftypisom\0\0\0\0isom', 'latin1'), bytes]),
        Buffer.concat([Buffer.from('RIFF\xff\xff\0\0AVI ', 'latin1'), bytes]),
        Buffer.concat([Buffer.from('\x1aE\xdf\xa3\x84webm', 'latin1'), bytes]),
        Buffer.concat([Buffer.from('3026b2758e66cf11a6d900aa0062ce6c', 'hex'), bytes]),
      ];
      for (const disguise of disguises)
        await expect(opened(disguise)).rejects.toMatchObject({ code: expect.toBeOneOf([30101, 30300]) });
      expect(callers).toBe(0);
    });
  }

  withFfmpeg('a QuickTime reference movie does not open what it refers to', async () => {
    const clip = await numberedClip({ ending: 'mov', frames: 5 });
    // The data reference says "in this file" by a flag; without it, it names another.
    const at = clip.indexOf('url ');
    const referring = Buffer.from(clip);
    referring.writeUInt32BE(0, at + 4);
    await opened(referring).catch((fault) => expect(fault).toMatchObject({ code: 30300 }));
    const reference = Buffer.from(
      `\0\0\0\0moov\0\0\0\0rmra\0\0\0\0rmda\0\0\0\0rdrf\0\0\0\0url ${trapUrl}/a.mov`,
      'latin1',
    );
    await expect(opened(reference)).rejects.toMatchObject({ code: expect.toBeOneOf([30101, 30300]) });
    expect(callers).toBe(0);
  });
});

/** Tracing may be missing, or forbidden in a container. */
const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;

test.skipIf(!ffmpegPath || !canTrace)(
  'the decoder opens the one file it is given, writes none, and connects to nobody',
  async () => {
    const [fifo, log] = [join(dir, 'trace'), join(dir, 'trace.log')];
    // A pipe is no file: the limit that keeps the decoder from writing files leaves the trace alone.
    const keeper = spawn('sh', ['-c', `mkfifo ${fifo} && exec 3<>${fifo} && cat <&3 >${log}`]);
    await expect.poll(() => existsSync(fifo) && existsSync(log)).toBe(true);
    const traced = join(dir, 'traced');
    await mkdir(traced);
    for (const name of ['ffmpeg', 'ffprobe']) {
      const real = (ffmpegPath as string).replace(/ffmpeg$/, name);
      const trace = `strace -f -qq -s 200 -e trace=openat,open,connect,socket -o ${fifo}`;
      await program(join(traced, name), `PATH=/usr/bin:/bin exec ${trace} ${real} "$@"`);
    }
    const watched = openMediaDecoder({ dir: work, ffmpeg: join(traced, 'ffmpeg') });
    const clip = await numberedClip({ ending: 'mp4', frames: 10 });
    const number = await watched.withVideo(
      clip,
      async (video) => (await video.frameAt({ number: 3 })).number,
    );
    expect(number).toBe(3);
    await expect.poll(async () => (await readFile(log, 'utf8')).includes('"medium"')).toBe(true);
    keeper.kill();
    const lines = (await readFile(log, 'utf8')).split('\n');
    const isStrange = (line: string) =>
      /connect\(|AF_INET/.test(line) ||
      (/O_WRONLY|O_RDWR|O_CREAT/.test(line.replace('"/dev/null"', '')) && !line.includes('/dev/')) ||
      (line.includes(dir) && !line.includes(traced) && !line.includes('medium'));
    expect(lines.filter(isStrange)).toEqual([]);
  },
);

const program = async (path: string, script: string) => {
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
};

describe('files that are made to hurt', () => {
  withFfmpeg('gigantic frames are refused before they are decoded', async () => {
    const huge = await made('mp4', Buffer.alloc(0), [
      ...['-f', 'lavfi', '-t', '0.2', '-i', 'color=c=black:s=8192x8192:r=5', '-c:v', 'mjpeg', '-q:v', '31'],
    ]);
    await expect(opened(huge)).rejects.toMatchObject({ code: 30105, kind: 'too_large' });
    // A header that lies about its size: the decoder itself keeps to the limit.
    const small = await numberedClip({ ending: 'mp4', frames: 5 });
    await expect(opened(small, { pixelsMax: 1000 })).rejects.toMatchObject({ code: 30105 });
  });

  withFfmpeg('endless videos are refused by what they claim and by what they hold', async () => {
    const slow = await numberedClip({
      ending: 'mp4',
      frames: 20,
      timesMs: Array.from({ length: 20 }, (_, n) => n * 3_600_000),
    });
    await expect(opened(slow)).rejects.toMatchObject({ code: 30105 });
    const many = await numberedClip({ ending: 'avi', frames: 50 });
    await expect(opened(many, { framesMax: 20 })).rejects.toMatchObject({ code: 30105 });
    const counted = await numberedClip({ ending: 'mp4', frames: 50 });
    await expect(opened(counted, { framesMax: 20 })).rejects.toMatchObject({ code: 30105 });
    await expect(opened(counted, { bytesMax: 1000 })).rejects.toMatchObject({ code: 30105 });
  });

  withFfmpeg('a decoder that hangs, dies or eats memory takes only its own video along', async () => {
    const clip = await numberedClip({ ending: 'mp4', frames: 10 });
    for (const [script, code] of [
      ['exec sleep 60', 30300],
      ['kill -SEGV $$', 30300],
      ['kill -ABRT $$', 30300],
      ['exit 1', 30300],
    ] as const) {
      const broken = await mkdtemp(join(dir, 'broken-'));
      for (const name of ['ffmpeg', 'ffprobe']) {
        const version = '[ "$1" = -version ] && { echo "ffmpeg version 9.0"; exit 0; }';
        await program(join(broken, name), `${version}\n${script}`);
      }
      const own = openMediaDecoder({ dir: work, ffmpeg: join(broken, 'ffmpeg'), limits: { secondsMax: 1 } });
      await expect(
        own.withVideo(clip, async () => 0),
        script,
      ).rejects.toMatchObject({ code, kind: 'bad_request' });
    }
    // Too little memory for ffmpeg to start with is a fault of this video, not of the server.
    await expect(opened(clip, { memoryBytesMax: 8 * 2 ** 20 })).rejects.toMatchObject({ code: 30300 });
    expect((await opened(clip)).frameCount).toBe(10);
    expect(await readdir(work)).toEqual([]);
  });

  withFfmpeg('videos cut anywhere, and videos with bytes changed, end in a status or in frames', async () => {
    const clip = await numberedClip({ ending: 'mp4', frames: 15 });
    let state = 7;
    const random = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state % below;
    };
    const cuts = [0.1, 0.5, 0.9].map((share) => clip.subarray(0, Math.floor(clip.length * share)));
    const changed = Array.from({ length: 8 }, () => {
      const copy = Buffer.from(clip);
      for (let i = 0; i < 12; i++) copy[32 + random(copy.length - 32)] = random(256);
      return copy;
    });
    for (const bytes of [...cuts, ...changed]) {
      const outcome = await opened(bytes).then(
        () => 10000,
        (fault: { code?: number }) => fault.code,
      );
      expect([10000, 30101, 30105, 30300]).toContain(outcome);
    }
    expect(await readdir(work)).toEqual([]);
  });

  withFfmpeg('a sound is no video, a video with no sound is no sound, and a cover is no film', async () => {
    await expect(opened(await toneClip('m4a'))).rejects.toMatchObject({ code: 30101 });
    await expect(opened(await toneClip('mp3'))).rejects.toMatchObject({ code: 30101 });
    const silent = await numberedClip({ ending: 'mp4', frames: 5 });
    await expect(decoder.withAudio(silent, async () => 0)).rejects.toMatchObject({ code: 30101 });
  });

  withFfmpeg('work that is called off ends its children', async () => {
    const clip = await numberedClip({ ending: 'mp4', frames: 60 });
    const gone = new AbortController();
    const run = decoder.withVideo(
      clip,
      async (video) => {
        for await (const frame of video.frames(
          Array.from({ length: 60 }, (_, n) => n),
          { signal: gone.signal },
        ))
          if (frame.number === 2) gone.abort(new Error('gone'));
      },
      { signal: gone.signal },
    );
    await expect(run).rejects.toThrow();
    expect(await readdir(work)).toEqual([]);
  });
});
