import { type Box, suppressed } from './boxes.ts';

export const objectEdge = 512;
export const objectClasses = 80;
const stride = 4;
const gridEdge = objectEdge / stride;
const overlapMax = 0.5;
const candidatesMax = 300;

export interface FoundObject {
  /** Row of the COCO-80 label list. */
  label: number;
  score: number;
  /** In pixels of the 512 x 512 square. */
  box: Box;
}

export interface ObjectHeads {
  /** Surest first, at most 300. */
  objects: FoundObject[];
  /** The largest score of each class anywhere in the picture, float32 [80]. */
  classScores: Float32Array;
}

/**
 * Reads objects from the heads of a CenterNet: every local maximum of a class's heat map is an object's middle.
 *
 * @param distances float32 [128, 128, 4]: from a cell's middle to the left, top, right and bottom edge, in pixels of
 *   the 512-pixel square
 * @param scores float32 [128, 128, 80], each 0..1
 * @param confidenceMin weaker objects are left out; class scores are not affected
 *
 * Source: Zhou et al. 2019 (Objects as Points), the box-distance variant.
 */
export function decodeObjects(
  distances: Float32Array,
  scores: Float32Array,
  confidenceMin: number,
): ObjectHeads {
  const classScores = new Float32Array(objectClasses);
  const peaks: FoundObject[] = [];
  let at = 0;
  for (let cell = 0; cell < gridEdge * gridEdge; cell++) {
    for (let label = 0; label < objectClasses; label++, at++) {
      const score = scores[at] as number;
      if (score > (classScores[label] as number)) classScores[label] = score;
      if (score >= confidenceMin && isPeak(scores, cell, label, score)) {
        peaks.push({ label, score, box: boxAt(distances, cell) });
      }
    }
  }
  peaks.sort((a, b) => b.score - a.score);
  return { objects: suppressed(peaks.slice(0, candidatesMax), overlapMax, (one) => one.label), classScores };
}

function isPeak(scores: Float32Array, cell: number, label: number, score: number): boolean {
  const row = Math.floor(cell / gridEdge);
  const column = cell % gridEdge;
  for (let y = Math.max(0, row - 1); y <= Math.min(gridEdge - 1, row + 1); y++) {
    for (let x = Math.max(0, column - 1); x <= Math.min(gridEdge - 1, column + 1); x++) {
      if ((scores[(y * gridEdge + x) * objectClasses + label] as number) > score) return false;
    }
  }
  return true;
}

function boxAt(distances: Float32Array, cell: number): Box {
  const x = (cell % gridEdge) * stride;
  const y = Math.floor(cell / gridEdge) * stride;
  const [left = 0, top = 0, right = 0, bottom = 0] = distances.subarray(cell * 4, cell * 4 + 4);
  return { left: x - left, top: y - top, right: x + right, bottom: y + bottom };
}
