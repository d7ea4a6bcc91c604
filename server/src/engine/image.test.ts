import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { getPriority } from 'node:os';
import sharp, { type Sharp } from 'sharp';
import { expect, test } from 'vitest';
import { hasPhotos, photoPath } from '#testing/photos.ts';
import { decodeBmp } from './bmp.ts';
import { cropToBox } from './crop.ts';
import { openPicture, pixelsOf } from './decoding/pixels.ts';
import { decodeForModel, decodeSquare, defaultImageLimits, readImageInfo, renderPicture } from './image.ts';
import { promisedPixels } from './image-format.ts';
import { cropped, letterboxed, stretched } from './model-pixels.ts';

const withPhotos = test.skipIf(!hasPhotos);

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
  ['AVIF', () => halves(40, 30).avif().toBuffer(), 'RGB'],
  ['PNG', () => halves(40, 30).toColourspace('rgb16').png().toBuffer(), 'RGB'],
] as const)('a %s is described and its thumbnails are rendered', async (format, make, colorMode) => {
  const bytes = await make();
  expect(await readImageInfo(bytes)).toEqual({ width: 40, height: 30, format, colorMode, pages: 1 });
  const { tiny, small, large } = await renderPicture(bytes);
  for (const thumbnail of [tiny, small, large]) {
    expect(await readImageInfo(thumbnail)).toMatchObject({ width: 40, height: 30, format: 'JPEG' });
  }
});

test.each([
  [640, 480, { tiny: [100, 75], small: [256, 192], large: [640, 480] }],
  [3000, 1500, { tiny: [100, 50], small: [256, 128], large: [1024, 512] }],
  [50, 200, { tiny: [25, 100], small: [50, 200], large: [50, 200] }],
] as const)('thumbnails of %i x %i keep the shape and are never enlarged', async (width, height, wanted) => {
  const thumbnails = await renderPicture(await halves(width, height).jpeg().toBuffer());
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
  const { large } = await renderPicture(bytes);
  expect(await readImageInfo(large)).toMatchObject({ width: 40, height: 60 });
});

const corners = { topLeft: [250, 20, 20], topRight: [20, 250, 20], bottomLeft: [20, 20, 250] } as const;
type Corner = keyof typeof corners;

/** Four patches of colour; the fourth is white. */
function patches(width: number, height: number): Buffer {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const name = `${y < height / 2 ? 'top' : 'bottom'}${x < width / 2 ? 'Left' : 'Right'}`;
      pixels.set(corners[name as Corner] ?? [250, 250, 250], (y * width + x) * 3);
    }
  }
  return pixels;
}

/** Where a pixel of the upright picture is stored, by orientation (EXIF 2.32, tag 0x0112). */
const storedAt: Record<number, (x: number, y: number, w: number, h: number) => [number, number]> = {
  1: (x, y) => [x, y],
  2: (x, y, w) => [w - 1 - x, y],
  3: (x, y, w, h) => [w - 1 - x, h - 1 - y],
  4: (x, y, _w, h) => [x, h - 1 - y],
  5: (x, y) => [y, x],
  6: (x, y, w) => [y, w - 1 - x],
  7: (x, y, w, h) => [h - 1 - y, w - 1 - x],
  8: (x, y, _w, h) => [h - 1 - y, x],
};

/** A picture that is stored turned or mirrored, with the tag that says so. */
function storedTurned(width: number, height: number, orientation: number) {
  const upright = patches(width, height);
  const place = storedAt[orientation] as (typeof storedAt)[number];
  const lies = orientation > 4;
  const [w, h] = lies ? [height, width] : [width, height];
  const pixels = Buffer.alloc(upright.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [sx, sy] = place(x, y, width, height);
      upright.copy(pixels, (sy * w + sx) * 3, (y * width + x) * 3, (y * width + x) * 3 + 3);
    }
  }
  return sharp(pixels, { raw: { width: w, height: h, channels: 3 } }).withMetadata({ orientation });
}

const uprightFormats = ['jpeg', 'png', 'webp', 'tiff'] as const;
const turnings = uprightFormats.flatMap((format) =>
  [1, 2, 3, 4, 5, 6, 7, 8].map((orientation) => [format, orientation] as const),
);

test.each(turnings)(
  'a %s of orientation %i is turned upright once, and only once',
  async (format, orientation) => {
    for (const [width, height] of [
      [64, 40],
      [41, 63],
      [1400, 900],
    ] as const) {
      const options = format === 'jpeg' ? { quality: 95, chromaSubsampling: '4:4:4' } : {};
      const bytes = await storedTurned(width, height, orientation).toFormat(format, options).toBuffer();
      expect(await readImageInfo(bytes)).toMatchObject({ width, height });
      const { tiny, small, large } = await renderPicture(bytes);
      const cut = await cropToBox(bytes, { top: 0, left: 0, bottom: 1, right: 1 });
      for (const encoded of [bytes, tiny, small, large, cut]) {
        const picture = await decodeForModel(encoded);
        expect(picture.width > picture.height).toBe(width > height);
        const at = (x: number, y: number) =>
          [
            ...picture.pixels.subarray(
              (Math.floor(y * picture.height) * picture.width + Math.floor(x * picture.width)) * 3,
            ),
          ].slice(0, 3);
        const near = (found: number[], wanted: readonly number[]) =>
          found.every((value, i) => Math.abs(value - (wanted[i] as number)) < 45);
        expect(near(at(0.2, 0.2), corners.topLeft)).toBe(true);
        expect(near(at(0.8, 0.2), corners.topRight)).toBe(true);
        expect(near(at(0.2, 0.8), corners.bottomLeft)).toBe(true);
      }
    }
  },
);

test('of several pages or frames the first is looked at, and all are counted', async () => {
  const page = (background: string) =>
    sharp({ create: { width: 20, height: 10, channels: 3, background } })
      .png()
      .toBuffer();
  const pages = await Promise.all(['#ff0000', '#00ff00', '#0000ff'].map(page));
  for (const [format, make] of [
    ['TIFF', (stack: Sharp) => stack.tiff()],
    ['GIF', (stack: Sharp) => stack.gif()],
    ['WEBP', (stack: Sharp) => stack.webp({ lossless: true })],
  ] as const) {
    const bytes = await make(sharp(pages, { join: { animated: true } })).toBuffer();
    expect(await readImageInfo(bytes)).toMatchObject({ format, width: 20, height: 10, pages: 3 });
    const { pixels, width, height } = await decodeForModel(bytes);
    expect([width, height, ...pixels.subarray(0, 3)]).toEqual([20, 10, expect.closeTo(255, -1), 0, 0]);
  }
});

test.each([1, 4, 16] as const)('a bitmap of %i bits is decoded', async (bits) => {
  const rowBytes = Math.ceil((3 * bits) / 32) * 4;
  const bytes = Buffer.concat([
    bitmap(1, 1, 24, false).subarray(0, 54),
    Buffer.from([0, 0, 0, 0, 10, 20, 30, 0]),
    Buffer.alloc(rowBytes),
  ]);
  bytes.writeUInt32LE(62, 10);
  bytes.writeInt32LE(3, 18);
  bytes.writeUInt16LE(bits, 28);
  // Three pixels: the second colour, the first, the second.
  if (bits === 16)
    for (const [at, word] of [0x7fff, 0, 0x7fff].entries()) bytes.writeUInt16LE(word, 62 + at * 2);
  else if (bits === 4) bytes.set([0x10, 0x10], 62);
  else bytes[62] = 0b10100000;
  const lit = bits === 16 ? [255, 255, 255] : [30, 20, 10];
  expect([...(await decodeBmp(bytes)).pixels]).toEqual([...lit, 0, 0, 0, ...lit]);
});

test('an upright JPEG within the large size is hosted as it came', async () => {
  const bytes = await halves(800, 600).jpeg().toBuffer();
  expect((await renderPicture(bytes)).large).toBe(bytes);
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
] as const)('a bitmap of %i bits, top row first: %s, has its pixels in place', async (bits, topDown) => {
  const { width, height, pixels } = await decodeBmp(bitmap(5, 3, bits, topDown));
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
  await expect(renderPicture(bytes)).rejects.toMatchObject({
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
    await expect(renderPicture(bytes, limits)).rejects.toMatchObject({ code: 30105 });
    await expect(decodeForModel(bytes, limits)).rejects.toMatchObject({ code: 30105 });
  }
  await expect(readImageInfo(png, { pixelsMax: 1e6, bytesMax: 10 })).rejects.toMatchObject({ code: 30105 });
});

test('a bitmap that claims gigantic sides is refused without reserving memory', async () => {
  const bytes = bitmap(4, 4, 24, false);
  bytes.writeInt32LE(2_000_000_000, 18);
  await expect(renderPicture(bytes)).rejects.toMatchObject({ code: 30105 });
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
  const bytes = await readFile(photoPath('truncated.jpg'));
  await expect(renderPicture(bytes)).rejects.toMatchObject({ code: 30300 });
  await expect(decodeForModel(bytes)).rejects.toMatchObject({ code: 30300 });
});

test('a picture goes straight to a square as by way of the whole, upright and without its transparency', async () => {
  const noisy = await sharp({
    create: {
      width: 640,
      height: 480,
      channels: 3,
      background: '#808080',
      noise: { type: 'gaussian', mean: 128, sigma: 20 },
    },
  })
    .blur(3)
    .jpeg({ quality: 90 })
    .toBuffer();
  const turned = await sharp(noisy).withMetadata({ orientation: 6 }).jpeg().toBuffer();
  const clear = await sharp({
    create: { width: 90, height: 30, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
  })
    .png()
    .toBuffer();
  for (const bytes of [noisy, turned, clear]) {
    const square = await decodeSquare(bytes, 224);
    const whole = await stretched(await decodeForModel(bytes), 224);
    expect([square.width, square.height, square.pixels.length]).toEqual([224, 224, 224 * 224 * 3]);
    const far = square.pixels.reduce((sum, value, at) => sum + Math.abs(value - (whole[at] as number)), 0);
    expect(far / square.pixels.length).toBeLessThan(2);
  }
  await expect(decodeSquare(noisy, 224, { ...defaultImageLimits, pixelsMax: 1_000 })).rejects.toMatchObject({
    code: 30105,
  });
  await expect(decodeSquare(noisy.subarray(0, 2_000), 224)).rejects.toMatchObject({ code: 30300 });
});

test('headers tell how large a picture is before anything is decoded', async () => {
  const plain = sharp({ create: { width: 321, height: 123, channels: 3, background: 'red' } });
  const png = await plain.png().toBuffer();
  expect(promisedPixels(png, 'PNG')).toBe(321 * 123);
  expect(promisedPixels(await plain.jpeg().toBuffer(), 'JPEG')).toBe(321 * 123);
  expect(promisedPixels(await plain.jpeg({ progressive: true }).withMetadata().toBuffer(), 'JPEG')).toBe(
    321 * 123,
  );
  expect(promisedPixels(png.subarray(0, 20), 'PNG')).toBeUndefined();
  expect(promisedPixels(Buffer.from([0xff, 0xd8, 0xff, 0xff, 0xff]), 'JPEG')).toBeUndefined();
  expect(promisedPixels(Buffer.alloc(5_000, 0xff), 'JPEG')).toBeUndefined();
  expect(promisedPixels(await plain.webp().toBuffer(), 'WEBP')).toBeUndefined();
});

/** More pixels than are decoded in this process; no two rows are alike. */
function large(): Promise<Buffer> {
  const pixels = Buffer.alloc(4096 * 3200 * 3);
  for (let row = 0; row < 3200; row++) pixels.fill(row % 251, row * 4096 * 3, (row + 1) * 4096 * 3);
  const source = sharp(pixels, { raw: { width: 4096, height: 3200, channels: 3 } });
  return source.withMetadata({ orientation: 6 }).png({ compressionLevel: 1 }).toBuffer();
}

test('a large picture comes out as any other, and a damaged one is refused as any other', async () => {
  const bytes = await large();
  const fit = { fit: 'inside', withoutEnlargement: true } as const;
  const here = await pixelsOf(openPicture(bytes, defaultImageLimits.pixelsMax, 30), 1024, fit);
  expect([here.width, here.height]).toEqual([800, 1024]);
  const both = await Promise.all([decodeForModel(bytes), decodeForModel(bytes)]);
  for (const found of both) {
    expect([found.width, found.height]).toEqual([here.width, here.height]);
    expect(found.pixels.equals(here.pixels)).toBe(true);
  }
  await expect(decodeForModel(bytes.subarray(0, bytes.length >> 1))).rejects.toMatchObject({ code: 30300 });
  // The decoder lives on.
  expect((await decodeSquare(bytes, 32)).pixels.length).toBe(32 * 32 * 3);
});

/** Processes that decode large pictures. */
function decoders(): number[] {
  const children = readdirSync('/proc/self/task').flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
  return children.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('decode-worker'));
}

test.runIf(existsSync('/proc/self/task'))(
  'large pictures are decoded at low priority, and one comes out although its decoder is killed',
  async () => {
    const bytes = await large();
    await decodeForModel(bytes);
    const found = decoders();
    expect(found.length).toBeGreaterThan(0);
    expect(found.map((pid) => getPriority(pid))).toEqual(found.map(() => 10));
    const decoding = decodeForModel(bytes);
    for (const pid of found) process.kill(pid, 'SIGKILL');
    const picture = await decoding;
    expect([picture.width, picture.height]).toEqual([800, 1024]);
    expect(decoders()).not.toEqual(found);
  },
);
