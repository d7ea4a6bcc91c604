import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** How a filter's matches lie to the queries: anywhere, nearest first, or farthest first. */
export const correlations = ['random', 'aligned', 'opposed'] as const;
export type Correlation = (typeof correlations)[number];

/** Shares of the rows that a filter keeps; a level's rows hold those of the next. */
export const shares = [1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001, 0.0001] as const;

/** Clustered vectors of length one, queries from one corner of them, and an order of the rows for each correlation. */
export interface VectorSet {
  readonly rows: number;
  readonly dims: number;
  /** float32 [rows, dims]. */
  readonly vectors: Float32Array;
  readonly queries: readonly Float32Array[];
  /** Place of each row, 0..rows-1, in the order of a correlation: a share keeps the places below it. */
  readonly places: Readonly<Record<'random' | 'aligned', Int32Array>>;
  /** The same bytes on disk, for other processes. */
  readonly file: string;
  readonly queryFile: string;
}

/** xorshift128, so that every run has the same vectors. @returns numbers in 0..1, 1 excluded */
export function randomFrom(seed: number): () => number {
  let [a, b, c, d] = [seed | 1, 362436069, 521288629, 88675123];
  return () => {
    const t = a ^ (a << 11);
    [a, b, c] = [b, c, d];
    d = d ^ (d >>> 19) ^ t ^ (t >>> 8);
    return (d >>> 0) / 4_294_967_296;
  };
}

/** Standard normal numbers, two for each pair of uniform ones (Box and Muller). */
export function normalFrom(random: () => number): () => number {
  let spare = Number.NaN;
  return () => {
    if (!Number.isNaN(spare)) {
      const kept = spare;
      spare = Number.NaN;
      return kept;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

const rowsPerCluster = 170;
/** Length of the noise beside a centre of length one: neighbours in a cluster then have a cosine of about 0.6. */
const noise = 0.8;

/** 100,000 × 512 take about four seconds and 205 MB. */
export function makeVectorSet(
  folder: string,
  options: { rows: number; dims: number; queries: number },
): VectorSet {
  const { rows, dims } = options;
  const random = randomFrom(20260101);
  const normal = normalFrom(random);
  const clusters = Math.max(4, Math.round(rows / rowsPerCluster));
  const pole = unit(Float32Array.from({ length: dims }, normal));
  const tilts = Float32Array.from({ length: clusters }, (_, at) => 1 - (2 * at) / (clusters - 1));
  const centres = Array.from(tilts, (tilt) => {
    const centre = unit(Float32Array.from({ length: dims }, normal));
    return unit(centre.map((x, d) => x + tilt * (pole[d] as number)));
  });
  const step = noise / Math.sqrt(dims);
  const around = (centre: Float32Array) => unit(centre.map((x) => x + step * normal()));
  const vectors = new Float32Array(rows * dims);
  for (let row = 0; row < rows; row++) {
    vectors.set(around(centres[Math.floor(random() * clusters)] as Float32Array), row * dims);
  }
  // The first twentieth of the clusters leans furthest to the pole.
  const corner = Math.max(2, Math.floor(clusters / 20));
  const queries = Array.from({ length: options.queries }, (_, at) =>
    around(centres[at % corner] as Float32Array),
  );
  const leaning = Float32Array.from({ length: rows }, (_, row) => dot(vectors, row * dims, pole));
  const file = join(folder, 'vectors.f32');
  const queryFile = join(folder, 'queries.f32');
  writeFileSync(file, bytesOf(vectors));
  writeFileSync(queryFile, Buffer.concat(queries.map(bytesOf)));
  const places = {
    random: placesBy(Float32Array.from({ length: rows }, random)),
    aligned: placesBy(leaning.map((x) => -x)),
  };
  return { rows, dims, vectors, queries, places, file, queryFile };
}

export const bytesOf = (numbers: Float32Array | Float64Array): Buffer =>
  Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength);

export const matchesOf = (set: VectorSet, share: number): number => Math.max(1, Math.round(set.rows * share));

/** Whether a filter of this share and correlation keeps a row. */
export function keeps(set: VectorSet, correlation: Correlation, share: number, row: number): boolean {
  const place = set.places[correlation === 'random' ? 'random' : 'aligned'][row] as number;
  return (correlation === 'opposed' ? set.rows - 1 - place : place) < matchesOf(set, share);
}

/** Cosines of a query with every row. */
export function cosinesOf(set: VectorSet, query: Float32Array): Float32Array {
  return Float32Array.from({ length: set.rows }, (_, row) => dot(set.vectors, row * set.dims, query));
}

/** The `k` rows that a filter keeps and whose cosine is largest, best first. */
export function nearest(cosines: Float32Array, k: number, isKept: (row: number) => boolean): number[] {
  const best: number[] = [];
  let floor = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < cosines.length; row++) {
    const cosine = cosines[row] as number;
    if ((best.length === k && cosine <= floor) || !isKept(row)) continue;
    let at = best.length;
    while (at > 0 && (cosines[best[at - 1] as number] as number) < cosine) at--;
    best.splice(at, 0, row);
    if (best.length > k) best.pop();
    floor = cosines[best[best.length - 1] as number] as number;
  }
  return best;
}

/** Share of the wanted rows that were found, 0..1. */
export const recallOf = (found: readonly number[], wanted: readonly number[]): number =>
  wanted.length === 0 ? 1 : wanted.filter((row) => found.includes(row)).length / wanted.length;

function placesBy(values: Float32Array): Int32Array {
  const order = Int32Array.from(values.keys()).sort(
    (a, b) => (values[a] as number) - (values[b] as number) || a - b,
  );
  const places = new Int32Array(values.length);
  for (const [place, row] of order.entries()) places[row] = place;
  return places;
}

function dot(rows: Float32Array, from: number, other: Float32Array): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  for (let d = 0; d < other.length; d += 4) {
    s0 += (rows[from + d] as number) * (other[d] as number);
    s1 += (rows[from + d + 1] as number) * (other[d + 1] as number);
    s2 += (rows[from + d + 2] as number) * (other[d + 2] as number);
    s3 += (rows[from + d + 3] as number) * (other[d + 3] as number);
  }
  return s0 + s1 + s2 + s3;
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(dot(vector, 0, vector));
  return vector.map((x) => x / length);
}
