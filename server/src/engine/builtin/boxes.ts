/** Edges in pixels of whatever picture the context names, or in 0..1 of it. */
export interface Box {
  top: number;
  left: number;
  bottom: number;
  right: number;
}

export interface Point {
  x: number;
  y: number;
}

interface Size {
  width: number;
  height: number;
}

/** Shared area over joint area, 0..1. */
export function overlap(a: Box, b: Box): number {
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  if (height <= 0 || width <= 0) return 0;
  const shared = height * width;
  return shared / (areaOf(a) + areaOf(b) - shared);
}

export function areaOf(box: Box): number {
  return Math.max(0, box.bottom - box.top) * Math.max(0, box.right - box.left);
}

/**
 * Greedy non-maximum suppression: keeps the surest box, drops those that overlap it, and so on.
 *
 * @param overlapMax boxes that share more than this with a surer one are dropped
 * @param group boxes of different groups never drop one another
 * @returns the kept boxes, surest first
 */
export function suppressed<T extends { box: Box; score: number }>(
  found: readonly T[],
  overlapMax: number,
  group: (one: T) => number = () => 0,
): T[] {
  const kept: T[] = [];
  for (const one of [...found].sort((a, b) => b.score - a.score)) {
    const hidden = kept.some(
      (other) => group(other) === group(one) && overlap(other.box, one.box) > overlapMax,
    );
    if (!hidden) kept.push(one);
  }
  return kept;
}

/**
 * Maps pixels of a network's square back to 0..1 of the picture that lies in it.
 *
 * @param frame where the picture lies in the square, in pixels of the square
 */
export function pointInPicture(point: Point, frame: Size & { left: number; top: number }): Point {
  return { x: (point.x - frame.left) / frame.width, y: (point.y - frame.top) / frame.height };
}

/** As `pointInPicture`, cut off at the picture's edges. */
export function boxInPicture(box: Box, frame: Size & { left: number; top: number }): Box {
  const start = pointInPicture({ x: box.left, y: box.top }, frame);
  const end = pointInPicture({ x: box.right, y: box.bottom }, frame);
  return { top: unit(start.y), left: unit(start.x), bottom: unit(end.y), right: unit(end.x) };
}

/** A square around the middle of a box, its side the box's longer side times `factor`, in the same pixels. */
export function squareAround(
  box: Box,
  factor: number,
): { left: number; top: number; width: number; height: number } {
  const edge = Math.max(box.bottom - box.top, box.right - box.left) * factor;
  return {
    left: (box.left + box.right - edge) / 2,
    top: (box.top + box.bottom - edge) / 2,
    width: edge,
    height: edge,
  };
}

/** From 0..1 to pixels of a picture. */
export function inPixels(box: Box, { width, height }: Size): Box {
  return {
    top: box.top * height,
    left: box.left * width,
    bottom: box.bottom * height,
    right: box.right * width,
  };
}

export function unit(value: number): number {
  return Math.min(1, Math.max(0, value));
}
