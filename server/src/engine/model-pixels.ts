import sharp, { type Sharp } from 'sharp';
import type { RawPixels } from './bmp.ts';
import { movable } from './decoding/pixels.ts';

/** A region of a picture, in working pixels; it may reach over the edge, and is then filled with `fill`. */
export interface Crop {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Stretches the whole picture to a square. @returns RGB bytes [edge, edge, 3] */
export async function stretched(picture: RawPixels, edge: number): Promise<Buffer> {
  if (picture.width === edge && picture.height === edge) return picture.pixels;
  return bytesOf(raw(picture).resize(edge, edge, { fit: 'fill' }));
}

/**
 * Fits the whole picture into a square, centred on a background of one grey.
 *
 * @returns RGB bytes [edge, edge, 3]; `letterboxOf` tells where the picture lies in them
 */
export function letterboxed(picture: RawPixels, edge: number, grey: number): Promise<Buffer> {
  const { left, top, width, height } = letterboxOf(picture, edge);
  return bytesOf(
    raw(picture)
      .resize(width, height, { fit: 'fill' })
      .extend({
        left,
        top,
        right: edge - width - left,
        bottom: edge - height - top,
        background: { r: grey, g: grey, b: grey },
      }),
  );
}

/** Where a picture lies in its letterboxed square, in pixels of the square. */
export function letterboxOf(picture: { width: number; height: number }, edge: number): Crop {
  const scale = edge / Math.max(picture.width, picture.height);
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  return { left: (edge - width) >> 1, top: (edge - height) >> 1, width, height };
}

/** Cuts out a region and scales it to a square; parts beyond the picture are black. @returns RGB [edge, edge, 3] */
export async function cropped(picture: RawPixels, crop: Crop, edge: number): Promise<Buffer> {
  const left = Math.round(crop.left);
  const top = Math.round(crop.top);
  const right = left + Math.max(1, Math.round(crop.width));
  const bottom = top + Math.max(1, Math.round(crop.height));
  const inside = {
    left: clamp(left, 0, picture.width - 1),
    top: clamp(top, 0, picture.height - 1),
    right: clamp(right, 1, picture.width),
    bottom: clamp(bottom, 1, picture.height),
  };
  const cut = await raw(picture)
    .extract({
      left: inside.left,
      top: inside.top,
      width: Math.max(1, inside.right - inside.left),
      height: Math.max(1, inside.bottom - inside.top),
    })
    .extend({
      left: Math.max(0, inside.left - left),
      top: Math.max(0, inside.top - top),
      right: Math.max(0, right - inside.right),
      bottom: Math.max(0, bottom - inside.bottom),
      background: { r: 0, g: 0, b: 0 },
    })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return bytesOf(
    raw({ width: cut.info.width, height: cut.info.height, pixels: cut.data }).resize(edge, edge, {
      fit: 'fill',
    }),
  );
}

/**
 * As `cropped`, with the region turned about its middle so that a line at `degrees` (clockwise on the picture)
 * comes to lie level.
 */
export async function turned(picture: RawPixels, crop: Crop, degrees: number, edge: number): Promise<Buffer> {
  if (Math.abs(degrees) < 1) return cropped(picture, crop, edge);
  const margin = Math.SQRT2;
  const wideEdge = Math.round(edge * margin);
  const wide = await cropped(picture, widened(crop, margin), wideEdge);
  const { data, info } = await raw({ width: wideEdge, height: wideEdge, pixels: wide })
    .rotate(-degrees, { background: { r: 0, g: 0, b: 0 } })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return bytesOf(
    raw({ width: info.width, height: info.height, pixels: data }).extract({
      left: (info.width - edge) >> 1,
      top: (info.height - edge) >> 1,
      width: edge,
      height: edge,
    }),
  );
}

const bytesOf = async (made: Sharp): Promise<Buffer> => movable(await made.raw().toBuffer());

function widened({ left, top, width, height }: Crop, factor: number): Crop {
  const growth = { x: (width * (factor - 1)) / 2, y: (height * (factor - 1)) / 2 };
  return { left: left - growth.x, top: top - growth.y, width: width * factor, height: height * factor };
}

/** Opens RGB pixels with the image library. */
export function raw({ width, height, pixels }: RawPixels): Sharp {
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

/** Scales down, never up, to at most `edge` pixels on the longer side. */
export function shrunk(pixels: RawPixels, edge: number): Promise<RawPixels> {
  if (Math.max(pixels.width, pixels.height) <= edge) return Promise.resolve(pixels);
  return raw(pixels)
    .resize(edge, edge, { fit: 'inside' })
    .raw()
    .toBuffer({ resolveWithObject: true })
    .then(({ data, info }) => ({ width: info.width, height: info.height, pixels: data }));
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}
