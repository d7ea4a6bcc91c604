import { performance } from 'node:perf_hooks';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { maskPicture, readMask } from './index.ts';

/** A picture of two by two pixels from its samples. */
const picture = (channels: 1 | 2 | 3 | 4, samples: readonly number[]) =>
  sharp(Buffer.from(samples), { raw: { width: 2, height: 2, channels } })
    .png()
    .toBuffer();

const runsOf = async (bytes: Uint8Array) => {
  const runs = await readMask(bytes, 2, 2);
  return runs && [...runs];
};

test.each<[string, 1 | 2 | 3 | 4, number[], number[]]>([
  ['grey: brighter than half is on, down the columns', 1, [0, 255, 127, 128], [2, 2]],
  ['colour', 3, [255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 1, 3]],
  [
    'partly transparent: what is opaque is on, whatever its colour',
    4,
    [0, 0, 0, 255, 9, 9, 9, 0, 9, 9, 9, 0, 9, 9, 9, 0],
    [0, 1, 3],
  ],
  [
    'an alpha that hides nothing says nothing',
    4,
    [255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255],
    [0, 1, 3],
  ],
  ['nothing', 1, [0, 0, 0, 0], [4]],
  ['everything', 1, [255, 255, 255, 255], [0, 4]],
])('%s', async (_, channels, samples, runs) => {
  expect(await runsOf(await picture(channels, samples))).toEqual(runs);
});

test('bytes that are no picture are no mask', async () => {
  expect(await readMask(Buffer.from('no picture'), 2, 2)).toBeUndefined();
});

test('a mask becomes a picture and is read from it again', async () => {
  const runs = [3, 4, 5, 1, 2];
  expect([...((await readMask(await maskPicture(runs, 5, 3), 5, 3)) ?? [])]).toEqual(runs);
});

test('a large mask leaves the thread that asked free', async () => {
  const [width, height] = [6000, 4000];
  const bytes = await sharp({ create: { width, height, channels: 3, background: '#fff' } })
    .png()
    .toBuffer();
  await readMask(bytes, 2, 2);
  const before = performance.eventLoopUtilization();
  const runs = await readMask(bytes, width, height);
  const { active } = performance.eventLoopUtilization(before);
  expect([...(runs ?? [])]).toEqual([0, width * height]);
  // Going through so many pixels takes several times as long.
  expect(active).toBeLessThan(60);
});
