import sharp from 'sharp';

/**
 * Which pixels a mask covers, row by row, one byte each (0 or 1), at the size of the picture it lies on. Brighter
 * than half is covered; where the mask has transparency, opaque is.
 *
 * @throws Error for bytes that are no picture
 */
export async function maskPixels(bytes: Buffer, width: number, height: number): Promise<Uint8Array> {
  const image = sharp(bytes, { limitInputPixels: 85_000_000, sequentialRead: true });
  const { hasAlpha } = await image.metadata();
  const channel = hasAlpha ? image.extractChannel('alpha') : image.toColourspace('b-w').extractChannel(0);
  const values = await channel.resize(width, height, { fit: 'fill', kernel: 'nearest' }).raw().toBuffer();
  return Uint8Array.from(values, (value) => (value > 127 ? 1 : 0));
}
