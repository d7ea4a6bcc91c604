import type { Box, Keypoint, Mask, Ring } from '../record.ts';
import { bitmapOfMask } from './rle.ts';

/** The smallest upright box around points given as x, y, x, y …; undefined for none. */
export function boundsOfPoints(points: readonly number[]): Box | undefined {
  if (points.length < 2) return undefined;
  let [left, top] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  let [right, bottom] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i + 1 < points.length; i += 2) {
    left = Math.min(left, points[i] as number);
    right = Math.max(right, points[i] as number);
    top = Math.min(top, points[i + 1] as number);
    bottom = Math.max(bottom, points[i + 1] as number);
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}

export const boundsOfRings = (rings: readonly Ring[]): Box | undefined => boundsOfPoints(rings.flat());

export const boundsOfKeypoints = (keypoints: readonly Keypoint[]): Box | undefined =>
  boundsOfPoints(keypoints.flatMap(({ x, y, visibility }) => (visibility === 0 ? [] : [x, y])));

/** Square pixels; holes and overlaps are not known to a list of rings. */
export const areaOfRings = (rings: readonly Ring[]): number =>
  rings.reduce((sum, ring) => sum + Math.abs(signedArea(ring)), 0);

function signedArea(ring: Ring): number {
  let sum = 0;
  for (let i = 0; i + 1 < ring.length; i += 2) {
    const next = (i + 2) % ring.length;
    sum +=
      (ring[i] as number) * (ring[next + 1] as number) - (ring[next] as number) * (ring[i + 1] as number);
  }
  return sum / 2;
}

/** The four corners, clockwise from the top left one of the unrotated box. */
export function cornersOfBox({ x, y, width, height, rotation = 0 }: Box): Ring {
  const [cx, cy] = [x + width / 2, y + height / 2];
  const angle = (rotation * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return [
    [x, y],
    [x + width, y],
    [x + width, y + height],
    [x, y + height],
  ].flatMap(([px, py]) => {
    const [dx, dy] = [(px as number) - cx, (py as number) - cy];
    return rotation === 0
      ? [px as number, py as number]
      : [cx + dx * cos - dy * sin, cy + dx * sin + dy * cos];
  });
}

/**
 * The outlines of a mask along the edges of its pixels, parts that touch only at a corner apart.
 *
 * Holes cannot be said in a list of outlines; `hasHoles` tells that there were some.
 */
export function outlinesOfMask(mask: Mask): { rings: Ring[]; hasHoles: boolean } {
  const { width, height } = mask;
  const pixels = bitmapOfMask(mask);
  const isSet = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < width && y < height && pixels[y * width + x] === 1;
  const seen = new Uint8Array((width + 1) * (height + 1));
  const rings: Ring[] = [];
  let hasHoles = false;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // Each outline has a top edge: a set pixel below one that is not, walked to the right.
      if (!isSet(x, y) || isSet(x, y - 1) || seen[y * (width + 1) + x] === 1) continue;
      const ring = walkOutline(x, y, isSet, (sx, sy) => {
        seen[sy * (width + 1) + sx] = 1;
      });
      if (signedArea(ring) > 0) rings.push(ring);
      else hasHoles = true;
    }
  }
  return { rings, hasHoles };
}

const headings = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
] as const;

/** Walks with set pixels on the right hand until back at the start; turns only where the outline does. */
function walkOutline(
  startX: number,
  startY: number,
  isSet: (x: number, y: number) => boolean,
  topEdge: (x: number, y: number) => void,
): Ring {
  const ring: number[] = [];
  let [x, y, heading] = [startX, startY, 0];
  do {
    if (heading === 0) topEdge(x, y);
    const [dx, dy] = headings[heading] as readonly [number, number];
    x += dx;
    y += dy;
    const turned = turn(x, y, heading, isSet);
    if (turned !== heading) ring.push(x, y);
    heading = turned;
  } while (x !== startX || y !== startY || heading !== 0);
  return ring;
}

/** Right where the pixel ahead on the right is not set, left where the one ahead on the left is set too. */
function turn(x: number, y: number, heading: number, isSet: (x: number, y: number) => boolean): number {
  const ahead = [
    { right: [x, y], left: [x, y - 1] },
    { right: [x - 1, y], left: [x, y] },
    { right: [x - 1, y - 1], left: [x - 1, y] },
    { right: [x, y - 1], left: [x - 1, y - 1] },
  ][heading] as { right: [number, number]; left: [number, number] };
  if (!isSet(...ahead.right)) return (heading + 1) % 4;
  return isSet(...ahead.left) ? (heading + 3) % 4 : heading;
}
