import {
  attributesOf,
  fieldsOf,
  keypointsOf,
  listOf,
  maskOf,
  numberOf,
  numbersOf,
  ringOf,
  shareOf,
  sideOf,
} from '../fields.ts';
import { type FileSink, type Spool, utf8 } from '../files.ts';
import type { Format, Listing, ReadContext, WriteContext } from '../format.ts';
import { packCounts } from '../geometry/rle.ts';
import { folderOf, joinPath, noSplit, safePath, splitOfName, uniquePaths } from '../paths.ts';
import { type Report, reportBroken, type WhereAt } from '../problems.ts';
import {
  type Annotation,
  compact,
  type Dataset,
  type ImageRecord,
  isPlaced,
  type Keypoint,
} from '../record.ts';
import { CsvBroken, csvLine, type Row, scanCsvRows } from '../text/csv.ts';
import { JsonBroken, parseJson } from '../text/json-scan.ts';
import { bytesOf } from '../tree-bytes.ts';

/**
 * Plain CSV: a row per annotation, a row without a label for a picture without any. Columns go by many usual names
 * (`filename`, `class`, `x1` …); those that we write are in `columns`.
 */
export const csv: Format = {
  id: 'csv',
  title: 'CSV',
  holds: {
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
    pieces: true,
    'image-attributes': true,
  },
  detect,
  read,
  write,
};

const names = {
  image: ['image', 'filename', 'file_name', 'file', 'path', 'image_path', 'img', 'url'],
  label: ['label', 'class', 'category', 'class_name', 'label_name', 'concept', 'species'],
  xmin: ['xmin', 'x_min', 'x1', 'left', 'xtl'],
  ymin: ['ymin', 'y_min', 'y1', 'top', 'ytl'],
  xmax: ['xmax', 'x_max', 'x2', 'right', 'xbr'],
  ymax: ['ymax', 'y_max', 'y2', 'bottom', 'ybr'],
  width: ['width', 'image_width', 'img_width'],
  height: ['height', 'image_height', 'img_height'],
  split: ['split', 'set', 'subset', 'partition', 'usage'],
  text: ['text', 'caption'],
  score: ['score', 'confidence'],
} as const;

const columns = [
  'image_id',
  'image',
  'split',
  'width',
  'height',
  'frame',
  'image_attributes',
  'annotation_id',
  'label',
  'xmin',
  'ymin',
  'xmax',
  'ymax',
  'rotation',
  'polygon',
  'mask',
  'keypoints',
  'point',
  'text',
  'area',
  'score',
  'crowd',
  'track',
  'attributes',
] as const;

const csvPaths = ({ paths }: Listing) =>
  paths.filter((path) => /\.(csv|tsv)$/i.test(path) && !/(^|\/)\./.test(path));

type Column = keyof typeof names | (typeof columns)[number];

/** What each of our columns is called in this file. */
function columnsOf(header: readonly string[]): Map<Column, string> {
  const found = new Map<Column, string>();
  const plain = new Map(header.map((name) => [name.trim().toLowerCase().replaceAll(/[ -]/g, '_'), name]));
  for (const column of new Set<Column>([...(Object.keys(names) as Column[]), ...columns])) {
    const spelled = [column, ...(Object.hasOwn(names, column) ? names[column as keyof typeof names] : [])];
    const known = spelled.find((name) => plain.has(name));
    if (known !== undefined) found.set(column, plain.get(known) as string);
  }
  return found;
}

async function detect({ tree, ...listing }: Listing): Promise<number> {
  for (const path of csvPaths({ tree, ...listing }).slice(0, 3)) {
    try {
      for await (const { names: header } of scanCsvRows(tree.stream(path))) {
        const known = columnsOf(header);
        if (known.has('image') && (known.has('label') || known.has('xmin') || known.has('text'))) return 0.8;
        break;
      }
    } catch (error) {
      if (!(error instanceof CsvBroken)) throw error;
    }
  }
  return 0;
}

// Reading ---------------------------------------------------------------------------------------------------------

async function read(listing: Listing, { report }: ReadContext): Promise<Dataset> {
  return {
    classes: [],
    async *records() {
      for (const path of csvPaths(listing)) yield* readFile(listing, path, report);
    },
  };
}

/** Rows of a picture mostly stand together; where they do not, all of the file is held until its end. */
async function* readFile(listing: Listing, path: string, report: Report): AsyncGenerator<ImageRecord> {
  const pictures = new Map<string, { record: ImageRecord; annotations: Annotation[] }>();
  try {
    for await (const { row, line, names: header } of scanCsvRows(listing.tree.stream(path))) {
      const cell = cellsOf(row, columnsOf(header));
      const where = { path, at: `line ${line}`, report };
      const named = cell('image');
      if (named === undefined) {
        if (!columnsOf(header).has('image')) return;
        report({
          severity: 'error',
          code: 'broken-item',
          ...placeIn(where),
          message: 'names no picture; left out',
        });
        continue;
      }
      const name = safePath(named.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*\//i, ''));
      if (name === undefined) {
        report({
          severity: 'error',
          code: 'unsafe-path',
          ...placeIn(where),
          message: `"${named.slice(0, 200)}" leads out of the folder; left out`,
        });
        continue;
      }
      const key = `${cell('split') ?? ''}\0${name}`;
      const picture = pictures.get(key) ?? {
        record: readImage(listing, name, cell, path, report),
        annotations: [],
      };
      pictures.set(key, picture);
      const one = readAnnotation(cell, picture.record, where);
      if (one) picture.annotations.push(one);
    }
  } catch (error) {
    reportBroken(error, CsvBroken, path, report);
  }
  for (const { record, annotations } of pictures.values()) yield { ...record, annotations };
}

const placeIn = ({ path, at }: WhereAt) => ({ path, at });

type Cells = (column: Column) => string | undefined;

const cellsOf =
  (row: Row, known: ReadonlyMap<Column, string>): Cells =>
  (column) => {
    const name = known.get(column);
    const text = name === undefined ? undefined : row[name];
    return text === '' ? undefined : text;
  };

function readImage(listing: Listing, name: string, cell: Cells, path: string, report: Report): ImageRecord {
  const named = cell('split');
  const split = named === undefined ? undefined : splitOfName(named);
  const folder = folderOf(path);
  const found = listing.images.find(name, [
    joinPath(folder, 'images', split ?? noSplit),
    joinPath(folder, 'images'),
    joinPath(folder, split),
    folder,
  ]);
  const frame = numberOf(cell('frame'));
  return compact<ImageRecord>({
    id: cell('image_id'),
    path: name,
    split,
    width: sideOf(numberOf(cell('width'))),
    height: sideOf(numberOf(cell('height'))),
    frame: frame !== undefined && frame >= 0 ? frame : undefined,
    attributes: attributesOf(jsonIn(cell('image_attributes'))),
    annotations: [],
    ...bytesOf(listing.tree, found, name, report),
  }) as ImageRecord;
}

function jsonIn(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return parseJson(text).value;
  } catch (error) {
    if (!(error instanceof JsonBroken)) throw error;
    return undefined;
  }
}

function readAnnotation(cell: Cells, image: ImageRecord, where: WhereAt): Annotation | undefined {
  const one = compact<Annotation>({
    id: cell('annotation_id'),
    label: cell('label'),
    box: readBox(cell, image, where),
    polygons: readPolygons(cell, where),
    mask: readMask(cell, where),
    keypoints: readKeypoints(cell, where),
    point: readPoint(cell),
    text: cell('text'),
    area: numberOf(cell('area')),
    score: shareOf(cell('score')),
    crowd: cell('crowd') === '1' || cell('crowd') === 'true' || undefined,
    track: cell('track'),
    attributes: attributesOf(jsonIn(cell('attributes'))),
  }) as Annotation;
  return isPlaced(one) || one.label !== undefined || one.text !== undefined ? one : undefined;
}

const wrong = ({ path, at, report }: WhereAt, column: string) =>
  report({
    severity: 'error',
    code: 'bad-number',
    path,
    at,
    message: `${column} cannot be read; it is left out`,
  });

/** Corners in pixels, or in parts of the picture where none is larger than one and the picture is. */
function readBox(cell: Cells, { width, height }: ImageRecord, where: WhereAt) {
  const sides = (['xmin', 'ymin', 'xmax', 'ymax'] as const).map(cell);
  if (sides.every((side) => side === undefined)) return undefined;
  const numbers = sides.map(numberOf);
  const [x, y, right, bottom] = numbers;
  if (
    x === undefined ||
    y === undefined ||
    right === undefined ||
    bottom === undefined ||
    right < x ||
    bottom < y
  ) {
    wrong(where, 'the box');
    return undefined;
  }
  const isInParts =
    width &&
    height &&
    sides.some((side) => side?.includes('.')) &&
    Math.max(...(numbers as number[])) <= 1 &&
    cell('annotation_id') === undefined;
  const [wide, high] = isInParts ? [width, height] : [1, 1];
  const rotation = numberOf(cell('rotation'));
  return {
    x: x * wide,
    y: y * high,
    width: (right - x) * wide,
    height: (bottom - y) * high,
    ...(rotation ? { rotation } : {}),
  };
}

function readPolygons(cell: Cells, where: WhereAt) {
  const text = cell('polygon');
  if (text === undefined) return undefined;
  const value = listOf(jsonIn(text));
  const rings = (Array.isArray(value[0]) ? value : [value]).map(ringOf);
  if (rings.length > 0 && rings.every((ring) => ring !== undefined)) return rings;
  wrong(where, 'polygon');
  return undefined;
}

function readMask(cell: Cells, where: WhereAt) {
  const text = cell('mask');
  if (text === undefined) return undefined;
  const mask = maskOf(fieldsOf(jsonIn(text)));
  if (mask) return mask;
  wrong(where, 'mask');
  return undefined;
}

function readKeypoints(cell: Cells, where: WhereAt): Keypoint[] | undefined {
  const text = cell('keypoints');
  if (text === undefined) return undefined;
  const keypoints = keypointsOf(jsonIn(text));
  if (!keypoints) wrong(where, 'keypoints');
  return keypoints;
}

function readPoint(cell: Cells) {
  const [x, y] = numbersOf(jsonIn(cell('point'))) ?? [];
  return x === undefined || y === undefined ? undefined : { x, y };
}

// Writing ---------------------------------------------------------------------------------------------------------

async function write(dataset: Dataset, sink: FileSink, { withImages, report }: WriteContext): Promise<void> {
  const rows = sink.spool();
  const unique = uniquePaths();
  try {
    await rows.write(utf8(csvLine(columns)));
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
      await writeRows(rows, record, path.split('/').slice(2).join('/'));
      if (withImages && record.bytes) await sink.add(path, record.bytes());
    }
    await sink.add('annotations.csv', rows.read());
  } finally {
    await rows.close();
  }
}

async function writeRows(rows: Spool, record: ImageRecord, name: string): Promise<void> {
  const image = [
    record.id,
    name,
    record.split,
    record.width,
    record.height,
    record.frame,
    jsonOf(record.attributes),
  ];
  const list = record.annotations.length > 0 ? record.annotations : [undefined];
  for (const one of list) await rows.write(utf8(csvLine([...image, ...cellsFor(one)])));
}

const jsonOf = (value: unknown): string | undefined =>
  value === undefined ? undefined : JSON.stringify(value);

function cellsFor(one: Annotation | undefined): (string | number | undefined)[] {
  const { box, mask, keypoints, point } = one ?? {};
  return [
    one?.id,
    one?.label,
    box?.x,
    box?.y,
    box && box.x + box.width,
    box && box.y + box.height,
    box?.rotation,
    jsonOf(one?.polygons),
    mask && JSON.stringify({ size: [mask.height, mask.width], counts: packCounts(mask.counts) }),
    jsonOf(keypoints?.flatMap(({ x, y, visibility }) => [x, y, visibility])),
    point && JSON.stringify([point.x, point.y]),
    one?.text,
    one?.area,
    one?.score,
    one?.crowd ? 1 : undefined,
    one?.track,
    jsonOf(one?.attributes),
  ];
}
