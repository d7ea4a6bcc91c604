import sharp from 'sharp';
import { decodeForModel, defaultImageLimits, type ImageLimits } from './image.ts';

/** Edges in 0..1 of the upright picture. */
interface Edges {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/**
 * Decodes a picture once, to cut several boxes out of it, for models that look at parts.
 *
 * @returns cuts one box, to the picture and at least one pixel large, as a PNG scaled as `decodeForModel` scales the whole
 * @throws Fault as `decodeForModel`
 */
export async function openCrops(
  bytes: Buffer,
  limits: ImageLimits = defaultImageLimits,
): Promise<(box: Edges) => Promise<Buffer>> {
  const { width, height, pixels } = await decodeForModel(bytes, limits);
  return (box) => {
    const left = clamp(Math.floor(box.left * width), 0, width - 1);
    const top = clamp(Math.floor(box.top * height), 0, height - 1);
    const right = clamp(Math.ceil(box.right * width), left + 1, width);
    const bottom = clamp(Math.ceil(box.bottom * height), top + 1, height);
    return sharp(pixels, { raw: { width, height, channels: 3 } })
      .extract({ left, top, width: right - left, height: bottom - top })
      .png({ compressionLevel: 1 })
      .toBuffer();
  };
}

/** Cuts one box out of an encoded picture, as `openCrops` does. */
export const cropToBox = async (bytes: Buffer, box: Edges, limits?: ImageLimits): Promise<Buffer> =>
  (await openCrops(bytes, limits))(box);

export interface Tile {
  box: Edges;
  png: Buffer;
}

/** Tiles are cut from the picture as it is, not scaled down, and so from fewer pixels than pictures may have. */
const tiledEdgeMax = 16_384;

/**
 * Cuts a picture into tiles of one size, row by row, neighbours overlapping; the last of a row or column is drawn
 * back so that it lies inside the picture.
 *
 * @returns undefined where there would be more than `tilesMax`
 * @throws Fault as `decodeForModel`
 */
export async function cutTiles(
  bytes: Buffer,
  { width, height, overlap, tilesMax }: { width: number; height: number; overlap: number; tilesMax: number },
  limits: ImageLimits = defaultImageLimits,
): Promise<Tile[] | undefined> {
  const whole = await decodeForModel(bytes, limits, tiledEdgeMax);
  const lefts = startsOf(whole.width, width, overlap);
  const tops = startsOf(whole.height, height, overlap);
  if (lefts.length * tops.length > tilesMax) return undefined;
  const places = tops.flatMap((top) => lefts.map((left) => ({ top, left })));
  return Promise.all(
    places.map(async ({ top, left }) => {
      const size = { width: Math.min(width, whole.width), height: Math.min(height, whole.height) };
      const png = await sharp(whole.pixels, {
        raw: { width: whole.width, height: whole.height, channels: 3 },
      })
        .extract({ left, top, ...size })
        .png({ compressionLevel: 1 })
        .toBuffer();
      const bottom = (top + size.height) / whole.height;
      const right = (left + size.width) / whole.width;
      return { box: { top: top / whole.height, left: left / whole.width, bottom, right }, png };
    }),
  );
}

/** Where tiles of a size begin along an edge, so that all of it is covered. */
export function startsOf(edge: number, size: number, overlap: number): number[] {
  if (edge <= size) return [0];
  const step = size - overlap;
  const count = Math.ceil((edge - size) / step) + 1;
  return Array.from({ length: count }, (_, index) => Math.min(index * step, edge - size));
}

const clamp = (value: number, min: number, max: number): number => Math.min(Math.max(value, min), max);
