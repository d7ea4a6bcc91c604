import { numberOf } from '../fields.ts';
import { type FileSink, type Spool, utf8 } from '../files.ts';
import type { Format, Listing, ReadContext, WriteContext } from '../format.ts';
import { type Size, sizeOfFile } from '../image-size.ts';
import { steady } from '../numbers.ts';
import { baseOf, isUsualSplit, joinPath, splitNamed, stemOf, uniquePaths } from '../paths.ts';
import { type Report, reportBroken } from '../problems.ts';
import { type Annotation, compact, type Dataset, type ImageRecord } from '../record.ts';
import { CsvBroken, csvLine, type Row, scanCsv, scanCsvRows } from '../text/csv.ts';

/**
 * Open Images: a CSV of boxes and one of labels per part of the set, names of classes in a third. Boxes are in parts of
 * the picture. A picture is known by its file's name without the ending. Its segmentation masks are not read, and said so.
 */
export const openImages: Format = {
  id: 'open-images',
  title: 'Open Images CSV',
  holds: {
    box: true,
    'image-label': true,
    'several-labels': true,
    crowd: true,
    score: true,
    split: true,
    'empty-images': true,
    flags: ['occluded', 'truncated', 'depiction', 'inside'],
  },
  detect,
  read,
  write,
};

const machine = 'machine';
const flagColumns = {
  IsOccluded: 'occluded',
  IsTruncated: 'truncated',
  IsDepiction: 'depiction',
  IsInside: 'inside',
} as const;
const csvPaths = ({ paths }: Listing) =>
  paths.filter((path) => /\.csv$/i.test(path) && !/(^|\/)\./.test(path));
const splitFile =
  /^(?:oidv\d-)?(train|validation|val|test|all|default)-(?:.*-)?(bbox|human-imagelabels(?:-boxable)?|imagelabels|images.*)$/;

async function detect({ tree, ...listing }: Listing): Promise<number> {
  for (const path of csvPaths({ tree, ...listing }).slice(0, 6)) {
    try {
      for await (const { names } of scanCsvRows(tree.stream(path))) {
        if (names.includes('ImageID') && (names.includes('LabelName') || names.includes('Subset')))
          return 0.95;
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
  const names = await namesOf(listing, report);
  const annotations = await annotationsOf(listing, names, report);
  const masks = await masksIn(listing, report);
  return {
    classes: [...new Set(names.values())].map((name) => ({ name })),
    async *records() {
      const seen = new Set<string>();
      for (const path of listing.imagePaths) {
        if (masks.has(baseOf(path))) continue;
        const place = placeOf(path);
        const key = `${place.split ?? ''}/${stemOf(place.path)}`;
        seen.add(key);
        const size = await sizeOfFile(listing.tree, path);
        const list = annotations.get(key) ?? annotations.get(`/${stemOf(baseOf(path))}`) ?? [];
        yield compact<ImageRecord>({
          id: stemOf(place.path),
          ...place,
          ...size,
          annotations: list.flatMap((one) => (size ? [inPixels(one, size)] : one.box ? [] : [one])),
          bytes: () => listing.tree.stream(path),
        }) as ImageRecord;
      }
      for (const [key, list] of annotations) {
        if (seen.has(key) || list.length === 0) continue;
        const [split, stem] = [key.slice(0, key.indexOf('/')), key.slice(key.indexOf('/') + 1)];
        report({
          severity: 'warning',
          code: 'missing-image',
          path: `${stem}.jpg`,
          message:
            'is named by the annotations, but the file is not there; its boxes are in parts of it and cannot be placed',
        });
        yield compact<ImageRecord>({
          id: stem,
          path: `${stem}.jpg`,
          split: split || undefined,
          annotations: list.filter(({ box }) => !box),
        }) as ImageRecord;
      }
    },
  };
}

/** Files of masks by their names: pictures of objects, not of the set. */
async function masksIn({ tree, ...listing }: Listing, report: Report): Promise<Set<string>> {
  const masks = new Set<string>();
  for (const path of csvPaths({ tree, ...listing }).filter((one) => /segmentation/.test(baseOf(one)))) {
    const before = masks.size;
    await guarded(path, report, async () => {
      for await (const { row } of scanCsvRows(tree.stream(path)))
        if (row['MaskPath']) masks.add(baseOf(row['MaskPath']));
    });
    if (masks.size > before)
      report({
        severity: 'warning',
        code: 'unsupported',
        path,
        message: `${masks.size - before} files of masks are named here, which are not read; left out`,
      });
  }
  return masks;
}

function placeOf(path: string): { split?: string; path: string } {
  const parts = path.split('/');
  const at = parts.findIndex((part, i) => i < parts.length - 1 && (isUsualSplit(part) || part === 'default'));
  if (at < 0) return { path: baseOf(path) };
  const name = parts.slice(at + 1).join('/');
  return parts[at] === 'default' ? { path: name } : { split: splitNamed(parts[at] as string), path: name };
}

/** `class-descriptions-boxable.csv`: names by machine code, with or without a first line of titles. */
async function namesOf({ tree, ...listing }: Listing, report: Report): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  for (const path of csvPaths({ tree, ...listing }).filter((one) => /class-descriptions/.test(baseOf(one)))) {
    await guarded(path, report, async () => {
      for await (const [code = '', name = ''] of scanCsv(tree.stream(path))) {
        if (code !== '' && code !== 'LabelName') names.set(code, name);
      }
    });
  }
  return names;
}

async function guarded(path: string, report: Report, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    reportBroken(error, CsvBroken, path, report);
  }
}

/** Boxes still in parts of the picture, by split and name. Files are not sorted by picture, so all are held. */
async function annotationsOf(listing: Listing, names: ReadonlyMap<string, string>, report: Report) {
  const found = new Map<string, Annotation[]>();
  for (const path of csvPaths(listing)) {
    const split = splitOfFile(path);
    if (split === undefined) continue;
    await guarded(path, report, async () => {
      for await (const { row, line } of scanCsvRows(listing.tree.stream(path))) {
        const id = row['ImageID'];
        if (id === undefined || id === '') continue;
        const key = `${split}/${id}`;
        const list = found.get(key) ?? [];
        found.set(key, list);
        if (row['LabelName'] === undefined) continue;
        const one = readRow(row, names);
        if (typeof one === 'string')
          report({
            severity: 'error',
            code: 'bad-number',
            path,
            at: `line ${line}`,
            message: `${one}; left out`,
          });
        else if (one) list.push(one);
      }
    });
  }
  return found;
}

/** '' for a set without parts; undefined for files that hold no annotations. */
function splitOfFile(path: string): string | undefined {
  const named = splitFile.exec(stemOf(baseOf(path)))?.[1];
  if (named === undefined) return undefined;
  return named === 'all' || named === 'default' ? '' : splitNamed(named);
}

function readRow(row: Row, names: ReadonlyMap<string, string>): Annotation | string | undefined {
  const code = row['LabelName'] as string;
  const label = names.get(code) ?? code;
  const sure = numberOf(row['Confidence']);
  // What people confirmed is simply there; a machine's confidence is a score.
  const isScore = sure !== undefined && sure >= 0 && sure <= 1 && (row['Source'] === machine || sure < 1);
  const score = isScore ? { score: sure } : {};
  if (row['XMin'] === undefined) {
    // A label that somebody looked for and did not find.
    return sure === 0 && row['Source'] !== machine ? undefined : { label, ...score };
  }
  const [x, right, y, bottom] = ['XMin', 'XMax', 'YMin', 'YMax'].map((side) => numberOf(row[side]));
  if (
    x === undefined ||
    right === undefined ||
    y === undefined ||
    bottom === undefined ||
    right < x ||
    bottom < y
  )
    return 'the box is not made of four finite numbers, the larger ones last';
  const flags = Object.entries(flagColumns).filter(([column]) => row[column] === '1');
  return compact<Annotation>({
    label,
    box: { x, y, width: right - x, height: bottom - y },
    ...score,
    crowd: row['IsGroupOf'] === '1' || undefined,
    attributes: flags.length > 0 ? Object.fromEntries(flags.map(([, name]) => [name, true])) : undefined,
  }) as Annotation;
}

function inPixels(one: Annotation, { width, height }: Size): Annotation {
  if (!one.box) return one;
  const { x, y, width: w, height: h } = one.box;
  return { ...one, box: { x: x * width, y: y * height, width: w * width, height: h * height } };
}

// Writing ---------------------------------------------------------------------------------------------------------

interface Part {
  readonly images: Spool;
  readonly boxes: Spool;
  readonly labels: Spool;
}

const boxHeader = [
  'ImageID',
  'Source',
  'LabelName',
  'Confidence',
  'XMin',
  'XMax',
  'YMin',
  'YMax',
  'IsOccluded',
  'IsTruncated',
  'IsGroupOf',
  'IsDepiction',
  'IsInside',
];

async function write(dataset: Dataset, sink: FileSink, { withImages, report }: WriteContext): Promise<void> {
  const parts = new Map<string, Part>();
  const names = new Set(dataset.classes.map(({ name }) => name));
  const unique = uniquePaths();
  const openPart = async () => {
    const part = { images: sink.spool(), boxes: sink.spool(), labels: sink.spool() };
    await part.images.write(utf8(csvLine(['ImageID', 'Subset'])));
    await part.boxes.write(utf8(csvLine(boxHeader)));
    await part.labels.write(utf8(csvLine(['ImageID', 'Source', 'LabelName', 'Confidence'])));
    return part;
  };
  try {
    for await (const record of dataset.records()) {
      const split = folderOfSplit(record.split);
      const part = parts.get(split) ?? (await openPart());
      parts.set(split, part);
      const wanted = joinPath(split, record.path);
      const stem = unique(stemOf(wanted));
      const path = stem + wanted.slice(stemOf(wanted).length);
      if (path !== wanted)
        report({
          severity: 'warning',
          code: 'name-clash',
          path: wanted,
          message: `is written as ${path}, since another picture has its name`,
        });
      const id = stem.slice(split.length + 1);
      await part.images.write(utf8(csvLine([id, split])));
      for (const one of record.annotations) {
        if (one.label !== undefined) names.add(one.label);
        await writeRow(part, id, one, record, report);
      }
      if (withImages && record.bytes) await sink.add(joinPath('images', path), record.bytes());
    }
    await sink.add(
      'annotations/class-descriptions-boxable.csv',
      [...names].map((name) => utf8(csvLine([name, name]))),
    );
    for (const [split, { images, boxes, labels }] of parts) {
      await sink.add(`annotations/${split}-images-with-rotation.csv`, images.read());
      await sink.add(`annotations/${split}-annotations-bbox.csv`, boxes.read());
      await sink.add(`annotations/${split}-annotations-human-imagelabels.csv`, labels.read());
    }
  } finally {
    for (const part of parts.values()) for (const spool of Object.values(part)) await spool.close();
  }
}

const folderOfSplit = (split: string | undefined) => (split === 'val' ? 'validation' : (split ?? 'default'));

async function writeRow(
  part: Part,
  id: string,
  one: Annotation,
  { width, height, path }: ImageRecord,
  report: Report,
): Promise<void> {
  const { box, label = 'object', score = 1, crowd, attributes } = one;
  const source = (byPeople: string) => (one.score === undefined ? byPeople : machine);
  if (!box) return part.labels.write(utf8(csvLine([id, source('verification'), label, score])));
  if (!width || !height) {
    return report({
      severity: 'error',
      code: 'unsupported',
      path,
      message: 'the sides of the picture are not known, so its boxes cannot be written',
    });
  }
  const flag = (name: string) => (attributes?.[name] === true ? 1 : 0);
  const sides = [box.x / width, (box.x + box.width) / width, box.y / height, (box.y + box.height) / height];
  const flags = [flag('occluded'), flag('truncated'), crowd ? 1 : 0, flag('depiction'), flag('inside')];
  await part.boxes.write(utf8(csvLine([id, source('xclick'), label, score, ...sides.map(steady), ...flags])));
}
