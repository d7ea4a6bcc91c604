import { Cancelled, type Watch } from './fit.ts';
import { randomFrom } from './random.ts';

export interface ClusterProblem {
  /** float32 [rows, dims], shared memory. */
  vectors: Float32Array;
  dims: number;
  /** Coarse groups wanted; fewer where there are fewer rows. */
  coarse: number;
  /** Fine groups wanted in each coarse one. */
  fine: number;
  seed: number;
}

/** Groups on two levels, and a plane that shows as much of the data as a plane can. */
export interface Clusters {
  dims: number;
  /** float32 [coarse, dims]: the middle of each coarse group. */
  coarse: Float32Array;
  /** float32 [fine groups of all, dims], those of the first coarse group first. */
  fine: Float32Array;
  /** Fine groups of each coarse one. */
  fineCounts: number[];
  /** float32 [dims], and [2, dims]: what is taken off a vector, and the two directions of the plane. */
  mean: Float32Array;
  plane: Float32Array;
}

const roundsMax = 40;
/** Fewer rows than this are not split any further. */
const fineRowsMin = 8;
/** Middles are found on a sample where there are more rows than this. */
const sampleRowsMax = 100_000;

/** Sorts vectors into groups. The same problem gives the same bits. */
export function fitClusters(problem: ClusterProblem, watch: Watch): Clusters {
  const { dims, seed } = problem;
  const random = randomFrom(seed);
  const vectors = sampled(problem);
  const rows = vectors.length / dims;
  const check = () => {
    if (watch.cancelled()) throw new Cancelled('clustering was cancelled');
  };
  const coarse = kMeans(vectors, dims, Math.min(problem.coarse, rows), random, check, (part) =>
    watch.progress(part * 0.6),
  );
  const count = coarse.middles.length / dims;
  const fineCounts: number[] = [];
  const fine: Float32Array[] = [];
  for (let group = 0; group < count; group += 1) {
    const own = rowsOf(vectors, dims, coarse.groupOf, group);
    const wanted =
      own.length / dims < fineRowsMin ? 1 : Math.min(problem.fine, Math.floor(own.length / dims / 4));
    const { middles } = kMeans(own, dims, Math.max(1, wanted), random, check, () => {});
    fineCounts.push(middles.length / dims);
    fine.push(middles);
    watch.progress(0.6 + (0.35 * (group + 1)) / count);
  }
  const joined = new Float32Array(fineCounts.reduce((sum, n) => sum + n, 0) * dims);
  let at = 0;
  for (const middles of fine) {
    joined.set(middles, at);
    at += middles.length;
  }
  const { mean, plane } = widestPlane(vectors, dims, random);
  watch.progress(1);
  return { dims, coarse: coarse.middles, fine: joined, fineCounts, mean, plane };
}

function sampled({ vectors, dims }: ClusterProblem): Float32Array {
  const rows = vectors.length / dims;
  if (rows <= sampleRowsMax) return vectors;
  const step = rows / sampleRowsMax;
  const kept = new Float32Array(sampleRowsMax * dims);
  for (let row = 0; row < sampleRowsMax; row += 1) {
    const from = Math.floor(row * step) * dims;
    kept.set(vectors.subarray(from, from + dims), row * dims);
  }
  return kept;
}

function rowsOf(vectors: Float32Array, dims: number, groupOf: Int32Array, group: number): Float32Array {
  const rows = [...groupOf.keys()].filter((row) => groupOf[row] === group);
  const own = new Float32Array(rows.length * dims);
  rows.forEach((row, at) => {
    own.set(vectors.subarray(row * dims, (row + 1) * dims), at * dims);
  });
  return own;
}

const squaredDistance = (
  a: Float32Array,
  aAt: number,
  b: Float32Array,
  bAt: number,
  dims: number,
): number => {
  let sum = 0;
  for (let d = 0; d < dims; d += 1) {
    const apart = (a[aAt + d] as number) - (b[bAt + d] as number);
    sum += apart * apart;
  }
  return sum;
};

/** Index of the middle nearest to a vector, among middles [from, to). */
export function nearestMiddle(
  vector: Float32Array,
  middles: Float32Array,
  dims: number,
  from = 0,
  to = middles.length / dims,
): number {
  let best = from;
  let least = Number.POSITIVE_INFINITY;
  for (let index = from; index < to; index += 1) {
    const distance = squaredDistance(vector, 0, middles, index * dims, dims);
    if (distance < least) {
      least = distance;
      best = index;
    }
  }
  return best;
}

/**
 * Lloyd's iteration from spread-out beginnings; a group that loses all its rows gets the row farthest from its middle.
 *
 * Source: Lloyd 1982; Arthur and Vassilvitskii 2007 (k-means++).
 */
function kMeans(
  vectors: Float32Array,
  dims: number,
  count: number,
  random: () => number,
  check: () => void,
  progress: (part: number) => void,
): { middles: Float32Array; groupOf: Int32Array } {
  const rows = vectors.length / dims;
  const middles = spreadOut(vectors, dims, count, random);
  const groupOf = new Int32Array(rows).fill(-1);
  for (let round = 0; round < roundsMax; round += 1) {
    check();
    let moved = 0;
    let farthest = { row: 0, distance: -1 };
    const sums = new Float64Array(middles.length);
    const sizes = new Int32Array(middles.length / dims);
    for (let row = 0; row < rows; row += 1) {
      const own = vectors.subarray(row * dims, (row + 1) * dims);
      const group = nearestMiddle(own, middles, dims);
      if (groupOf[row] !== group) moved += 1;
      groupOf[row] = group;
      sizes[group] = (sizes[group] as number) + 1;
      for (let d = 0; d < dims; d += 1)
        sums[group * dims + d] = (sums[group * dims + d] as number) + (own[d] as number);
      const distance = squaredDistance(own, 0, middles, group * dims, dims);
      if (distance > farthest.distance) farthest = { row, distance };
    }
    sizes.forEach((size, group) => {
      for (let d = 0; d < dims; d += 1) {
        const at = group * dims + d;
        middles[at] = size > 0 ? (sums[at] as number) / size : (vectors[farthest.row * dims + d] as number);
      }
    });
    progress((round + 1) / roundsMax);
    if (moved <= rows / 1_000) break;
  }
  return { middles, groupOf };
}

function spreadOut(vectors: Float32Array, dims: number, count: number, random: () => number): Float32Array {
  const rows = vectors.length / dims;
  const middles = new Float32Array(count * dims);
  const nearest = new Float64Array(rows).fill(Number.POSITIVE_INFINITY);
  let next = Math.floor(random() * rows);
  for (let made = 0; made < count; made += 1) {
    middles.set(vectors.subarray(next * dims, (next + 1) * dims), made * dims);
    let total = 0;
    for (let row = 0; row < rows; row += 1) {
      const distance = squaredDistance(vectors, row * dims, middles, made * dims, dims);
      if (distance < (nearest[row] as number)) nearest[row] = distance;
      total += nearest[row] as number;
    }
    let left = random() * total;
    // All rows alike: there is one group, however many were wanted.
    if (!(total > 1e-12)) return middles.slice(0, (made + 1) * dims);
    next = 0;
    while (next < rows - 1 && left > (nearest[next] as number)) {
      left -= nearest[next] as number;
      next += 1;
    }
  }
  return middles;
}

const planeRowsMax = 5_000;
const powerRounds = 60;

/** The two directions in which the vectors spread most, by power iteration. */
function widestPlane(vectors: Float32Array, dims: number, random: () => number) {
  const all = vectors.length / dims;
  const rows = Math.min(all, planeRowsMax);
  const at = (row: number) => Math.floor((row * all) / rows) * dims;
  const mean = new Float32Array(dims);
  for (let row = 0; row < rows; row += 1)
    for (let d = 0; d < dims; d += 1) mean[d] = (mean[d] as number) + (vectors[at(row) + d] as number) / rows;
  const plane = new Float32Array(2 * dims);
  for (let axis = 0; axis < 2; axis += 1) {
    let direction = Float64Array.from({ length: dims }, () => random() - 0.5);
    for (let round = 0; round < powerRounds; round += 1) {
      const next = new Float64Array(dims);
      for (let row = 0; row < rows; row += 1) {
        let along = 0;
        for (let d = 0; d < dims; d += 1)
          along += ((vectors[at(row) + d] as number) - (mean[d] as number)) * (direction[d] as number);
        for (let d = 0; d < dims; d += 1)
          next[d] = (next[d] as number) + along * ((vectors[at(row) + d] as number) - (mean[d] as number));
      }
      if (axis === 1) {
        let shared = 0;
        for (let d = 0; d < dims; d += 1) shared += (next[d] as number) * (plane[d] as number);
        for (let d = 0; d < dims; d += 1) next[d] = (next[d] as number) - shared * (plane[d] as number);
      }
      const length = Math.hypot(...next);
      direction = length > 0 ? next.map((value) => value / length) : next;
    }
    plane.set(direction, axis * dims);
  }
  return { mean, plane };
}

/** Where a vector belongs: the group as `coarse_fine`, and its place on the plane. */
export function placeIn(
  clusters: Clusters,
  vector: Float32Array,
): { id: string; projection: [number, number] } {
  const { dims, coarse, fine, fineCounts, mean, plane } = clusters;
  const group = nearestMiddle(vector, coarse, dims);
  const before = fineCounts.slice(0, group).reduce((sum, count) => sum + count, 0);
  const inner = nearestMiddle(vector, fine, dims, before, before + (fineCounts[group] as number)) - before;
  const along = (axis: number) =>
    vector.reduce(
      (sum, value, d) => sum + (value - (mean[d] as number)) * (plane[axis * dims + d] as number),
      0,
    );
  return { id: `${group}_${inner}`, projection: [along(0), along(1)] };
}
