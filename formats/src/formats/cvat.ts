import { numberOf, sideOf, valueOfText } from '../fields.ts';
import { type FileSink, type Spool, utf8 } from '../files.ts';
import type { Format, Listing, ReadContext, WriteContext } from '../format.ts';
import { cropMask, maskOfCrop, pixelsOfRuns, rowRuns } from '../geometry/crop.ts';
import { baseOf, folderOf, joinPath, noSplit, safePath, splitOfName, uniquePaths } from '../paths.ts';
import { type Report, reportBroken, type Where } from '../problems.ts';
import {
  type Annotation,
  type Attributes,
  type ClassInfo,
  compact,
  type Dataset,
  type ImageRecord,
  type Keypoint,
  type Mask,
  type Ring,
} from '../record.ts';
import {
  childOf,
  childrenOf,
  childText,
  leaf,
  scanXml,
  XmlBroken,
  type XmlElement,
  xml,
} from '../text/xml.ts';
import { bytesOf } from '../tree-bytes.ts';

/**
 * CVAT for images 1.1: one `annotations.xml` with an element per picture. CVAT for video (tracks) is read too, into one
 * record per frame on which something is seen; it is not written.
 */
export const cvat: Format = {
  id: 'cvat',
  title: 'CVAT XML for images',
  holds: {
    box: true,
    rotation: true,
    polygon: true,
    mask: true,
    keypoints: true,
    'hidden-keypoints': true,
    point: true,
    'image-label': true,
    'several-labels': true,
    attributes: true,
    split: true,
    'other-splits': true,
    'empty-images': true,
    'image-size': true,
  },
  detect,
  read,
  write,
};

const xmlPaths = ({ paths }: Listing) =>
  paths.filter((path) => /\.xml$/i.test(path) && !/(^|\/)\./.test(path));

async function detect({ tree, ...listing }: Listing): Promise<number> {
  for (const path of xmlPaths({ tree, ...listing }).slice(0, 3)) {
    for await (const chunk of tree.stream(path)) {
      if (/<annotations[\s>]/.test(new TextDecoder().decode(chunk.subarray(0, 4096)))) return 0.95;
      break;
    }
  }
  return 0;
}

// Reading ---------------------------------------------------------------------------------------------------------

async function read(listing: Listing, { report }: ReadContext): Promise<Dataset> {
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

const pairs = (numbers: readonly number[]): [number, number][] =>
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

// Writing ---------------------------------------------------------------------------------------------------------

/** One file per part of the set, called like it: CVAT reads all there are, Datumaro knows parts by files. */
async function write(dataset: Dataset, sink: FileSink, { withImages, report }: WriteContext): Promise<void> {
  const classes = new Map(dataset.classes.map((info) => [info.name, info]));
  const parts = new Map<string, { images: Spool; count: number }>();
  const unique = uniquePaths();
  let id = 0;
  try {
    for await (const record of dataset.records()) {
      const wanted = joinPath('images', record.split ?? noSplit, record.path);
      const path = unique(wanted);
      if (path !== wanted)
        report({
          severity: 'warning',
          code: 'name-clash',
          path: wanted,
          message: `is written as ${path}, since another picture has its name`,
        });
      for (const one of record.annotations) noteClass(classes, one);
      const name = path.split('/').slice(2).join('/');
      const part = parts.get(record.split ?? '') ?? { images: sink.spool(), count: 0 };
      parts.set(record.split ?? '', part);
      part.count += 1;
      await part.images.write(utf8(`${showImage(record, name, id++, classes)}\n`));
      if (withImages && record.bytes) await sink.add(path, record.bytes());
    }
    if (parts.size === 0) parts.set('', { images: sink.spool(), count: 0 });
    for (const [split, { images, count }] of parts) {
      await sink.add(
        `${split || 'annotations'}.xml`,
        documentOf([...classes.values()], count, images.read()),
      );
    }
  } finally {
    for (const { images } of parts.values()) await images.close();
  }
}

function noteClass(classes: Map<string, ClassInfo>, { label, keypoints }: Annotation): void {
  if (label === undefined) return;
  const known = classes.get(label);
  if (known && (!keypoints || known.keypoints)) return;
  const names = keypoints?.map((_, i) => `point ${i + 1}`);
  classes.set(label, { ...known, name: label, ...(names ? { keypoints: names } : {}) });
}

async function* documentOf(classes: readonly ClassInfo[], count: number, images: AsyncIterable<Uint8Array>) {
  const labels = classes.flatMap(showClass).join('\n');
  yield utf8(
    `<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n<meta><task>${leaf('size', count)}${leaf('mode', 'annotation')}<labels>\n${labels}\n</labels></task></meta>\n`,
  );
  yield* images;
  yield utf8('</annotations>\n');
}

function showClass({ name, keypoints, skeleton = [] }: ClassInfo): string[] {
  if (!keypoints)
    return [xml('label', {}, leaf('name', name), leaf('type', 'any'), '<attributes></attributes>')];
  return [
    xml(
      'label',
      {},
      leaf('name', name),
      leaf('type', 'skeleton'),
      '<attributes></attributes>',
      leaf('svg', drawing(keypoints, skeleton)),
    ),
    ...keypoints.map((part) =>
      xml(
        'label',
        {},
        leaf('name', part),
        leaf('type', 'points'),
        '<attributes></attributes>',
        leaf('parent', name),
      ),
    ),
  ];
}

/** CVAT wants to see a skeleton: its nodes on a circle. */
function drawing(keypoints: readonly string[], skeleton: readonly (readonly [number, number])[]): string {
  const place = (i: number) => {
    const angle = (2 * Math.PI * i) / keypoints.length;
    return [50 + 40 * Math.sin(angle), 50 - 40 * Math.cos(angle)].map((value) => value.toFixed(2)) as [
      string,
      string,
    ];
  };
  const lines = skeleton.map(([from, to]) => {
    const [[x1, y1], [x2, y2]] = [place(from), place(to)];
    return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" data-type="edge" data-node-from="${from + 1}" data-node-to="${to + 1}"></line>`;
  });
  const nodes = keypoints.map((name, i) => {
    const [cx, cy] = place(i);
    return xml('circle', {
      r: 1.5,
      cx,
      cy,
      'data-type': 'element node',
      'data-element-id': i + 1,
      'data-node-id': i + 1,
      'data-label-name': name,
    });
  });
  return [...lines, ...nodes].join('');
}

function showImage(
  record: ImageRecord,
  name: string,
  id: number,
  classes: ReadonlyMap<string, ClassInfo>,
): string {
  const { width, height, split } = record;
  return xml(
    'image',
    { id, name, subset: split, width, height },
    ...record.annotations.map((one) => `\n${showShape(one, classes)}`),
    record.annotations.length > 0 ? '\n' : '',
  );
}

function showShape(one: Annotation, classes: ReadonlyMap<string, ClassInfo>): string {
  const { occluded, ...others } = one.attributes ?? {};
  const rest = Object.entries({
    ...others,
    ...(occluded === undefined || occluded === true ? {} : { occluded }),
  });
  const inside = rest
    .map(([name, value]) => `<attribute name="${escapeName(name)}">${textOfValue(value)}</attribute>`)
    .join('');
  const common = {
    label: one.label ?? 'object',
    source: 'manual',
    occluded: occluded === true ? 1 : 0,
    z_order: 0,
  };
  if (one.keypoints)
    return xml(
      'skeleton',
      { label: common.label, source: 'manual', z_order: 0 },
      inside,
      skeletonParts(one, classes),
    );
  if (one.mask) return maskElement(one.mask, common, inside);
  if (one.polygons) return xml('polygon', { ...common, points: pointsText(one.polygons[0] ?? []) }, inside);
  if (one.box) {
    const { x, y, width, height, rotation } = one.box;
    return xml('box', { ...common, xtl: x, ytl: y, xbr: x + width, ybr: y + height, rotation }, inside);
  }
  if (one.point) return xml('points', { ...common, points: `${one.point.x},${one.point.y}` }, inside);
  return xml(
    'tag',
    { label: common.label, source: 'manual' },
    ...(occluded === true ? [`<attribute name="occluded">true</attribute>`] : []),
    inside,
  );
}

const escapeName = (name: string) => leaf('x', name).slice(3, -4);
const textOfValue = (value: Attributes[string] | undefined) => leaf('x', String(value)).slice(3, -4);

function maskElement(mask: Mask, common: Readonly<Record<string, string | number>>, inside: string): string {
  const crop = cropMask(mask);
  if (!crop) return '';
  const { x, y, width, height, pixels } = crop;
  return xml('mask', { ...common, rle: rowRuns(pixels).join(', '), left: x, top: y, width, height }, inside);
}

function skeletonParts(
  { label = '', keypoints = [], attributes }: Annotation,
  classes: ReadonlyMap<string, ClassInfo>,
): string {
  const names = classes.get(label)?.keypoints;
  const occluded = attributes?.['occluded'] === true ? '<attribute name="occluded">true</attribute>' : '';
  return (
    occluded +
    keypoints
      .map(({ x, y, visibility }, i) =>
        xml('points', {
          label: names?.[i] ?? `point ${i + 1}`,
          source: 'manual',
          outside: visibility === 0 ? 1 : 0,
          occluded: visibility === 1 ? 1 : 0,
          points: `${x},${y}`,
        }),
      )
      .join('')
  );
}

const pointsText = (ring: Ring): string =>
  pairs(ring)
    .map((pair) => pair.join(','))
    .join(';');
