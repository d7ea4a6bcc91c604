import { parse as parseYaml, stringify as showYaml } from 'yaml';
import { fieldsOf, get, listOf, numberOf, numbersOf, textField } from '../fields.ts';
import { type FileSink, FileTooLarge, readText, utf8 } from '../files.ts';
import type { Format, FormatId, Listing, ReadContext, WriteContext } from '../format.ts';
import { boundsOfKeypoints, boundsOfRings } from '../geometry/polygon.ts';
import type { Holds } from '../holds.ts';
import { type Size, sizeOfFile } from '../image-size.ts';
import { steady } from '../numbers.ts';
import {
  folderOf,
  isUsualSplit,
  joinPath,
  noSplit,
  safePath,
  splitNamed,
  stemOf,
  uniquePaths,
} from '../paths.ts';
import type { Report } from '../problems.ts';
import {
  type Annotation,
  type ClassInfo,
  compact,
  type Dataset,
  type ImageRecord,
  type Keypoint,
} from '../record.ts';

/**
 * YOLO: `data.yaml`, pictures in `images/SPLIT/`, and beside them in `labels/SPLIT/` one text file per picture, one
 * object per line in parts of the picture's sides. Lines of five numbers are boxes, longer ones outlines, or keypoints
 * where `kpt_shape` says so.
 */
type Task = 'detect' | 'segment' | 'pose' | 'obb';

const common: Holds = { split: true, 'other-splits': true, 'empty-images': true };
const holdsOf: Readonly<Record<Task, Holds>> = {
  detect: { ...common, box: true },
  segment: { ...common, polygon: true },
  obb: { ...common, polygon: true },
  pose: { ...common, box: true, keypoints: true, 'hidden-keypoints': true, 'several-shapes': true },
};
const titles: Readonly<Record<Task, string>> = {
  detect: 'YOLO boxes',
  segment: 'YOLO outlines',
  pose: 'YOLO keypoints',
  obb: 'YOLO oriented boxes (as outlines)',
};

export const yoloFormats: readonly Format[] = (['detect', 'segment', 'pose', 'obb'] as const).map((task) => ({
  id: `yolo-${task}` as FormatId,
  title: titles[task],
  holds: holdsOf[task],
  detect: (listing) => detect(listing, task),
  read,
  write: (dataset, sink, context) => write(dataset, sink, context, task),
}));

const yamlPaths = ({ paths }: Listing) =>
  paths
    .filter((path) => /\.ya?ml$/i.test(path) && !/(^|\/)\./.test(path))
    .sort((a, b) => a.length - b.length);

// Reading ---------------------------------------------------------------------------------------------------------

interface Info {
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
async function infoOf(listing: Listing, report?: Report): Promise<Info | undefined> {
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

const labelLine = /^\s*\d+(\s+-?[\d.]+(e[-+]?\d+)?){4,}\s*$/i;

async function detect(listing: Listing, task: Task): Promise<number> {
  const info = await infoOf(listing);
  const labels = listing.paths.filter((path) => /(^|\/)labels\/.*\.txt$/i.test(path));
  if (!info && labels.length === 0) return 0;
  const found = info?.task ?? (await taskOf(listing, labels, info));
  if (!info && found === undefined) return 0;
  return (info ? 0.9 : 0.7) + (found === task || (found === undefined && task === 'detect') ? 0.05 : 0);
}

async function taskOf(
  { tree }: Listing,
  labels: readonly string[],
  info: Info | undefined,
): Promise<Task | undefined> {
  if (info?.keypoints) return 'pose';
  for (const path of labels.slice(0, 50)) {
    const text = await readText(tree, path).catch(() => '');
    const line = text.split('\n').find((one) => labelLine.test(one));
    if (line !== undefined) return line.trim().split(/\s+/).length === 5 ? 'detect' : 'segment';
  }
  return undefined;
}

async function read(listing: Listing, { report }: ReadContext): Promise<Dataset> {
  const info = await infoOf(listing, report);
  const names = info?.names ?? (await namesFile(listing));
  const known = new Set(listing.paths);
  return {
    classes: names.map((name) => classOf(name, info)),
    async *records() {
      for (const path of listing.imagePaths)
        yield await record(listing, path, { info, names, known, report });
    },
  };
}

/** `classes.txt` of labelling tools, one name per line. */
async function namesFile({ tree, paths }: Listing): Promise<string[]> {
  const path = paths.find((one) => /(^|\/)(classes|obj)\.(txt|names)$/i.test(one));
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

/** The last folder `images` becomes `labels`, as the trainers look it up. */
function labelsPath(path: string): string {
  const parts = path.split('/');
  const at = parts.lastIndexOf('images');
  if (at >= 0) parts[at] = 'labels';
  return `${stemOf(parts.join('/'))}.txt`;
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
  if (at < 0) return { name: inside };
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

// Writing ---------------------------------------------------------------------------------------------------------

async function write(
  dataset: Dataset,
  sink: FileSink,
  { report, withImages }: WriteContext,
  task: Task,
): Promise<void> {
  const numbers = new Map(dataset.classes.map(({ name }, i) => [name, i]));
  const numberOfClass = (name: string) => {
    const known = numbers.get(name);
    if (known !== undefined) return known;
    numbers.set(name, numbers.size);
    return numbers.size - 1;
  };
  const posed = dataset.classes.find(({ keypoints }) => keypoints);
  const state = { points: posed?.keypoints?.length ?? 0 };
  const splits = new Set<string>();
  const unique = uniquePaths();
  for await (const record of dataset.records()) {
    const split = record.split ?? noSplit;
    splits.add(split);
    const wanted = joinPath('images', split, record.path);
    // Two pictures that differ in their endings alone would share their labels.
    const own = unique(stemOf(wanted)) + wanted.slice(stemOf(wanted).length);
    if (own !== wanted) {
      report({
        severity: 'warning',
        code: 'name-clash',
        path: wanted,
        message: `is written as ${own}, since another picture has its name`,
      });
    }
    const size = record.width && record.height ? { width: record.width, height: record.height } : undefined;
    const lines = size ? linesOf(record, size, task, numberOfClass, state, report) : [];
    if (!size && record.annotations.length > 0) {
      report({
        severity: 'error',
        code: 'unsupported',
        path: record.path,
        message: 'the sides of the picture are not known, so its annotations cannot be written',
      });
    }
    await sink.add(labelsPath(own), [utf8(lines.map((line) => `${line}\n`).join(''))]);
    if (withImages && record.bytes) await sink.add(own, record.bytes());
  }
  await sink.add('data.yaml', [utf8(yamlOf(task, [...numbers.keys()], splits, posed, state.points))]);
}

function linesOf(
  record: ImageRecord,
  size: Size,
  task: Task,
  numberOfClass: (name: string) => number,
  state: { points: number },
  report: Report,
): string[] {
  return record.annotations.flatMap((one) => {
    const index = numberOfClass(one.label ?? 'object');
    const shown =
      task === 'detect'
        ? boxNumbers(one, size)
        : task === 'pose'
          ? poseNumbers(one, size, state, report, record.path)
          : outlines(one, size);
    return shown.map((numbers) => [index, ...numbers.map(steady)].join(' '));
  });
}

function boxNumbers({ box }: Annotation, { width, height }: Size): number[][] {
  if (!box) return [];
  return [
    [
      (box.x + box.width / 2) / width,
      (box.y + box.height / 2) / height,
      box.width / width,
      box.height / height,
    ],
  ];
}

function outlines({ polygons = [] }: Annotation, { width, height }: Size): number[][] {
  return polygons.map((ring) => ring.map((value, i) => value / (i % 2 === 0 ? width : height)));
}

function poseNumbers(
  one: Annotation,
  size: Size,
  state: { points: number },
  report: Report,
  path: string,
): number[][] {
  const keypoints = one.keypoints ?? [];
  if (state.points === 0) state.points = keypoints.length;
  if (keypoints.length > 0 && keypoints.length !== state.points) {
    report({
      severity: 'error',
      code: 'unsupported',
      path,
      message: `an object has ${keypoints.length} keypoints where the set has ${state.points}; left out`,
    });
    return [];
  }
  const box = one.box ?? boundsOfKeypoints(keypoints) ?? boundsOfRings(one.polygons ?? []);
  if (!box) return [];
  const padded =
    keypoints.length > 0
      ? keypoints
      : Array.from({ length: state.points }, () => ({ x: 0, y: 0, visibility: 0 }));
  return [
    [
      ...(boxNumbers({ box }, size)[0] as number[]),
      ...padded.flatMap(({ x, y, visibility }) => [x / size.width, y / size.height, visibility]),
    ],
  ];
}

function yamlOf(
  task: Task,
  names: readonly string[],
  splits: ReadonlySet<string>,
  posed: ClassInfo | undefined,
  points: number,
): string {
  const places: Record<string, string> = {};
  for (const split of splits) places[split] = `images/${split}`;
  // Trainers ask for both; where a set has only one part, it stands for the other. Readers take the first that fits.
  const [only = noSplit] = splits;
  for (const asked of ['train', 'val']) places[asked] ??= `images/${splits.has('train') ? 'train' : only}`;
  const pose = { kpt_shape: [points, 3], ...(posed?.keypoints ? { kpt_names: posed.keypoints } : {}) };
  return showYaml(
    {
      path: '.',
      task,
      ...places,
      ...(task === 'pose' ? pose : {}),
      names: Object.fromEntries(names.map((name, i) => [i, name])),
    },
    { lineWidth: 0 },
  );
}
