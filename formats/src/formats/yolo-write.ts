import { stringify as showYaml } from 'yaml';
import { type FileSink, utf8 } from '../files.ts';
import type { WriteContext } from '../format.ts';
import { boundsOfKeypoints, boundsOfRings } from '../geometry/polygon.ts';
import type { Size } from '../image-size.ts';
import { steady } from '../numbers.ts';
import { joinPath, noSplit, stemOf, uniquePaths } from '../paths.ts';
import type { Report } from '../problems.ts';
import type { Annotation, ClassInfo, Dataset, ImageRecord } from '../record.ts';
import { labelsPath, type Task } from './yolo-read.ts';

export async function writeYolo(
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
