import type { RawPixels } from '../bmp.ts';
import { raw } from '../model-pixels.ts';

/** Side in pixels of the grey copy that pictures are compared by; what they are wide and high is left out of it. */
export const printEdge = 32;

export interface PicturePrint {
  /** Grey values, row by row, `printEdge` squared. */
  readonly grey: Buffer;
  /** 64 bits that stay nearly the same when the picture is scaled or encoded again. */
  readonly hash: bigint;
}

const hashEdge = 8;

/** What a picture looks like in 1 KB, for finding it again in other sizes and encodings. */
export async function printOf(pixels: RawPixels): Promise<PicturePrint> {
  const grey = await raw(pixels)
    .greyscale()
    .resize(printEdge, printEdge, { fit: 'fill', kernel: 'linear' })
    .raw()
    .toBuffer();
  return { grey, hash: hashOf(grey) };
}

/** cos((2x + 1) u pi / 2n) of the discrete cosine transform, u up to the few frequencies that the hash looks at. */
const waves = Array.from({ length: hashEdge + 1 }, (_, u) =>
  Float64Array.from({ length: printEdge }, (_, x) => Math.cos(((2 * x + 1) * u * Math.PI) / (2 * printEdge))),
);

/** A bit for each of 64 low frequencies, none of them constant along both sides: above the median or not. */
export function hashOf(grey: ArrayLike<number>): bigint {
  const rows = waves.map((wave) =>
    Float64Array.from({ length: printEdge }, (_, y) => {
      let sum = 0;
      for (let x = 0; x < printEdge; x++) sum += (wave[x] as number) * (grey[y * printEdge + x] as number);
      return sum;
    }),
  );
  const found: number[] = [];
  for (let v = 0; v < hashEdge; v++)
    for (let u = 0; u < hashEdge; u++) {
      // The mean says nothing of what is shown; the frequency beyond the square takes its place.
      const [fu, fv] = u === 0 && v === 0 ? [hashEdge, 0] : [u, v];
      let sum = 0;
      for (let y = 0; y < printEdge; y++)
        sum += ((waves[fv] as Float64Array)[y] as number) * ((rows[fu] as Float64Array)[y] as number);
      found.push(sum);
    }
  const median = [...found].sort((a, b) => a - b)[found.length >> 1] as number;
  return found.reduce((bits, value) => (bits << 1n) | (value >= median ? 1n : 0n), 0n);
}
