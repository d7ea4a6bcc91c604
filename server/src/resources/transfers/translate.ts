import { create } from '@bufbuild/protobuf';
import {
  AnnotationSchema,
  DataSchema,
  RegionInfoSchema,
  RegionSchema,
  type Annotation as Wire,
} from '@fovea/contract';
import {
  type Annotation,
  type Box,
  bitmapOfMask,
  compact,
  cornersOfBox,
  encodePng,
  type Holds,
  type ImageRecord,
  isPlaced,
  type Keypoint,
  maskFromBitmap,
  type Value,
} from '@fovea/formats';
import { idTrouble } from '#domain/ids.ts';
import { conceptIdOf } from './transfer.ts';

/**
 * What this server holds of a record. A region has one place, in parts of the picture. What a region has no field for
 * (attributes, score, crowd, area, track, whether keypoints are hidden, how a box is turned) stands in the
 * annotation's `annotation_info` under `source`, where exports find it again.
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
  /** x, y, width, height of a turned box, or of one that reaches over the edge, in pixels. */
  readonly box?: readonly number[];
  readonly visibility?: readonly number[];
}

/** Parts of the picture, moved to its edge where they lie over it. */
const part = (value: number, side: number): number => Math.min(1, Math.max(0, value / side));

/**
 * @param index place among the annotations of its picture, which makes its id where it has none
 * @returns undefined where nothing of it lies inside the picture
 */
export function toWire(one: Annotation, inputId: string, size: Size, index: number): Wire | undefined {
  const region = isPlaced(one) ? regionOf(one, size) : undefined;
  if (isPlaced(one) && !region) return undefined;
  const concepts = one.label === undefined ? [] : [{ id: conceptIdOf(one.label), name: one.label, value: 1 }];
  const isUsable = one.id !== undefined && one.id !== '' && idTrouble(one.id, 'annotation') === undefined;
  const source = sourceOf(one, isUsable, size);
  return create(AnnotationSchema, {
    id: isUsable ? (one.id as string) : `source-${index}`,
    inputId,
    ...(Object.keys(source).length > 0 ? { annotationInfo: { source: source as never } } : {}),
    data: create(DataSchema, {
      ...(region
        ? { regions: [create(RegionSchema, { regionInfo: region, data: { concepts } })] }
        : { concepts }),
      ...(one.text === undefined ? {} : { text: { raw: one.text } }),
    }),
  });
}

function sourceOf(one: Annotation, hasOwnId: boolean, { width, height }: Size): Source {
  const { box } = one;
  const isOver = box && (box.x < 0 || box.y < 0 || box.x + box.width > width || box.y + box.height > height);
  return compact<Source>({
    id: hasOwnId ? undefined : one.id,
    attributes: one.attributes,
    score: one.score,
    crowd: one.crowd,
    area: one.area,
    track: one.track,
    rotation: box?.rotation,
    box: box && (box.rotation || isOver) ? [box.x, box.y, box.width, box.height] : undefined,
    visibility: one.keypoints?.some(({ visibility }) => visibility !== 2)
      ? one.keypoints.map(({ visibility }) => visibility)
      : undefined,
  }) as Source;
}

function regionOf(one: Annotation, size: Size) {
  const { width, height } = size;
  const points = (ring: readonly number[]) =>
    Array.from({ length: ring.length / 2 }, (_, i) => ({
      col: part(ring[2 * i] as number, width),
      row: part(ring[2 * i + 1] as number, height),
    }));
  if (one.keypoints) {
    return create(RegionInfoSchema, {
      keypointLocations: points(one.keypoints.flatMap(({ x, y }) => [x, y])),
    });
  }
  if (one.mask) {
    const pixels = bitmapOfMask(one.mask).map((pixel) => pixel * 255);
    const base64 = encodePng({ width: one.mask.width, height: one.mask.height, pixels });
    return create(RegionInfoSchema, { mask: { image: { base64 } } });
  }
  if (one.polygons) return create(RegionInfoSchema, { polygon: { points: points(one.polygons[0] ?? []) } });
  if (one.box?.rotation)
    return create(RegionInfoSchema, { polygon: { points: points(cornersOfBox(one.box)) } });
  if (one.box) {
    const boundingBox = {
      leftCol: part(one.box.x, width),
      topRow: part(one.box.y, height),
      rightCol: part(one.box.x + one.box.width, width),
      bottomRow: part(one.box.y + one.box.height, height),
    };
    const isSomething =
      boundingBox.leftCol < boundingBox.rightCol && boundingBox.topRow < boundingBox.bottomRow;
    return isSomething ? create(RegionInfoSchema, { boundingBox }) : undefined;
  }
  return (
    one.point &&
    create(RegionInfoSchema, { point: points([one.point.x, one.point.y])[0] as { row: number; col: number } })
  );
}

/** How masks are read: from the bytes of a picture to pixels of the size asked for, in rows, anything but 0 set. */
export type ReadMask = (bytes: Buffer, width: number, height: number) => Promise<Uint8Array>;

/** The labels and regions of one of our annotations; each concept of a region is an annotation of its own. */
export async function fromWire(
  wire: Wire,
  size: Size,
  readMask: ReadMask,
  inputLevel: boolean,
): Promise<Annotation[]> {
  const { data } = wire;
  if (!data) return [];
  const source = (wire.annotationInfo?.['source'] ?? {}) as Source;
  const common = compact<Annotation>({
    id: inputLevel ? undefined : (source.id ?? (/^source-\d+$/.test(wire.id) ? undefined : wire.id)),
    attributes: source.attributes,
    score: source.score,
    crowd: source.crowd,
    area: source.area,
    track: source.track,
  }) as Annotation;
  const found: Annotation[] = [];
  for (const label of labelsOf(data.concepts)) found.push({ ...common, label });
  if (data.text?.raw) found.push({ ...common, text: data.text.raw });
  for (const { regionInfo, data: inside } of data.regions) {
    const place = regionInfo && (await placeOf(regionInfo, source, size, readMask));
    if (!place) continue;
    const labels = labelsOf(inside?.concepts ?? []);
    for (const label of labels.length > 0 ? labels : [undefined])
      found.push({ ...common, ...(label === undefined ? {} : { label }), ...place });
  }
  return found.map((one, i) =>
    i === 0 || one.id === undefined ? one : { ...one, id: `${one.id}-${i + 1}` },
  );
}

/** A value below one half says that a thing is not there. */
const labelsOf = (concepts: readonly { id: string; name: string; value: number }[]): string[] =>
  concepts.filter(({ value }) => value >= 0.5).map(({ id, name }) => name || id);

type Info = NonNullable<NonNullable<Wire['data']>['regions'][number]['regionInfo']>;

async function placeOf(
  info: Info,
  source: Source,
  { width, height }: Size,
  readMask: ReadMask,
): Promise<Partial<Annotation> | undefined> {
  const { boundingBox, polygon, point, mask, keypointLocations } = info;
  if (source.box) {
    const [x, y, w, h] = source.box as [number, number, number, number];
    const box: Box = { x, y, width: w, height: h, ...(source.rotation ? { rotation: source.rotation } : {}) };
    return { box };
  }
  if (boundingBox) {
    const { leftCol, topRow, rightCol, bottomRow } = boundingBox;
    const [x, y] = [near(leftCol * width), near(topRow * height)];
    return { box: { x, y, width: near(rightCol * width - x), height: near(bottomRow * height - y) } };
  }
  if (polygon)
    return { polygons: [polygon.points.flatMap(({ row, col }) => [near(col * width), near(row * height)])] };
  if (point) return { point: { x: near(point.col * width), y: near(point.row * height) } };
  if (keypointLocations.length > 0) {
    return {
      keypoints: keypointLocations.map(({ row, col }, i): Keypoint => {
        const visibility = (source.visibility?.[i] ?? 2) as 0 | 1 | 2;
        return visibility === 0
          ? { x: 0, y: 0, visibility }
          : { x: near(col * width), y: near(row * height), visibility };
      }),
    };
  }
  const bytes = mask?.image?.base64;
  if (!bytes || bytes.length === 0) return undefined;
  return { mask: maskFromBitmap(await readMask(Buffer.from(bytes), width, height), width, height) };
}

/** Coordinates are kept in single precision: a thousandth of a pixel is more than they know. */
const near = (value: number): number => Math.round(value * 1_000) / 1_000;

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

/** The picture that an input stands for. */
export function recordOf(
  input: { id: string; data?: { metadata?: Readonly<Record<string, unknown>> } | undefined },
  size: Size | undefined,
  ending: string,
): Omit<ImageRecord, 'annotations'> {
  const metadata = input.data?.metadata ?? {};
  const source = (metadata['source'] ?? {}) as Readonly<Record<string, unknown>>;
  const { split } = metadata;
  return compact<ImageRecord>({
    id: typeof source['id'] === 'string' ? source['id'] : input.id,
    path: typeof source['path'] === 'string' ? source['path'] : `${input.id}${ending}`,
    width: size?.width,
    height: size?.height,
    split: typeof split === 'string' && split !== '' ? split : undefined,
    frame: typeof source['frame'] === 'number' ? source['frame'] : undefined,
    attributes: source['attributes'] as ImageRecord['attributes'],
  }) as Omit<ImageRecord, 'annotations'>;
}
