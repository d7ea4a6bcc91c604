import { clone, create } from '@bufbuild/protobuf';
import {
  type Data,
  DataSchema,
  type Frame,
  FrameSchema,
  type OutputInfo,
  type Region,
} from '@fovea/contract';
import {
  byteTracker,
  centroidTracker,
  type Detection,
  type DistanceMetric,
  kalmanTracker,
  type Tracker,
  trackFrames,
} from '#engine/tracking/index.ts';
import { predictionFault } from '../faults.ts';
import { boundedParam, numberParam, type Operator, textParam } from './settings.ts';

const share = [0, 1] as const;
const metrics: readonly string[] = ['iou', 'diou', 'euclidean'];

function kalmanSettings(settings: OutputInfo | undefined) {
  return {
    covarianceError: boundedParam(settings, 'covariance_error', 100, [1e-3, 1e9]),
    observationError: boundedParam(settings, 'observation_error', 10, [1e-3, 1e9]),
  };
}

const lostFramesMax = (settings: OutputInfo | undefined) =>
  boundedParam(settings, 'max_disappeared', 5, [0, 100_000]);

function openKalman(settings: OutputInfo | undefined, recognises: boolean): Tracker {
  const metric = textParam(settings, 'distance_metric') || 'iou';
  if (!metrics.includes(metric))
    throw predictionFault.badParam('distance_metric', `one of ${metrics.join(', ')}`);
  return kalmanTracker({
    metric: metric as DistanceMetric,
    associationMin: boundedParam(settings, 'association_confidence', 0.2, share),
    newTrackValue: boundedParam(settings, 'initialization_confidence', 0.5, share),
    lostFramesMax: lostFramesMax(settings),
    kalman: kalmanSettings(settings),
    ...(recognises
      ? {
          recognise: {
            distanceMax: boundedParam(settings, 'max_emb_distance', 0.5, [0, 2]),
            forgottenAfterFrames: boundedParam(settings, 'max_dead', 100, [0, 100_000]),
          },
        }
      : {}),
  });
}

const openByte = (settings: OutputInfo | undefined): Tracker =>
  byteTracker({
    sureValue: boundedParam(settings, 'confidence_thresh', 0.5, share),
    newTrackValue: boundedParam(settings, 'new_track_confidence_thresh', 0.5, share),
    sureDistanceMax: boundedParam(settings, 'high_confidence_match_thresh', 0.8, share),
    unsureDistanceMax: boundedParam(settings, 'low_confidence_match_thresh', 0.5, share),
    unconfirmedDistanceMax: boundedParam(settings, 'unconfirmed_match_thresh', 0.7, share),
    lostFramesMax: lostFramesMax(settings),
    kalman: kalmanSettings(settings),
  });

const openCentroid = (settings: OutputInfo | undefined): Tracker =>
  centroidTracker({
    distanceMax: boundedParam(settings, 'max_distance', 0.2, [0, 2]),
    lostFramesMax: lostFramesMax(settings),
  });

/** Regions without a box are in no place and are left as they are. */
function detectionOf(region: Region): Detection | undefined {
  const box = region.regionInfo?.boundingBox;
  if (!box) return undefined;
  const surest = [...(region.data?.concepts ?? [])].sort((a, b) => b.value - a.value)[0];
  const vector = region.data?.embeddings[0]?.vector;
  return {
    box: { top: box.topRow, left: box.leftCol, bottom: box.bottomRow, right: box.rightCol },
    value: region.value || surest?.value || 0,
    label: surest?.id ?? '',
    embedding: vector && vector.length > 0 ? lengthOne(Float32Array.from(vector)) : undefined,
  };
}

function lengthOne(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return length > 0 ? vector.map((value) => value / length) : vector;
}

/** Regions that no track has seen are left out of the answer: a tracker says what it follows. */
function withTracks(frames: readonly Frame[], tracker: Tracker, settings: OutputInfo | undefined): Data {
  const found = frames.map((frame) =>
    (frame.data?.regions ?? []).flatMap((region) => {
      const detection = detectionOf(region);
      return detection ? [{ region, detection }] : [];
    }),
  );
  const most = numberParam(settings, 'max_detection', -1);
  const numbers = trackFrames(
    tracker,
    found.map((frame) => frame.map(({ detection }) => detection)),
    {
      valueMin: boundedParam(settings, 'min_confidence', 0.4, share),
      visibleFramesMin: boundedParam(settings, 'min_visible_frames', 3, [1, 100_000]),
      detectionsMax: most >= 0 ? most : undefined,
    },
  );
  const prefix = textParam(settings, 'track_id_prefix');
  return create(DataSchema, {
    frames: frames.map((frame, at) => {
      const shown = clone(FrameSchema, frame);
      shown.data ??= create(DataSchema);
      shown.data.regions = (found[at] ?? []).flatMap(({ region }, index) => {
        const number = numbers[at]?.[index];
        return number === undefined ? [] : [{ ...region, trackId: `${prefix}${number}` }];
      });
      return shown;
    }),
  });
}

const track =
  (open: (settings: OutputInfo | undefined) => Tracker): Operator =>
  ({ data, settings }) =>
    withTracks(data.frames, open(settings), settings);

export const trackers: Readonly<Record<string, Operator>> = {
  'centroid-tracker': track(openCentroid),
  'byte-tracker': track(openByte),
  'kalman-filter-tracker': track((settings) => openKalman(settings, false)),
  'kalman-reid-tracker': track((settings) => openKalman(settings, true)),
};
