import type { Goal } from './bench.ts';

export type Verdict = 'record' | 'pass' | 'missed' | 'not judged (noisy)' | 'absent' | 'not measured';

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

const ascending = (samples: readonly number[]): number[] => [...samples].sort((a, b) => a - b);

export function medianOf(samples: readonly number[]): number {
  const sorted = ascending(samples);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

export function spreadOf(samples: readonly number[]): Spread {
  const sorted = ascending(samples);
  return { min: sorted[0] as number, median: medianOf(sorted), max: sorted[sorted.length - 1] as number };
}

/** The sample at `fraction` (0..1) of the sorted ones. */
export function quantileOf(samples: readonly number[], fraction: number): number {
  const sorted = ascending(samples);
  return sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))] as number;
}

/**
 * One-sided 80 % bounds of the median, free of any assumption about how the samples are spread: the k-th smallest
 * is below the median with at least 80 % when P(Binomial(n, ½) < k) ≤ 0.2. Fewer than three samples bound nothing
 * but themselves.
 */
export function boundsOf(samples: readonly number[]): { lower: number; upper: number } {
  const sorted = ascending(samples);
  const n = sorted.length;
  let tail = 0;
  let chosen = 0;
  let term = 0.5 ** n;
  for (let k = 0; k < n; k++) {
    tail += term;
    if (tail > 0.2) break;
    chosen = k;
    term = (term * (n - k)) / (k + 1);
  }
  return { lower: sorted[chosen] as number, upper: sorted[n - 1 - chosen] as number };
}

const reaches = (goal: Goal, value: number, bar: number): boolean =>
  goal.better === 'lower' ? value <= bar : value >= bar;

/**
 * Holds samples against a goal. Missed only where even the kinder 80 % bound of the median misses the bar; a
 * record is claimed by the median itself.
 */
export function judge(goal: Goal, samples: readonly number[], isNoisy: boolean): Verdict {
  if (samples.length === 0 || samples.some((sample) => !Number.isFinite(sample))) return 'not measured';
  if (goal.isLatency && isNoisy) return 'not judged (noisy)';
  if (reaches(goal, medianOf(samples), goal.record)) return 'record';
  const { lower, upper } = boundsOf(samples);
  return reaches(goal, goal.better === 'lower' ? lower : upper, goal.pass) ? 'pass' : 'missed';
}
