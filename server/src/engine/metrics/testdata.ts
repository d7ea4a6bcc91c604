import { randomFrom } from '#engine/training/random.ts';

/**
 * Probabilities that know something of the truth, rounded to hundredths so that ties abound.
 * The numbers recorded from scikit-learn in the tests belong to exactly these rows.
 */
export function scoredRows(rows: number, classes: number, seed: number) {
  const random = randomFrom(seed);
  const truth = new Int8Array(rows * classes);
  const probabilities = new Float32Array(rows * classes);
  for (let i = 0; i < truth.length; i += 1) {
    const has = random() < 0.1 + 0.15 * (i % classes);
    truth[i] = has ? 1 : 0;
    probabilities[i] =
      Math.round(100 * Math.min(1, Math.max(0, (has ? 0.6 : 0.35) + 0.5 * (random() - 0.5)))) / 100;
  }
  return { conceptIds: Array.from({ length: classes }, (_, c) => `concept-${c}`), truth, probabilities };
}
