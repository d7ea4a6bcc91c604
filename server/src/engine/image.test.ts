import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { decodeBmp } from './bmp.ts';
import { decodeForModel, readImageInfo, renderThumbnails } from './image.ts';
import { cropped, letterboxed, stretched } from './model-pixels.ts';

const photosDir = path.resolve(import.meta.dirname, '../../../../shared/data/photos');
const withPhotos = test.skipIf(!existsSync(photosDir));

/** Red on the left half, blue on the right; with `alpha`, fully transparent. */
function halves(width: number, height: number) {
  const pixels = Buffer.alloc(width * height * 3);
  for (let at = 0; at < width * height; at++) pixels[at * 3 + (at % width < width / 2 ? 0 : 2)] = 255;
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

function bitmap(width: number, height: number, bitsPerPixel: 24 | 32, topDown: boolean): Buffer {
  const rowBytes = Math.ceil((width * bitsPerPixel) / 32) * 4;
  const bytes = Buffer.alloc(54 + rowBytes * height);
  bytes.write('BM', 'latin1');
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(topDown ? -height : height, 22);
  bytes.writeUInt16LE(bitsPerPixel, 28);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const shown = topDown ? row : height - 1 - row;
      const at = 54 + row * rowBytes + column * (bitsPerPixel / 8);
      bytes.set([30 + column, 20 + shown, 10], at);
    }
  }
  return bytes;
}

test.each([
  ['JPEG', () => halves(40, 30).jpeg().toBuffer(), 'YUV'],
  ['JPEG', () => halves(40, 30).toColourspace('b-w').jpeg().toBuffer(), 'GRAY'],
  ['JPEG', () => halves(40, 30).toColourspace('cmyk').jpeg().toBuffer(), 'CMYK'],
  ['PNG', () => halves(40, 30).png().toBuffer(), 'RGB'],
  ['PNG', () => halves(40, 30).ensureAlpha(0.5).png().toBuffer(), 'RGBA'],
  ['WEBP', () => halves(40, 30).webp().toBuffer(), 'RGB'],
  ['GIF', () => halves(40, 30).gif().toBuffer(), 'RGBA'],
  ['TIFF', () => halves(40, 30).tiff().toBuffer(), 'RGB'],
  ['BMP', async () => bitmap(40, 30, 24, false), 'RGB'],
] as const)('a %s is described and its thumbnails are rendered', async (format, make, colorMode) => {
  const bytes = await make();
  expect(await readImageInfo(bytes)).toEqual({ width: 40, height: 30, format, colorMode });
  for (const thumbnail of Object.values(await renderThumbnails(bytes))) {
    expect(await readImageInfo(thumbnail)).toMatchObject({ width: 40, height: 30, format: 'JPEG' });
  }
});

test.each([
  [640, 480, { tiny: [100, 75], small: [256, 192], large: [640, 480] }],
  [3000, 1500, { tiny: [100, 50], small: [256, 128], large: [1024, 512] }],
  [50, 200, { tiny: [25, 100], small: [50, 200], large: [50, 200] }],
] as const)('thumbnails of %i x %i keep the shape and are never enlarged', async (width, height, wanted) => {
  const thumbnails = await renderThumbnails(await halves(width, height).jpeg().toBuffer());
  for (const size of ['tiny', 'small', 'large'] as const) {
    const info = await readImageInfo(thumbnails[size]);
    expect([info.width, info.height], size).toEqual(wanted[size]);
  }
});

test('a picture that the camera stored lying down is turned upright everywhere', async () => {
  const bytes = await halves(60, 40).withMetadata({ orientation: 6 }).jpeg().toBuffer();
  expect(await readImageInfo(bytes)).toMatchObject({ width: 40, height: 60 });
  const picture = await decodeForModel(bytes);
  expect([picture.width, picture.height]).toEqual([40, 60]);
  const [topRed = 0] = picture.pixels.subarray((2 * 40 + 20) * 3);
  const [bottomRed = 255] = picture.pixels.subarray((57 * 40 + 20) * 3);
  expect(topRed).toBeGreaterThan(200);
  expect(bottomRed).toBeLessThan(60);
  const { large } = await renderThumbnails(bytes);
  expect(await readImageInfo(large)).toMatchObject({ width: 40, height: 60 });
});

test('an upright JPEG within the large size is hosted as it came', async () => {
  const bytes = await halves(800, 600).jpeg().toBuffer();
  expect((await renderThumbnails(bytes)).large).toBe(bytes);
});

test('transparency lies on white, and grey pictures come out as RGB', async () => {
  const clear = await decodeForModel(await halves(8, 8).ensureAlpha(0).png().toBuffer());
  expect([...clear.pixels.subarray(0, 3)]).toEqual([255, 255, 255]);
  const grey = await decodeForModel(await halves(8, 8).greyscale().png().toBuffer());
  expect(grey.pixels.length).toBe(8 * 8 * 3);
  const deep = await decodeForModel(await halves(8, 8).toColourspace('rgb16').png().toBuffer());
  expect([...deep.pixels.subarray(0, 3)]).toEqual([255, 0, 0]);
});

test.each([
  [24, false],
  [24, true],
  [32, false],
  [32, true],
] as const)('a bitmap of %i bits, top row first: %s, has its pixels in place', (bits, topDown) => {
  const { width, height, pixels } = decodeBmp(bitmap(5, 3, bits, topDown));
  expect([width, height]).toEqual([5, 3]);
  expect([...pixels.subarray(0, 3)]).toEqual([10, 20, 30]);
  expect([...pixels.subarray((2 * 5 + 4) * 3)]).toEqual([10, 22, 34]);
});

const jpegHead = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46]);
test.each([
  ['SVG', Buffer.from('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'), 30101, /SVG/],
  ['a web page', Buffer.from('<html><body>Not found</body></html>'), 30101, /HTML/],
  ['nothing', Buffer.alloc(0), 30101, /empty/],
  ['HEIC', Buffer.from('\0\0\0\u0018ftypheic\0\0\0\0', 'latin1'), 30101, /HEIC/],
  ['text', Buffer.from('hello there'), 30101, /no known image format/],
  ['a JPEG of ten bytes', jpegHead, 30300, /could not be decoded/],
  ['a bitmap cut short', bitmap(20, 20, 24, false).subarray(0, 400), 30300, /last row/],
] as const)('%s is refused with its code', async (_, bytes, code, words) => {
  await expect(renderThumbnails(bytes)).rejects.toMatchObject({
    code,
    details: expect.stringMatching(words),
  });
  await expect(decodeForModel(bytes)).rejects.toMatchObject({ code });
});

test('pixels and bytes beyond the limits are refused before they are decoded', async () => {
  const limits = { pixelsMax: 1000, bytesMax: 100_000 };
  const png = await halves(40, 30).png().toBuffer();
  for (const bytes of [png, bitmap(40, 30, 24, false)]) {
    await expect(readImageInfo(bytes, limits)).rejects.toMatchObject({ code: 30105, kind: 'too_large' });
    await expect(renderThumbnails(bytes, limits)).rejects.toMatchObject({ code: 30105 });
    await expect(decodeForModel(bytes, limits)).rejects.toMatchObject({ code: 30105 });
  }
  await expect(readImageInfo(png, { pixelsMax: 1e6, bytesMax: 10 })).rejects.toMatchObject({ code: 30105 });
});

test('a bitmap that claims gigantic sides is refused without reserving memory', async () => {
  const bytes = bitmap(4, 4, 24, false);
  bytes.writeInt32LE(2_000_000_000, 18);
  await expect(renderThumbnails(bytes)).rejects.toMatchObject({ code: 30105 });
});

test('a letterbox is centred on grey, a stretch fills, and a crop over the edge is black outside', async () => {
  const picture = await decodeForModel(await halves(80, 40).png().toBuffer());
  const boxed = await letterboxed(picture, 64, 114);
  expect([...boxed.subarray(0, 3)]).toEqual([114, 114, 114]);
  expect([...boxed.subarray((32 * 64 + 5) * 3, (32 * 64 + 5) * 3 + 3)]).toEqual([255, 0, 0]);
  const filled = await stretched(picture, 16);
  expect([...filled.subarray(0, 3)]).toEqual([255, 0, 0]);
  expect([...filled.subarray(-3)]).toEqual([0, 0, 255]);
  const cut = await cropped(picture, { left: -20, top: 0, width: 40, height: 40 }, 40);
  expect([...cut.subarray(0, 3)]).toEqual([0, 0, 0]);
  expect([...cut.subarray(35 * 3, 36 * 3)]).toEqual([255, 0, 0]);
});

withPhotos('a photograph whose file was cut short ends in a decode error', async () => {
  const bytes = await readFile(path.join(photosDir, 'truncated.jpg'));
  await expect(renderThumbnails(bytes)).rejects.toMatchObject({ code: 30300 });
  await expect(decodeForModel(bytes)).rejects.toMatchObject({ code: 30300 });
});
