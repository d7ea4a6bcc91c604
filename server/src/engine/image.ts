import type { ResizeOptions, Sharp } from 'sharp';
import { decodeBmp, type RawPixels, readBmpHeader } from './bmp.ts';
import { decodeLarge, inLargeLane } from './decoding/large-pictures.ts';
import { movable, openPicture, pixelsOf } from './decoding/pixels.ts';
import { engineFault } from './faults.ts';
import { type ImageFormat, promisedPixels, readImageFormat } from './image-format.ts';
import { raw, shrunk } from './model-pixels.ts';
import { type PicturePrint, printOf } from './prints/print.ts';

export interface ImageLimits {
  pixelsMax: number;
  bytesMax: number;
}

export const defaultImageLimits: ImageLimits = { pixelsMax: 85_000_000, bytesMax: 128 * 1024 * 1024 };

export interface ImageInfo {
  /** Size in pixels after turning the picture upright. */
  width: number;
  height: number;
  format: ImageFormat;
  /** `YUV` for a colour JPEG, otherwise `RGB`, `RGBA`, `GRAY`, `GRAYA` or `CMYK`. */
  colorMode: string;
  /** Pages of a TIFF or frames of an animation, of which the first is looked at. */
  pages: number;
}

/** The hosted sizes besides the original, as JPEG. `large` may be the very bytes that came in. */
export interface Thumbnails {
  tiny: Buffer;
  small: Buffer;
  large: Buffer;
}

/** All that is kept of a picture beside its bytes. */
export interface Renditions extends Thumbnails {
  info: ImageInfo;
  print: PicturePrint;
}

/** A picture decoded once, upright, scaled down to at most `workingEdgeMax`; models take their inputs from it. */
export type Picture = RawPixels;

/** Longest side in pixels of each hosted size; smaller pictures are never enlarged. */
export const thumbnailEdges = { tiny: 100, small: 256, large: 1024 } as const;
export const workingEdgeMax = 1024;

/** Pictures of 85 megapixels were seen to take 0.5 (JPEG, PNG) to 3.7 seconds (WEBP). */
const decodeSecondsMax = 30;
const jpegQuality = { tiny: 75, small: 80, large: 85 } as const;

/**
 * Decoding happens on the few threads that also read files and look up names (four unless the environment says
 * otherwise). Pictures of more pixels take one of them for the better part of a second: they are decoded elsewhere.
 */
const largePixels = 12_000_000;
/** JPEGs are decoded at a fraction of their size where a fraction is wanted. */
const jpegEase = 4;

/**
 * Reads size, format and colour mode from the header alone; the pixels may still turn out to be damaged.
 *
 * @throws Fault 30101 unsupported format · 30105 too large · 30300 unreadable header
 */
export async function readImageInfo(bytes: Buffer, limits = defaultImageLimits): Promise<ImageInfo> {
  return (await lookAt(bytes, admit(bytes, limits), limits)).info;
}

/** What the header says; `isOwnLarge` where the picture can stand for its large size. */
async function lookAt(
  bytes: Buffer,
  format: ImageFormat,
  limits: ImageLimits,
): Promise<{ info: ImageInfo; isOwnLarge: boolean }> {
  if (format === 'BMP') {
    const { width, height } = bmpWithin(bytes, limits);
    return { info: { width, height, format, colorMode: 'RGB', pages: 1 }, isOwnLarge: false };
  }
  try {
    const found = await open(bytes, limits).metadata();
    const { autoOrient, width, height, space, channels, orientation = 1, pages = 1 } = found;
    if (autoOrient.width * autoOrient.height > limits.pixelsMax)
      throw engineFault.tooManyPixels(limits.pixelsMax);
    const isSmall = Math.max(width, height) <= thumbnailEdges.large;
    return {
      info: { ...sizeOf(autoOrient), format, colorMode: colorModeOf(format, space, channels), pages },
      isOwnLarge: format === 'JPEG' && isSmall && orientation === 1 && space !== 'cmyk',
    };
  } catch (cause) {
    throw decodeFault(cause, limits);
  }
}

/**
 * Decodes the picture in full, once, and renders its smaller sizes and its print from that.
 *
 * A picture that is a JPEG already, upright, and no larger than the large size, is its own large size.
 *
 * @throws Fault as `readImageInfo`, and 30300 for damaged pixels
 */
export async function renderPicture(bytes: Buffer, limits = defaultImageLimits): Promise<Renditions> {
  const format = admit(bytes, limits);
  const { info, isOwnLarge } = await lookAt(bytes, format, limits);
  try {
    const base = await decodeWithin(bytes, format, thumbnailEdges[isOwnLarge ? 'small' : 'large'], limits);
    const small = isOwnLarge ? base : await shrunk(base, thumbnailEdges.small);
    // All at once: each step through the threads that decode costs about as much as a small picture does.
    const [largeJpeg, smallJpeg, tinyJpeg, print] = await Promise.all([
      isOwnLarge ? bytes : jpegOf(base, jpegQuality.large),
      jpegOf(small, jpegQuality.small),
      jpegOf(small, jpegQuality.tiny, thumbnailEdges.tiny),
      printOf(small),
    ]);
    return { info, tiny: tinyJpeg, small: smallJpeg, large: largeJpeg, print };
  } catch (cause) {
    throw decodeFault(cause, limits);
  }
}

/**
 * Decodes a picture for models: upright, transparency on white, first frame of an animation.
 *
 * @param edgeMax longer side, in pixels, that it is scaled down to
 * @throws Fault as `renderPicture`
 */
export async function decodeForModel(
  bytes: Buffer,
  limits = defaultImageLimits,
  edgeMax = workingEdgeMax,
): Promise<Picture> {
  const format = admit(bytes, limits);
  try {
    return await decodeWithin(bytes, format, edgeMax, limits);
  } catch (cause) {
    throw decodeFault(cause, limits);
  }
}

/**
 * Decodes a picture straight to a square for a model that sees nothing else of it: about half the work, because a
 * JPEG is then decoded at a fraction of its size, and nothing is scaled twice.
 *
 * @throws Fault as `renderPicture`
 */
export async function decodeSquare(
  bytes: Buffer,
  edge: number,
  limits = defaultImageLimits,
): Promise<Picture> {
  const format = admit(bytes, limits);
  try {
    const { pixels, ...size } = await decodeTo(bytes, format, edge, { fit: 'fill' }, limits);
    return { ...size, pixels: movable(pixels) };
  } catch (cause) {
    throw decodeFault(cause, limits);
  }
}

const decodeWithin = (
  bytes: Buffer,
  format: ImageFormat,
  edge: number,
  limits: ImageLimits,
): Promise<RawPixels> => decodeTo(bytes, format, edge, { fit: 'inside', withoutEnlargement: true }, limits);

async function decodeTo(
  bytes: Buffer,
  format: ImageFormat,
  edge: number,
  fit: ResizeOptions,
  limits: ImageLimits,
): Promise<RawPixels> {
  const pixels = promisedPixels(bytes, format) ?? (await pixelsInHeader(bytes, limits));
  const isLarge = pixels / (format === 'JPEG' ? jpegEase : 1) > largePixels;
  if (format === 'BMP') {
    // Read here, a few milliseconds at a time, whatever its size.
    const decode = async () => pixelsOf(await bmpSource(bytes, limits), edge, fit);
    return isLarge ? inLargeLane(decode) : decode();
  }
  return isLarge ? decodeLarge(bytes, edge, fit, limits.pixelsMax) : pixelsOf(open(bytes, limits), edge, fit);
}

async function pixelsInHeader(bytes: Buffer, limits: ImageLimits): Promise<number> {
  const { width, height } = await readImageInfo(bytes, limits);
  return width * height;
}

/** @param edge longer side, in pixels, that it is scaled down to */
function jpegOf(pixels: RawPixels, quality: number, edge?: number): Promise<Buffer> {
  const source = raw(pixels);
  const sized = edge ? source.resize(edge, edge, { fit: 'inside', withoutEnlargement: true }) : source;
  return sized.jpeg({ quality }).toBuffer();
}

const open = (bytes: Buffer, limits: ImageLimits): Sharp =>
  openPicture(bytes, limits.pixelsMax, decodeSecondsMax);

function bmpWithin(bytes: Buffer, limits: ImageLimits): { width: number; height: number } {
  const header = readBmpHeader(bytes);
  if (header.width * header.height > limits.pixelsMax) throw engineFault.tooManyPixels(limits.pixelsMax);
  return header;
}

async function bmpSource(bytes: Buffer, limits: ImageLimits): Promise<Sharp> {
  bmpWithin(bytes, limits);
  return raw(await decodeBmp(bytes));
}

function admit(bytes: Buffer, limits: ImageLimits): ImageFormat {
  if (bytes.length > limits.bytesMax) throw engineFault.tooManyBytes(bytes.length, limits.bytesMax);
  return readImageFormat(bytes);
}

function decodeFault(cause: unknown, limits: ImageLimits): unknown {
  if (cause instanceof Error && cause.name === 'Fault') return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (/pixel limit/i.test(reason)) return engineFault.tooManyPixels(limits.pixelsMax);
  const firstLine = reason.split('\n')[0]?.trim() ?? '';
  return engineFault.undecodable(firstLine || 'its data is damaged', cause);
}

function colorModeOf(format: ImageFormat, space: string | undefined, channels = 3): string {
  if (space === 'cmyk') return 'CMYK';
  if (channels <= 2) return channels === 2 ? 'GRAYA' : 'GRAY';
  if (format === 'JPEG') return 'YUV';
  return channels === 4 ? 'RGBA' : 'RGB';
}

function sizeOf({ width, height }: { width: number; height: number }): { width: number; height: number } {
  return { width, height };
}
