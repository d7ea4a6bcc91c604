import { BoxFilter, type KalmanSettings } from './kalman.ts';
import { boxDistance, type Detection, pairUp, type Tracker } from './track.ts';

export interface ByteSettings {
  /** Detections at least this sure are matched first; weaker ones only continue tracks. */
  sureValue: number;
  /** Detections at least this sure begin tracks. */
  newTrackValue: number;
  /** Distances (1 minus overlap) up to which sure detections, unsure ones, and tracks of one frame match. */
  sureDistanceMax: number;
  unsureDistanceMax: number;
  unconfirmedDistanceMax: number;
  lostFramesMax: number;
  kalman: KalmanSettings;
}

interface Track {
  number: number;
  label: string;
  filter: BoxFilter;
  seenFrames: number;
  lostFrames: number;
}

const apart = (track: Track, seen: Detection) => boxDistance('iou', track.filter.box(), seen.box);

/**
 * Matches sure detections first and lets unsure ones continue what is left, so that things half hidden are not lost.
 *
 * Source: Zhang et al. 2022 (ByteTrack).
 */
export function byteTracker(settings: ByteSettings): Tracker {
  let tracks: Track[] = [];
  let count = 0;

  return {
    step(detections) {
      const numbers = new Array<number | undefined>(detections.length);
      for (const { filter } of tracks) filter.predict();
      const first = tracks.length === 0 && count === 0;
      const matched = new Set<Track>();
      /** Continues tracks with detections given by index. @returns what was left of both */
      const match = (open: Track[], wanted: number[], distanceMax: number) => {
        const seen = wanted.map((index) => detections[index] as Detection);
        const { pairs, rowsLeft, columnsLeft } = pairUp(open, seen, distanceMax, apart);
        for (const [row, column] of pairs) {
          const track = open[row] as Track;
          track.filter.correct((seen[column] as Detection).box);
          track.seenFrames += 1;
          track.lostFrames = 0;
          matched.add(track);
          numbers[wanted[column] as number] = track.number;
        }
        return {
          tracks: rowsLeft.map((row) => open[row] as Track),
          wanted: columnsLeft.map((column) => wanted[column] as number),
        };
      };
      const all = [...detections.keys()];
      const isSure = (index: number) => (detections[index] as Detection).value >= settings.sureValue;
      const confirmed = tracks.filter((track) => track.seenFrames > 1);
      const unconfirmed = tracks.filter((track) => track.seenFrames === 1);
      const sure = match(confirmed, all.filter(isSure), settings.sureDistanceMax);
      // What was out of sight comes back only with a sure detection.
      const inSight = sure.tracks.filter((track) => track.lostFrames === 0);
      match(
        inSight,
        all.filter((index) => !isSure(index)),
        settings.unsureDistanceMax,
      );
      const rest = match(unconfirmed, sure.wanted, settings.unconfirmedDistanceMax);
      for (const track of tracks) if (!matched.has(track)) track.lostFrames += 1;
      tracks = tracks.filter(
        (track) =>
          track.lostFrames <= settings.lostFramesMax && !(track.seenFrames === 1 && track.lostFrames > 0),
      );
      for (const index of rest.wanted) {
        const { label, box, value } = detections[index] as Detection;
        if (value < settings.newTrackValue) continue;
        count += 1;
        const filter = new BoxFilter(box, settings.kalman);
        // In the first frame there is nothing a track could have been confirmed against.
        tracks.push({ number: count, label, filter, seenFrames: first ? 2 : 1, lostFrames: 0 });
        numbers[index] = count;
      }
      return numbers;
    },
  };
}
