import { create } from '@bufbuild/protobuf';
import {
  type Annotation,
  AnnotationDataType,
  AnnotationSchema,
  type BoundingBox,
  type Frame,
  type Point,
  type Region,
} from '@fovea/contract';
import { annotationKind } from '#domain/annotation-kinds.ts';

/** A track as it is kept. Frames are numbered from 0, times are milliseconds; both ends are inclusive, 0 is "not said". */
export interface TrackFields {
  readonly conceptId: string;
  readonly statusCode: number;
  readonly startFrame: number;
  readonly endFrame: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly sampleMs: number;
  readonly sampleFrames: number;
}

export const trackStatus = { idle: 24300, pending: 24302, failed: 24304 } as const;

/** Why a track cannot be kept, or undefined. */
export function trackTrouble(track: TrackFields): string | undefined {
  const { statusCode, startFrame, endFrame, startMs, endMs } = track;
  if (statusCode < trackStatus.idle || statusCode > trackStatus.failed)
    return `status.code is ${statusCode}; a track has one of 24300 to 24304.`;
  if (endFrame > 0 && endFrame < startFrame)
    return `end_frame_nr is ${endFrame}, before start_frame_nr ${startFrame}.`;
  if (endMs > 0 && endMs < startMs) return `end_frame_ms is ${endMs}, before start_frame_ms ${startMs}.`;
  return undefined;
}

/** What of a track is asked for. */
export interface TrackWindow {
  /** From here on, inclusive; 0 is the beginning. */
  readonly fromFrame: number;
  readonly fromMs: number;
  readonly framesMax: number;
  readonly durationMaxMs: number;
}

export const windowFramesMax = 60;
export const windowDurationMaxMs = 3000;

const kindOfType = new Map<AnnotationDataType, number>([
  [AnnotationDataType.TAG, annotationKind.concepts],
  [AnnotationDataType.BOUNDING_BOX, annotationKind.box],
  [AnnotationDataType.POLYGON, annotationKind.polygon],
  [AnnotationDataType.POINT, annotationKind.point],
  [AnnotationDataType.SPAN, annotationKind.span],
  [AnnotationDataType.MASK, annotationKind.mask],
]);

/** The bit of annotations of a type; 0 for any. */
export const kindBitOf = (type: AnnotationDataType): number => kindOfType.get(type) ?? 0;

/** An annotation of one moment of a video, and when that is. */
export interface Keyframe {
  readonly annotation: Annotation;
  readonly number: number;
  readonly timeMs: number;
}

/** @param fps frames per second of the video; tells numbers from times where only one of them was said */
export function keyframeOf(annotation: Annotation, fps: number): Keyframe | undefined {
  const info = annotation.data?.frames[0]?.frameInfo;
  if (!info) return undefined;
  const number = info.number || (fps > 0 ? Math.round((info.time * fps) / 1000) : 0);
  const timeMs = info.time || (fps > 0 ? Math.floor((info.number * 1000) / fps) : 0);
  return { annotation, number, timeMs };
}

export const inOrder = (keyframes: readonly Keyframe[]): Keyframe[] =>
  [...keyframes].sort((a, b) => a.timeMs - b.timeMs || a.number - b.number);

/** Whether a keyframe says (`annotation_info.fovea.outside_after`) that its object is out of sight from the next frame on. */
function leavesAfter({ annotation }: Keyframe): boolean {
  const own = annotation.annotationInfo?.fovea;
  return typeof own === 'object' && own !== null && !Array.isArray(own) && own.outside_after === true;
}

/**
 * Between two keyframes of one track: what their boxes or points were at the moments that the track samples, moved
 * evenly from one to the other. Nothing where the track samples nothing, where the two are not alike, or where the
 * first says that the object leaves.
 */
export function between(before: Keyframe, after: Keyframe, track: TrackFields | undefined): Keyframe[] {
  if (!track || leavesAfter(before) || !isMovable(before, after)) return [];
  return momentsBetween(before, after, track)
    .filter(({ number, timeMs }) => isWithin(track, number, timeMs))
    .map(({ share, number, timeMs }) => ({
      annotation: movedAnnotation(before.annotation, after.annotation, share, number, timeMs),
      number,
      timeMs,
    }));
}

/**
 * Between two keyframes of one thing: what its box or point was at given times, for whoever samples at moments of
 * their own. Nothing where the two are not alike.
 *
 * @param fps frames per second of the video, 0 where it is not known
 */
export function atTimes(
  before: Keyframe,
  after: Keyframe,
  timesMs: readonly number[],
  fps: number,
): Keyframe[] {
  if (!isMovable(before, after)) return [];
  return timesMs
    .filter((timeMs) => timeMs > before.timeMs && timeMs < after.timeMs)
    .map((timeMs) => {
      const share = (timeMs - before.timeMs) / (after.timeMs - before.timeMs);
      const number = fps > 0 ? Math.floor((timeMs * fps) / 1000) : 0;
      return {
        annotation: movedAnnotation(before.annotation, after.annotation, share, number, timeMs),
        number,
        timeMs,
      };
    });
}

function momentsBetween(before: Keyframe, after: Keyframe, { sampleFrames, sampleMs }: TrackFields) {
  const byNumber = sampleFrames > 0;
  const [from, to, step] = byNumber
    ? [before.number, after.number, sampleFrames]
    : [before.timeMs, after.timeMs, sampleMs];
  const moments: { share: number; number: number; timeMs: number }[] = [];
  if (step <= 0) return moments;
  for (let at = from + step; at < to; at += step) {
    const share = (at - from) / (to - from);
    moments.push({
      share,
      number: byNumber ? at : Math.round(mixed(before.number, after.number, share)),
      timeMs: byNumber ? Math.floor(mixed(before.timeMs, after.timeMs, share)) : at,
    });
  }
  return moments;
}

const isWithin = ({ startFrame, endFrame, startMs, endMs }: TrackFields, number: number, timeMs: number) =>
  number >= startFrame &&
  (endFrame === 0 || number <= endFrame) &&
  timeMs >= startMs &&
  (endMs === 0 || timeMs <= endMs);

const regionOf = ({ annotation }: Keyframe): Region | undefined =>
  annotation.data?.frames[0]?.data?.regions[0];

function isMovable(before: Keyframe, after: Keyframe): boolean {
  const [a, b] = [regionOf(before)?.regionInfo, regionOf(after)?.regionInfo];
  const alike = (a?.boundingBox && b?.boundingBox) || (a?.point && b?.point);
  return Boolean(alike) && workerOf(before.annotation) === workerOf(after.annotation);
}

export const workerOf = ({ userId, modelVersionId, worker }: Annotation): string =>
  `${worker?.worker.case} ${userId} ${modelVersionId}`;

const mixed = (a: number, b: number, share: number): number => a + (b - a) * share;

const movedBox = (a: BoundingBox, b: BoundingBox, share: number): BoundingBox => ({
  ...a,
  topRow: mixed(a.topRow, b.topRow, share),
  leftCol: mixed(a.leftCol, b.leftCol, share),
  bottomRow: mixed(a.bottomRow, b.bottomRow, share),
  rightCol: mixed(a.rightCol, b.rightCol, share),
});

const movedPoint = (a: Point, b: Point, share: number): Point => ({
  ...a,
  row: mixed(a.row, b.row, share),
  col: mixed(a.col, b.col, share),
});

/** Not stored: its id says which annotation it follows, `annotation_info` that it was worked out. */
function movedAnnotation(
  before: Annotation,
  after: Annotation,
  share: number,
  number: number,
  timeMs: number,
): Annotation {
  const frame = before.data?.frames[0] as Frame;
  const region = frame.data?.regions[0] as Region;
  const to = after.data?.frames[0]?.data?.regions[0]?.regionInfo;
  const { boundingBox, point } = region.regionInfo ?? {};
  const info = {
    ...region.regionInfo,
    ...(boundingBox && to?.boundingBox && { boundingBox: movedBox(boundingBox, to.boundingBox, share) }),
    ...(point && to?.point && { point: movedPoint(point, to.point, share) }),
  } as Region['regionInfo'];
  return create(AnnotationSchema, {
    ...before,
    $typeName: undefined,
    id: `${before.id}-${number}`,
    annotationInfo: { interpolated: true, from: before.id, to: after.id },
    createdAt: undefined,
    modifiedAt: undefined,
    data: {
      frames: [
        {
          ...frame,
          $typeName: undefined,
          frameInfo: { time: timeMs, number },
          data: { ...frame.data, $typeName: undefined, regions: [{ ...region, regionInfo: info }] },
        },
      ],
    },
  } as never) as Annotation;
}

/** Keyframes and what lies between them, in order: of each worker and kind of place by itself. */
export function filled(keyframes: readonly Keyframe[], track: TrackFields | undefined): Keyframe[] {
  const groups = new Map<string, Keyframe[]>();
  for (const keyframe of inOrder(keyframes)) {
    const info = regionOf(keyframe)?.regionInfo;
    const group = `${workerOf(keyframe.annotation)} ${info?.boundingBox ? 'box' : info?.point ? 'point' : ''}`;
    const members = groups.get(group);
    if (members) members.push(keyframe);
    else groups.set(group, [keyframe]);
  }
  return inOrder(
    [...groups.values()].flatMap((members) =>
      members.flatMap((member, i) => {
        const next = members[i + 1];
        return next ? [member, ...between(member, next, track)] : [member];
      }),
    ),
  );
}

/** The part of a track that was asked for: whole frames, as many as fit. */
export function windowOf(keyframes: readonly Keyframe[], window: TrackWindow): Keyframe[] {
  const { fromFrame, fromMs, framesMax, durationMaxMs } = window;
  const from = keyframes.filter(({ number, timeMs }) => number >= fromFrame && timeMs >= fromMs);
  const begin = fromMs > 0 ? fromMs : (from[0]?.timeMs ?? 0);
  const frames = new Set<string>();
  return from.filter(({ number, timeMs }) => {
    if (timeMs >= begin + durationMaxMs) return false;
    const frame = `${number} ${timeMs}`;
    if (!frames.has(frame) && frames.size >= framesMax) return false;
    frames.add(frame);
    return true;
  });
}
