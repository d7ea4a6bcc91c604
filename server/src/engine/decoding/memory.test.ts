import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { decodeForModel, decodeSquare } from '#engine/image.ts';
import { letterboxed, stretched } from '#engine/model-pixels.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const [width, height, rounds] = [640, 480, 150];
const pictureMb = (width * height * 3) / 1e6;

async function residentMb(): Promise<number> {
  collect();
  // What is freed is given back after the finalizers have run.
  await new Promise((resolve) => setTimeout(resolve, 200));
  return process.memoryUsage.rss() / 1e6;
}

test('pixels of pictures are freed', async () => {
  const jpeg = await sharp({ create: { width, height, channels: 3, background: '#48c' } })
    .jpeg()
    .toBuffer();
  const work = async (times: number) => {
    for (let n = 0; n < times; n++) {
      const picture = await decodeForModel(jpeg);
      await Promise.all([decodeSquare(jpeg, 512), stretched(picture, 512), letterboxed(picture, 512, 0)]);
      if (n % 10 === 0) collect();
    }
  };
  await work(20);
  const before = await residentMb();
  await work(rounds);
  // Any one of the four that is not freed would keep all of its own.
  expect((await residentMb()) - before).toBeLessThan((rounds * pictureMb) / 3);
}, 60_000);
