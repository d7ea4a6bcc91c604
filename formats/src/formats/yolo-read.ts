import { parse as parseYaml } from 'yaml';
import { fieldsOf, get, listOf, numberOf, numbersOf, textField } from '../fields.ts';
import { FileTooLarge, readText } from '../files.ts';
import type { Listing, ReadContext } from '../format.ts';
import { boundsOfKeypoints } from '../geometry/polygon.ts';
import { type Size, sizeOfFile } from '../image-size.ts';
import { folderOf, isUsualSplit, noSplit, safePath, splitNamed, stemOf } from '../paths.ts';
import type { Report } from '../problems.ts';
import {
  type Annotation,
  type ClassInfo,
  compact,
  type Dataset,
  type ImageRecord,
  type Keypoint,
} from '../record.ts';

export type Task = 'detect' | 'segment' | 'pose' | 'obb';

const yamlPaths = ({ paths }: Listing) =>
  paths
    .filter((path) => /\.ya?ml$/i.test(path) && !/(^|\/)\./.test(path))
    .sort((a, b) => a.length - b.length);

export interface Info {
  readonly path: string;
  readonly names: readonly string[];
  /** Numbers per keypoint: 2 or 3. */
  readonly keypoints: { readonly count: number; readonly numbers: number } | undefined;
  readonly keypointNames: readonly string[] | undefined;
  readonly task: string | undefined;
  /** Split → the folders or lists of files that the YAML names for it. */
  readonly places: ReadonlyMap<string, readonly string[]>;
}

/** The first YAML file that names classes. */
export async function infoOf(listing: Listing, report?: Report): Promise<Info | undefined> {
  for (const path of yamlPaths(listing)) {
    try {
      // Aliases are how YAML is made to explode.
      const fields = fieldsOf(
        parseYaml(await readText(listing.tree, path, 4 * 2 ** 20), { maxAliasCount: 0 }),
      );
      const names = namesOf(get(fields, 'names'));
      if (!fields || !names) continue;
      const [count, numbers] = numbersOf(get(fields, 'kpt_shape')) ?? [];
      const isPose = count !== undefined && count > 0 && (numbers === 2 || numbers === 3);
      return {
        path,
        names,
        keypoints: isPose ? { count, numbers } : undefined,
        keypointNames: Array.isArray(get(fields, 'kpt_names'))
          ? listOf(get(fields, 'kpt_names')).map(String)
          : undefined,
        task: textField(get(fields, 'task')),
        places: placesOf(fields),
      };
    } catch (error) {
      report?.({
        severity: 'error',
        code: 'broken-file',
        path,
        message: `${(error as Error).message}; the file is passed over`,
      });
    }
  }
  return undefined;
}

/** A list of names, or a map from numbers to names. */
function namesOf(value: unknown): string[] | undefined {
  if (Array.isArray(value)) return value.map(String);
  const fields = fieldsOf(value);
  if (!fields) return undefined;
  const names: string[] = [];
  for (const [key, name] of Object.entries(fields)) {
    const number = Number(key);
    if (!Number.isInteger(number) || number < 0 || number > 100_000) return undefined;
    names[number] = String(name);
  }
  return Array.from(names, (name, i) => name ?? `class ${i}`);
}

function placesOf(fields: Readonly<Record<string, unknown>>): Map<string, string[]> {
  const skipped = new Set([
    'path',
    'names',
    'nc',
    'kpt_shape',
    'kpt_names',
    'flip_idx',
    'task',
    'download',
    'channels',
  ]);
  const places = new Map<string, string[]>();
  for (const [key, value] of Object.entries(fields)) {
    if (skipped.has(key)) continue;
    const named = (Array.isArray(value) ? value : [value]).filter((one) => typeof one === 'string');
    if (named.length > 0) places.set(key === noSplit ? '' : splitNamed(key), named);
  }
  return places;
}

export async function readYolo(listing: Listing, { report }: ReadContext): Promise<Dataset> {
  const info = await infoOf(listing, report);
  const names = info?.names ?? (await namesFile(listing));
  const known = new Set(listing.paths);
  return {
    classes: names.map((name) => classOf(name, info)),
    async *records() {
      for (const path of listing.imagePaths)
        yield await record(listing, path, { info, names, known, report });
      await reportOrphans(listing, report);
    },
  };
}

const namesPath = (paths: readonly string[]) =>
  paths.find((one) => /(^|\/)(classes|obj)\.(txt|names)$/i.test(one));

/** Files of labels: those in folders of that name; where a list of names lies there, also those beside the pictures. */
export function labelPaths({ paths, imagePaths }: Listing): string[] {
  const inFolders = paths.filter(isLabels);
  if (inFolders.length > 0 || !namesPath(paths)) return inFolders;
  const known = new Set(paths);
  return imagePaths.map(labelsPath).filter((path) => known.has(path));
}

/** `classes.txt` of labelling tools or `obj.names` of Darknet, one name per line. */
async function namesFile({ tree, paths }: Listing): Promise<string[]> {
  const path = namesPath(paths);
  if (!path) return [];
  const text = await readText(tree, path, 4 * 2 ** 20).catch(() => '');
  return text.split(/\r?\n/).filter((name) => name.trim() !== '');
}

function classOf(name: string, info: Info | undefined): ClassInfo {
  if (!info?.keypoints) return { name };
  const { count } = info.keypoints;
  const names = info.keypointNames;
  return { name, keypoints: Array.from({ length: count }, (_, i) => names?.[i] ?? `point ${i + 1}`) };
}

interface Known {
  readonly info: Info | undefined;
  readonly names: readonly string[];
  readonly known: ReadonlySet<string>;
  readonly report: Report;
}

async function record(listing: Listing, path: string, known: Known): Promise<ImageRecord> {
  const { tree } = listing;
  const { split, name } = placeOf(path, known.info);
  const size = await sizeOfFile(tree, path);
  const labels = labelsPath(path);
  const annotations = known.known.has(labels) ? await readLabels(listing, labels, size, known) : [];
  return compact<ImageRecord>({
    path: name,
    split,
    width: size?.width,
    height: size?.height,
    annotations,
    bytes: () => tree.stream(path),
  }) as ImageRecord;
}

/** Whether a file is one of labels, by its folder; elsewhere it may be a list of pictures or of names. */
export const isLabels = (path: string): boolean =>
  /(^|\/)labels\/.*\.txt$/i.test(path) && !/(^|\/)classes\.txt$/i.test(path);

/** The last folder `images` becomes `labels`, as the trainers look it up. */
export function labelsPath(path: string): string {
  const parts = path.split('/');
  const at = parts.lastIndexOf('images');
  if (at >= 0) parts[at] = 'labels';
  return `${stemOf(parts.join('/'))}.txt`;
}

/** A number and at least four parts of the sides. */
export const labelLine = /^\s*\d+(\s+-?[\d.]+(e[-+]?\d+)?){4,}\s*$/i;

/** Files of labels whose picture is not there; empty ones say nothing that could be lost. */
async function reportOrphans(listing: Listing, report: Report): Promise<void> {
  const { paths, sizes, imagePaths } = listing;
  const used = new Set(imagePaths.map(labelsPath));
  const lone = paths.filter((path) => !used.has(path) && (sizes.get(path) ?? 0) > 0);
  const besidePictures = paths.some(isLabels) ? [] : await labelsAmong(listing, lone);
  for (const path of [...lone.filter(isLabels), ...besidePictures])
    report({
      severity: 'error',
      code: 'missing-image',
      path,
      message: 'there is no picture of this name; its labels are left out',
    });
}

/** Those of some files that lie among the pictures and begin with an object: others are lists and notes. */
async function labelsAmong({ tree, imagePaths }: Listing, paths: readonly string[]): Promise<string[]> {
  const folders = new Set(imagePaths.map(folderOf));
  const found: string[] = [];
  for (const path of paths) {
    if (!/\.txt$/i.test(path) || !folders.has(folderOf(path))) continue;
    const text = await readText(tree, path).catch(() => '');
    const first = text.split('\n').find((line) => line.trim() !== '');
    if (first !== undefined && labelLine.test(first)) found.push(path);
  }
  return found;
}

/** `images/SPLIT/…` and `SPLIT/images/…` name the split; folders of other names do where the YAML says so. */
function placeOf(path: string, info: Info | undefined): { split?: string; name: string } {
  const base = info ? folderOf(info.path) : '';
  const inside = base !== '' && path.startsWith(`${base}/`) ? path.slice(base.length + 1) : path;
  for (const [split, places] of info?.places ?? []) {
    for (const place of places) {
      const folder = safePath(place.replace(/^(\.\.?\/)+/, ''));
      if (!folder || !inside.startsWith(`${folder}/`)) continue;
      return { ...(split === '' ? {} : { split }), name: inside.slice(folder.length + 1) };
    }
  }
  const parts = inside.split('/');
  const at = parts.lastIndexOf('images');
  if (at < 0) {
    // As Darknet has it: `obj_train_data/…`, `obj_valid_data/…`.
    const [, darknet] = /^obj_(\w+)_data$/i.exec(parts[0] as string) ?? [];
    const isSplit = darknet !== undefined && parts.length > 1 && isUsualSplit(darknet);
    return isSplit ? { split: splitNamed(darknet), name: parts.slice(1).join('/') } : { name: inside };
  }
  const after = parts[at + 1] as string;
  if (parts.length > at + 2 && isUsualSplit(after))
    return { split: splitNamed(after), name: parts.slice(at + 2).join('/') };
  const before = parts[at - 1];
  const split = before !== undefined && isUsualSplit(before) ? { split: splitNamed(before) } : {};
  return { ...split, name: parts.slice(at + 1).join('/') };
}

async function readLabels(
  { tree }: Listing,
  path: string,
  size: Size | undefined,
  known: Known,
): Promise<Annotation[]> {
  const { report } = known;
  let text: string;
  try {
    text = await readText(tree, path);
  } catch (error) {
    if (!(error instanceof FileTooLarge)) throw error;
    report({ severity: 'error', code: 'too-large', path, message: error.message });
    return [];
  }
  if (!size) {
    if (text.trim() !== '')
      report({
        severity: 'error',
        code: 'broken-file',
        path,
        message: 'the sides of its picture cannot be read, so the labels have no place; left out',
      });
    return [];
  }
  return text.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return [];
    const read = readLine(line.trim().split(/\s+/), size, known);
    if (typeof read !== 'string') return [read];
    report({
      severity: 'error',
      code: 'broken-item',
      path,
      at: `line ${i + 1}`,
      message: `${read}; left out`,
    });
    return [];
  });
}

/** One object, or what is wrong with the line. */
function readLine(
  words: readonly string[],
  { width, height }: Size,
  { info, names }: Known,
): Annotation | string {
  const numbers = words.map(numberOf);
  if (numbers.some((number) => number === undefined)) return 'not all of the line are finite numbers';
  const [index, ...rest] = numbers as [number, ...number[]];
  if (!Number.isInteger(index) || index < 0) return `class ${index} is not a whole number`;
  const label = names[index] ?? `class ${index}`;
  if (info?.keypoints) return readPose(label, rest, { width, height }, info.keypoints);
  if (rest.length === 4) return { label, box: boxOf(rest, width, height) };
  if (rest.length >= 6 && rest.length % 2 === 0)
    return { label, polygons: [rest.map((value, i) => value * (i % 2 === 0 ? width : height))] };
  return `a line has a class and 4 numbers of a box or at least 6 of an outline, not ${rest.length}`;
}

function boxOf(numbers: readonly number[], width: number, height: number) {
  const [cx, cy, w, h] = numbers as [number, number, number, number];
  return { x: (cx - w / 2) * width, y: (cy - h / 2) * height, width: w * width, height: h * height };
}

function readPose(
  label: string,
  rest: readonly number[],
  { width, height }: Size,
  shape: { count: number; numbers: number },
): Annotation | string {
  if (rest.length === 4) return { label, box: boxOf(rest, width, height) };
  if (rest.length !== 4 + shape.count * shape.numbers)
    return `kpt_shape asks for ${4 + shape.count * shape.numbers} numbers after the class, not ${rest.length}`;
  const keypoints = Array.from({ length: shape.count }, (_, i): Keypoint => {
    const [x, y, seen] = rest.slice(4 + i * shape.numbers, 4 + (i + 1) * shape.numbers) as [
      number,
      number,
      number,
    ];
    const isMarked = shape.numbers === 3 ? seen > 0 : x !== 0 || y !== 0;
    const visibility =
      shape.numbers === 3 ? (Math.min(Math.round(Math.max(seen, 0)), 2) as 0 | 1 | 2) : isMarked ? 2 : 0;
    return { x: x * width, y: y * height, visibility };
  });
  return withoutOwnBox({ label, box: boxOf(rest, width, height), keypoints });
}

/** The line must hold a box; one that only goes around the keypoints says nothing. */
function withoutOwnBox(one: Annotation): Annotation {
  const bounds = boundsOfKeypoints(one.keypoints ?? []);
  const { box, ...rest } = one;
  const isSame =
    box &&
    bounds &&
    [box.x - bounds.x, box.y - bounds.y, box.width - bounds.width, box.height - bounds.height].every(
      (difference) => Math.abs(difference) < 1e-4,
    );
  if (!one.keypoints?.some(({ visibility }) => visibility > 0) && box)
    return { ...(one.label === undefined ? {} : { label: one.label }), box };
  return isSame ? rest : one;
}
