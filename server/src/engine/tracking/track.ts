import { type Box, overlap } from '../builtin/boxes.ts';
import { assign, forbidden } from './assignment.ts';

/** What a detector saw in one frame. */
export interface Detection {
  /** In 0..1 of the frame. */
  box: Box;
  /** How sure the detector is, 0..1. */
  value: number;
  /** What it takes it for; things of two kinds are never one track. */
  label: string;
  /** What it looks like, of length one; trackers that recognise things again use it. */
  embedding?: Float32Array | undefined;
}

/** Follows detections through frames, one frame at a time, in order. */
export interface Tracker {
  /** @returns the number of the track that each detection belongs to; undefined where it is none's */
  step(detections: readonly Detection[]): (number | undefined)[];
}

export type DistanceMetric = 'iou' | 'diou' | 'euclidean';

const middleOf = (box: Box) => ({ x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2 });

/** Distance of the middles, 1 being a side of the picture. */
export function middleDistance(a: Box, b: Box): number {
  const [from, to] = [middleOf(a), middleOf(b)];
  return Math.hypot(from.x - to.x, from.y - to.y);
}

/**
 * How far apart two boxes are, from 0 for the same box.
 *
 * `iou` is 1 minus the shared share, 0..1; `diou` adds the squared distance of the middles over the squared diagonal
 * of the box around both, and is halved to 0..1, so that boxes that do not touch still differ; `euclidean` is the
 * distance of the middles.
 *
 * Source: Zheng et al. 2020 for diou.
 */
export function boxDistance(metric: DistanceMetric, a: Box, b: Box): number {
  if (metric === 'euclidean') return middleDistance(a, b);
  const apart = 1 - overlap(a, b);
  if (metric === 'iou') return apart;
  const width = Math.max(a.right, b.right) - Math.min(a.left, b.left);
  const height = Math.max(a.bottom, b.bottom) - Math.min(a.top, b.top);
  const diagonal = width * width + height * height;
  const between = middleDistance(a, b);
  return (apart + (diagonal > 0 ? (between * between) / diagonal : 0)) / 2;
}

/** Distance of two embeddings of length one: 0 the same, 1 unrelated, 2 opposite; infinite where one is missing. */
export function embeddingDistance(a: Float32Array | undefined, b: Float32Array | undefined): number {
  if (!a || !b || a.length !== b.length) return forbidden;
  return 1 - a.reduce((sum, value, index) => sum + value * (b[index] as number), 0);
}

/** Rows and columns that were paired, and those that were left over; all are indices of the lists given. */
export interface Pairs {
  readonly pairs: readonly (readonly [row: number, column: number])[];
  readonly rowsLeft: readonly number[];
  readonly columnsLeft: readonly number[];
}

/** Pairs what is near enough, cheapest in all. @param distanceMax pairs farther apart than this are not made */
export function pairUp<Row extends { label: string }>(
  rows: readonly Row[],
  columns: readonly Detection[],
  distanceMax: number,
  distance: (row: Row, column: Detection) => number,
): Pairs {
  const costs = rows.map((row) =>
    columns.map((column) => {
      if (row.label !== column.label) return forbidden;
      const cost = distance(row, column);
      return cost <= distanceMax ? cost : forbidden;
    }),
  );
  const columnOf = assign(costs);
  const pairs = columnOf.flatMap((column, row) => (column < 0 ? [] : [[row, column] as const]));
  const taken = new Set(pairs.map(([, column]) => column));
  return {
    pairs,
    rowsLeft: [...columnOf.keys()].filter((row) => (columnOf[row] as number) < 0),
    columnsLeft: [...columns.keys()].filter((column) => !taken.has(column)),
  };
}
