import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { AnnotationSchema, type RegionInfoSchema, type Annotation as Wire } from '@fovea/contract';
import {
  type Annotation,
  type Box,
  compact,
  cornersOfBox,
  type Holds,
  type ImageRecord,
  isPlaced,
  isUprightBox,
  packCounts,
  type Value,
} from '@fovea/formats';
import { idTrouble } from '#domain/ids.ts';
import { maskPicture } from '#engine/masks/index.ts';
import type { PlainBox } from '../annotations/index.ts';
import { conceptIdOf } from './transfer.ts';

/**
 * What this server holds of a record. A region has one place, in parts of the picture: keypoints, else a mask, else an
 * outline, else a box. What a region has no field for (attributes, score, crowd, area, track, whether keypoints are hidden,
 * how a box is turned, the other shapes of the same object) stands in the annotation's `annotation_info` under `source`,
 * where exports find it again. Of an object in several outlines each becomes one of its own.
 */
export const ownHolds: Holds = {
  box: true,
  rotation: true,
  polygon: true,
  mask: true,
  keypoints: true,
  'hidden-keypoints': true,
  point: true,
  text: true,
  'image-label': true,
  'several-labels': true,
  unlabelled: true,
  attributes: true,
  'image-attributes': true,
  score: true,
  crowd: true,
  area: true,
  track: true,
  frame: true,
  split: true,
  'other-splits': true,
  'empty-images': true,
  'image-ids': true,
  'annotation-ids': true,
  'image-size': true,
  'several-shapes': true,
};

interface Size {
  readonly width: number;
  readonly height: number;
}

/** What `annotation_info.source` holds. */
interface Source {
  readonly id?: string;
  readonly attributes?: Readonly<Record<string, Value>>;
  readonly score?: number;
  readonly crowd?: boolean;
  readonly area?: number;
  readonly track?: string;
  readonly rotation?: number;
  /** x, y, width, height in pixels of a box that is turned, reaches over the edge, or stands beside another shape. */
  readonly box?: readonly number[];
  /** x, y, x, y … in pixels of an outline beside keypoints. */
  readonly polygon?: readonly number[];
  /** Runs as COCO packs them of a mask, as large as its picture, beside keypoints. */
  readonly mask?: string;
  readonly visibility?: readonly number[];
}

/** Parts of the picture, moved to its edge where they lie over it. */
const part = (value: number, side: number): number => Math.min(1, Math.max(0, value / side));

/**
 * A box that says nothing but what it shows; of what else is known of it, `annotation_info` keeps the rest.
 *
 * @param index place among the annotations of its picture, which makes its id where it has none
 * @returns undefined for everything else, and where nothing of the box lies inside the picture
 */
export function toPlainBox(
  one: Annotation,
  inputId: string,
  size: Size,
  index: number,
): PlainBox | undefined {
  if (!isUprightBox(one)) return undefined;
  const place = partOf(one.box as Box, size);
  if (!place) return undefined;
  const { label } = one;
  return {
    ...namedBy(one, size, index),
    inputId,
    ...place,
    concept: label === undefined ? undefined : { id: conceptIdOf(label), name: label },
  };
}

/** The same box as a message of the contract. */
export const wireOfBox = ({ id, inputId, concept, annotationInfo, ...place }: PlainBox): Wire =>
  create(AnnotationSchema, {
    id,
    inputId,
    ...(annotationInfo && { annotationInfo: annotationInfo as never }),
    data: regionSaying({ boundingBox: boundingBox(place) }, concept ? [{ ...concept, value: 1 }] : []),
  });

/**
 * @param index place among the annotations of its picture, which makes its id where it has none
 * @returns undefined where nothing of it lies inside the picture
 */
export async function toWire(
  one: Annotation,
  inputId: string,
  size: Size,
  index: number,
): Promise<Wire | undefined> {
  const region = isPlaced(one) ? await regionOf(one, size) : undefined;
  if (isPlaced(one) && !region) return undefined;
  const concepts = one.label === undefined ? [] : [{ id: conceptIdOf(one.label), name: one.label, value: 1 }];
  const { id, annotationInfo } = namedBy(one, size, index);
  return create(AnnotationSchema, {
    id,
    inputId,
    ...(annotationInfo && { annotationInfo: annotationInfo as never }),
    data: {
      ...(region ? regionSaying(region, concepts, one.text) : { concepts }),
      ...(one.text === undefined || region ? {} : { text: { raw: one.text } }),
    },
  });
}

/** The id of an annotation, its own where that can be used, and what `annotation_info` keeps of it. */
function namedBy(one: Annotation, size: Size, index: number) {
  const isUsable = one.id !== undefined && one.id !== '' && idTrouble(one.id, 'annotation') === undefined;
  const source = sourceOf(one, isUsable, size);
  return {
    id: isUsable ? (one.id as string) : `source-${index}`,
    annotationInfo: Object.keys(source).length > 0 ? { source: source as never } : undefined,
  };
}

function sourceOf(one: Annotation, hasOwnId: boolean, { width, height }: Size): Source {
  // A turned box beside an outline that the region shows would be taken for what that outline is of.
  const box = one.box?.rotation && one.polygons && !one.keypoints ? undefined : one.box;
  const isBeside = one.keypoints || one.mask || one.polygons;
  const isOver = box && (box.x < 0 || box.y < 0 || box.x + box.width > width || box.y + box.height > height);
  return compact<Source>({
    id: hasOwnId ? undefined : one.id,
    attributes: one.attributes,
    score: one.score,
    crowd: one.crowd,
    area: one.area,
    track: one.track,
    rotation: box?.rotation,
    box: box && (box.rotation || isOver || isBeside) ? [box.x, box.y, box.width, box.height] : undefined,
    polygon: one.keypoints && one.polygons?.[0],
    mask: one.keypoints && one.mask && packCounts(one.mask.counts),
    visibility: one.keypoints?.some(({ visibility }) => visibility !== 2)
      ? one.keypoints.map(({ visibility }) => visibility)
      : undefined,
  }) as Source;
}

type Region = MessageInitShape<typeof RegionInfoSchema>;
type Concepts = readonly { id: string; name: string; value: number }[];

const regionSaying = (regionInfo: Region, concepts: Concepts, text?: string) => ({
  regions: [
    { regionInfo, data: { concepts: [...concepts], ...(text === undefined ? {} : { text: { raw: text } }) } },
  ],
});

interface Part {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** @returns undefined where nothing of the box lies inside the picture */
function partOf(box: Box, { width, height }: Size): Part | undefined {
  const left = part(box.x, width);
  const top = part(box.y, height);
  const right = part(box.x + box.width, width);
  const bottom = part(box.y + box.height, height);
  return left < right && top < bottom ? { left, top, right, bottom } : undefined;
}

const boundingBox = ({ left, top, right, bottom }: Part) => ({
  leftCol: left,
  topRow: top,
  rightCol: right,
  bottomRow: bottom,
});

async function regionOf(one: Annotation, size: Size): Promise<Region | undefined> {
  const { width, height } = size;
  const points = (ring: readonly number[]) =>
    Array.from({ length: ring.length / 2 }, (_, i) => ({
      col: part(ring[2 * i] as number, width),
      row: part(ring[2 * i + 1] as number, height),
    }));
  if (one.keypoints) return { keypointLocations: points(one.keypoints.flatMap(({ x, y }) => [x, y])) };
  if (one.mask) {
    const base64 = await maskPicture(one.mask.counts, one.mask.width, one.mask.height);
    return { mask: { image: { base64 } } };
  }
  if (one.polygons) return { polygon: { points: points(one.polygons[0] ?? []) } };
  if (one.box?.rotation) return { polygon: { points: points(cornersOfBox(one.box)) } };
  if (one.box) {
    const place = partOf(one.box, size);
    return place && { boundingBox: boundingBox(place) };
  }
  return one.point && { point: points([one.point.x, one.point.y])[0] as { row: number; col: number } };
}

/** What an input remembers of the picture it was made of; `split` is where dataset versions look for it. */
export const metadataOf = (record: ImageRecord) =>
  compact({
    split: record.split,
    source: compact({
      id: record.id,
      path: record.path,
      frame: record.frame,
      attributes: record.attributes as never,
    }),
  });
