import { BoxFilter, type KalmanSettings } from './kalman.ts';
import {
  boxDistance,
  type Detection,
  type DistanceMetric,
  embeddingDistance,
  pairUp,
  type Tracker,
} from './track.ts';

export interface KalmanTrackerSettings {
  metric: DistanceMetric;
  /** Nearness (1 minus distance) needed to continue a track. */
  associationMin: number;
  /** Value a detection needs to begin a track. */
  newTrackValue: number;
  /** Frames a track may be out of sight and still be continued by where it should be. */
  lostFramesMax: number;
  kalman: KalmanSettings;
  /** Recognises things by what they look like; left out, a track that is lost stays lost. */
  recognise?: {
    /** Distance of embeddings up to which a thing is the same one. */
    distanceMax: number;
    /** Frames after which a thing is no longer recognised. */
    forgottenAfterFrames: number;
  };
}

interface Track {
  number: number;
  label: string;
  filter: BoxFilter;
  lostFrames: number;
  embedding: Float32Array | undefined;
}

/** How much of what a thing looked like is kept at each sight of it. */
const memory = 0.9;

/**
 * Predicts where each thing should be and pairs that with what is seen, at least cost in all. With embeddings, what
 * was lost is recognised by its looks.
 *
 * Source: Bewley et al. 2016 (SORT); Wojke et al. 2017 for the recognition.
 */
export function kalmanTracker(settings: KalmanTrackerSettings): Tracker {
  const { recognise } = settings;
  const keptFrames = Math.max(settings.lostFramesMax, recognise?.forgottenAfterFrames ?? 0);
  let tracks: Track[] = [];
  let count = 0;

  return {
    step(detections) {
      const numbers = new Array<number | undefined>(detections.length);
      for (const { filter } of tracks) filter.predict();
      const matched = new Set<Track>();
      const match = (
        open: Track[],
        wanted: readonly number[],
        distanceMax: number,
        distance: (track: Track, seen: Detection) => number,
        isBack: boolean,
      ): number[] => {
        const seen = wanted.map((index) => detections[index] as Detection);
        const { pairs, columnsLeft } = pairUp(open, seen, distanceMax, distance);
        for (const [row, column] of pairs) {
          const track = open[row] as Track;
          const { box, embedding } = seen[column] as Detection;
          // Where it went while it was away is unknown; the filter begins anew.
          if (isBack && track.lostFrames > 0) track.filter = new BoxFilter(box, settings.kalman);
          else track.filter.correct(box);
          track.embedding = blended(track.embedding, embedding);
          track.lostFrames = 0;
          matched.add(track);
          numbers[wanted[column] as number] = track.number;
        }
        return columnsLeft.map((column) => wanted[column] as number);
      };
      const near = tracks.filter((track) => track.lostFrames <= settings.lostFramesMax);
      const byPlace = (track: Track, seen: Detection) =>
        boxDistance(settings.metric, track.filter.box(), seen.box);
      let left = match(near, [...detections.keys()], 1 - settings.associationMin, byPlace, false);
      if (recognise) {
        const byLooks = (track: Track, seen: Detection) => embeddingDistance(track.embedding, seen.embedding);
        const open = tracks.filter((track) => !matched.has(track));
        left = match(open, left, recognise.distanceMax, byLooks, true);
      }
      for (const track of tracks) if (!matched.has(track)) track.lostFrames += 1;
      tracks = tracks.filter((track) => track.lostFrames <= keptFrames);
      for (const index of left) {
        const { label, box, value, embedding } = detections[index] as Detection;
        if (value < settings.newTrackValue) continue;
        count += 1;
        const filter = new BoxFilter(box, settings.kalman);
        tracks.push({ number: count, label, filter, lostFrames: 0, embedding });
        numbers[index] = count;
      }
      return numbers;
    },
  };
}

function blended(before: Float32Array | undefined, now: Float32Array | undefined): Float32Array | undefined {
  if (!before || !now || before.length !== now.length) return now ?? before;
  const mixed = before.map((value, index) => memory * value + (1 - memory) * (now[index] as number));
  const length = Math.hypot(...mixed);
  return length > 0 ? mixed.map((value) => value / length) : now;
}
