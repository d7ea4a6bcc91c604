import { inThread, shared, unexpected } from '#engine/training/thread.ts';
import type { ClassificationMetrics, ClassificationRows } from './classification.ts';

/**
 * `evaluateClassification` in a thread of its own. Ten thousand rows of 100 concepts take 0.2 s, too long for
 * a thread that answers requests.
 *
 * @throws RangeError when shapes do not fit, or a probability is not in 0..1
 */
export async function evaluateRows(rows: ClassificationRows): Promise<ClassificationMetrics> {
  const own = { ...rows, probabilities: shared(rows.probabilities), truth: shared(rows.truth) };
  const reply = await inThread((stop) => ({ kind: 'evaluate', rows: own, stop }), {});
  if (reply.kind === 'evaluated') return reply.metrics;
  throw unexpected(reply);
}
