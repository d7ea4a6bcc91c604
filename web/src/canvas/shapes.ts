import type { Home } from './homes.ts';
import { boundsOf, isOn, type Mask } from './mask.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Places are in pixels of the picture, with 0,0 at its top left corner. */
export type Geometry =
  | { readonly kind: 'box'; readonly box: Box }
  | { readonly kind: 'polygon'; readonly points: readonly Point[] }
  | { readonly kind: 'mask'; readonly mask: Mask }
  | { readonly kind: 'point'; readonly point: Point };

export type ShapeKind = Geometry['kind'];

export interface ConceptRef {
  readonly id: string;
  readonly name: string;
}

export interface Shape {
  /** Also the id of its annotation, unless it has a home. */
  readonly id: string;
  readonly geometry: Geometry;
  readonly concept: ConceptRef | undefined;
  /** Nothing changes it until it is unlocked. */
  readonly isLocked: boolean;
  /** Frames by their number from 0; undefined on pictures. */
  readonly frame: number | undefined;
  readonly trackId: string | undefined;
  /** On a keyframe: the object is out of sight from the next frame on, until its next keyframe. */
  readonly outsideAfter?: boolean;
  /** Its place among the shapes as the server has it, where somebody changed that. */
  readonly order?: number | undefined;
  /** What its annotation says beyond what is drawn. */
  readonly home?: Home | undefined;
  /** What was read there. */
  readonly text?: string | undefined;
}

/**
 * A labelled stretch of time (milliseconds, `to` is its end) or of a text (characters as Unicode counts them, `to` is
 * the first that no longer belongs to it).
 */
export interface Mark {
  /** Also the id of its annotation, unless it has a home. */
  readonly id: string;
  readonly kind: 'segment' | 'span';
  readonly from: number;
  readonly to: number;
  readonly concept: ConceptRef;
  readonly home?: Home | undefined;
}

/** What is drawn on one input, and the labels of the whole of it. Shapes lie in drawing order, the last on top. */
export interface Drawing {
  readonly shapes: readonly Shape[];
  readonly labels: readonly ConceptRef[];
  readonly marks?: readonly Mark[];
}

export const itemsOf = ({ shapes, marks = [] }: Drawing): readonly (Shape | Mark)[] => [...shapes, ...marks];

/** What a shape is called: its concept, and what was read there. */
export const namesOf = ({ concept, text }: Shape): string[] => [
  ...(concept ? [concept.name] : []),
  ...(text ? [`“${text}”`] : []),
];

export const newId = (): string => crypto.randomUUID().replaceAll('-', '');

/** A shape to be drawn again elsewhere: one of its own, of which the server knows nothing yet. */
export const anew = (shape: Shape, changes: Partial<Shape> & { readonly id: string }): Shape => ({
  ...shape,
  home: undefined,
  text: undefined,
  order: undefined,
  ...changes,
});

export const emptyDrawing: Drawing = { shapes: [], labels: [] };

export function boxOf(geometry: Geometry): Box {
  switch (geometry.kind) {
    case 'box':
      return geometry.box;
    case 'polygon': {
      const xs = geometry.points.map(({ x }) => x);
      const ys = geometry.points.map(({ y }) => y);
      return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
    }
    case 'mask':
      return boundsOf(geometry.mask) ?? { left: 0, top: 0, right: 0, bottom: 0 };
    case 'point':
      return {
        left: geometry.point.x,
        top: geometry.point.y,
        right: geometry.point.x,
        bottom: geometry.point.y,
      };
  }
}

/** A box between two corners, whichever they are. */
export const boxBetween = (a: Point, b: Point): Box => ({
  left: Math.min(a.x, b.x),
  top: Math.min(a.y, b.y),
  right: Math.max(a.x, b.x),
  bottom: Math.max(a.y, b.y),
});

const clamp = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value));

/** The nearest corner of pixels inside the picture. */
export const snap = ({ x, y }: Point, size: { width: number; height: number }): Point => ({
  x: clamp(Math.round(x), 0, size.width),
  y: clamp(Math.round(y), 0, size.height),
});

/** Moved by whole pixels, as far as the picture reaches. Masks move with their pixels. */
export function moved(geometry: Geometry, by: Point, size: { width: number; height: number }): Geometry {
  const around = boxOf(geometry);
  const dx = clamp(Math.round(by.x), -around.left, size.width - around.right);
  const dy = clamp(Math.round(by.y), -around.top, size.height - around.bottom);
  const shift = ({ x, y }: Point): Point => ({ x: x + dx, y: y + dy });
  switch (geometry.kind) {
    case 'box': {
      const { left, top, right, bottom } = geometry.box;
      return { kind: 'box', box: { left: left + dx, top: top + dy, right: right + dx, bottom: bottom + dy } };
    }
    case 'polygon':
      return { kind: 'polygon', points: geometry.points.map(shift) };
    case 'point':
      return { kind: 'point', point: shift(geometry.point) };
    case 'mask':
      return { kind: 'mask', mask: shifted(geometry.mask, dx, dy) };
  }
}

function shifted(mask: Mask, dx: number, dy: number): Mask {
  const by = dy * mask.width + dx;
  if (by === 0) return mask;
  // What is on stays inside the picture, so moving runs along the row order moves each pixel by dx, dy.
  const runs = [...mask.runs];
  if (runs.length === 1) return mask;
  runs[0] = (runs[0] as number) + by;
  if (runs.length % 2 === 0) runs.push(0);
  runs[runs.length - 1] = (runs.at(-1) as number) - by;
  if (runs.at(-1) === 0) runs.pop();
  return { ...mask, runs: Uint32Array.from(runs) };
}

/** Handles of a box: which edges each moves. */
export const handles = [
  ['left', 'top'],
  ['right', 'top'],
  ['right', 'bottom'],
  ['left', 'bottom'],
] as const;

/** A box whose bottom right corner is moved, as far as the picture reaches; other shapes stay as they are. */
export function grown(geometry: Geometry, by: Point, size: { width: number; height: number }): Geometry {
  if (geometry.kind !== 'box') return geometry;
  const { left, top, right, bottom } = geometry.box;
  const corner = snap({ x: right + by.x, y: bottom + by.y }, size);
  const box = { left, top, right: Math.max(left + 1, corner.x), bottom: Math.max(top + 1, corner.y) };
  return { kind: 'box', box };
}

/** A box with one corner put elsewhere; corners may pass each other. */
export function withCorner(box: Box, corner: number, to: Point): Box {
  const [horizontal, vertical] = handles[corner] as (typeof handles)[number];
  const opposite = {
    x: horizontal === 'left' ? box.right : box.left,
    y: vertical === 'top' ? box.bottom : box.top,
  };
  return boxBetween(to, opposite);
}

/** Whether a place is on a shape, or within `slack` pixels of its outline. */
export function hits({ geometry }: Shape, at: Point, slack: number): boolean {
  switch (geometry.kind) {
    case 'box': {
      const { left, top, right, bottom } = geometry.box;
      return at.x >= left - slack && at.x <= right + slack && at.y >= top - slack && at.y <= bottom + slack;
    }
    case 'point':
      return Math.hypot(at.x - geometry.point.x, at.y - geometry.point.y) <= slack * 2;
    case 'mask':
      return isOn(geometry.mask, at.x, at.y);
    case 'polygon':
      return isInside(geometry.points, at) || distanceToOutline(geometry.points, at) <= slack;
  }
}

/** Even-odd rule. */
export function isInside(points: readonly Point[], { x, y }: Point): boolean {
  let inside = false;
  for (const [i, a] of points.entries()) {
    const b = points[(i + 1) % points.length] as Point;
    if (a.y > y !== b.y > y && x < ((b.x - a.x) * (y - a.y)) / (b.y - a.y) + a.x) inside = !inside;
  }
  return inside;
}

export function distanceToOutline(points: readonly Point[], at: Point): number {
  return Math.min(...points.map((a, i) => distanceToLine(a, points[(i + 1) % points.length] as Point, at)));
}

export function distanceToLine(a: Point, b: Point, at: Point): number {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : clamp(((at.x - a.x) * dx + (at.y - a.y) * dy) / length, 0, 1);
  return Math.hypot(at.x - a.x - along * dx, at.y - a.y - along * dy);
}

/** The topmost shape at a place; of nested ones the smallest, which could not be reached otherwise. */
export function shapeAt(shapes: readonly Shape[], at: Point, slack: number): Shape | undefined {
  const found = shapes.filter((shape) => hits(shape, at, slack));
  const areaOf = (shape: Shape): number => {
    const { left, top, right, bottom } = boxOf(shape.geometry);
    return (right - left) * (bottom - top);
  };
  return found
    .toReversed()
    .reduce<Shape | undefined>(
      (best, shape) => (best === undefined || areaOf(shape) < areaOf(best) ? shape : best),
      undefined,
    );
}

/** Whether a shape is worth keeping: a click is no box, two points are no polygon. */
export function isSolid(geometry: Geometry): boolean {
  switch (geometry.kind) {
    case 'box':
      return geometry.box.right - geometry.box.left >= 1 && geometry.box.bottom - geometry.box.top >= 1;
    case 'polygon':
      return geometry.points.length >= 3;
    case 'mask':
      return boundsOf(geometry.mask) !== undefined;
    case 'point':
      return true;
  }
}
