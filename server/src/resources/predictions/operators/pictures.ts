import { clone, create } from '@bufbuild/protobuf';
import { type BoundingBox, DataSchema, ImageSchema, RegionSchema } from '@fovea/contract';
import { newId } from '#domain/ids.ts';
import { cropToBox, cutTiles } from '#engine/crop.ts';
import type { Box } from '#engine/index.ts';
import { eachOf } from '../each-of.ts';
import { predictionFault } from '../faults.ts';
import { numberParam, type Operator } from './settings.ts';

/** A box grown about its middle: twice as large for a margin of 2, and never beyond the picture. */
export function widened(box: BoundingBox, margin: number): Box {
  const grow = (from: number, to: number): [number, number] => {
    const half = ((to - from) * margin) / 2;
    const middle = (from + to) / 2;
    return [Math.max(0, middle - half), Math.min(1, middle + half)];
  };
  const [top, bottom] = grow(box.topRow, box.bottomRow);
  const [left, right] = grow(box.leftCol, box.rightCol);
  return { top, left, bottom, right };
}

/** Each cut decodes the whole picture. */
const cropsAtOnce = 4;

/** Cuts every region out of the picture; each comes back with an image of its own. */
export const cropRegions: Operator = async ({ data, settings, media, signal }) => {
  const margin = numberParam(settings, 'margin', 1);
  if (!(margin > 0)) throw predictionFault.badParam('margin', 'a number above 0');
  const bytes = await media.image();
  const regions = await eachOf(data.regions, cropsAtOnce, async (region) => {
    signal?.throwIfAborted();
    const box = region.regionInfo?.boundingBox;
    if (!box) return region;
    const shown = clone(RegionSchema, region);
    shown.data ??= create(DataSchema);
    shown.data.image = create(ImageSchema, { base64: await cropToBox(bytes, widened(box, margin)) });
    return shown;
  });
  return create(DataSchema, { regions });
};

/** Where a box lies, as the contract says it. */
export const boundingBox = ({ top, left, bottom, right }: Box) => ({
  topRow: top,
  leftCol: left,
  bottomRow: bottom,
  rightCol: right,
});

const tilesMax = 256;

/** Cuts the picture into tiles that overlap by the size of the largest thing, so that each thing is whole in one. */
export const cutIntoTiles: Operator = async ({ settings, media, signal }) => {
  const whole = (name: string, fallback: number, min: number) => {
    const value = Math.round(numberParam(settings, name, fallback));
    if (value < min) throw predictionFault.badParam(name, `a whole number from ${min} on`);
    return value;
  };
  const width = whole('tile_width', 512, 16);
  const height = whole('tile_height', 512, 16);
  const shared = whole('max_object_size', 64, 0);
  if (shared >= Math.min(width, height))
    throw predictionFault.badParam('max_object_size', 'smaller than tile_width and tile_height');
  const tiles = await cutTiles(await media.image(), { width, height, overlap: shared, tilesMax });
  if (!tiles) throw predictionFault.tooManyTiles(tilesMax);
  signal?.throwIfAborted();
  return create(DataSchema, {
    regions: tiles.map(({ box, png }) => ({
      id: newId(),
      value: 1,
      regionInfo: { boundingBox: boundingBox(box) },
      data: { image: { base64: png } },
    })),
  });
};

export const readCodes: Operator = async ({ media, deps }) => {
  const codes = await deps.engine.readBarcodes(await media.image());
  return create(DataSchema, {
    regions: codes.map(({ text, format, box }) => ({
      id: newId(),
      value: 1,
      regionInfo: { boundingBox: boundingBox(box) },
      data: { text: { raw: text }, metadata: { format } },
    })),
  });
};
