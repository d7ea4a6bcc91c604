import { assign } from '../assignment.ts';

/** Objects of one moment: ids that stay the same over time, and boxes float64 [n, 4] left, top, width, height. */
export interface FrameObjects {
  ids: Int32Array;
  boxes: Float64Array;
}

export interface TrackedFrame {
  truth: FrameObjects;
  found: FrameObjects;
}

export interface TrackingMetrics {
  /** Multiple object tracking accuracy, at most 1; 0 where there is no true object. */
  mota: number;
  /** Mean distance (1 - overlap) of what was matched. */
  motp: number;
  switches: number;
  misses: number;
  falsePositives: number;
  matches: number;
  /** True objects, counted in each moment. */
  objects: number;
  /** Found objects, counted in each moment. */
  predictions: number;
  idf1: number;
  idp: number;
  idr: number;
  /** Times that a true object was lost and found again. */
  fragmentations: number;
  /** Objects that changed over to another track at least once, as a share of all objects. */
  uniqueSwitchRate: number;
}

/**
 * CLEAR MOT and identity figures over the frames of one video, in order. A pair may be matched from
 * `overlapMin` on; what was matched before stays matched while it may.
 */
export function evaluateTracking(frames: readonly TrackedFrame[], overlapMin = 0.5): TrackingMetrics {
  const trackOf = new Map<number, number>();
  const seen = new Map<number, { matched: boolean[] }>();
  const together = new Map<number, Map<number, number>>();
  const trueCounts = new Map<number, number>();
  const foundCounts = new Map<number, number>();
  const switched = new Set<number>();
  let [switches, misses, falsePositives, matches, distances] = [0, 0, 0, 0, 0];
  for (const { truth, found } of frames) {
    const width = found.ids.length;
    const distance = distancesOf(truth, found, overlapMin);
    const trueDone = new Uint8Array(truth.ids.length);
    const foundDone = new Uint8Array(width);
    const pair = (i: number, j: number) => {
      trueDone[i] = 1;
      foundDone[j] = 1;
      trackOf.set(truth.ids[i] as number, found.ids[j] as number);
      distances += distance[i * width + j] as number;
    };
    truth.ids.forEach((object, i) => {
      count(trueCounts, object);
      found.ids.forEach((track, j) => {
        if (!Number.isFinite(distance[i * width + j])) return;
        const row = together.get(object) ?? new Map<number, number>();
        together.set(object, row);
        count(row, track);
      });
      const j = found.ids.findIndex((track, at) => track === trackOf.get(object) && foundDone[at] === 0);
      if (j < 0 || !Number.isFinite(distance[i * width + j])) return;
      pair(i, j);
      matches += 1;
    });
    for (const track of found.ids) count(foundCounts, track);
    for (const [i, j] of cheapest(distance, trueDone, foundDone)) {
      const object = truth.ids[i] as number;
      const before = trackOf.get(object);
      if (before !== undefined && before !== found.ids[j]) {
        switches += 1;
        switched.add(object);
      } else matches += 1;
      pair(i, j);
    }
    truth.ids.forEach((object, i) => {
      const life = seen.get(object) ?? { matched: [] };
      seen.set(object, life);
      life.matched.push(trueDone[i] === 1);
      if (trueDone[i] === 0) misses += 1;
    });
    falsePositives += foundDone.filter((done) => done === 0).length;
  }
  const objects = sum(trueCounts);
  const predictions = sum(foundCounts);
  const idtp = identityMatches(trueCounts, foundCounts, together);
  const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
  return {
    mota: objects === 0 ? 0 : 1 - (misses + switches + falsePositives) / objects,
    motp: share(distances, matches + switches),
    switches,
    misses,
    falsePositives,
    matches,
    objects,
    predictions,
    idf1: share(2 * idtp, objects + predictions),
    idp: share(idtp, predictions),
    idr: share(idtp, objects),
    fragmentations: [...seen.values()].reduce((total, { matched }) => total + gaps(matched), 0),
    uniqueSwitchRate: share(switched.size, trueCounts.size),
  };
}

const count = (counts: Map<number, number>, id: number) => counts.set(id, (counts.get(id) ?? 0) + 1);
const sum = (counts: Map<number, number>): number => [...counts.values()].reduce((a, b) => a + b, 0);

/** Changes from matched to missed between the first and the last match. */
function gaps(matched: readonly boolean[]): number {
  const life = matched.slice(matched.indexOf(true), matched.lastIndexOf(true) + 1);
  return life.filter((one, at) => one && life[at + 1] === false).length;
}

/** float64 [truth, found]: 1 - overlap, infinite for pairs that may not be matched. */
function distancesOf(truth: FrameObjects, found: FrameObjects, overlapMin: number): Float64Array {
  const width = found.ids.length;
  const distances = new Float64Array(truth.ids.length * width).fill(Number.POSITIVE_INFINITY);
  for (let i = 0; i < truth.ids.length; i += 1) {
    for (let j = 0; j < width; j += 1) {
      const distance = 1 - overlapOf(truth.boxes, i, found.boxes, j);
      if (distance <= 1 - overlapMin) distances[i * width + j] = distance;
    }
  }
  return distances;
}

function overlapOf(a: Float64Array, i: number, b: Float64Array, j: number): number {
  const at = (boxes: Float64Array, row: number) =>
    boxes.subarray(4 * row, 4 * row + 4) as unknown as [number, number, number, number];
  const [ax, ay, aw, ah] = at(a, i);
  const [bx, by, bw, bh] = at(b, j);
  const width = Math.max(0, Math.min(ax + aw, bx + bw) - Math.max(ax, bx));
  const height = Math.max(0, Math.min(ay + ah, by + bh) - Math.max(ay, by));
  const shared = width * height;
  const either = aw * ah + bw * bh - shared;
  return either > 0 ? shared / either : 0;
}

/** Dearer than any real pairing, so that as many as can be are made. */
const forbidden = 1e6;

function cheapest(distance: Float64Array, trueDone: Uint8Array, foundDone: Uint8Array): [number, number][] {
  const width = foundDone.length;
  const rows = [...trueDone.keys()].filter((i) => trueDone[i] === 0);
  const columns = [...foundDone.keys()].filter((j) => foundDone[j] === 0);
  const costs = new Float64Array(rows.length * columns.length);
  rows.forEach((i, r) => {
    columns.forEach((j, c) => {
      const cost = distance[i * width + j] as number;
      costs[r * columns.length + c] = Number.isFinite(cost) ? cost : forbidden;
    });
  });
  const chosen = assign(costs, rows.length, columns.length);
  return rows.flatMap((i, r) => {
    const j = columns[chosen[r] as number];
    return j !== undefined && Number.isFinite(distance[i * width + j]) ? [[i, j] as [number, number]] : [];
  });
}

/** The most moments that one lasting pairing of objects and tracks explains. */
function identityMatches(
  trueCounts: Map<number, number>,
  foundCounts: Map<number, number>,
  together: Map<number, Map<number, number>>,
): number {
  const objects = [...trueCounts.keys()];
  const tracks = [...foundCounts.keys()];
  const costs = new Float64Array(objects.length * tracks.length);
  objects.forEach((object, i) => {
    tracks.forEach((track, j) => {
      costs[i * tracks.length + j] = -(together.get(object)?.get(track) ?? 0);
    });
  });
  return assign(costs, objects.length, tracks.length).reduce(
    (total, j, i) => total - (j < 0 ? 0 : (costs[i * tracks.length + j] as number)),
    0,
  );
}
