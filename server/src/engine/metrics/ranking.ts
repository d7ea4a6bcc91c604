/** Scores of one concept's positive and negative rows, each ascending. */
export interface SortedScores {
  positives: Float32Array;
  negatives: Float32Array;
}

/**
 * Area under the ROC curve, exact: the share of (positive, negative) pairs in the right order, ties counting
 * half. Undefined without a positive or without a negative.
 */
export function rocAuc({ positives, negatives }: SortedScores): number | undefined {
  if (positives.length === 0 || negatives.length === 0) return undefined;
  let below = 0;
  let upTo = 0;
  let wins = 0;
  for (const score of positives) {
    while (below < negatives.length && (negatives[below] as number) < score) below += 1;
    if (upTo < below) upTo = below;
    while (upTo < negatives.length && (negatives[upTo] as number) === score) upTo += 1;
    wins += (below + upTo) / 2;
  }
  return wins / (positives.length * negatives.length);
}

/**
 * Average precision: precision at each distinct score, weighted by the recall it adds. Undefined without a positive.
 */
export function averagePrecision({ positives, negatives }: SortedScores): number | undefined {
  if (positives.length === 0) return undefined;
  let p = positives.length;
  let n = negatives.length;
  let sum = 0;
  while (p > 0) {
    const score = positives[p - 1] as number;
    const before = p;
    while (p > 0 && (positives[p - 1] as number) === score) p -= 1;
    while (n > 0 && (negatives[n - 1] as number) >= score) n -= 1;
    const found = positives.length - p;
    sum += ((before - p) * found) / (found + negatives.length - n);
  }
  return sum / positives.length;
}

/** How many of the ascending scores are at least `threshold`. */
export function countAtLeast(ascending: Float32Array, threshold: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] as number) >= threshold) high = middle;
    else low = middle + 1;
  }
  return ascending.length - low;
}
