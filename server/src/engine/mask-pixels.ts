import sharp from 'sharp';
// Which loaders may be used is settled there, for the whole process.
import './image.ts';
import { type Runs, runsOf } from './metrics/masks.ts';

/**
 * Reads a mask that came as a picture: what is brighter than half is on.
 *
 * @returns its runs at the size asked for; undefined for bytes that are no picture
 */
export async function readMask(bytes: Uint8Array, width: number, height: number): Promise<Runs | undefined> {
  try {
    const pixels = await sharp(bytes, { limitInputPixels: 85_000_000 })
      .flatten({ background: '#000000' })
      .greyscale()
      .resize(width, height, { fit: 'fill', kernel: 'nearest' })
      .threshold(128)
      .raw()
      .toBuffer();
    return runsOf(pixels, width, height);
  } catch {
    return undefined;
  }
}
