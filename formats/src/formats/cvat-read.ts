import { numberOf, sideOf, valueOfText } from '../fields.ts';
import type { Listing, ReadContext } from '../format.ts';
import { maskOfCrop, pixelsOfRuns } from '../geometry/crop.ts';
import { baseOf, folderOf, joinPath, noSplit, safePath, splitOfName } from '../paths.ts';
import { type Report, reportBroken, type Where } from '../problems.ts';
import {
  type Annotation,
  type Attributes,
  type ClassInfo,
  compact,
  type Dataset,
  type ImageRecord,
  type Keypoint,
  type Ring,
} from '../record.ts';
import { childOf, childrenOf, childText, scanXml, XmlBroken, type XmlElement } from '../text/xml.ts';
import { bytesOf } from '../tree-bytes.ts';

export const xmlPaths = ({ paths }: Listing) =>
  paths.filter((path) => /\.xml$/i.test(path) && !/(^|\/)\./.test(path));

export async function readCvat(listing: Listing, { report }: ReadContext): Promise<Dataset> {
  const classes = new Map<string, ClassInfo>();
  const files = xmlPaths(listing);
  for (const path of files) await readMeta(listing, path, classes);
  return {
    classes: [...classes.values()],
    async *records() {
      for (const path of files) yield* readFile(listing, path, classes, report);
    },
  };
}

/** The labels, which stand before the pictures; what is broken is said when the pictures are read. */
async function readMeta({ tree }: Listing, path: string, classes: Map<string, ClassInfo>): Promise<void> {
  try {
    for await (const element of scanXml(tree.stream(path), 1)) {
      if (element.name !== 'meta') continue;
      const holder =
        childOf(element, 'task') ?? childOf(element, 'project') ?? childOf(element, 'job') ?? element;
      for (const one of readLabels(childOf(holder, 'labels'))) {
        if (!classes.has(one.name)) classes.set(one.name, one);
      }
      return;
    }
  } catch (error) {
    if (!(error instanceof XmlBroken)) throw error;
  }
}

/** Parts of a skeleton are labels of their own that name their parent. */
function readLabels(labels: XmlElement | undefined): ClassInfo[] {
  const all = childrenOf(labels ?? { name: '', attributes: {}, children: [], text: '', line: 0 }, 'label');
  const partsOf = new Map<string, string[]>();
  for (const one of all) {
    const parent = childOf(one, 'parent')?.text;
    if (parent === undefined) continue;
    partsOf.set(parent, [...(partsOf.get(parent) ?? []), childOf(one, 'name')?.text ?? '']);
  }
  return all
    .filter((one) => childOf(one, 'parent') === undefined)
    .map((one) => {
      const name = childOf(one, 'name')?.text ?? '';
      const keypoints = partsOf.get(name);
      const skeleton = keypoints ? edgesOf(childOf(one, 'svg')?.text ?? '') : [];
      return compact<ClassInfo>({
        name,
        keypoints,
        skeleton: skeleton.length > 0 ? skeleton : undefined,
      }) as ClassInfo;
    });
}

/** The drawing of a skeleton names the numbers of its nodes, from 1. */
function edgesOf(svg: string): [number, number][] {
  return [...svg.matchAll(/<line\b[^>]*>/g)].flatMap(([line]): [number, number][] => {
    const end = (name: string) => Number(new RegExp(`data-node-${name}="(\\d+)"`).exec(line)?.[1] ?? 0);
    return end('from') > 0 && end('to') > 0 ? [[end('from') - 1, end('to') - 1]] : [];
  });
}

async function* readFile(
  listing: Listing,
  path: string,
  classes: ReadonlyMap<string, ClassInfo>,
  report: Report,
): AsyncGenerator<ImageRecord> {
  const tracks = new Map<number, Annotation[]>();
  let meta: XmlElement | undefined;
  try {
    for await (const element of scanXml(listing.tree.stream(path), 1)) {
      if (element.name === 'meta') meta = element;
      else if (element.name === 'track') addTrack(tracks, element, meta, { path, classes, report });
      else if (element.name === 'image') {
        const record = readImage(listing, element, { path, classes, report });
        if (record) yield record;
      }
    }
  } catch (error) {
    reportBroken(error, XmlBroken, path, report);
  }
  yield* framesOf(listing, tracks, meta, path, report);
}

interface WhereInTask extends Where {
  readonly classes: ReadonlyMap<string, ClassInfo>;
}

function readImage(listing: Listing, element: XmlElement, where: WhereInTask): ImageRecord | undefined {
  const { path, report } = where;
  const { name = '', subset, width, height } = element.attributes;
  const safe = safePath(name);
  if (safe === undefined) {
    report({
      severity: 'error',
      code: 'unsafe-path',
      path,
      at: `line ${element.line}`,
      message: `the name "${name.slice(0, 200)}" leads out of the folder; left out`,
    });
    return undefined;
  }
  const split = subset === undefined || subset === '' ? undefined : splitOfName(subset);
  const size = { width: sideOf(width), height: sideOf(height) };
  const folder = joinPath(folderOf(path), 'images');
  const found = listing.images.find(safe, [joinPath(folder, split), joinPath(folder, noSplit), folder]);
  return compact<ImageRecord>({
    path: safe,
    split,
    ...size,
    annotations: element.children.flatMap((shape) => readShape(shape, size, where)),
    ...bytesOf(listing.tree, found, safe, report),
  }) as ImageRecord;
}

type Size = { width: number | undefined; height: number | undefined };

function readShape(element: XmlElement, size: Size, where: WhereInTask): Annotation[] {
  const label = element.attributes['label'] || undefined;
  const shape = shapeOf(element, label, size, where.classes);
  if (shape === undefined) {
    where.report({
      severity: 'error',
      code: 'broken-item',
      path: where.path,
      at: `line ${element.line}`,
      message: `the ${element.name} is of a kind that is not known, or has numbers that are not finite; left out`,
    });
    return [];
  }
  return [compact<Annotation>({ label, ...shape, attributes: readAttributes(element) }) as Annotation];
}

function readAttributes(element: XmlElement): Attributes | undefined {
  const own = childrenOf(element, 'attribute').map((one) => [
    one.attributes['name'] ?? '',
    valueOfText(one.text),
  ]);
  const isHidden = element.attributes['occluded'] === '1' && element.name !== 'skeleton';
  const all = [...(isHidden ? [['occluded', true]] : []), ...own];
  return all.length > 0 ? Object.fromEntries(all) : undefined;
}

type Shape = Pick<Annotation, 'box' | 'polygons' | 'mask' | 'keypoints' | 'point'>;

function shapeOf(
  element: XmlElement,
  label: string | undefined,
  size: Size,
  classes: ReadonlyMap<string, ClassInfo>,
): Shape | undefined {
  const { attributes } = element;
  const number = (name: string) => numberOf(attributes[name]);
  switch (element.name) {
    case 'tag':
      return label === undefined ? undefined : {};
    case 'box': {
      const [x, y, right, bottom] = ['xtl', 'ytl', 'xbr', 'ybr'].map(number);
      if (x === undefined || y === undefined || right === undefined || bottom === undefined) return undefined;
      const rotation = number('rotation');
      return { box: { x, y, width: right - x, height: bottom - y, ...(rotation ? { rotation } : {}) } };
    }
    case 'polygon': {
      const ring = pointsOf(attributes['points']);
      return ring && ring.length >= 6 ? { polygons: [ring] } : undefined;
    }
    case 'ellipse': {
      const [cx, cy, rx, ry] = ['cx', 'cy', 'rx', 'ry'].map(number);
      if (cx === undefined || cy === undefined || rx === undefined || ry === undefined) return undefined;
      return { polygons: [ellipse(cx, cy, rx, ry, number('rotation') ?? 0)] };
    }
    case 'points': {
      const points = pointsOf(attributes['points']);
      if (!points || points.length < 2) return undefined;
      const [x, y] = points as [number, number];
      if (points.length === 2) return { point: { x, y } };
      return { keypoints: pairs(points).map(([px, py]) => ({ x: px, y: py, visibility: 2 })) };
    }
    case 'mask':
      return readMask(attributes, size);
    case 'skeleton':
      return { keypoints: skeletonPoints(element, classes.get(label ?? '')) };
    default:
      return undefined;
  }
}

function pointsOf(text: string | undefined): Ring | undefined {
  const numbers = (text ?? '').split(/[;,]/).map(numberOf);
  return numbers.length % 2 === 0 && numbers.every((number) => number !== undefined)
    ? (numbers as number[])
    : undefined;
}

export const pairs = (numbers: readonly number[]): [number, number][] =>
  Array.from({ length: numbers.length / 2 }, (_, i) => [
    numbers[2 * i] as number,
    numbers[2 * i + 1] as number,
  ]);

/** Thirty-two corners: closer to the ellipse than a pixel up to some two hundred pixels of radius. */
function ellipse(cx: number, cy: number, rx: number, ry: number, rotation: number): Ring {
  const turn = (rotation * Math.PI) / 180;
  return Array.from({ length: 32 }, (_, i) => (i * Math.PI) / 16).flatMap((angle) => {
    const [dx, dy] = [rx * Math.cos(angle), ry * Math.sin(angle)];
    return [cx + dx * Math.cos(turn) - dy * Math.sin(turn), cy + dx * Math.sin(turn) + dy * Math.cos(turn)];
  });
}

function readMask(attributes: Readonly<Record<string, string>>, size: Size): Shape | undefined {
  const [x, y, width, height] = ['left', 'top', 'width', 'height'].map((name) => numberOf(attributes[name]));
  if (!size.width || !size.height || x === undefined || y === undefined || !sideOf(width) || !sideOf(height))
    return undefined;
  const [w, h] = [width as number, height as number];
  if (w * h > size.width * size.height) return undefined;
  const pixels = pixelsOfRuns(
    (attributes['rle'] ?? '').split(',').map((run) => Number(run)),
    w * h,
  );
  const mask = pixels && maskOfCrop({ x, y, width: w, height: h, pixels }, size.width, size.height);
  return mask && { mask };
}

/** In the order of the class; parts that the class does not name come after, in the order of the file. */
function skeletonPoints(element: XmlElement, info: ClassInfo | undefined): Keypoint[] {
  const parts = childrenOf(element, 'points');
  const order = info?.keypoints ?? parts.map((part) => part.attributes['label'] ?? '');
  return order.map((name): Keypoint => {
    const part = parts.find((one) => one.attributes['label'] === name);
    const [x, y] = pointsOf(part?.attributes['points']) ?? [];
    if (!part || part.attributes['outside'] === '1' || x === undefined || y === undefined)
      return { x: 0, y: 0, visibility: 0 };
    return { x, y, visibility: part.attributes['occluded'] === '1' ? 1 : 2 };
  });
}

// Tracks ----------------------------------------------------------------------------------------------------------

function sizeOfTask(meta: XmlElement | undefined): Size {
  const holder = childOf(meta, 'task') ?? childOf(meta, 'job') ?? meta;
  const original = childOf(holder, 'original_size') ?? childOf(meta, 'original_size');
  return { width: sideOf(childText(original, 'width')), height: sideOf(childText(original, 'height')) };
}

function addTrack(
  tracks: Map<number, Annotation[]>,
  track: XmlElement,
  meta: XmlElement | undefined,
  where: WhereInTask,
): void {
  const size = sizeOfTask(meta);
  const { id, label } = track.attributes;
  for (const shape of track.children) {
    const frame = numberOf(shape.attributes['frame']);
    if (frame === undefined || frame < 0 || shape.attributes['outside'] === '1') continue;
    const named = {
      ...shape,
      attributes: { ...shape.attributes, ...(label === undefined ? {} : { label }) },
    };
    for (const one of readShape(named, size, where)) {
      tracks.set(frame, [
        ...(tracks.get(frame) ?? []),
        { ...one, ...(id === undefined ? {} : { track: id }) },
      ]);
    }
  }
}

async function* framesOf(
  listing: Listing,
  tracks: ReadonlyMap<number, Annotation[]>,
  meta: XmlElement | undefined,
  path: string,
  report: Report,
): AsyncGenerator<ImageRecord> {
  const { width, height } = sizeOfTask(meta);
  for (const frame of [...tracks.keys()].sort((a, b) => a - b)) {
    const name = `frame_${String(frame).padStart(6, '0')}`;
    const found = ['PNG', 'png', 'jpg', 'JPEG', 'jpeg']
      .map((ending) => listing.images.find(`${name}.${ending}`, [joinPath(folderOf(path), 'images')]))
      .find((one) => one !== undefined);
    const shown = found === undefined ? `${name}.png` : baseOf(found);
    yield compact<ImageRecord>({
      path: shown,
      width,
      height,
      frame,
      annotations: tracks.get(frame) ?? [],
      ...bytesOf(listing.tree, found, shown, report),
    }) as ImageRecord;
  }
}
