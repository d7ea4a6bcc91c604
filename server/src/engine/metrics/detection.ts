import { maskOverlap, type Runs } from './masks.ts';

/** Boxes or masks with a class each. Row i of every array is one of them. */
export interface Objects {
  /** Index of the picture. */
  image: Int32Array;
  /** Index of the class, 0..classes-1. */
  classIndex: Int32Array;
  /** float64 [n, 4]: left, top, width, height, in pixels. */
  boxes: Float64Array;
  /** In square pixels; width times height where left out. */
  areas?: Float64Array;
  /** One per object: then masks are compared instead of boxes. */
  masks?: Runs[];
}

export interface TrueObjects extends Objects {
  /** 1 for a region that stands for many objects: any number of found ones may lie in it. */
  crowd?: Uint8Array;
  /** 1 for objects that count neither as found nor as missed. */
  ignore?: Uint8Array;
}

export interface FoundObjects extends Objects {
  scores: Float64Array;
}

export interface DetectionRows {
  classes: number;
  truth: TrueObjects;
  found: FoundObjects;
}

/** Sizes of objects in square pixels, as COCO names them. */
export const areaRanges = [
  { name: 'all', min: 0, max: 1e10 },
  { name: 'small', min: 0, max: 32 ** 2 },
  { name: 'medium', min: 32 ** 2, max: 96 ** 2 },
  { name: 'large', min: 96 ** 2, max: 1e10 },
] as const;
export type AreaName = (typeof areaRanges)[number]['name'];

// As numpy's linspace makes them: the same doubles, so that a tie at a threshold falls the same way.
const overlapStep = (0.95 - 0.5) / 9;
export const overlaps: readonly number[] = Array.from({ length: 10 }, (_, i) =>
  i === 9 ? 0.95 : i * overlapStep + 0.5,
);
const recallPoints: readonly number[] = Array.from({ length: 101 }, (_, i) => (i === 100 ? 1 : i * 0.01));
const perImageMax = [1, 10, 100] as const;
const foundMax = 100;

/** COCO's twelve numbers; -1 where there is no object of that size. */
export interface DetectionSummary {
  ap: number;
  ap50: number;
  ap75: number;
  apSmall: number;
  apMedium: number;
  apLarge: number;
  ar1: number;
  ar10: number;
  ar100: number;
  arSmall: number;
  arMedium: number;
  arLarge: number;
}

/** One class in one range of sizes. All are -1, and curves none, where there is no such object. */
export interface ClassPrecision {
  classIndex: number;
  area: AreaName;
  /** Mean over the overlaps 0.50, 0.55 … 0.95. */
  ap: number;
  ap50: number;
  ap75: number;
  /** Mean recall over the overlaps, of the 100 surest per picture. */
  ar: number;
  /** True objects that count. */
  numPos: number;
  /** At overlaps 0.5, 0.6 … 0.9. */
  curves: DetectionCurve[];
}

/** Precision and recall of what is at least so sure: 0.00, 0.01 … 1.00; precision is 1 where nothing is found. */
export interface DetectionCurve {
  overlap: number;
  ap: number;
  precision: number[];
  recall: number[];
}

export interface DetectionMetrics {
  summary: DetectionSummary;
  byClass: ClassPrecision[];
  /** Per found object, at overlap 0.5 and any size: the true object it stands for, -1 for a wrong one, -2 for one that does not count. */
  foundMatches: Int32Array;
  /** Per true object likewise: the found one, -1 for a missed one, -2 for one that does not count. */
  trueMatches: Int32Array;
}

/** Outcomes of one class in one range of sizes, over all pictures. */
interface Outcomes {
  /** Found objects of the pictures, one picture after the other. */
  scores: number[];
  /** Place of each within its picture, surest first. */
  ranks: number[];
  /** Per overlap: 1 right, 0 wrong, 2 does not count. */
  right: number[][];
  positives: number;
}

/**
 * Evaluates detections or masks as COCO's reference implementation does: greedy matching from the surest on, 101
 * recall points, ten overlaps, four sizes.
 *
 * @throws RangeError when shapes do not fit or a number is not finite
 */
export function evaluateDetection(rows: DetectionRows): DetectionMetrics {
  check(rows);
  const { classes, truth, found } = rows;
  const foundMatches = new Int32Array(found.image.length).fill(-2);
  const trueMatches = new Int32Array(truth.image.length).fill(-1);
  const trueOf = groups(truth, classes);
  const foundOf = groups(found, classes);
  const byClass: ClassPrecision[] = [];
  const recalls: { area: number; ranks: number; values: number[] }[] = [];
  const precisions: { area: number; overlap: number; value: number }[] = [];
  for (let c = 0; c < classes; c += 1) {
    const outcomes = areaRanges.map(
      (): Outcomes => ({ scores: [], ranks: [], right: overlaps.map(() => []), positives: 0 }),
    );
    const theirs = trueOf[c] ?? new Map<number, number[]>();
    const ours = foundOf[c] ?? new Map<number, number[]>();
    const images = [...new Set([...theirs.keys(), ...ours.keys()])].sort((a, b) => a - b);
    for (const image of images) {
      const pair = pairOf(rows, theirs.get(image) ?? [], ours.get(image) ?? []);
      areaRanges.forEach((range, at) => {
        match(
          rows,
          pair,
          range,
          outcomes[at] as Outcomes,
          at === 0 ? { foundMatches, trueMatches } : undefined,
        );
      });
    }
    areaRanges.forEach((range, at) => {
      const { precision, all } = precisionOf(outcomes[at] as Outcomes, c, range.name);
      byClass.push(precision);
      if (precision.numPos === 0) return;
      all.precisions.forEach((value, overlap) => {
        precisions.push({ area: at, overlap, value });
      });
      all.recalls.forEach((values, ranks) => {
        recalls.push({ area: at, ranks, values });
      });
    });
  }
  const meanAp = (area: number, overlap?: number) =>
    meanOr(
      precisions
        .filter((one) => one.area === area && (overlap === undefined || one.overlap === overlap))
        .map((one) => one.value),
    );
  const meanAr = (area: number, ranks: number) =>
    meanOr(recalls.filter((one) => one.area === area && one.ranks === ranks).flatMap((one) => one.values));
  return {
    summary: {
      ap: meanAp(0),
      ap50: meanAp(0, 0),
      ap75: meanAp(0, 5),
      apSmall: meanAp(1),
      apMedium: meanAp(2),
      apLarge: meanAp(3),
      ar1: meanAr(0, 0),
      ar10: meanAr(0, 1),
      ar100: meanAr(0, 2),
      arSmall: meanAr(1, 2),
      arMedium: meanAr(2, 2),
      arLarge: meanAr(3, 2),
    },
    byClass,
    foundMatches,
    trueMatches,
  };
}

const meanOr = (values: readonly number[]): number =>
  values.length === 0 ? -1 : values.reduce((sum, value) => sum + value, 0) / values.length;

function check({ classes, truth, found }: DetectionRows): void {
  for (const [what, { image, classIndex, boxes, areas, masks }] of [
    ['true', truth],
    ['found', found],
  ] as const) {
    const n = image.length;
    if (classIndex.length !== n || boxes.length !== 4 * n || (areas && areas.length !== n))
      throw new RangeError(
        `The ${what} objects have ${n} pictures, but not as many classes, boxes and areas.`,
      );
    if (masks && masks.length !== n) throw new RangeError(`The ${what} objects need a mask each.`);
    for (const index of classIndex)
      if (index < 0 || index >= classes) throw new RangeError(`A ${what} object names the class ${index}.`);
    for (const value of boxes)
      if (!Number.isFinite(value)) throw new RangeError(`A box of the ${what} objects is not finite.`);
  }
  if (
    (truth.masks === undefined) !== (found.masks === undefined) &&
    truth.image.length * found.image.length > 0
  )
    throw new RangeError('Masks are compared with masks.');
  if (found.scores.length !== found.image.length) throw new RangeError('Every found object has a score.');
  for (const score of found.scores)
    if (Number.isNaN(score)) throw new RangeError('A score of the found objects is not a number.');
}

/** Row numbers by class and picture. */
function groups({ image, classIndex }: Objects, classes: number): Map<number, number[]>[] {
  const made = Array.from({ length: classes }, () => new Map<number, number[]>());
  for (let row = 0; row < image.length; row += 1) {
    const byImage = made[classIndex[row] as number] as Map<number, number[]>;
    const rows = byImage.get(image[row] as number);
    if (rows) rows.push(row);
    else byImage.set(image[row] as number, [row]);
  }
  return made;
}

/** One class in one picture: found objects surest first, and how much each lies over each true one. */
interface Pair {
  truth: number[];
  found: number[];
  /** float64 [found, truth]. */
  overlap: Float64Array;
}

function pairOf({ truth, found }: DetectionRows, theirs: number[], ours: number[]): Pair {
  const sorted = [...ours]
    .sort((a, b) => (found.scores[b] as number) - (found.scores[a] as number))
    .slice(0, foundMax);
  const overlap = new Float64Array(sorted.length * theirs.length);
  sorted.forEach((f, i) => {
    theirs.forEach((t, j) => {
      const isCrowd = truth.crowd?.[t] === 1;
      overlap[i * theirs.length + j] =
        truth.masks && found.masks
          ? maskOverlap(found.masks[f] as Runs, truth.masks[t] as Runs, isCrowd)
          : boxOverlap(found.boxes, f, truth.boxes, t, isCrowd);
    });
  });
  return { truth: theirs, found: sorted, overlap };
}

function boxOverlap(a: Float64Array, i: number, b: Float64Array, j: number, isCrowd: boolean): number {
  const [ax, ay, aw, ah] = [a[4 * i], a[4 * i + 1], a[4 * i + 2], a[4 * i + 3]] as [
    number,
    number,
    number,
    number,
  ];
  const [bx, by, bw, bh] = [b[4 * j], b[4 * j + 1], b[4 * j + 2], b[4 * j + 3]] as [
    number,
    number,
    number,
    number,
  ];
  const width = Math.min(ax + aw, bx + bw) - Math.max(ax, bx);
  if (width <= 0) return 0;
  const height = Math.min(ay + ah, by + bh) - Math.max(ay, by);
  if (height <= 0) return 0;
  const shared = width * height;
  return shared / (isCrowd ? aw * ah : aw * ah + bw * bh - shared);
}

const areaAt = (objects: Objects, row: number): number =>
  objects.areas?.[row] ?? (objects.boxes[4 * row + 2] as number) * (objects.boxes[4 * row + 3] as number);

function match(
  { truth, found }: DetectionRows,
  pair: Pair,
  range: (typeof areaRanges)[number],
  into: Outcomes,
  trace: { foundMatches: Int32Array; trueMatches: Int32Array } | undefined,
): void {
  const outside = (area: number) => area < range.min || area > range.max;
  const isIgnored = pair.truth.map(
    (row) => truth.ignore?.[row] === 1 || truth.crowd?.[row] === 1 || outside(areaAt(truth, row)),
  );
  // Those that count come first: nothing is given away to one that does not.
  const order = [...pair.truth.keys()].filter((j) => !isIgnored[j]);
  const counting = order.length;
  order.push(...[...pair.truth.keys()].filter((j) => isIgnored[j]));
  into.positives += counting;
  const width = pair.truth.length;
  const isFoundOutside = pair.found.map((row) => outside(areaAt(found, row)));
  pair.found.forEach((row, rank) => {
    into.scores.push(found.scores[row] as number);
    into.ranks.push(rank);
  });
  overlaps.forEach((threshold, t) => {
    const taken = new Uint8Array(width);
    const right = into.right[t] as number[];
    pair.found.forEach((row, i) => {
      let best = Math.min(threshold, 1 - 1e-10);
      let mine = -1;
      for (let at = 0; at < order.length; at += 1) {
        const j = order[at] as number;
        if (taken[j] === 1 && truth.crowd?.[pair.truth[j] as number] !== 1) continue;
        if (mine >= 0 && at >= counting && !isIgnored[mine]) break;
        const overlap = pair.overlap[i * width + j] as number;
        if (overlap < best) continue;
        best = overlap;
        mine = j;
      }
      if (mine >= 0) taken[mine] = 1;
      const counts = mine >= 0 ? !isIgnored[mine] : !isFoundOutside[i];
      right.push(counts ? (mine >= 0 ? 1 : 0) : 2);
      if (trace && t === 0) {
        trace.foundMatches[row] = counts ? (mine >= 0 ? (pair.truth[mine] as number) : -1) : -2;
        if (mine >= 0 && counts) trace.trueMatches[pair.truth[mine] as number] = row;
      }
    });
  });
  if (trace)
    pair.truth.forEach((row, j) => {
      if (isIgnored[j]) trace.trueMatches[row] = -2;
    });
}

function precisionOf(outcomes: Outcomes, classIndex: number, area: AreaName) {
  const { scores, ranks, right, positives } = outcomes;
  const none = {
    classIndex,
    area,
    ap: -1,
    ap50: -1,
    ap75: -1,
    ar: -1,
    numPos: 0,
    curves: [] as DetectionCurve[],
  };
  const all = { precisions: [] as number[], recalls: perImageMax.map(() => [] as number[]) };
  if (positives === 0) return { precision: none, all };
  const order = Int32Array.from(scores.keys()).sort(
    (a, b) => (scores[b] as number) - (scores[a] as number) || a - b,
  );
  right.forEach((outcome, t) => {
    perImageMax.forEach((most, m) => {
      let hits = 0;
      for (let i = 0; i < outcome.length; i += 1)
        if (outcome[i] === 1 && (ranks[i] as number) < most) hits += 1;
      (all.recalls[m] as number[]).push(hits / positives);
    });
    const ap = averagePrecision(outcome, order, positives);
    all.precisions.push(ap);
    if (t % 2 === 0)
      none.curves.push({ overlap: overlaps[t] as number, ap, ...curveOf(outcome, order, scores, positives) });
  });
  return {
    precision: {
      ...none,
      ap: meanOr(all.precisions),
      ap50: all.precisions[0] as number,
      ap75: all.precisions[5] as number,
      ar: meanOr(all.recalls[2] as number[]),
      numPos: positives,
    },
    all,
  };
}

/** Mean precision at the recall points: at each, the best that is reached there or further on. */
function averagePrecision(outcome: readonly number[], order: Int32Array, positives: number): number {
  const recall = new Float64Array(order.length);
  const precision = new Float64Array(order.length);
  let [hits, misses] = [0, 0];
  order.forEach((i, at) => {
    // What does not count moves neither; it stays in the list so that its neighbours keep their places.
    if (outcome[i] === 1) hits += 1;
    else if (outcome[i] === 0) misses += 1;
    recall[at] = hits / positives;
    precision[at] = hits / (misses + hits + Number.EPSILON);
  });
  for (let i = precision.length - 1; i > 0; i -= 1)
    if ((precision[i] as number) > (precision[i - 1] as number)) precision[i - 1] = precision[i] as number;
  let [next, sum] = [0, 0];
  for (const point of recallPoints) {
    while (next < recall.length && (recall[next] as number) < point) next += 1;
    sum += precision[next] ?? 0;
  }
  return sum / recallPoints.length;
}

const thresholds: readonly number[] = Array.from({ length: 101 }, (_, i) => i / 100);

function curveOf(
  outcome: readonly number[],
  order: Int32Array,
  scores: readonly number[],
  positives: number,
) {
  const precision = new Array<number>(thresholds.length);
  const recall = new Array<number>(thresholds.length);
  let [hits, misses, next] = [0, 0, 0];
  for (let t = thresholds.length - 1; t >= 0; t -= 1) {
    while (next < order.length && (scores[order[next] as number] as number) >= (thresholds[t] as number)) {
      const result = outcome[order[next] as number];
      if (result === 1) hits += 1;
      else if (result === 0) misses += 1;
      next += 1;
    }
    precision[t] = hits + misses === 0 ? 1 : hits / (hits + misses);
    recall[t] = hits / positives;
  }
  return { precision, recall };
}
