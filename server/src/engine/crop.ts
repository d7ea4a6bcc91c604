import sharp from 'sharp';
import { decodeForModel, defaultImageLimits, type ImageLimits } from './image.ts';

/**
 * Cuts a box out of an encoded picture, for models that look at a part of it.
 *
 * @param box edges in 0..1 of the upright picture; cut to the picture, and at least one pixel large
 * @returns the part as a PNG, scaled as `decodeForModel` scales the whole
 * @throws Fault as `decodeForModel`
 */
export async function cropToBox(
  bytes: Buffer,
  box: { top: number; left: number; bottom: number; right: number },
  limits: ImageLimits = defaultImageLimits,
): Promise<Buffer> {
  const { width, height, pixels } = await decodeForModel(bytes, limits);
  const left = clamp(Math.floor(box.left * width), 0, width - 1);
  const top = clamp(Math.floor(box.top * height), 0, height - 1);
  const right = clamp(Math.ceil(box.right * width), left + 1, width);
  const bottom = clamp(Math.ceil(box.bottom * height), top + 1, height);
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .extract({ left, top, width: right - left, height: bottom - top })
    .png({ compressionLevel: 1 })
    .toBuffer();
}

const clamp = (value: number, min: number, max: number): number => Math.min(Math.max(value, min), max);
