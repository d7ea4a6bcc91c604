import { parentPort } from 'node:worker_threads';
import sharp from 'sharp';
// Which loaders may be used is settled there, for the whole process.
import '../image.ts';
import { type Runs, runsOf } from '../metrics/masks.ts';
import type { MaskReply, MaskRequest } from './index.ts';

const pixelsMax = 85_000_000;

async function runsOfPicture(bytes: Uint8Array, width: number, height: number): Promise<Runs | undefined> {
  try {
    const open = () => sharp(bytes, { limitInputPixels: pixelsMax, sequentialRead: true });
    const { hasAlpha } = await open().metadata();
    const isCut = hasAlpha === true && !(await open().stats()).isOpaque;
    const channel = isCut
      ? open().extractChannel('alpha')
      : open().removeAlpha().toColourspace('b-w').extractChannel(0);
    const pixels = await channel
      .resize(width, height, { fit: 'fill', kernel: 'nearest' })
      .threshold(128)
      .raw()
      .toBuffer();
    return runsOf(pixels, width, height);
  } catch {
    return undefined;
  }
}

async function pictureOfRuns(runs: ArrayLike<number>, width: number, height: number): Promise<Uint8Array> {
  const pixels = new Uint8Array(width * height);
  let at = 0;
  for (let i = 0; i < runs.length; i += 1) {
    const end = at + (runs[i] as number);
    if (i % 2 === 1)
      for (let k = at; k < end; k += 1) pixels[(k % height) * width + Math.floor(k / height)] = 255;
    at = end;
  }
  return sharp(pixels, { raw: { width, height, channels: 1 }, limitInputPixels: pixelsMax })
    .toColourspace('b-w')
    .png()
    .toBuffer();
}

parentPort?.on('message', async ({ id, ...wanted }: MaskRequest) => {
  let reply: MaskReply;
  try {
    const { width, height } = wanted;
    const made =
      'bytes' in wanted
        ? { runs: await runsOfPicture(wanted.bytes, width, height) }
        : { png: await pictureOfRuns(wanted.runs, width, height) };
    reply = { id, ...made };
  } catch (error) {
    reply = { id, reason: String(error) };
  }
  parentPort?.postMessage(reply);
});
