import type { Box, ConceptRef, Geometry, Shape } from './shapes.ts';

/** An object through a video: its keyframes in order, at least one. */
export interface Track {
  readonly id: string;
  readonly concept: ConceptRef | undefined;
  readonly keyframes: readonly Shape[];
}

/** A stretch of frames, both ends included. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

const frameOf = ({ frame }: Shape): number => frame ?? 0;

/** Tracks of a drawing in the order in which they first appear. */
export function tracksOf(shapes: readonly Shape[]): Track[] {
  const byId = new Map<string, Shape[]>();
  for (const shape of shapes) {
    if (shape.trackId === undefined || shape.trackId === '' || shape.frame === undefined) continue;
    const known = byId.get(shape.trackId);
    if (known) known.push(shape);
    else byId.set(shape.trackId, [shape]);
  }
  return [...byId]
    .map(([id, unordered]): Track => {
      const keyframes = unordered.toSorted((a, b) => frameOf(a) - frameOf(b));
      return { id, concept: keyframes[0]?.concept, keyframes };
    })
    .toSorted((a, b) => frameOf(a.keyframes[0] as Shape) - frameOf(b.keyframes[0] as Shape));
}

/** What a track is in a frame that is none of its keyframes. */
export interface Between {
  readonly shape: Shape;
  /** Worked out between two keyframes, as the server does; or held on from the last one, and then nowhere stored. */
  readonly kind: 'moved' | 'held';
}

/** @returns undefined in keyframes, before the first, and while the object is out of sight */
export function betweenAt(track: Track, frame: number): Between | undefined {
  const before = track.keyframes.findLast((shape) => frameOf(shape) <= frame);
  if (!before || frameOf(before) === frame || before.outsideAfter) return undefined;
  const after = track.keyframes.find((shape) => frameOf(shape) > frame);
  if (!after) return { shape: before, kind: 'held' };
  const share = (frame - frameOf(before)) / (frameOf(after) - frameOf(before));
  const geometry = mixed(before.geometry, after.geometry, share);
  return geometry && { shape: { ...before, geometry }, kind: 'moved' };
}

const mix = (a: number, b: number, share: number): number => a + (b - a) * share;

const mixedBox = (a: Box, b: Box, share: number): Box => ({
  left: mix(a.left, b.left, share),
  top: mix(a.top, b.top, share),
  right: mix(a.right, b.right, share),
  bottom: mix(a.bottom, b.bottom, share),
});

/** Boxes and points move evenly from one keyframe to the next; other shapes are only where they were drawn. */
function mixed(a: Geometry, b: Geometry, share: number): Geometry | undefined {
  if (a.kind === 'box' && b.kind === 'box') return { kind: 'box', box: mixedBox(a.box, b.box, share) };
  if (a.kind === 'point' && b.kind === 'point')
    return {
      kind: 'point',
      point: { x: mix(a.point.x, b.point.x, share), y: mix(a.point.y, b.point.y, share) },
    };
  return undefined;
}

/** Whole pixels, as everything that is stored. */
export function rounded(geometry: Geometry): Geometry {
  if (geometry.kind === 'box') {
    const { left, top, right, bottom } = geometry.box;
    const box = {
      left: Math.round(left),
      top: Math.round(top),
      right: Math.round(right),
      bottom: Math.round(bottom),
    };
    return { kind: 'box', box };
  }
  if (geometry.kind !== 'point') return geometry;
  return { kind: 'point', point: { x: Math.round(geometry.point.x), y: Math.round(geometry.point.y) } };
}

/** Where a track is seen: its bars on a timeline. */
export function stretchesOf({ keyframes }: Track): Stretch[] {
  const found: Stretch[] = [];
  for (const [i, shape] of keyframes.entries()) {
    const from = frameOf(shape);
    const next = keyframes[i + 1];
    const runsOn = next && !shape.outsideAfter && mixed(shape.geometry, next.geometry, 0) !== undefined;
    const to = runsOn ? frameOf(next) : from;
    const last = found.at(-1);
    if (last && last.to >= from) found[found.length - 1] = { from: last.from, to: Math.max(last.to, to) };
    else found.push({ from, to });
  }
  return found;
}

/** The keyframe next to a frame, in one direction or the other. */
export const keyframeBeside = (track: Track, frame: number, direction: 1 | -1): number | undefined => {
  const frames = track.keyframes.map(frameOf);
  return direction === 1 ? frames.find((one) => one > frame) : frames.findLast((one) => one < frame);
};
