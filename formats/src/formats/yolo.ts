import { readText } from '../files.ts';
import type { Format, FormatId, Listing } from '../format.ts';
import type { Holds } from '../holds.ts';
import { type Info, infoOf, labelLine, labelPaths, readYolo, type Task } from './yolo-read.ts';
import { writeYolo } from './yolo-write.ts';

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

/**
 * YOLO: `data.yaml`, pictures in `images/SPLIT/`, and beside them in `labels/SPLIT/` one text file per picture, one
 * object per line in parts of the picture's sides. Lines of five numbers are boxes, longer ones outlines, or keypoints
 * where `kpt_shape` says so.
 */
export const yoloFormats: readonly Format[] = (['detect', 'segment', 'pose', 'obb'] as const).map((task) => ({
  id: `yolo-${task}` as FormatId,
  title: titles[task],
  holds: holdsOf[task],
  detect: (listing) => detect(listing, task),
  read: readYolo,
  write: (dataset, sink, context) => writeYolo(dataset, sink, context, task),
}));

async function detect(listing: Listing, task: Task): Promise<number> {
  const info = await infoOf(listing);
  const labels = labelPaths(listing);
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
