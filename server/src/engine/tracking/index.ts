/** Trackers: which detections in the frames of a video are one and the same thing. Pure; nothing is remembered. */

import type { Detection, Tracker } from './track.ts';

export { type ByteSettings, byteTracker } from './byte-tracker.ts';
export { type CentroidSettings, centroidTracker } from './centroid-tracker.ts';
export { type KalmanTrackerSettings, kalmanTracker } from './kalman-tracker.ts';
export type { Detection, DistanceMetric, Tracker } from './track.ts';

export interface SequenceSettings {
  /** Detections below this value are nobody's. */
  valueMin: number;
  /** Most detections of a frame that are tracked, the surest; undefined for all. */
  detectionsMax?: number | undefined;
  /** Tracks seen in fewer frames are no tracks. */
  visibleFramesMin: number;
}

/**
 * Runs a tracker over frames in order.
 *
 * @returns for each frame the track of each detection, numbered from 1 in the order in which tracks are first seen;
 *   undefined where a detection is nobody's
 */
export function trackFrames(
  tracker: Tracker,
  frames: readonly (readonly Detection[])[],
  { valueMin, detectionsMax = Number.POSITIVE_INFINITY, visibleFramesMin }: SequenceSettings,
): (number | undefined)[][] {
  const found = frames.map((detections) => {
    const taken = [...detections.keys()]
      .filter((index) => (detections[index] as Detection).value >= valueMin)
      .sort((a, b) => (detections[b] as Detection).value - (detections[a] as Detection).value)
      .slice(0, detectionsMax)
      .sort((a, b) => a - b);
    const numbers = tracker.step(taken.map((index) => detections[index] as Detection));
    const all = new Array<number | undefined>(detections.length);
    taken.forEach((index, at) => {
      all[index] = numbers[at];
    });
    return all;
  });
  const visible = new Map<number, number>();
  for (const number of found.flat()) {
    if (number !== undefined) visible.set(number, (visible.get(number) ?? 0) + 1);
  }
  const kept = [...visible]
    .filter(([, frameCount]) => frameCount >= visibleFramesMin)
    .map(([number]) => number);
  const shown = new Map(kept.map((number, index) => [number, index + 1]));
  return found.map((numbers) =>
    numbers.map((number) => (number === undefined ? undefined : shown.get(number))),
  );
}
