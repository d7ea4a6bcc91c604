import { parentPort, workerData } from 'node:worker_threads';
import {
  type ClassificationMetrics,
  type ClassificationRows,
  evaluateClassification,
} from '#engine/metrics/classification.ts';
import { type BankProblem, type FittedBank, fitBank } from './bank.ts';
import { type CellFit, type CellProblem, fitCells } from './cells.ts';
import { type ClusterProblem, type Clusters, fitClusters } from './clusters.ts';
import { Cancelled, fitHead, type Watch } from './fit.ts';
import { applyHead, type Head } from './head.ts';
import { fitMetric, type MetricFit, type MetricProblem } from './metric.ts';
import { checkProblem, type HeadObstacle, type HeadProblem } from './problem.ts';

/** One piece of work per thread: the thread ends with it. */
export type Work =
  | { kind: 'train'; problem: HeadProblem; stop: SharedArrayBuffer }
  | { kind: 'cells'; problem: CellProblem; stop: SharedArrayBuffer }
  | { kind: 'metric'; problem: MetricProblem; stop: SharedArrayBuffer }
  | { kind: 'clusters'; problem: ClusterProblem; stop: SharedArrayBuffer }
  | { kind: 'bank'; problem: BankProblem; stop: SharedArrayBuffer }
  | { kind: 'evaluate'; rows: ClassificationRows; stop: SharedArrayBuffer }
  | { kind: 'score'; head: Head; vectors: Float32Array; stop: SharedArrayBuffer };

/** How a thread may be made to fail on purpose. */
export type Trouble = 'crashes' | 'hangs' | 'eats-memory';

export type FromTraining =
  | { kind: 'progress'; fraction: number }
  | { kind: 'trained'; head: Head; unseen: Int32Array }
  | { kind: 'fitted'; fit: CellFit | MetricFit | Clusters | FittedBank }
  | { kind: 'obstacle'; obstacle: HeadObstacle }
  | { kind: 'scored'; probabilities: Float32Array }
  | { kind: 'evaluated'; metrics: ClassificationMetrics }
  | { kind: 'cancelled' }
  | { kind: 'refused'; message: string };

const rowsPerStep = 4096;

function train(problem: HeadProblem, stopped: () => boolean): FromTraining {
  const obstacle = checkProblem(problem);
  if (obstacle !== undefined) return { kind: 'obstacle', obstacle };
  const fit = fitHead(problem, { progress, cancelled: stopped });
  const { dims, classes, exclusive, seed } = problem;
  const { weights, bias, calibration, l2, epochsRun, heldOut, unseen } = fit;
  const numbers = { weights, bias, calibrationA: calibration.a, calibrationB: calibration.b };
  const head = { dims, classes, exclusive, ...numbers, seed, l2, epochsRun, heldOut };
  return { kind: 'trained', head, unseen };
}

function score(head: Head, vectors: Float32Array, stopped: () => boolean): FromTraining {
  const rows = vectors.length / head.dims;
  const probabilities = new Float32Array(rows * head.classes);
  for (let from = 0; from < rows; from += rowsPerStep) {
    if (stopped()) return { kind: 'cancelled' };
    const part = vectors.subarray(from * head.dims, Math.min(rows, from + rowsPerStep) * head.dims);
    probabilities.set(applyHead(head, part), from * head.classes);
    progress(Math.min(1, (from + rowsPerStep) / rows));
  }
  return { kind: 'scored', probabilities };
}

let reported = 0;
/** Progress is told in steps of one percent. */
function progress(fraction: number): void {
  if (fraction < 1 && fraction - reported < 0.01) return;
  reported = fraction;
  parentPort?.postMessage({ kind: 'progress', fraction } satisfies FromTraining);
}

function run(work: Work): FromTraining {
  const stop = new Int32Array(work.stop);
  const stopped = () => Atomics.load(stop, 0) === 1;
  const watch: Watch = { progress, cancelled: stopped };
  try {
    if (work.kind === 'cells') return { kind: 'fitted', fit: fitCells(work.problem, watch) };
    if (work.kind === 'metric') return { kind: 'fitted', fit: fitMetric(work.problem, watch) };
    if (work.kind === 'clusters') return { kind: 'fitted', fit: fitClusters(work.problem, watch) };
    if (work.kind === 'bank') return { kind: 'fitted', fit: fitBank(work.problem, watch) };
    if (work.kind === 'evaluate') return { kind: 'evaluated', metrics: evaluateClassification(work.rows) };
    return work.kind === 'train' ? train(work.problem, stopped) : score(work.head, work.vectors, stopped);
  } catch (error) {
    if (error instanceof Cancelled) return { kind: 'cancelled' };
    if (error instanceof RangeError) return { kind: 'refused', message: error.message };
    throw error;
  }
}

function fallIntoTrouble(trouble: Trouble): void {
  if (trouble === 'crashes') throw new Error('the training thread was made to crash');
  const eaten: string[][] = [];
  for (;;)
    if (trouble === 'eats-memory') eaten.push(Array.from({ length: 10_000 }, (_, at) => `${at} bytes`));
}

const { trouble } = workerData as { readonly trouble?: Trouble };
if (trouble) fallIntoTrouble(trouble);
parentPort?.postMessage(run(workerData as Work));
