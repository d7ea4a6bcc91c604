import type { Mask } from '../record.ts';
import { bitmapOfMask, boundsOfMask, maskFromBitmap } from './rle.ts';

/** A mask cut to the box around it, in rows of bytes 0 or 1: how CVAT and LabelMe keep masks. */
export interface Crop {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

export function cropMask(mask: Mask): Crop | undefined {
  const bounds = boundsOfMask(mask);
  if (!bounds) return undefined;
  const whole = bitmapOfMask(mask);
  const pixels = new Uint8Array(bounds.width * bounds.height);
  for (let row = 0; row < bounds.height; row++) {
    const from = (bounds.y + row) * mask.width + bounds.x;
    pixels.set(whole.subarray(from, from + bounds.width), row * bounds.width);
  }
  return { ...bounds, pixels };
}

/** @returns undefined where the crop does not lie inside the picture */
export function maskOfCrop(
  { x, y, width, height, pixels }: Crop,
  wide: number,
  high: number,
): Mask | undefined {
  const isInside = x >= 0 && y >= 0 && x + width <= wide && y + height <= high;
  if (!isInside || pixels.length !== width * height) return undefined;
  const whole = new Uint8Array(wide * high);
  for (let row = 0; row < height; row++) {
    whole.set(pixels.subarray(row * width, (row + 1) * width), (y + row) * wide + x);
  }
  return maskFromBitmap(whole, wide, high);
}

/** Runs along rows, zeros first, of bytes that are 0 or not. */
export function rowRuns(pixels: Uint8Array): number[] {
  const runs: number[] = [];
  let isSet = false;
  let run = 0;
  for (const pixel of pixels) {
    if ((pixel !== 0) !== isSet) {
      runs.push(run);
      run = 0;
      isSet = !isSet;
    }
    run += 1;
  }
  runs.push(run);
  return runs;
}

/** @returns undefined where the runs do not fill exactly that many pixels */
export function pixelsOfRuns(runs: readonly number[], count: number): Uint8Array | undefined {
  const pixels = new Uint8Array(count);
  let at = 0;
  for (const [i, run] of runs.entries()) {
    if (!Number.isInteger(run) || run < 0 || at + run > count) return undefined;
    if (i % 2 === 1) pixels.fill(1, at, at + run);
    at += run;
  }
  return at === count ? pixels : undefined;
}
