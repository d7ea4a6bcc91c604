import {
  attributesOf,
  type Fields,
  fieldsOf,
  get,
  listOf,
  maskOf,
  numberOf,
  numbersOf,
  ringOf,
  shareOf,
  sideOf,
  textField,
  visibilityOf,
} from '../fields.ts';
import { textOf } from '../files.ts';
import type { Listing, ReadContext } from '../format.ts';
import { baseOf, folderOf, joinPath, noSplit, safePath, splitOfName, stemOf } from '../paths.ts';
import { type Report, reportBroken, type WhereAt } from '../problems.ts';
import {
  type Annotation,
  type ClassInfo,
  compact,
  type Dataset,
  type ImageRecord,
  type Keypoint,
} from '../record.ts';
import { JsonBroken, parseJson, scanJson } from '../text/json-scan.ts';
import { bytesOf } from '../tree-bytes.ts';

export const jsonPaths = ({ paths }: Listing) =>
  paths.filter((path) => /\.json$/i.test(path) && !/(^|\/)\./.test(path));

/** Categories first, then item by item: no file is held in memory. */
export async function readDatumaro(listing: Listing, { report }: ReadContext): Promise<Dataset> {
  const files: { path: string; classes: ClassInfo[] }[] = [];
  for (const path of jsonPaths(listing)) {
    const classes = await readCategories(listing, path, report);
    if (classes) files.push({ path, classes });
  }
  const all = new Map(files.flatMap(({ classes }) => classes.map((info) => [info.name, info])));
  return {
    classes: [...all.values()],
    async *records() {
      for (const { path, classes } of files) yield* readItems(listing, path, classes, report);
    },
  };
}

async function readCategories(
  { tree }: Listing,
  path: string,
  report: Report,
): Promise<ClassInfo[] | undefined> {
  try {
    for await (const { key, inArray, bytes } of scanJson(tree.stream(path))) {
      if (key === 'categories' && !inArray) return categoriesOf(fieldsOf(parseJson(textOf(bytes)).value));
      if (key === 'items') return [];
    }
  } catch (error) {
    if (!(error instanceof JsonBroken)) throw error;
    report({ severity: 'error', code: 'broken-file', path, message: `${error.message}; left out` });
  }
  return undefined;
}

function categoriesOf(fields: Fields | undefined): ClassInfo[] {
  const labels = listOf(get(fieldsOf(get(fields, 'label')), 'labels'));
  const points = new Map(
    listOf(get(fieldsOf(get(fields, 'points')), 'items')).map((item) => {
      const one = fieldsOf(item);
      return [numberOf(get(one, 'label_id')), one];
    }),
  );
  return labels.map((label, i) => {
    const own = points.get(i);
    const keypoints = listOf(get(own, 'labels')).map(String);
    const joints = listOf(get(own, 'joints')).flatMap((joint): [number, number][] => {
      const [from, to] = numbersOf(joint) ?? [];
      return from && to ? [[from - 1, to - 1]] : [];
    });
    return compact<ClassInfo>({
      name: textField(get(fieldsOf(label), 'name')) ?? `class ${i}`,
      supercategory: textField(get(fieldsOf(label), 'parent')) || undefined,
      keypoints: keypoints.length > 0 ? keypoints : undefined,
      skeleton: joints.length > 0 ? joints : undefined,
    }) as ClassInfo;
  });
}

async function* readItems(
  listing: Listing,
  path: string,
  classes: readonly ClassInfo[],
  report: Report,
): AsyncGenerator<ImageRecord> {
  const split = splitOfName(stemOf(baseOf(path)));
  let index = 0;
  try {
    for await (const { key, inArray, bytes } of scanJson(listing.tree.stream(path))) {
      if (key !== 'items' || !inArray) continue;
      const record = readItem(listing, textOf(bytes), split, classes, {
        path,
        at: `items[${index++}]`,
        report,
      });
      if (record) yield record;
    }
  } catch (error) {
    reportBroken(error, JsonBroken, path, report);
  }
}

function readItem(
  listing: Listing,
  text: string,
  split: string | undefined,
  classes: readonly ClassInfo[],
  { path, at, report }: WhereAt,
): ImageRecord | undefined {
  let item: Fields | undefined;
  try {
    item = fieldsOf(parseJson(text).value);
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
  const image = fieldsOf(get(item, 'image')) ?? fieldsOf(get(item, 'media'));
  const id = textField(get(item, 'id'));
  const named = textField(get(image, 'path')) || (id === undefined ? undefined : `${id}.jpg`);
  const name = named === undefined ? undefined : safePath(named);
  if (name === undefined) {
    report({
      severity: 'error',
      code: named === undefined ? 'broken-item' : 'unsafe-path',
      path,
      at,
      message: `"${(named ?? '').slice(0, 200)}" is no path of a picture inside the folder; left out`,
    });
    return undefined;
  }
  const [height, width] = numbersOf(get(image, 'size')) ?? [];
  const { source_id, frame, ...attributes } = (attributesOf(get(item, 'attr')) ?? {}) as Record<
    string,
    never
  >;
  const base = folderOf(folderOf(path));
  const folder = joinPath(base, 'images');
  const found = listing.images.find(name, [joinPath(folder, split ?? noSplit), folder]);
  const place = { width: sideOf(width), height: sideOf(height) };
  return compact<ImageRecord>({
    id: textField(source_id) ?? id,
    path: name,
    split,
    ...place,
    frame: typeof frame === 'number' && frame >= 0 ? frame : undefined,
    attributes: Object.keys(attributes).length > 0 ? attributes : undefined,
    annotations: listOf(get(item, 'annotations')).flatMap((one, i) =>
      readAnnotation(fieldsOf(one), classes, place, { path, at: `${at}.annotations[${i}]`, report }),
    ),
    ...bytesOf(listing.tree, found, name, report),
  }) as ImageRecord;
}

type Size = { width: number | undefined; height: number | undefined };

function readAnnotation(
  one: Fields | undefined,
  classes: readonly ClassInfo[],
  size: Size,
  { path, at, report }: WhereAt,
): Annotation[] {
  const shape = one && readShape(one, size);
  const labelId = numberOf(get(one, 'label_id'));
  const label = labelId === undefined || labelId < 0 ? undefined : classes[labelId]?.name;
  if (!one || !shape || (get(one, 'type') === 'label' && label === undefined)) {
    report({
      severity: 'error',
      code: 'broken-item',
      path,
      at,
      message: `an annotation of type ${String(get(one, 'type'))} with such values cannot be read; left out`,
    });
    return [];
  }
  const { source_id, score, is_crowd, track_id, ...attributes } = (attributesOf(get(one, 'attributes')) ??
    {}) as Record<string, unknown>;
  return [
    compact<Annotation>({
      id: textField(source_id) ?? textField(get(one, 'id')),
      label,
      ...shape,
      score: shareOf(score),
      crowd: is_crowd === true || undefined,
      track: textField(track_id),
      attributes: attributesOf(attributes),
    }) as Annotation,
  ];
}

function readShape(one: Fields, size: Size): Partial<Annotation> | undefined {
  switch (get(one, 'type')) {
    case 'label':
      return {};
    case 'bbox': {
      const [x, y, width, height] = numbersOf(get(one, 'bbox')) ?? [];
      return x !== undefined && y !== undefined && width !== undefined && height !== undefined
        ? { box: { x, y, width, height } }
        : undefined;
    }
    case 'rotated_bbox': {
      const [cx, cy, w, h, rotation] =
        numbersOf(get(one, 'rotated_bbox')) ?? numbersOf(get(one, 'points')) ?? [];
      if (
        cx === undefined ||
        cy === undefined ||
        w === undefined ||
        h === undefined ||
        rotation === undefined
      )
        return undefined;
      return {
        box: { x: cx - w / 2, y: cy - h / 2, width: w, height: h, ...(rotation ? { rotation } : {}) },
      };
    }
    case 'polygon': {
      const ring = ringOf(get(one, 'points'));
      return ring && { polygons: [ring] };
    }
    case 'mask':
      return readMask(fieldsOf(get(one, 'rle')), size);
    case 'points':
      return readPoints(one);
    case 'caption': {
      const text = textField(get(one, 'caption'));
      return text === undefined ? undefined : { text };
    }
    default:
      return undefined;
  }
}

function readMask(rle: Fields | undefined, { width, height }: Size): Partial<Annotation> | undefined {
  const mask = maskOf(rle);
  const isOther = mask && width && height && (mask.width !== width || mask.height !== height);
  return mask && !isOther ? { mask } : undefined;
}

/** One point without a skeleton is a point; more are keypoints. */
function readPoints(one: Fields): Partial<Annotation> | undefined {
  const numbers = numbersOf(get(one, 'points'));
  if (!numbers || numbers.length < 2 || numbers.length % 2 !== 0) return undefined;
  const [x, y] = numbers as [number, number];
  if (numbers.length === 2) return { point: { x, y } };
  const seen = numbersOf(get(one, 'visibility')) ?? [];
  return {
    keypoints: Array.from({ length: numbers.length / 2 }, (_, i): Keypoint => {
      const [x, y] = [numbers[2 * i] as number, numbers[2 * i + 1] as number];
      return { x, y, visibility: visibilityOf(seen[i] ?? 2) };
    }),
  };
}
