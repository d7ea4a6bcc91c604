import type { Metric } from './exact-search.ts';

/**
 * A raw similarity as a score from 0 (opposite) over 0.5 (unrelated) to 1 (the same), larger is nearer.
 *
 * For vectors of unit length both metrics give the same score, (1 + cosine) / 2. Euclidean distances beyond 2,
 * which such vectors never have, score 0.
 */
export function scoreOf(metric: Metric, raw: number): number {
  const score = metric === 'cosine' ? (1 + raw) / 2 : 1 - (raw * raw) / 4;
  return Math.max(0, Math.min(1, score));
}
