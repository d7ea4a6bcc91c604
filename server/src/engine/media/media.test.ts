import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type ClipOptions,
  clipSize,
  cutClip,
  ffmpegPath,
  numberedClip,
  numberIn,
  toneClip,
} from '#testing/clips.ts';
import { encodeFrame, type MediaDecoder, openMediaDecoder } from './index.ts';

let dir: string;
let decoder: MediaDecoder;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fovea-media-'));
  decoder = openMediaDecoder({ dir, ffmpeg: process.env.FOVEA_FFMPEG });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const withFfmpeg = test.skipIf(!ffmpegPath);

/** Uneven gaps: fast, slow, and one long pause. */
const unevenMs = Array.from({ length: 40 }, (_, n) => n * 40 + (n % 3) * 7 + (n > 20 ? 900 : 0));

interface Case {
  readonly name: string;
  readonly options: ClipOptions;
  readonly format: string;
}

const cases: Case[] = [
  { name: 'B-frames', options: { ending: 'mp4', frames: 60 }, format: 'MP4' },
  { name: 'sound beside', options: { ending: 'mp4', frames: 60, sound: true }, format: 'MP4' },
  {
    name: 'a rate that is no whole number',
    options: { ending: 'mp4', frames: 60, fps: 30000 / 1001 },
    format: 'MP4',
  },
  {
    name: 'one key frame',
    options: {
      ending: 'mp4',
      frames: 90,
      coding: ['-c:v', 'libx264', '-bf', '3', '-g', '999', '-pix_fmt', 'yuv420p'],
    },
    format: 'MP4',
  },
  {
    name: 'open groups of pictures',
    options: {
      ending: 'mp4',
      frames: 60,
      coding: [
        '-c:v',
        'libx264',
        '-bf',
        '3',
        '-g',
        '12',
        '-flags',
        '-cgop',
        '-x264-params',
        'open-gop=1',
        '-pix_fmt',
        'yuv420p',
      ],
    },
    format: 'MP4',
  },
  { name: 'a variable rate', options: { ending: 'mp4', frames: 40, timesMs: unevenMs }, format: 'MP4' },
  {
    name: 'a variable rate in Matroska',
    options: { ending: 'mkv', frames: 40, timesMs: unevenMs },
    format: 'MKV',
  },
  { name: 'QuickTime', options: { ending: 'mov', frames: 50 }, format: 'MOV' },
  { name: 'AVI', options: { ending: 'avi', frames: 50 }, format: 'AVI' },
  { name: 'WMV', options: { ending: 'wmv', frames: 50 }, format: 'WMV' },
  { name: 'WebM with VP9', options: { ending: 'webm', frames: 50 }, format: 'WEBM' },
  {
    name: 'WebM with VP8 and its hidden frames',
    options: {
      ending: 'webm',
      frames: 60,
      coding: ['-c:v', 'libvpx', '-b:v', '300k', '-auto-alt-ref', '1', '-lag-in-frames', '16', '-g', '60'],
    },
    format: 'WEBM',
  },
  { name: '3GPP', options: { ending: '3gp', frames: 50 }, format: '3GPP' },
  { name: 'a quarter turn', options: { ending: 'mp4', frames: 30, turns: 1 }, format: 'MP4' },
  { name: 'upside down', options: { ending: 'mov', frames: 30, turns: 2 }, format: 'MOV' },
  { name: 'three quarter turns', options: { ending: 'mp4', frames: 30, turns: 3 }, format: 'MP4' },
];

describe('every frame is the one that its number and its time say', () => {
  for (const { name, options, format } of cases) {
    withFfmpeg(name, async () => {
      const clip = await numberedClip(options);
      await decoder.withVideo(clip, async ({ facts, times, frames, frameAt, sampled }) => {
        expect(facts).toMatchObject({ ...clipSize, format, frameCount: options.frames });
        const all = Array.from({ length: options.frames }, (_, n) => n);
        const read: (number | undefined)[] = [];
        for await (const frame of frames(all)) read.push(numberIn(frame));
        expect(read).toEqual(all);
        if (options.timesMs) expect(all.map((n) => times.timeMsOf(n))).toEqual(options.timesMs);
        else
          expect(all.map((n) => times.timeMsOf(n))).toEqual(
            all.map((n) => Math.floor((n * 1000) / (options.fps ?? 25))),
          );
        // One by one, after a jump, by time: also between two frames, and beyond the end.
        for (const n of [options.frames - 1, 17, 0, 23, 12, 11]) {
          expect(numberIn(await frameAt({ number: n }))).toBe(n);
          expect(numberIn(await frameAt({ timeMs: times.timeMsOf(n) }))).toBe(n);
        }
        expect(times.numberAt(times.timeMsOf(5) - 1)).toBe(4);
        expect(times.numberAt(1e9)).toBe(options.frames - 1);
        for await (const { frame, number, timeMs } of sampled(500)) {
          expect(numberIn(frame)).toBe(number);
          expect(frame.timeMs).toBeLessThanOrEqual(timeMs);
        }
      });
    });
  }

  withFfmpeg('frames that an edit list hides are not counted', async () => {
    const whole = await numberedClip({
      ending: 'mp4',
      frames: 75,
      coding: ['-c:v', 'libx264', '-bf', '3', '-g', '25', '-pix_fmt', 'yuv420p'],
    });
    await decoder.withVideo(await cutClip(whole, 1.5), async ({ facts, times, frames }) => {
      const read: (number | undefined)[] = [];
      for await (const frame of frames(Array.from({ length: facts.frameCount }, (_, n) => n)))
        read.push(numberIn(frame));
      const first = read[0] as number;
      expect(first).toBeGreaterThanOrEqual(36);
      expect(first).toBeLessThanOrEqual(38);
      expect(read).toEqual(Array.from({ length: 75 - first }, (_, n) => first + n));
      expect(times.timeMsOf(1) - times.timeMsOf(0)).toBe(40);
    });
  });
});

withFfmpeg('the middle of each window is sampled, and a short clip once', async () => {
  const clip = await numberedClip({ ending: 'mp4', frames: 60, fps: 10 });
  await decoder.withVideo(clip, async ({ windows }) => {
    expect(windows(2000)).toEqual([
      { index: 0, timeMs: 1000, number: 10 },
      { index: 1, timeMs: 3000, number: 30 },
      { index: 2, timeMs: 5000, number: 50 },
    ]);
    expect(
      windows(500)
        .slice(0, 2)
        .map(({ timeMs }) => timeMs),
    ).toEqual([250, 750]);
    expect(windows(60_000)).toEqual([{ index: 0, timeMs: 3000, number: 30 }]);
  });
});

withFfmpeg('frames are scaled to the edge asked for, and encoded without loss', async () => {
  const clip = await numberedClip({ ending: 'mp4', frames: 20 });
  await decoder.withVideo(clip, async ({ frameAt }) => {
    const frame = await frameAt({ number: 7 }, { edgeMax: 48 });
    expect({ width: frame.width, height: frame.height, number: numberIn(frame) }).toEqual({
      width: 48,
      height: 32,
      number: 7,
    });
    expect((await encodeFrame(frame)).subarray(1, 4).toString()).toBe('PNG');
    await expect(frameAt({ number: 20 })).rejects.toMatchObject({ code: 30104 });
  });
});

withFfmpeg('what is known of a video by its hash gives the same frames', async () => {
  const clip = await numberedClip({ ending: 'mp4', frames: 30, timesMs: unevenMs.slice(0, 30) });
  const hash = createHash('sha256').update(clip).digest();
  for (const n of [0, 12, 29])
    await decoder.withVideo(
      clip,
      async ({ times, frameAt, facts }) => {
        expect(facts.frameCount).toBe(30);
        expect(numberIn(await frameAt({ number: n }))).toBe(n);
        expect(numberIn(await frameAt({ timeMs: times.timeMsOf(n) }))).toBe(n);
      },
      { hash },
    );
});

describe('sounds', () => {
  for (const [ending, format] of [
    ['wav', 'WAV'],
    ['mp3', 'MP3'],
    ['flac', 'FLAC'],
    ['ogg', 'OGG'],
    ['m4a', 'M4A'],
  ] as const) {
    withFfmpeg(format, async () => {
      await decoder.withAudio(await toneClip(ending), async ({ facts, waveform }) => {
        expect(facts).toMatchObject({ format, sampleRate: 44100 });
        expect(facts.durationSeconds).toBeCloseTo(2, 0);
        expect(facts.bitRate).toBeGreaterThan(1000);
        expect((await waveform()).readUInt16BE(0)).toBe(0xffd8);
      });
    });
  }
});

withFfmpeg('what was laid on the disk is gone when the work is done', async () => {
  await decoder.withVideo(await numberedClip({ ending: 'mp4', frames: 5 }), async () => {
    expect(await readdir(dir)).toHaveLength(1);
  });
  await expect(decoder.withVideo(Buffer.from('no video at all'), async () => 0)).rejects.toMatchObject({
    code: 30101,
  });
  expect(await readdir(dir)).toEqual([]);
});

test('without ffmpeg the fault says what the operator can do', async () => {
  const bare = openMediaDecoder({ dir, ffmpeg: '/nowhere/ffmpeg' });
  expect(await bare.isAvailable()).toBe(false);
  await expect(bare.withVideo(Buffer.alloc(64), async () => 0)).rejects.toMatchObject({
    code: 30101,
    details: expect.stringContaining('FOVEA_FFMPEG'),
  });
});
