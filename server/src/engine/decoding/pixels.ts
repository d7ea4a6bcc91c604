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

/** Scaled, upright, on white; in memory that can be handed to another thread. */
export async function pixelsOf(source: Sharp, edge: number, fit: ResizeOptions): Promise<RawPixels> {
  const made = await source
    .autoOrient()
    .resize(edge, edge, fit)
    .flatten({ background: white })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toUint8Array();
  const { info } = made;
  const data = Buffer.from(made.data.buffer, made.data.byteOffset, made.data.byteLength);
  if (info.channels === 3) return { width: info.width, height: info.height, pixels: data };
  return { width: info.width, height: info.height, pixels: greyToRgb(data, info.channels) };
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
