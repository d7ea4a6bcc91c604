import { randomFrom } from './random.ts';

/** A standard normal stream (Box and Muller). */
function normalFrom(seed: number): () => number {
  const random = randomFrom(seed);
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/**
 * Overlapping clusters, one per class, so that no head can be right everywhere: float32 rows of unit length.
 * The recorded scikit-learn numbers in the tests belong to exactly these rows.
 */
export function overlappingClusters(
  rows: number,
  dims: number,
  classes: number,
  noise: number,
  seed: number,
) {
  const normal = normalFrom(seed);
  const centres = Float64Array.from({ length: classes * dims }, normal);
  const vectors = new Float32Array(rows * dims);
  const classIndex = Int32Array.from({ length: rows }, (_, row) => row % classes);
  for (let row = 0; row < rows; row += 1) {
    const centre = (classIndex[row] as number) * dims;
    const own = Float64Array.from(
      { length: dims },
      (_, d) => (centres[centre + d] as number) + noise * normal(),
    );
    const norm = Math.sqrt(own.reduce((sum, value) => sum + value * value, 0));
    for (let d = 0; d < dims; d += 1) vectors[row * dims + d] = (own[d] as number) / norm;
  }
  return { vectors, classIndex };
}
