import { panelsOf, panelWidth } from './matrix-kernel.ts';
import type { Net } from './net.ts';
import { type HeadProblem, positivesOf } from './problem.ts';

/**
 * Turns the logits of a batch into the slopes of the loss, in place.
 *
 * @returns the summed loss of rows[from..to), in nats
 */
export type Loss = (net: Net, rows: Int32Array, from: number, to: number) => number;

export function lossOf(problem: HeadProblem): Loss {
  return problem.exclusive ? softmaxLoss(problem) : sigmoidLoss(problem);
}

/** Cross-entropy of a softmax over all classes. */
function softmaxLoss(problem: HeadProblem): Loss {
  const wanted = problem.classIndex ?? new Int32Array(0);
  const weights = exclusiveWeights(problem);
  return (net, rows, from, to) => {
    const { batch, logits } = net;
    const panel = batch * panelWidth;
    const count = Math.min(batch, to - from);
    const truthOf = (i: number) => wanted[rows[from + i] as number] as number;
    const cellOf = (i: number) => (truthOf(i) >> 3) * panel + i * panelWidth + (truthOf(i) & 7);
    const own = Float32Array.from({ length: count }, (_, i) => logits[cellOf(i)] as number);
    const weightOf = (i: number) => (i < count ? (weights[truthOf(i)] as number) : 0);
    const notes = net.softmax((i) => weightOf(i) / batch);
    let loss = 0;
    for (let i = 0; i < count; i += 1) {
      const [highest, sum] = [notes[4 * i + 1] as number, notes[4 * i + 2] as number];
      loss += weightOf(i) * (Math.log(sum) - ((own[i] as number) - highest));
      logits[cellOf(i)] = (logits[cellOf(i)] as number) - weightOf(i) / batch;
    }
    return loss;
  };
}

/** Binary cross-entropy per class; unknown labels count for nothing. */
function sigmoidLoss(problem: HeadProblem): Loss {
  const { classes } = problem;
  const labels = problem.labels ?? new Int8Array(0);
  const { positive, negative, unknownIsNegative } = binaryWeights(problem);
  return (net, rows, from, to) => {
    const { batch, logits } = net;
    const panel = batch * panelWidth;
    let loss = 0;
    for (let i = 0; i < batch; i += 1) {
      const at = i * panelWidth;
      if (from + i >= to) {
        clearRow(logits, at, panel, panelsOf(classes));
        continue;
      }
      const source = (rows[from + i] as number) * classes;
      for (let c = 0; c < classes; c += 1) {
        const cell = (c >> 3) * panel + at + (c & 7);
        let label = labels[source + c] as number;
        if (label < 0 && unknownIsNegative[c] === 1) label = 0;
        if (label < 0) {
          logits[cell] = 0;
          continue;
        }
        const value = logits[cell] as number;
        const weight = (label === 1 ? positive[c] : negative[c]) as number;
        const signed = label === 1 ? value : -value;
        loss += weight * (signed > 0 ? Math.log1p(Math.exp(-signed)) : Math.log1p(Math.exp(signed)) - signed);
        logits[cell] = (weight * (1 / (1 + Math.exp(-value)) - label)) / batch;
      }
      clearPadding(logits, at, panel, classes);
    }
    return loss;
  };
}

function clearRow(logits: Float32Array, at: number, panel: number, panels: number): void {
  for (let p = 0; p < panels; p += 1) logits.fill(0, p * panel + at, p * panel + at + panelWidth);
}

/** Classes that only fill the last panel must never learn. */
function clearPadding(logits: Float32Array, at: number, panel: number, classes: number): void {
  for (let c = classes; c < panelsOf(classes) * panelWidth; c += 1)
    logits[(c >> 3) * panel + at + (c & 7)] = 0;
}

function exclusiveWeights(problem: HeadProblem): Float64Array {
  const counts = positivesOf(problem);
  const weights = new Float64Array(problem.classes).fill(1);
  if (problem.classWeights === 'none') return weights;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const present = counts.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0);
  return weights.map((_, index) => {
    const count = counts[index] as number;
    return count > 0 ? total / (present * count) : 0;
  });
}

/**
 * Weights per class of its positive and its negative rows. A class without a single negative takes the rows
 * where it is unknown for negatives: it could only learn "always" otherwise.
 */
function binaryWeights(problem: HeadProblem) {
  const { classes } = problem;
  const labels = problem.labels ?? new Int8Array(0);
  const positives = positivesOf(problem);
  const negatives = new Int32Array(classes);
  labels.forEach((label, i) => {
    if (label === 0) negatives[i % classes] = (negatives[i % classes] as number) + 1;
  });
  const rows = labels.length / classes;
  const unknownIsNegative = Uint8Array.from(negatives, (count) => (count === 0 ? 1 : 0));
  const negativeCount = negatives.map((count, index) =>
    count === 0 ? rows - (positives[index] as number) : count,
  );
  const weightOf = (own: Int32Array, other: Int32Array) =>
    Float64Array.from(own, (count, index) => {
      const rest = other[index] as number;
      if (problem.classWeights === 'none' || count === 0 || rest === 0) return 1;
      return (count + rest) / (2 * count);
    });
  return {
    positive: weightOf(positives, negativeCount),
    negative: weightOf(negativeCount, positives),
    unknownIsNegative,
  };
}
