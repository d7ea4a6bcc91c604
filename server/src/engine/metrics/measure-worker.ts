import { parentPort, workerData } from 'node:worker_threads';
import { type ClassificationRows, evaluateClassification } from './classification.ts';
import { evaluateClustering } from './clustering.ts';
import { type DetectionRows, evaluateDetection } from './detection.ts';
import { evaluateTracking, type TrackedFrame } from './tracking.ts';

/** What can be measured: each works on plain rows and gives plain numbers. */
export const measures = {
  classification: (rows: ClassificationRows) => evaluateClassification(rows),
  detection: (rows: DetectionRows) => evaluateDetection(rows),
  clustering: ({ truth, clusters }: { truth: Int32Array; clusters: Int32Array }) =>
    evaluateClustering(truth, clusters),
  tracking: ({ frames, overlapMin }: { frames: readonly TrackedFrame[]; overlapMin?: number }) =>
    evaluateTracking(frames, overlapMin),
};
export type Measures = typeof measures;

export type Measured<Kind extends keyof Measures = keyof Measures> =
  | { kind: 'measured'; metrics: ReturnType<Measures[Kind]> }
  | { kind: 'refused'; message: string };

function run({ kind, rows }: { kind: keyof Measures; rows: never }): Measured {
  try {
    return { kind: 'measured', metrics: measures[kind](rows) };
  } catch (error) {
    if (error instanceof RangeError) return { kind: 'refused', message: error.message };
    throw error;
  }
}

parentPort?.postMessage(run(workerData));
