import { type Data, type Point, Point_Visibility, type Region } from '@fovea/contract';
import { maskPixels } from '#engine/mask.ts';
import { extentOf, runsOf, textOf } from './rle.ts';

/** A picture of a version with everything that is said of it. */
export interface CocoItem {
  /** Stays the same in every export. */
  readonly number: number;
  readonly id: string;
  readonly data: Data;
}

export interface CocoFile {
  readonly description: string;
  /** In the order of their numbers, from 1. */
  readonly concepts: readonly { id: string; name: string }[];
  /** Walks the pictures; it is walked twice. */
  items(): AsyncIterable<CocoItem>;
}

/**
 * A COCO file (cocodataset.org/#format-data) as its text is made: pictures, categories, and annotations with boxes,
 * polygons, masks (compressed RLE), keypoints, and captions of what is written about a picture. What COCO has no
 * place for stands in keys of its own: `fovea_id` (the input's id), `labels` (what the whole picture shows).
 *
 * Regions in frames, texts and sounds are left out.
 */
export async function* cocoText(file: CocoFile): AsyncGenerator<Buffer> {
  const categoryOf = new Map(file.concepts.map(({ id }, i) => [id, i + 1]));
  yield text(`{"info":${JSON.stringify({ description: file.description })},"licenses":[],"categories":`);
  yield text(
    JSON.stringify(
      file.concepts.map(({ id, name }, i) => ({ id: i + 1, name, supercategory: '', fovea_id: id })),
    ),
  );
  yield text(',"images":[');
  let isFirst = true;
  const listed = (value: object) => {
    const line = `${isFirst ? '' : ','}\n${JSON.stringify(value)}`;
    isFirst = false;
    return text(line);
  };
  for await (const item of file.items()) yield listed(imageOf(item, categoryOf));
  yield text('],"annotations":[');
  isFirst = true;
  let number = 0;
  for await (const item of file.items())
    for (const annotation of await annotationsOf(item, categoryOf))
      yield listed({ id: ++number, ...annotation });
  yield text(']}\n');
}

const text = (value: string): Buffer => Buffer.from(value);

type Categories = ReadonlyMap<string, number>;

const sizeOf = ({ image }: Data) => ({
  width: image?.imageInfo?.width ?? 0,
  height: image?.imageInfo?.height ?? 0,
});

const endings: Record<string, string> = {
  JPEG: '.jpg',
  PNG: '.png',
  WEBP: '.webp',
  GIF: '.gif',
  BMP: '.bmp',
  TIFF: '.tiff',
};

function imageOf({ number, id, data }: CocoItem, categoryOf: Categories) {
  const hosted = data.image?.hosted;
  const ending = endings[data.image?.imageInfo?.format ?? ''] ?? '';
  const labels = data.concepts.flatMap((concept) => {
    const category = categoryOf.get(concept.id);
    return category === undefined ? [] : [{ category_id: category, value: concept.value }];
  });
  return {
    id: number,
    file_name: id.toLowerCase().endsWith(ending) ? id : `${id}${ending}`,
    ...sizeOf(data),
    ...(hosted ? { coco_url: `${hosted.prefix}/orig/${hosted.suffix}` } : {}),
    fovea_id: id,
    ...(labels.length > 0 ? { labels } : {}),
    ...(data.metadata ? { metadata: data.metadata } : {}),
  };
}

async function annotationsOf({ number, data }: CocoItem, categoryOf: Categories): Promise<object[]> {
  const found: object[] = [];
  const size = sizeOf(data);
  if (data.text?.raw) found.push({ image_id: number, caption: data.text.raw });
  for (const region of data.regions) {
    const shape = await shapeOf(region, size.width, size.height);
    if (!shape) continue;
    const present = (region.data?.concepts ?? []).filter(({ value }) => value >= 0.5);
    const categories = present.flatMap(({ id }) => categoryOf.get(id) ?? []);
    const more = {
      ...(region.id ? { fovea_id: region.id } : {}),
      ...(region.data?.text?.raw ? { caption: region.data.text.raw } : {}),
    };
    // A region of two concepts is two annotations; one of none keeps its place without a category.
    for (const category of categories.length > 0 ? categories : [undefined])
      found.push({
        image_id: number,
        ...(category === undefined ? {} : { category_id: category }),
        ...shape,
        ...more,
      });
  }
  return found;
}

type Shape = Record<string, unknown>;

async function shapeOf(
  { regionInfo: info }: Region,
  width: number,
  height: number,
): Promise<Shape | undefined> {
  if (!info || width === 0 || height === 0) return undefined;
  if (info.mask?.image) return maskShape(Buffer.from(info.mask.image.base64), width, height);
  if (info.polygon && info.polygon.points.length > 0) return polygonShape(info.polygon.points, width, height);
  if (info.keypointLocations.length > 0) return keypointShape(info.keypointLocations, width, height);
  if (info.point) return keypointShape([info.point], width, height);
  if (!info.boundingBox) return undefined;
  const { leftCol, topRow, rightCol, bottomRow } = info.boundingBox;
  const bbox = [
    leftCol * width,
    topRow * height,
    (rightCol - leftCol) * width,
    (bottomRow - topRow) * height,
  ].map(exact);
  return { bbox, area: exact((bbox[2] as number) * (bbox[3] as number)), iscrowd: 0, segmentation: [] };
}

/** Single-precision shares times pixels, without the noise of the seventh digit. */
const exact = (pixels: number): number => Math.round(pixels * 1e3) / 1e3;

async function maskShape(bytes: Buffer, width: number, height: number): Promise<Shape | undefined> {
  const pixels = await maskPixels(bytes, width, height).catch(() => undefined);
  if (!pixels) return undefined;
  const counts = textOf(runsOf(pixels, width, height));
  return { segmentation: { size: [height, width], counts }, ...extentOf(pixels, width), iscrowd: 0 };
}

function around(points: readonly { row: number; col: number }[], width: number, height: number): number[] {
  const xs = points.map(({ col }) => col * width);
  const ys = points.map(({ row }) => row * height);
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  return [left, top, Math.max(...xs) - left, Math.max(...ys) - top].map(exact);
}

function polygonShape(points: readonly Point[], width: number, height: number): Shape {
  const corners = points.map(({ row, col }) => [exact(col * width), exact(row * height)] as const);
  const doubled = corners.reduce((sum, [x, y], i) => {
    const [nextX, nextY] = corners[(i + 1) % corners.length] as readonly [number, number];
    return sum + x * nextY - nextX * y;
  }, 0);
  return {
    segmentation: [corners.flat()],
    bbox: around(points, width, height),
    area: exact(Math.abs(doubled) / 2),
    iscrowd: 0,
  };
}

function keypointShape(points: readonly Point[], width: number, height: number): Shape {
  const visible = (point: Point) => (point.visibility === Point_Visibility.NOT_VISIBLE ? 1 : 2);
  const present = points.filter(({ visibility }) => visibility !== Point_Visibility.NOT_PRESENT);
  return {
    keypoints: points.flatMap((point) =>
      present.includes(point)
        ? [exact(point.col * width), exact(point.row * height), visible(point)]
        : [0, 0, 0],
    ),
    num_keypoints: present.length,
    bbox: present.length > 0 ? around(present, width, height) : [0, 0, 0, 0],
    area: 0,
    iscrowd: 0,
  };
}
