import { fromBase64, toBase64 } from '../base64.ts';
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
import { type FileSink, FileTooLarge, readText, utf8 } from '../files.ts';
import type { Format, Listing, ReadContext, WriteContext } from '../format.ts';
import { cropMask, maskOfCrop } from '../geometry/crop.ts';
import {
  baseOf,
  folderOf,
  isUsualSplit,
  joinPath,
  safePath,
  splitNamed,
  stemOf,
  uniquePaths,
} from '../paths.ts';
import { decodePng, encodePng } from '../png.ts';
import type { Report } from '../problems.ts';
import { type Annotation, compact, type Dataset, type ImageRecord } from '../record.ts';
import { JsonBroken, parseJson } from '../text/json-scan.ts';
import { bytesOf } from '../tree-bytes.ts';

/**
 * LabelMe: a JSON file beside each picture. Attributes and scores stand in a shape under their names; LabelMe keeps
 * such fields when it saves. Parts of the set are folders.
 */
export const labelme: Format = {
  id: 'labelme',
  title: 'LabelMe JSON',
  holds: {
    box: true,
    polygon: true,
    mask: true,
    point: true,
    'image-label': true,
    'several-labels': true,
    attributes: true,
    score: true,
    split: true,
    'empty-images': true,
    'image-size': true,
  },
  detect,
  read,
  write,
};

const jsonPaths = ({ paths }: Listing) =>
  paths.filter((path) => /\.json$/i.test(path) && !/(^|\/)\./.test(path));
/** A picture may be inside, in base64. */
const fileBytesMax = 256 * 2 ** 20;

async function detect(listing: Listing): Promise<number> {
  for (const path of jsonPaths(listing).slice(0, 3)) {
    const fields = await fieldsOfFile(listing, path).catch(() => undefined);
    if (Array.isArray(get(fields, 'shapes')) && get(fields, 'imagePath') !== undefined) return 0.95;
  }
  return 0;
}

async function fieldsOfFile({ tree }: Listing, path: string): Promise<Fields | undefined> {
  return fieldsOf(parseJson(await readText(tree, path, fileBytesMax)).value);
}

async function read(listing: Listing, { report }: ReadContext): Promise<Dataset> {
  return {
    // The classes are known when all files were read; they come in the order in which they are met.
    classes: [],
    async *records() {
      const seen = new Set<string>();
      for (const path of jsonPaths(listing)) {
        const record = await readOne(listing, path, seen, report);
        if (record) yield record;
      }
      for (const path of listing.imagePaths) {
        if (!seen.has(path))
          yield { ...placeOf(path), annotations: [], bytes: () => listing.tree.stream(path) };
      }
    },
  };
}

function placeOf(path: string): { split?: string; path: string } {
  const [first = '', ...rest] = path.split('/');
  return rest.length > 0 && isUsualSplit(first)
    ? { split: splitNamed(first), path: rest.join('/') }
    : { path };
}

async function readOne(
  listing: Listing,
  path: string,
  seen: Set<string>,
  report: Report,
): Promise<ImageRecord | undefined> {
  let fields: Fields | undefined;
  try {
    fields = await fieldsOfFile(listing, path);
  } catch (error) {
    if (!(error instanceof JsonBroken || error instanceof FileTooLarge)) throw error;
    report({ severity: 'error', code: 'broken-file', path, message: `${error.message}; left out` });
    return undefined;
  }
  const named = textField(get(fields, 'imagePath'));
  if (named === undefined || !Array.isArray(get(fields, 'shapes'))) return undefined;
  // `..\images\a.jpg` is usual; the picture is looked for by its name, never outside the tree.
  const name = safePath(named) ?? safePath(baseOf(named.replaceAll('\\', '/')));
  if (name === undefined) {
    report({
      severity: 'error',
      code: 'unsafe-path',
      path,
      message: `imagePath "${named.slice(0, 200)}" is no name of a file; left out`,
    });
    return undefined;
  }
  const found = listing.images.find(name, [folderOf(path)]);
  if (found !== undefined) seen.add(found);
  const size = { width: sideOf(get(fields, 'imageWidth')), height: sideOf(get(fields, 'imageHeight')) };
  const inside = found === undefined ? insideBytes(fields) : undefined;
  return compact<ImageRecord>({
    ...placeOf(found ?? joinPath(folderOf(path), name)),
    ...size,
    annotations: [
      ...flagsOf(get(fields, 'flags')).map((label) => ({ label })),
      ...listOf(get(fields, 'shapes')).flatMap((shape, i) =>
        readShape(fieldsOf(shape), i, size, path, report),
      ),
    ].map((one) => withTags(one, fields)),
    ...(inside ?? bytesOf(listing.tree, found, name, report)),
  }) as ImageRecord;
}

const flagsOf = (value: unknown): string[] =>
  Object.entries(fieldsOf(value) ?? {})
    .filter(([, on]) => on === true)
    .map(([name]) => name);

/** What is said of a label about the whole picture lies beside the flags, by label. */
function withTags(one: Annotation, fields: Fields | undefined): Annotation {
  if (Object.keys(one).some((key) => key !== 'label') || one.label === undefined) return one;
  const attributes = attributesOf(get(fieldsOf(get(fields, 'flag_attributes')), one.label));
  return attributes ? { ...one, attributes } : one;
}

/** The picture inside the file, where there is none beside it. */
function insideBytes(fields: Fields | undefined): { bytes: () => AsyncIterable<Uint8Array> } | undefined {
  const data = get(fields, 'imageData');
  const bytes = typeof data === 'string' ? fromBase64(data) : undefined;
  if (!bytes || bytes.length === 0) return undefined;
  return {
    async *bytes() {
      yield bytes;
    },
  };
}

type Size = { width: number | undefined; height: number | undefined };

function readShape(
  shape: Fields | undefined,
  index: number,
  size: Size,
  path: string,
  report: Report,
): Annotation[] {
  const points = listOf(get(shape, 'points')).map((point) => numbersOf(point) ?? []);
  const place =
    shape && points.every((point) => point.length === 2)
      ? placeOfShape(shape, points as [number, number][], size)
      : undefined;
  if (!place) {
    report({
      severity: 'error',
      code: 'broken-item',
      path,
      at: `shapes[${index}]`,
      message: `a shape of type ${String(get(shape, 'shape_type'))} with such points cannot be read; left out`,
    });
    return [];
  }
  const score = numberOf(get(shape, 'score'));
  return [
    compact<Annotation>({
      label: textField(get(shape, 'label')) || undefined,
      ...place,
      score: score !== undefined && score >= 0 && score <= 1 ? score : undefined,
      attributes: attributesOf(get(shape, 'attributes')),
    }) as Annotation,
  ];
}

function placeOfShape(
  shape: Fields,
  points: readonly [number, number][],
  size: Size,
): Partial<Annotation> | undefined {
  const [first, second] = points;
  if (!first) return undefined;
  switch (get(shape, 'shape_type') ?? 'polygon') {
    case 'rectangle': {
      if (!second) return undefined;
      const [x, y] = [Math.min(first[0], second[0]), Math.min(first[1], second[1])];
      return { box: { x, y, width: Math.abs(first[0] - second[0]), height: Math.abs(first[1] - second[1]) } };
    }
    case 'polygon':
      return points.length >= 3 ? { polygons: [points.flat()] } : undefined;
    case 'circle': {
      if (!second) return undefined;
      const radius = Math.hypot(first[0] - second[0], first[1] - second[1]);
      const angles = Array.from({ length: 32 }, (_, i) => (i * Math.PI) / 16);
      return {
        polygons: [angles.flatMap((a) => [first[0] + radius * Math.cos(a), first[1] + radius * Math.sin(a)])],
      };
    }
    case 'point':
      return { point: { x: first[0], y: first[1] } };
    case 'mask':
      return maskOf(shape, first, size);
    default:
      return undefined;
  }
}

function maskOf(
  shape: Fields,
  [x, y]: readonly [number, number],
  { width, height }: Size,
): Partial<Annotation> | undefined {
  const png = fromBase64(textField(get(shape, 'mask')) ?? '');
  const grey = png && decodePng(png);
  if (!grey || !width || !height) return undefined;
  const mask = maskOfCrop({ x: Math.round(x), y: Math.round(y), ...grey }, width, height);
  return mask && { mask };
}

// Writing ---------------------------------------------------------------------------------------------------------

async function write(dataset: Dataset, sink: FileSink, { withImages, report }: WriteContext): Promise<void> {
  const unique = uniquePaths();
  for await (const record of dataset.records()) {
    const wanted = joinPath(record.split, record.path);
    const stem = unique(stemOf(wanted));
    const path = stem + wanted.slice(stemOf(wanted).length);
    if (path !== wanted)
      report({
        severity: 'warning',
        code: 'name-clash',
        path: wanted,
        message: `is written as ${path}, since another picture has its name`,
      });
    await sink.add(`${stem}.json`, [utf8(`${JSON.stringify(showRecord(record, baseOf(path)), null, 2)}\n`)]);
    if (withImages && record.bytes) await sink.add(path, record.bytes());
  }
}

function showRecord(record: ImageRecord, name: string) {
  const tags = record.annotations.filter((one) => placeless(one) && one.label !== undefined);
  const said = tags
    .filter(({ attributes }) => attributes)
    .map(({ label, attributes }) => [label, attributes]);
  return {
    version: '5.5.0',
    flags: Object.fromEntries(tags.map(({ label }) => [label, true])),
    ...(said.length > 0 ? { flag_attributes: Object.fromEntries(said) } : {}),
    shapes: record.annotations.filter((one) => !placeless(one)).map(showShape),
    imagePath: name,
    imageData: null,
    imageHeight: record.height ?? 0,
    imageWidth: record.width ?? 0,
  };
}

const placeless = ({ box, polygons, mask, point }: Annotation): boolean =>
  !box && !polygons && !mask && !point;

function showShape(one: Annotation) {
  return {
    label: one.label ?? 'object',
    ...placeFields(one),
    group_id: null,
    description: '',
    flags: {},
    ...(one.score === undefined ? {} : { score: one.score }),
    ...(one.attributes ? { attributes: one.attributes } : {}),
  };
}

function placeFields({ box, polygons, mask, point }: Annotation) {
  const crop = mask && cropMask(mask);
  if (crop) {
    const { x, y, width, height, pixels } = crop;
    const png = encodePng({ width, height, pixels: pixels.map((one) => one * 255) });
    return {
      points: [
        [x, y],
        [x + width - 1, y + height - 1],
      ],
      shape_type: 'mask',
      mask: toBase64(png),
    };
  }
  if (polygons) {
    const ring = polygons[0] ?? [];
    return {
      points: Array.from({ length: ring.length / 2 }, (_, i) => [ring[2 * i], ring[2 * i + 1]]),
      shape_type: 'polygon',
    };
  }
  if (box)
    return {
      points: [
        [box.x, box.y],
        [box.x + box.width, box.y + box.height],
      ],
      shape_type: 'rectangle',
    };
  return { points: [[point?.x ?? 0, point?.y ?? 0]], shape_type: 'point' };
}
