import { type Calibration, fitSigmoid, fitTemperature, uncalibrated } from './calibration.ts';
import type { HeadProblem } from './problem.ts';

/** How well the head did on rows it was not trained on. */
export interface HeldOut {
  rows: number;
  /** Exclusive: share of rows whose surest class is right. Otherwise: share of known labels on the right side of 0.5. */
  accuracy: number;
  /** Mean loss per row in nats, summed over its known labels, after calibration. */
  loss: number;
}

/** Calibrates on held-out rows and says how the calibrated head does on them. */
export function examine(problem: HeadProblem, logits: Float32Array, test: Int32Array) {
  const { classes, exclusive, classIndex, labels } = problem;
  const calibration = uncalibrated(classes);
  if (test.length === 0) return { calibration, heldOut: null, calibratedLoss: 0 };
  if (exclusive) {
    const truth = test.map((row) => classIndex?.[row] ?? 0);
    calibration.a.fill(fitTemperature(logits, truth, classes));
    const judged = judgeExclusive(logits, truth, classes, calibration.a[0] as number);
    return { calibration, heldOut: judged, calibratedLoss: judged.loss };
  }
  const own = new Int8Array(test.length * classes);
  test.forEach((row, i) => {
    for (let c = 0; c < classes; c += 1) own[i * classes + c] = labels?.[row * classes + c] ?? -1;
  });
  for (let c = 0; c < classes; c += 1) {
    const column = Float32Array.from(test, (_, i) => logits[i * classes + c] as number);
    const { a, b } = fitSigmoid(
      column,
      Int8Array.from(test, (_, i) => own[i * classes + c] as number),
    );
    calibration.a[c] = a;
    calibration.b[c] = b;
  }
  const judged = judgeLabels(logits, own, classes, calibration);
  return { calibration, heldOut: judged, calibratedLoss: judged.loss };
}

function judgeExclusive(logits: Float32Array, truth: Int32Array, classes: number, slope: number): HeldOut {
  let right = 0;
  let loss = 0;
  truth.forEach((wanted, row) => {
    const own = logits.subarray(row * classes, (row + 1) * classes);
    const surest = own.reduce((best, logit, c) => (logit > (own[best] as number) ? c : best), 0);
    const highest = own[surest] as number;
    const sum = own.reduce((total, logit) => total + Math.exp(slope * (logit - highest)), 0);
    if (surest === wanted) right += 1;
    loss += Math.log(sum) - slope * ((own[wanted] as number) - highest);
  });
  return { rows: truth.length, accuracy: right / truth.length, loss: loss / truth.length };
}

function judgeLabels(
  logits: Float32Array,
  labels: Int8Array,
  classes: number,
  { a, b }: Calibration,
): HeldOut {
  let right = 0;
  let known = 0;
  let loss = 0;
  labels.forEach((label, i) => {
    if (label < 0) return;
    const c = i % classes;
    const value = (a[c] as number) * (logits[i] as number) + (b[c] as number);
    const signed = label === 1 ? value : -value;
    known += 1;
    if (signed > 0) right += 1;
    loss += signed > 0 ? Math.log1p(Math.exp(-signed)) : Math.log1p(Math.exp(signed)) - signed;
  });
  const rows = labels.length / classes;
  return { rows, accuracy: known === 0 ? 0 : right / known, loss: loss / rows };
}
