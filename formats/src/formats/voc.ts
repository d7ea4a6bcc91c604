import { numberOf, sideOf, valueOfText } from '../fields.ts';
import { type FileSink, FileTooLarge, readText, utf8 } from '../files.ts';
import type { Format, Listing, ReadContext, WriteContext } from '../format.ts';
import { baseOf, folderOf, joinPath, noSplit, safePath, splitOfName, stemOf, uniquePaths } from '../paths.ts';
import type { Report } from '../problems.ts';
import {
  type Annotation,
  type Attributes,
  compact,
  type Dataset,
  type ImageRecord,
  type Value,
} from '../record.ts';
import {
  childOf,
  childrenOf,
  childText,
  leaf,
  parseXml,
  XmlBroken,
  type XmlElement,
  xml,
} from '../text/xml.ts';
import { bytesOf } from '../tree-bytes.ts';

/**
 * Pascal VOC: `Annotations/NAME.xml` and `JPEGImages/NAME.*`, the parts of the set as lists of names in
 * `ImageSets/Main/`. Coordinates are taken as they stand, from 0, as today's tools write them. Attributes are written
 * the way CVAT does. Polygons of the web tool LabelMe are read, not written.
 */
export const voc: Format = {
  id: 'voc',
  title: 'Pascal VOC XML',
  holds: {
    box: true,
    rotation: true,
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

async function detect(listing: Listing): Promise<number> {
  for (const path of xmlPaths(listing).slice(0, 3)) {
    const text = await readText(listing.tree, path).catch(() => '');
    if (/<annotation[\s>]/.test(text) && /<(filename|object|size)[\s>/]/.test(text)) return 0.9;
  }
  return 0;
}

async function read(listing: Listing, { report }: ReadContext): Promise<Dataset> {
  const splits = await splitsOf(listing);
  return {
    classes: await namesOf(listing),
    async *records() {
      const seen = new Set<string>();
      for (const path of xmlPaths(listing)) {
        const record = await readOne(listing, path, splits, report);
        if (!record) continue;
        seen.add(record.path);
        yield record;
      }
      yield* withoutXml(listing, seen, splits);
    },
  };
}

/** `labelmap.txt` of CVAT: a class before the first colon of each line. */
async function namesOf({ tree, paths }: Listing) {
  const path = paths.find((one) => baseOf(one) === 'labelmap.txt');
  const text = path ? await readText(tree, path, 4 * 2 ** 20).catch(() => '') : '';
  return text
    .split(/\r?\n/)
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ name: decodeURIComponentOr(line.split(':')[0] as string) }));
}

function decodeURIComponentOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Name of a picture without its ending → its part of the set. */
async function splitsOf({ tree, paths }: Listing): Promise<Map<string, string>> {
  const splits = new Map<string, string>();
  for (const path of paths.filter((one) => /(^|\/)ImageSets\/Main\/[^/]+\.txt$/i.test(one))) {
    const name = stemOf(baseOf(path));
    // `car_train.txt` repeats the names of `train.txt` for one class.
    if (/_(train|val|trainval|test)$/.test(name) || name === 'trainval') continue;
    const split = splitOfName(name);
    if (split === undefined) continue;
    const text = await readText(tree, path).catch(() => '');
    for (const line of text.split('\n')) {
      const stem = line.replace(/\s+-?\d\s*$/, '').trim();
      if (stem !== '') splits.set(stem, split);
    }
  }
  return splits;
}

async function readOne(
  listing: Listing,
  path: string,
  splits: ReadonlyMap<string, string>,
  report: Report,
): Promise<ImageRecord | undefined> {
  let root: XmlElement;
  try {
    root = parseXml(await readText(listing.tree, path));
  } catch (error) {
    if (!(error instanceof XmlBroken || error instanceof FileTooLarge)) throw error;
    report({ severity: 'error', code: 'broken-file', path, message: `${error.message}; left out` });
    return undefined;
  }
  if (root.name !== 'annotation') return undefined;
  const named = childText(root, 'filename') || `${stemOf(baseOf(path))}.jpg`;
  if (safePath(named) === undefined) {
    report({
      severity: 'error',
      code: 'unsafe-path',
      path,
      message: `filename "${named.slice(0, 200)}" leads out of the folder; left out`,
    });
    return undefined;
  }
  const name = imageName(path, safePath(named) as string);
  const size = childOf(root, 'size');
  const found = listing.images.find(name, [
    'JPEGImages',
    'Images',
    folderOf(path),
    joinPath(folderOf(folderOf(path)), 'JPEGImages'),
  ]);
  return compact<ImageRecord>({
    path: name,
    width: sideOf(childText(size, 'width')),
    height: sideOf(childText(size, 'height')),
    split: splits.get(stemOf(name)),
    annotations: childrenOf(root, 'object').flatMap((object) => readObject(object, path, report)),
    ...bytesOf(listing.tree, found, name, report),
  }) as ImageRecord;
}

/** Annotations in folders of their own stand for pictures in folders of the same names. */
function imageName(path: string, named: string): string {
  const inside = /(^|\/)Annotations\/(.+)$/.exec(path)?.[2] ?? baseOf(path);
  const folder = folderOf(inside);
  return named.startsWith(`${folder}/`) ? named : joinPath(folder, baseOf(named));
}

async function* withoutXml(
  { tree, imagePaths }: Listing,
  seen: ReadonlySet<string>,
  splits: ReadonlyMap<string, string>,
) {
  for (const path of imagePaths) {
    const name = /(^|\/)JPEGImages\/(.+)$/.exec(path)?.[2];
    if (name === undefined || seen.has(name)) continue;
    const split = splits.get(stemOf(name));
    yield {
      path: name,
      ...(split === undefined ? {} : { split }),
      annotations: [],
      bytes: () => tree.stream(path),
    };
  }
}

function readObject(object: XmlElement, path: string, report: Report): Annotation[] {
  const polygon = childOf(object, 'polygon');
  if (polygon) return readPolygon(object, polygon, path, report);
  const box = childOf(object, 'bndbox');
  const [xmin, ymin, xmax, ymax] = ['xmin', 'ymin', 'xmax', 'ymax'].map((side) =>
    numberOf(childText(box, side)),
  );
  if (
    xmin === undefined ||
    ymin === undefined ||
    xmax === undefined ||
    ymax === undefined ||
    xmax < xmin ||
    ymax < ymin
  ) {
    report({
      severity: 'error',
      code: 'bad-number',
      path,
      at: `line ${object.line}`,
      message: 'bndbox is not made of four finite numbers, the larger ones last; the object is left out',
    });
    return [];
  }
  const { rotation, ...attributes } = attributesOf(object) as Record<string, Value>;
  return [
    compact<Annotation>({
      label: childText(object, 'name') || undefined,
      box: {
        x: xmin,
        y: ymin,
        width: xmax - xmin,
        height: ymax - ymin,
        ...(typeof rotation === 'number' && rotation !== 0 ? { rotation } : {}),
      },
      attributes: Object.keys(attributes).length > 0 ? attributes : undefined,
    }) as Annotation,
  ];
}

/** The XML of the web tool LabelMe is of this form, but for polygons in place of boxes; what was deleted stays in it. */
function readPolygon(object: XmlElement, polygon: XmlElement, path: string, report: Report): Annotation[] {
  if (childText(object, 'deleted') === '1') return [];
  const ring = childrenOf(polygon, 'pt').flatMap((point) =>
    ['x', 'y'].map((name) => numberOf(childText(point, name))),
  );
  if (ring.length < 6 || ring.some((value) => value === undefined)) {
    report({
      severity: 'error',
      code: 'bad-number',
      path,
      at: `line ${object.line}`,
      message:
        'polygon is not made of three points or more, each of two finite numbers; the object is left out',
    });
    return [];
  }
  const label = childText(object, 'name') || undefined;
  return [compact<Annotation>({ label, polygons: [ring as number[]] }) as Annotation];
}

const flags = ['truncated', 'difficult', 'occluded'];

function attributesOf(object: XmlElement): Attributes {
  const pose = childText(object, 'pose');
  const list = childrenOf(childOf(object, 'attributes') ?? object, 'attribute');
  return Object.fromEntries([
    ...flags.filter((flag) => childText(object, flag) === '1').map((flag) => [flag, true]),
    ...(pose && pose !== 'Unspecified' ? [['pose', pose]] : []),
    ...list.map((one) => [childText(one, 'name') ?? '', valueOfText(childOf(one, 'value')?.text ?? '')]),
  ]);
}

// Writing ---------------------------------------------------------------------------------------------------------

async function write(dataset: Dataset, sink: FileSink, { withImages, report }: WriteContext): Promise<void> {
  const lists = new Map<string, string[]>();
  const names = new Set(dataset.classes.map(({ name }) => name));
  const unique = uniquePaths();
  for await (const record of dataset.records()) {
    const stem = unique(stemOf(record.path));
    const path = stem + record.path.slice(stemOf(record.path).length);
    if (path !== record.path) {
      report({
        severity: 'warning',
        code: 'name-clash',
        path: record.path,
        message: `is written as ${path}, since another picture has its name`,
      });
    }
    for (const { label } of record.annotations) if (label !== undefined) names.add(label);
    await sink.add(`Annotations/${stem}.xml`, [utf8(showRecord(record, path))]);
    if (withImages && record.bytes) await sink.add(`JPEGImages/${path}`, record.bytes());
    const split = record.split ?? noSplit;
    lists.set(split, [...(lists.get(split) ?? []), stem]);
  }
  for (const [split, stems] of lists) {
    await sink.add(`ImageSets/Main/${split}.txt`, [utf8(stems.map((stem) => `${stem}\n`).join(''))]);
  }
  const map = [...names].map((name) => `${name.replace(/[%:#\r\n]/g, encodeURIComponent)}:::\n`);
  await sink.add('labelmap.txt', [utf8(`# label:color_rgb:parts:actions\n${map.join('')}`)]);
}

const showRecord = (record: ImageRecord, path: string): string =>
  `${[
    '<annotation>',
    '<folder></folder>',
    leaf('filename', path),
    '<source><database>Unknown</database></source>',
    `<size>${leaf('width', record.width ?? 0)}${leaf('height', record.height ?? 0)}<depth>3</depth></size>`,
    '<segmented>0</segmented>',
    ...record.annotations.map(showObject),
    '</annotation>',
  ].join('\n')}\n`;

function showObject(one: Annotation): string {
  const { box, attributes = {} } = one;
  if (!box) return '';
  const { truncated, difficult, occluded, pose, ...others } = attributes;
  const given: Record<string, Value | undefined> = { truncated, difficult, occluded };
  // Only a plain yes fits the tag; any other value of that name is an attribute like the rest.
  const rest = Object.entries({ ...given, ...others }).filter(
    ([name, value]) => value !== undefined && !(flags.includes(name) && value === true),
  );
  const isPlainPose =
    typeof pose === 'string' && pose !== '' && pose.trim() === pose && valueOfText(pose) === pose;
  if (pose !== undefined && !isPlainPose) rest.push(['pose', pose]);
  if (box.rotation) rest.push(['rotation', box.rotation]);
  return xml(
    'object',
    {},
    leaf('name', one.label ?? 'object'),
    leaf('pose', isPlainPose ? pose : 'Unspecified'),
    ...flags.map((flag) => leaf(flag, given[flag] === true ? 1 : 0)),
    xml(
      'bndbox',
      {},
      leaf('xmin', box.x),
      leaf('ymin', box.y),
      leaf('xmax', box.x + box.width),
      leaf('ymax', box.y + box.height),
    ),
    rest.length === 0
      ? ''
      : xml(
          'attributes',
          {},
          ...rest.map(([name, value]) =>
            xml('attribute', {}, leaf('name', name), leaf('value', String(value))),
          ),
        ),
  );
}
