import sharp, { type ResizeOptions, type Sharp } from 'sharp';
import type { RawPixels } from '../bmp.ts';

// One thread for each picture and no cache: many pictures are in flight at once, and none comes back.
sharp.concurrency(1);
sharp.cache(false);
// Only the loaders of the formats that we admit; SVG, PDF and the like would reach into other files.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: [
    'VipsForeignLoadJpegBuffer',
    'VipsForeignLoadPngBuffer',
    'VipsForeignLoadWebpBuffer',
    'VipsForeignLoadNsgifBuffer',
    'VipsForeignLoadTiffBuffer',
    // AVIF; of the pictures in this container only those reach it.
    'VipsForeignLoadHeifBuffer',
  ],
});

const white = '#ffffff';

/** The first page of a picture. @param secondsMax of decoding, by the clock */
export function openPicture(bytes: Buffer, pixelsMax: number, secondsMax: number): Sharp {
  const options = { limitInputPixels: pixelsMax, failOn: 'error', sequentialRead: true, pages: 1 } as const;
  return sharp(bytes, options).timeout({ seconds: secondsMax });
}

/** Scaled, upright, on white. */
export async function pixelsOf(source: Sharp, edge: number, fit: ResizeOptions): Promise<RawPixels> {
  const { data, info } = await source
    .autoOrient()
    .resize(edge, edge, fit)
    .flatten({ background: white })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels === 3) return { width: info.width, height: info.height, pixels: data };
  return { width: info.width, height: info.height, pixels: greyToRgb(data, info.channels) };
}

/**
 * A copy in memory that can be handed to another thread, which that of sharp's buffers cannot. That of `toUint8Array`
 * could, but sharp 0.35.5 never frees it: every picture would stay in memory for good.
 */
export function movable(bytes: Buffer): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return own;
}

function greyToRgb(data: Buffer, channels: number): Buffer {
  const pixels = Buffer.allocUnsafeSlow((data.length / channels) * 3);
  for (let from = 0, to = 0; from < data.length; from += channels) {
    pixels[to++] = data[from] as number;
    pixels[to++] = data[from] as number;
    pixels[to++] = data[from] as number;
  }
  return pixels;
}
