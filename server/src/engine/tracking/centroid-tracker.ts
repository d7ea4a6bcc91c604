import type { Box } from '../builtin/boxes.ts';
import { type Detection, middleDistance, pairUp, type Tracker } from './track.ts';

export interface CentroidSettings {
  /** Distance of the middles up to which a thing is the same one, 1 being a side of the picture. */
  distanceMax: number;
  /** Frames a track may be out of sight. */
  lostFramesMax: number;
}

interface Track {
  number: number;
  label: string;
  box: Box;
  lostFrames: number;
}

/** Takes the detection nearest to where a thing was for the thing itself. For slow things, far from each other. */
export function centroidTracker({ distanceMax, lostFramesMax }: CentroidSettings): Tracker {
  let tracks: Track[] = [];
  let count = 0;
  return {
    step(detections: readonly Detection[]) {
      const numbers = new Array<number | undefined>(detections.length);
      const { pairs, rowsLeft, columnsLeft } = pairUp(tracks, detections, distanceMax, (track, seen) =>
        middleDistance(track.box, seen.box),
      );
      for (const [row, column] of pairs) {
        const track = tracks[row] as Track;
        track.box = (detections[column] as Detection).box;
        track.lostFrames = 0;
        numbers[column] = track.number;
      }
      for (const row of rowsLeft) (tracks[row] as Track).lostFrames += 1;
      tracks = tracks.filter((track) => track.lostFrames <= lostFramesMax);
      for (const column of columnsLeft) {
        const { label, box } = detections[column] as Detection;
        count += 1;
        tracks.push({ number: count, label, box, lostFrames: 0 });
        numbers[column] = count;
      }
      return numbers;
    },
  };
}
