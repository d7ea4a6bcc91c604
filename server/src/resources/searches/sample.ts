import type { VectorCollection, VectorPage } from '#domain/vector-store.ts';

/** Vectors read at a time. */
const pageRows = 4_096;

/** Scores of all pairs of a sample, 0..1, and how many vectors it had. */
export interface Sample {
  readonly scores: number[];
  readonly sampleSize: number;
}

/** Compares a sample, spread evenly over the index, with itself: as good as chance, for keys say when, not what. */
export async function scoresOfPairs(
  index: VectorCollection,
  sizeMax: number,
  signal?: AbortSignal,
): Promise<Sample> {
  const { keys, vectors } = await sampleOf(index, sizeMax, signal);
  const units = Array.from(keys, (_, i) => unit(vectors.subarray(i * index.dims, (i + 1) * index.dims)));
  const scores: number[] = [];
  for (const [i, one] of units.entries()) {
    signal?.throwIfAborted();
    for (const other of units.slice(i + 1)) scores.push((1 + dot(one, other)) / 2);
  }
  return { scores, sampleSize: keys.length };
}

async function sampleOf(index: VectorCollection, sizeMax: number, signal?: AbortSignal): Promise<VectorPage> {
  const step = Math.max(1, index.size / sizeMax);
  const keys: number[] = [];
  const rows: Float32Array[] = [];
  for (let after = -1, seen = 0; ; ) {
    signal?.throwIfAborted();
    const page = await index.page(after, pageRows);
    for (const [i, key] of page.keys.entries()) {
      if (seen + i < keys.length * step || keys.length === sizeMax) continue;
      keys.push(key);
      rows.push(page.vectors.subarray(i * index.dims, (i + 1) * index.dims));
    }
    seen += page.keys.length;
    if (page.keys.length < pageRows) break;
    after = page.keys.at(-1) as number;
  }
  const vectors = new Float32Array(keys.length * index.dims);
  for (const [i, row] of rows.entries()) vectors.set(row, i * index.dims);
  return { keys: Float64Array.from(keys), vectors };
}

function dot(one: Float32Array, other: Float32Array): number {
  let sum = 0;
  for (let d = 0; d < one.length; d++) sum += (one[d] as number) * (other[d] as number);
  return sum;
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((x) => x / length);
}
