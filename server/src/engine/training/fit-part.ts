import type { BankProblem, FittedBank } from './bank.ts';
import type { CellFit, CellProblem } from './cells.ts';
import type { ClusterProblem, Clusters } from './clusters.ts';
import type { MetricFit, MetricProblem } from './metric.ts';
import { inThread, shared, unexpected, type Watching } from './thread.ts';
import type { Work } from './training-worker.ts';

/**
 * Each of these trains in a thread of its own; the calling thread stays free. The same problem gives the same bits.
 *
 * @returns undefined when cancelled
 */
async function fitted<Fit>(
  work: (stop: SharedArrayBuffer) => Work,
  watching: Watching,
): Promise<Fit | undefined> {
  const reply = await inThread(work, watching);
  if (reply.kind === 'fitted') return reply.fit as Fit;
  if (reply.kind === 'cancelled') return undefined;
  throw unexpected(reply);
}

export const trainCells = (problem: CellProblem, watching: Watching) =>
  fitted<CellFit>(
    (stop) => ({ kind: 'cells', problem: { ...problem, rows: shared(problem.rows) }, stop }),
    watching,
  );

export const trainMetric = (problem: MetricProblem, watching: Watching) =>
  fitted<MetricFit>(
    (stop) => ({ kind: 'metric', problem: { ...problem, vectors: shared(problem.vectors) }, stop }),
    watching,
  );

export const trainClusters = (problem: ClusterProblem, watching: Watching) =>
  fitted<Clusters>(
    (stop) => ({ kind: 'clusters', problem: { ...problem, vectors: shared(problem.vectors) }, stop }),
    watching,
  );

export const trainBank = (problem: BankProblem, watching: Watching) =>
  fitted<FittedBank>(
    (stop) => ({ kind: 'bank', problem: { ...problem, rows: shared(problem.rows) }, stop }),
    watching,
  );
