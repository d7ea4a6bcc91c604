import { create } from '@bufbuild/protobuf';
import { AnnotationDataType, type BoundingBox, type Concept, type Data, DataSchema } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import { type Detection, kalmanTracker } from '#engine/tracking/index.ts';
import type { SeenFrame, TrackSearchParts } from './deps.ts';
import { annotationFault } from './faults.ts';
import { insertAnnotations } from './insert-store.ts';
import { bumpSearchRevision } from './store.ts';
import {
  inOrder,
  type Keyframe,
  type TrackFields,
  type TrackWindow,
  trackStatus,
  windowFramesMax,
  windowOf,
} from './track.ts';
import { keyframesOf } from './track-keyframes.ts';
import { findTrack, keysOfTrack, lockTracks, lockVideo, type TrackRow, updateTrack } from './track-store.ts';

/** A track that a model is to go on with. */
export interface ToFollow {
  readonly input: { readonly key: number; readonly id: string };
  readonly trackId: string;
  readonly modelVersionKey: number;
  readonly annotationType: AnnotationDataType;
  readonly window: TrackWindow;
  /** Frames per second of the video. */
  readonly fps: number;
}

interface Step extends ToFollow {
  readonly track: TrackRow | undefined;
  /** What people marked in it. */
  readonly marked: readonly Keyframe[];
  /** What the model said of it before. */
  readonly own: readonly Keyframe[];
}

const modelScopes = ['Annotations_Add', 'Annotations_Delete', 'Predict'];

/** Whether the caller may have a model work, and its answers kept; others see what is there. */
export const mayFollow = (grant: AppGrant): boolean =>
  grant.isMember && modelScopes.every((scope) => grant.holds(scope));

/**
 * Where a model has said nothing of a track yet, it follows what people marked through the frames behind it: a detector
 * looks at the frames, and a tracker says which of its boxes is the thing. They are kept as untrusted annotations of
 * the model, and the track waits for approval (24302).
 *
 * @throws Fault 24155 for a model, or a kind of place, that nothing can be followed by; then the track's status is 24304
 */
export async function follow(
  parts: TrackSearchParts,
  grant: AppGrant,
  asked: ToFollow,
  signal: AbortSignal,
): Promise<void> {
  const { db } = parts;
  const { input, trackId, modelVersionKey, window, fps } = asked;
  const isEndless = window.framesMax > windowFramesMax;
  const isPersons = ({ annotation }: Keyframe) => annotation.worker?.worker.case === 'user';
  for (;;) {
    const marked = (await keyframesOf(db, grant, { input, trackId, fps }, signal)).filter(isPersons);
    const only = { kind: 0, worker: { modelVersionKey } };
    const own = await keyframesOf(db, grant, { input, trackId, fps, only }, signal);
    const within = windowOf(inOrder(own), window);
    if (within.length > 0 && !isEndless) return;
    const last = within.at(-1);
    const track = await findTrack(db, grant, input.key, trackId);
    const from = last ? { fromFrame: last.number + 1, fromMs: 0 } : {};
    const step = { ...asked, track, marked, own, window: { ...window, ...from } };
    if ((await followOnce(parts, grant, step, signal)) === 0 || !isEndless) return;
  }
}

/** @returns how many frames it was found in */
async function followOnce(
  parts: TrackSearchParts,
  grant: AppGrant,
  step: Step,
  signal: AbortSignal,
): Promise<number> {
  const { track, window } = step;
  try {
    const seed = seedOf(step);
    if (!seed) return 0;
    checkType(step.annotationType);
    const look = await parts.frameDetector(grant, step.modelVersionKey);
    if (!look)
      throw annotationFault.invalid(
        'worker.model: this model is no detector, so it cannot follow anything; name a version of a visual-detector.',
      );
    const seen = await look(
      step.input.key,
      (times) => framesBehind(seed.number, track, window, times),
      signal,
    );
    const found = boxesOf(step, seed, seen);
    mayDie('track-followed');
    await keep(parts, grant, step, seed, found);
    return found.length;
  } catch (thrown) {
    if (track && thrown instanceof Fault && thrown.kind === 'bad_request')
      await updateTrack(parts.db, grant, track.key, { ...track, statusCode: trackStatus.failed });
    throw thrown;
  }
}

function checkType(type: AnnotationDataType): void {
  if (type === AnnotationDataType.BOUNDING_BOX || type === AnnotationDataType.ANNOTATION_DATA_TYPE_NOT_SET)
    return;
  throw annotationFault.invalid(
    `annotation_type is ${nameOfType(type)}; a detector follows boxes. Ask for BOUNDING_BOX.`,
  );
}

const nameOfType = (type: AnnotationDataType): string =>
  Object.entries(AnnotationDataType).find(([, value]) => value === type)?.[0] ?? String(type);

const boxOf = ({ annotation }: Keyframe): BoundingBox | undefined =>
  annotation.data?.frames[0]?.data?.regions[0]?.regionInfo?.boundingBox;

/** The last box at or before the window, else the first there is. */
function seedOf({ marked, own, window: { fromFrame, fromMs } }: Step): Keyframe | undefined {
  const boxes = inOrder([...marked, ...own].filter((one) => boxOf(one)));
  const isBefore = ({ number, timeMs }: Keyframe) =>
    (fromFrame === 0 || number <= fromFrame) && (fromMs === 0 || timeMs <= fromMs);
  const isFromStart = fromFrame === 0 && fromMs === 0;
  return (isFromStart ? undefined : boxes.findLast(isBefore)) ?? boxes[0];
}

/** Frame numbers behind the seed, at the rate of the track, as many as the window has. */
export function framesBehind(
  seed: number,
  track: Pick<TrackFields, 'sampleFrames' | 'sampleMs' | 'endFrame' | 'endMs'> | undefined,
  window: Pick<TrackWindow, 'framesMax' | 'durationMaxMs' | 'fromFrame' | 'fromMs'>,
  times: { readonly count: number; timeMsOf(number: number): number; numberAt(timeMs: number): number },
): number[] {
  const first = Math.max(window.fromFrame, window.fromMs > 0 ? times.numberAt(window.fromMs) : 0, seed);
  const begin = times.timeMsOf(Math.min(first, times.count - 1));
  const most = Math.min(window.framesMax, windowFramesMax);
  const numbers: number[] = [];
  let inWindow = 0;
  for (let number = seed; number < times.count; number = nextOf(number, track, times)) {
    const timeMs = times.timeMsOf(number);
    if (
      track &&
      ((track.endFrame > 0 && number > track.endFrame) || (track.endMs > 0 && timeMs > track.endMs))
    )
      break;
    if (number >= first) inWindow += 1;
    if (inWindow > most || timeMs >= begin + window.durationMaxMs || numbers.length >= framesLookedAtMax)
      break;
    if (number > seed) numbers.push(number);
  }
  return numbers;
}

/** From where people marked a thing to the end of a window; a seed further away is no help. */
const framesLookedAtMax = 4 * windowFramesMax;

function nextOf(
  number: number,
  track: Pick<TrackFields, 'sampleFrames' | 'sampleMs'> | undefined,
  times: { timeMsOf(number: number): number; numberAt(timeMs: number): number },
): number {
  if (track && track.sampleFrames > 0) return number + track.sampleFrames;
  if (track && track.sampleMs > 0)
    return Math.max(number + 1, times.numberAt(times.timeMsOf(number) + track.sampleMs));
  return number + 1;
}

interface FollowedBox {
  readonly number: number;
  readonly timeMs: number;
  readonly box: Detection['box'];
  readonly value: number;
}

/** Which box of each frame is the thing. Where people marked it again, theirs is where it goes on from. */
function boxesOf({ marked }: Step, seed: Keyframe, seen: readonly SeenFrame[]): FollowedBox[] {
  const wanted = new Set(conceptsOf(seed).flatMap(({ id, name }) => [id.toLowerCase(), name.toLowerCase()]));
  const detections = seen.map(({ data }) => detectionsIn(data));
  const isNamed = ({ names }: NamedDetection) => names.some((name) => wanted.has(name));
  // A detector that knows the concept is believed about it; to one that does not, everything is a thing.
  const knows = detections.some((frame) => frame.some(isNamed));
  const again = new Map(marked.flatMap((one) => (boxOf(one) ? [[one.number, detectionOf(boxOf(one))]] : [])));
  let tracker = begun(boxOf(seed));
  const found: FollowedBox[] = [];
  for (const [i, { number, timeMs }] of seen.entries()) {
    const mark = again.get(number);
    if (mark) {
      tracker = begun(boxOf(marked.find((one) => one.number === number) as Keyframe));
      continue;
    }
    const frame = (detections[i] ?? []).filter((one) => !knows || isNamed(one));
    const at = tracker.step(frame).indexOf(1);
    const hit = frame[at];
    if (hit) found.push({ number, timeMs, box: hit.box, value: hit.value });
  }
  return found;
}

type NamedDetection = Detection & { readonly names: readonly string[] };

const detectionOf = (box: BoundingBox | undefined): Detection => ({
  box: {
    top: box?.topRow ?? 0,
    left: box?.leftCol ?? 0,
    bottom: box?.bottomRow ?? 0,
    right: box?.rightCol ?? 0,
  },
  value: 1,
  label: '',
});

/** A tracker whose first track is the thing. */
function begun(box: BoundingBox | undefined) {
  const tracker = kalmanTracker({
    metric: 'diou',
    associationMin: 0.4,
    newTrackValue: 0,
    lostFramesMax: 10,
    kalman: { covarianceError: 100, observationError: 10 },
  });
  tracker.step([detectionOf(box)]);
  return tracker;
}

const detectionsIn = (data: Data): NamedDetection[] =>
  data.regions.flatMap(({ regionInfo, value, data: said }) => {
    const box = regionInfo?.boundingBox;
    if (!box) return [];
    const concepts = said?.concepts ?? [];
    const names = concepts.slice(0, 1).flatMap(({ id, name }) => [id.toLowerCase(), name.toLowerCase()]);
    return [{ ...detectionOf(box), value: value || (concepts[0]?.value ?? 0), names }];
  });

const conceptsOf = ({ annotation }: Keyframe): Concept[] =>
  annotation.data?.frames[0]?.data?.regions[0]?.data?.concepts ?? [];

async function keep(
  { db }: TrackSearchParts,
  grant: AppGrant,
  { input, trackId, modelVersionKey, own }: Step,
  seed: Keyframe,
  found: readonly FollowedBox[],
): Promise<void> {
  const said = conceptsOf(seed);
  const only = { kind: 0, worker: { modelVersionKey } };
  await db.transaction(async (tx) => {
    await lockVideo(tx, grant, input.key);
    // Another search has followed it meanwhile.
    if ((await keysOfTrack(tx, grant, input.key, trackId, only)).length !== own.length) return;
    const [track] = await lockTracks(tx, grant, input.key, [trackId]);
    await insertAnnotations(
      tx,
      grant,
      found.map(({ number, timeMs, box, value }) => ({
        id: newId(),
        inputKey: input.key,
        inputId: input.id,
        inputLevel: false,
        trusted: false,
        statusCode: 24150,
        worker: { modelVersionKey },
        taskId: '',
        annotationInfo: undefined,
        consensusInfo: undefined,
        data: dataOf(trackId, said, { number, timeMs, box, value }),
      })),
    );
    if (track && found.length > 0)
      await updateTrack(tx, grant, track.key, { ...track, statusCode: trackStatus.pending });
    await bumpSearchRevision(tx, grant);
  });
}

const inside = (value: number): number => Math.min(1, Math.max(0, value));

const dataOf = (
  trackId: string,
  concepts: readonly Concept[],
  { number, timeMs, box, value }: FollowedBox,
): Data =>
  create(DataSchema, {
    frames: [
      {
        frameInfo: { number, time: timeMs },
        data: {
          regions: [
            {
              id: newId(),
              trackId,
              value,
              regionInfo: {
                boundingBox: {
                  topRow: inside(box.top),
                  leftCol: inside(box.left),
                  bottomRow: inside(box.bottom),
                  rightCol: inside(box.right),
                },
              },
              data: { concepts: concepts.map(({ id, name }) => ({ id, name, value })) },
            },
          ],
        },
      },
    ],
  });
