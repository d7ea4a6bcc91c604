import { pngOf } from '../../server/src/testing/png.ts';
import type { Random } from './random.ts';

const size = 16;

/** A PNG that looks like no other: blocks of colours by chance. */
export function picture(random: Random): Buffer {
  const colours = Array.from({ length: 16 }, () => [random.below(256), random.below(256), random.below(256)]);
  const rows = Array.from({ length: size }, (_, y) => {
    const row = Buffer.alloc(1 + 3 * size);
    for (let x = 0; x < size; x++) row.set(colours[((y >> 2) << 2) | (x >> 2)] as number[], 1 + 3 * x);
    return row;
  });
  return pngOf(size, size, rows);
}
