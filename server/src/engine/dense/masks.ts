import sharp from 'sharp';
import { decodeForModel } from '../image.ts';

const half = 128;

/**
 * Cells that a mask covers: an encoded picture, bright where the thing is. A mask that is dark all over (of zeros and
 * ones, say) covers what is not black.
 *
 * @throws Fault as `decodeForModel`
 */
export async function cellsInMask(bytes: Buffer, grid: number): Promise<number[]> {
  const { width, height, pixels } = await decodeForModel(bytes);
  const small = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .resize(grid, grid, { fit: 'fill', kernel: 'nearest' })
    .raw()
    .toBuffer();
  const values = Array.from({ length: grid * grid }, (_, cell) => small[cell * 3] as number);
  const limit = values.some((value) => value >= half) ? half : 1;
  return values.flatMap((value, cell) => (value >= limit ? [cell] : []));
}

/** A mask as a PNG of greys: white where a map says `kind`. */
export function maskPng(
  kinds: Uint8Array,
  kind: number,
  size: { width: number; height: number },
): Promise<Buffer> {
  return greyPng(
    kinds.map((one) => (one === kind ? 255 : 0)),
    size,
  );
}

/** Greys as a PNG. @param scaledTo where given, drawn out to that size */
export function greyPng(
  greys: Uint8Array,
  { width, height }: { width: number; height: number },
  scaledTo?: { width: number; height: number },
): Promise<Buffer> {
  const picture = sharp(Buffer.from(greys.buffer, greys.byteOffset, greys.byteLength), {
    raw: { width, height, channels: 1 },
  });
  const sized = scaledTo ? picture.resize(scaledTo.width, scaledTo.height, { fit: 'fill' }) : picture;
  return sized.toColourspace('b-w').png({ compressionLevel: 6 }).toBuffer();
}
