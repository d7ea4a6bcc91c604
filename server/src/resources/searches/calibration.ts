/** What chance makes of similarity: scores of pairs of pictures drawn from an app. */
export interface Calibration {
  readonly median: number;
  /** One standard deviation of the lower half. */
  readonly spread: number;
  /** Good matches score this or more. */
  readonly cutoff: number;
}

/** Fewer vectors say too little. */
export const sampleMin = 20;
/** So many are compared with each other: about 125,000 pairs. */
export const sampleMax = 500;

/** A bell curve has one value in 4,300 so far above its middle. */
const spreadsAbove = 3.5;
/** Share of a bell curve that lies more than one standard deviation below its middle. */
const lowerTail = 0.1587;
/** Never so high that the same picture, saved anew, would miss it. */
const cutoffMax = 0.995;

/**
 * Where good matches end: so far above the usual score of two pictures of this app that chance hardly reaches it.
 *
 * Pairs that do belong together raise the upper half of the scores, so the spread is read off the lower half, which
 * they leave alone.
 *
 * @param scores of random pairs, 0..1, in any order; not empty
 */
export function calibrate(scores: readonly number[]): Calibration {
  const sorted = Float64Array.from(scores).sort();
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] as number;
  const median = at(0.5);
  const spread = median - at(lowerTail);
  return { median, spread, cutoff: Math.min(cutoffMax, median + spreadsAbove * spread) };
}

/** Whether a sample no longer stands for the app: it grew or shrank by a quarter, or a week went by. */
export const isStale = (
  { vectors, computedAt }: { readonly vectors: number; readonly computedAt: Date },
  vectorsNow: number,
  now: Date,
): boolean =>
  Math.abs(vectorsNow - vectors) > vectors / 4 || now.getTime() - computedAt.getTime() > 7 * 86_400_000;
