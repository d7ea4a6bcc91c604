import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { randomFrom } from '../numeric/vector-set.ts';

/** Photograph-like pictures: coarse blobs of colour under fine noise, 640 × 480, JPEG. @returns their paths */
export async function makePictures(folder: string, count: number): Promise<string[]> {
  const paths: string[] = [];
  for (let n = 0; n < count; n++) {
    const random = randomFrom(100 + n);
    const coarse = Buffer.from(Array.from({ length: 16 * 12 * 3 }, () => Math.floor(random() * 256)));
    const grain = Buffer.from(Array.from({ length: 640 * 480 * 3 }, () => 110 + Math.floor(random() * 36)));
    const large = await sharp(coarse, { raw: { width: 16, height: 12, channels: 3 } })
      .resize(640, 480)
      .png()
      .toBuffer();
    const path = join(folder, `picture-${n}.jpg`);
    const noise = await sharp(grain, { raw: { width: 640, height: 480, channels: 3 } })
      .png()
      .toBuffer();
    writeFileSync(
      path,
      await sharp(large)
        .composite([{ input: noise, blend: 'soft-light' }])
        .jpeg({ quality: 88 })
        .toBuffer(),
    );
    paths.push(path);
  }
  return paths;
}
