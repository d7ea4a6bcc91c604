import {
  attributesOf,
  type Fields,
  fieldsOf,
  get,
  listOf,
  numberOf,
  numbersOf,
  sideOf,
  textField,
} from '../fields.ts';
import { type FileSink, type Spool, textOf, utf8 } from '../files.ts';
import type { Format, Listing, ReadContext, WriteContext } from '../format.ts';
import { packBrush, unpackBrush } from '../geometry/brush.ts';
import { numberer, steady } from '../numbers.ts';
import { baseOf, joinPath, noSplit, safePath, splitOfName, uniquePaths } from '../paths.ts';
import { type Report, reportBroken, type WhereAt } from '../problems.ts';
import { type Annotation, type Box, compact, type Dataset, type ImageRecord } from '../record.ts';
import { JsonBroken, parseJson, scanJson } from '../text/json-scan.ts';
import { bytesOf } from '../tree-bytes.ts';

/**
 * Label Studio: one JSON list of tasks. Places are in parts of a hundred of the picture; a turned box turns about its
 * top left corner. Ids, splits and sides stand in a task's `data`, attributes in a result's `meta`.
 */
export const labelStudio: Format = {
  id: 'label-studio',
  title: 'Label Studio JSON',
  holds: {
    box: true,
    rotation: true,
    polygon: true,
    mask: true,
    point: true,
    text: true,
    'image-label': true,
    'several-labels': true,
    unlabelled: true,
    attributes: true,
    'image-attributes': true,
    score: true,
    split: true,
    'other-splits': true,
    'empty-images': true,
    'image-ids': true,
    'annotation-ids': true,
    'image-size': true,
    frame: true,
  },
  detect,
  read,
  write,
};

const jsonPaths = ({ paths }: Listing) =>
  paths.filter((path) => /\.json$/i.test(path) && !/(^|\/)\./.test(path));

async function detect(listing: Listing): Promise<number> {
  for (const path of jsonPaths(listing).slice(0, 3)) {
    try {
      for await (const { key, inArray, bytes } of scanJson(listing.tree.stream(path))) {
        if (key !== '' || !inArray) break;
        const task = fieldsOf(parseJson(textOf(bytes)).value);
        if (
          fieldsOf(get(task, 'data')) &&
          (Array.isArray(get(task, 'annotations')) || Array.isArray(get(task, 'completions')))
        )
          return 0.95;
        break;
      }
    } catch (error) {
      if (!(error instanceof JsonBroken)) throw error;
    }
  }
  return 0;
}

// Reading ---------------------------------------------------------------------------------------------------------

async function read(listing: Listing, { report }: ReadContext): Promise<Dataset> {
  return {
    // Tasks name no list of classes; they come in the order in which they are met.
    classes: [],
    async *records() {
      for (const path of jsonPaths(listing)) yield* readTasks(listing, path, report);
    },
  };
}

async function* readTasks(listing: Listing, path: string, report: Report): AsyncGenerator<ImageRecord> {
  let index = 0;
  try {
    for await (const { key, inArray, bytes } of scanJson(listing.tree.stream(path))) {
      if (key !== '' || !inArray) continue;
      const record = readTask(listing, textOf(bytes), { path, at: `[${index++}]`, report });
      if (record) yield record;
    }
  } catch (error) {
    reportBroken(error, JsonBroken, path, report);
  }
}

function readTask(listing: Listing, text: string, where: WhereAt): ImageRecord | undefined {
  const { path, at, report } = where;
  let task: Fields | undefined;
  try {
    task = fieldsOf(parseJson(text).value);
  } catch (error) {
    report({
      severity: 'error',
      code: 'broken-item',
      path,
      at,
      message: `${(error as Error).message}; left out`,
    });
    return undefined;
  }
  const data = fieldsOf(get(task, 'data'));
  const link = ['image', 'img', 'url', 'image_url', 'ocr']
    .map((name) => textField(get(data, name)))
    .find((one) => one !== undefined);
  const name = link === undefined ? undefined : nameOfLink(link);
  if (name === undefined) {
    report({
      severity: 'error',
      code: link === undefined ? 'broken-item' : 'unsafe-path',
      path,
      at,
      message: `data.image "${(link ?? '').slice(0, 200)}" names no picture inside the folder; left out`,
    });
    return undefined;
  }
  const split = textField(get(data, 'split'));
  const found =
    listing.images.find(name, []) ?? listing.images.find(baseOf(name).replace(/^[0-9a-f]{8}-/, ''), []);
  const said = { width: sideOf(get(data, 'width')), height: sideOf(get(data, 'height')) };
  const annotations = readResults(task, where);
  const frame = numberOf(get(data, 'frame'));
  return compact<ImageRecord>({
    id: textField(get(data, 'id')) ?? textField(get(task, 'id')),
    path: withoutFolders(name, split),
    split: split === undefined ? undefined : splitOfName(split),
    width: said.width ?? annotations.size?.width,
    height: said.height ?? annotations.size?.height,
    frame: frame !== undefined && frame >= 0 ? frame : undefined,
    attributes: attributesOf(get(data, 'attributes')),
    annotations: annotations.list,
    ...bytesOf(listing.tree, found, name, report),
  }) as ImageRecord;
}

/** `/data/local-files/?d=a/b.jpg`, `/data/upload/3/1a2b3c4d-b.jpg`, `s3://bucket/a/b.jpg`, `https://…/b.jpg?x`, `a/b.jpg`. */
function nameOfLink(link: string): string | undefined {
  const local = /[?&]d=([^&]*)/.exec(link)?.[1];
  const plain = local ?? link.replace(/[?#].*$/, '');
  const rest =
    /^[a-z][a-z0-9+.-]*:\/\/[^/]*\/(.*)$/i.exec(plain)?.[1] ??
    plain.replace(/^\/(data\/upload\/(\d+\/)?)?/, '');
  try {
    return safePath(local === undefined && !/%[0-9a-f]{2}/i.test(rest) ? rest : decodeURIComponent(rest));
  } catch {
    return safePath(rest);
  }
}

/** The folders that we lay pictures in are no part of their names. */
function withoutFolders(name: string, split: string | undefined): string {
  for (const folder of [joinPath('images', split), joinPath('images', noSplit)]) {
    if (split === undefined && folder === 'images') continue;
    if (name.startsWith(`${folder}/`)) return name.slice(folder.length + 1);
  }
  return name;
}

type Size = { width: number; height: number };

/** The first annotation is the one that counts; predictions where there is none. */
function readResults(task: Fields | undefined, { path, at, report }: WhereAt) {
  const sets = listOf(get(task, 'annotations') ?? get(task, 'completions')).map(fieldsOf);
  const chosen =
    sets.find((one) => one && get(one, 'was_cancelled') !== true) ??
    fieldsOf(listOf(get(task, 'predictions'))[0]);
  if (sets.length > 1) {
    report({
      severity: 'warning',
      code: 'duplicate',
      path,
      at,
      message: `has ${sets.length} annotations of the same picture; the first one is taken`,
    });
  }
  const list: Annotation[] = [];
  let size: Size | undefined;
  for (const [i, one] of listOf(get(chosen, 'result')).entries()) {
    const result = fieldsOf(one);
    const read = result && readResult(result);
    if (!read) {
      report({
        severity: 'error',
        code: 'broken-item',
        path,
        at: `${at}.result[${i}]`,
        message: `a result of type ${String(get(result, 'type'))} with such values cannot be read; left out`,
      });
      continue;
    }
    size ??= sizeOfResult(result);
    list.push(...read);
  }
  return { list, size };
}

function sizeOfResult(result: Fields): Size | undefined {
  const [width, height] = [sideOf(get(result, 'original_width')), sideOf(get(result, 'original_height'))];
  return width && height ? { width, height } : undefined;
}

function readResult(result: Fields): Annotation[] | undefined {
  const value = fieldsOf(get(result, 'value'));
  const type = textField(get(result, 'type')) ?? '';
  if (!value) return undefined;
  const common = commonOf(result);
  if (type === 'choices')
    return listOf(get(value, 'choices')).map((label, i) => ({
      ...withPart(common, i),
      label: String(label),
    }));
  if (type === 'textarea')
    return listOf(get(value, 'text')).map((text, i) => ({ ...withPart(common, i), text: String(text) }));
  const size = sizeOfResult(result);
  const place = size && placeOf(type, value, size);
  if (!place) return undefined;
  const labels = listOf(get(value, type.endsWith('labels') ? type : 'labels')).map(String);
  return (labels.length > 0 ? labels : [undefined]).map(
    (label, i) => compact<Annotation>({ ...withPart(common, i), label, ...place }) as Annotation,
  );
}

const withPart = (common: Annotation, part: number): Annotation =>
  part === 0 || common.id === undefined ? common : { ...common, id: `${common.id}-${part + 1}` };

function commonOf(result: Fields): Annotation {
  const meta = fieldsOf(get(result, 'meta'));
  const score = numberOf(get(result, 'score'));
  return compact<Annotation>({
    id: textField(get(result, 'id')),
    score: score !== undefined && score >= 0 && score <= 1 ? score : undefined,
    attributes: attributesOf(get(meta, 'attributes')),
  }) as Annotation;
}

function placeOf(type: string, value: Fields, { width, height }: Size): Partial<Annotation> | undefined {
  const across = (name: string) => scaled(numberOf(get(value, name)), width);
  const down = (name: string) => scaled(numberOf(get(value, name)), height);
  const [x, y] = [across('x'), down('y')];
  if (type.startsWith('rectangle')) {
    const [w, h] = [across('width'), down('height')];
    if (x === undefined || y === undefined || w === undefined || h === undefined) return undefined;
    return {
      box: turnedAboutCentre({ x, y, width: w, height: h, rotation: numberOf(get(value, 'rotation')) ?? 0 }),
    };
  }
  if (type.startsWith('polygon')) {
    const points = listOf(get(value, 'points')).map((point) => numbersOf(point) ?? []);
    if (points.length < 3 || points.some((point) => point.length !== 2)) return undefined;
    return {
      polygons: [
        points.flatMap(([px, py]) => [((px as number) * width) / 100, ((py as number) * height) / 100]),
      ],
    };
  }
  if (type.startsWith('keypoint'))
    return x === undefined || y === undefined ? undefined : { point: { x, y } };
  if (type.startsWith('ellipse')) {
    const [rx, ry] = [across('radiusX'), down('radiusY')];
    if (x === undefined || y === undefined || rx === undefined || ry === undefined) return undefined;
    const angles = Array.from({ length: 32 }, (_, i) => (i * Math.PI) / 16);
    return { polygons: [angles.flatMap((angle) => [x + rx * Math.cos(angle), y + ry * Math.sin(angle)])] };
  }
  if (type.startsWith('brush')) {
    const packed = numbersOf(get(value, 'rle'));
    const mask = packed && unpackBrush(packed, width, height);
    return mask && { mask };
  }
  return undefined;
}

const scaled = (value: number | undefined, side: number) =>
  value === undefined ? undefined : (value * side) / 100;

/** WhereAt the unrotated box lies when the turn is about the middle instead of the top left corner; and back. */
function turnedAboutCentre({ x, y, width, height, rotation }: Required<Box>): Box {
  if (rotation % 360 === 0) return { x, y, width, height };
  const [dx, dy] = centreOf(width, height, rotation);
  const turned = ((rotation % 360) + 360) % 360;
  return { x: x + dx - width / 2, y: y + dy - height / 2, width, height, rotation: turned };
}

function turnedAboutCorner({ x, y, width, height, rotation = 0 }: Box) {
  const [dx, dy] = centreOf(width, height, rotation);
  return { x: x + width / 2 - dx, y: y + height / 2 - dy };
}

/** From the top left corner to the middle, after the turn. */
function centreOf(width: number, height: number, rotation: number): [number, number] {
  const angle = (rotation * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return [(width / 2) * cos - (height / 2) * sin, (width / 2) * sin + (height / 2) * cos];
}

// Writing ---------------------------------------------------------------------------------------------------------

async function write(dataset: Dataset, sink: FileSink, { withImages, report }: WriteContext): Promise<void> {
  const tasks: Spool = sink.spool();
  const unique = uniquePaths();
  const taskNumber = numberer();
  const seen = { labels: new Set(dataset.classes.map(({ name }) => name)) };
  let count = 0;
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
      for (const { label } of record.annotations) if (label !== undefined) seen.labels.add(label);
      const task = JSON.stringify(showTask(record, path, taskNumber(record.id ?? path)));
      await tasks.write(utf8(count++ === 0 ? task : `,\n${task}`));
      if (withImages && record.bytes) await sink.add(path, record.bytes());
    }
    await sink.add('tasks.json', documentOf(tasks));
  } finally {
    await tasks.close();
  }
}

async function* documentOf(tasks: Spool) {
  yield utf8('[\n');
  yield* tasks.read();
  yield utf8('\n]\n');
}

function showTask(record: ImageRecord, path: string, number: number) {
  const { width, height } = record;
  const size = width && height ? { width, height } : undefined;
  return {
    id: number,
    data: {
      image: `/data/local-files/?d=${path.split('/').map(encodeURIComponent).join('/')}`,
      ...(record.id === undefined || record.id === String(number) ? {} : { id: record.id }),
      ...(record.split === undefined ? {} : { split: record.split }),
      ...(size ?? {}),
      ...(record.frame === undefined ? {} : { frame: record.frame }),
      ...(record.attributes ? { attributes: record.attributes } : {}),
    },
    annotations: [
      {
        result: record.annotations.flatMap((one) => showResult(one, size)),
        was_cancelled: false,
        ground_truth: false,
      },
    ],
    predictions: [],
  };
}

function showResult(one: Annotation, size: Size | undefined): object[] {
  const common = {
    ...(one.id === undefined ? {} : { id: one.id }),
    ...(one.score === undefined ? {} : { score: one.score }),
    ...(one.attributes ? { meta: { attributes: one.attributes } } : {}),
  };
  if (one.text !== undefined)
    return [
      { ...common, type: 'textarea', from_name: 'text', to_name: 'image', value: { text: [one.text] } },
    ];
  const place = showPlace(one, size);
  if (!place) {
    return one.label === undefined || one.box || one.polygons || one.mask || one.point
      ? []
      : [
          {
            ...common,
            type: 'choices',
            from_name: 'choice',
            to_name: 'image',
            value: { choices: [one.label] },
          },
        ];
  }
  const type = one.label === undefined ? place.type : `${place.type}labels`;
  return [
    {
      ...common,
      type,
      from_name: type,
      to_name: 'image',
      original_width: size?.width,
      original_height: size?.height,
      image_rotation: 0,
      value: { ...place.value, ...(one.label === undefined ? {} : { [type]: [one.label] }) },
    },
  ];
}

function showPlace(
  { box, polygons, mask, point }: Annotation,
  size: Size | undefined,
): { type: string; value: object } | undefined {
  if (!size) return undefined;
  const across = (value: number) => steady((value / size.width) * 100);
  const down = (value: number) => steady((value / size.height) * 100);
  if (mask) return { type: 'brush', value: { format: 'rle', rle: packBrush(mask) } };
  if (polygons) {
    const ring = polygons[0] ?? [];
    const points = Array.from({ length: ring.length / 2 }, (_, i) => [
      across(ring[2 * i] as number),
      down(ring[2 * i + 1] as number),
    ]);
    return { type: 'polygon', value: { points, closed: true } };
  }
  if (box) {
    const { x, y } = box.rotation ? turnedAboutCorner(box) : box;
    const value = {
      x: across(x),
      y: down(y),
      width: across(box.width),
      height: down(box.height),
      rotation: box.rotation ?? 0,
    };
    return { type: 'rectangle', value };
  }
  return point && { type: 'keypoint', value: { x: across(point.x), y: down(point.y), width: 0.5 } };
}
