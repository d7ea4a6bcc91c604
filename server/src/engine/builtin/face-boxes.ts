import { type Box, type Point, suppressed } from './boxes.ts';

export const faceEdge = 256;
const overlapMax = 0.3;
const numbersPerFace = 16;
const pointNames = ['right_eye', 'left_eye', 'nose', 'mouth', 'right_ear', 'left_ear'] as const;

export interface FoundFace {
  score: number;
  /** In pixels of the 256 x 256 square. */
  box: Box;
  /** In the same pixels, in the order of `facePointNames`; right and left are the person's own. */
  points: Point[];
}

export const facePointNames: readonly string[] = pointNames;

/**
 * The centres that BlazeFace measures from, in pixels of its square: 16 x 16 cells with two anchors each, then
 * 8 x 8 cells with six each.
 *
 * @returns two lists, of 512 and 384 points
 */
export function faceAnchors(): [Point[], Point[]] {
  return [anchorGrid(16, 2), anchorGrid(32, 6)];
}

const anchors = faceAnchors();

/**
 * Reads faces from the two output grids of BlazeFace.
 *
 * @param logits float32 [512] and [384]
 * @param numbers float32 [512, 16] and [384, 16]: x, y of the middle, width, height, then x, y of six points, all in
 *   pixels and relative to the anchor
 * @param confidenceMin 0..1; weaker faces are left out
 * @returns surest first
 *
 * Source: Bazarevsky et al. 2019 (BlazeFace), back-camera variant.
 */
export function decodeFaces(
  logits: readonly Float32Array[],
  numbers: readonly Float32Array[],
  confidenceMin: number,
): FoundFace[] {
  const found: FoundFace[] = [];
  for (const [grid, centres] of anchors.entries()) {
    for (const [index, anchor] of centres.entries()) {
      const score = 1 / (1 + Math.exp(-(logits[grid]?.[index] ?? Number.NEGATIVE_INFINITY)));
      if (score < confidenceMin) continue;
      const from = index * numbersPerFace;
      found.push({ score, ...placeFace(numbers[grid]?.subarray(from, from + numbersPerFace) ?? [], anchor) });
    }
  }
  return suppressed(found, overlapMax);
}

function placeFace(numbers: ArrayLike<number>, anchor: Point): { box: Box; points: Point[] } {
  const [dx = 0, dy = 0, width = 0, height = 0] = Array.from(numbers);
  const x = anchor.x + dx;
  const y = anchor.y + dy;
  return {
    box: { left: x - width / 2, top: y - height / 2, right: x + width / 2, bottom: y + height / 2 },
    points: pointNames.map((_, index) => ({
      x: anchor.x + (numbers[4 + index * 2] ?? 0),
      y: anchor.y + (numbers[5 + index * 2] ?? 0),
    })),
  };
}

function anchorGrid(stride: number, each: number): Point[] {
  const edge = faceEdge / stride;
  return Array.from({ length: edge * edge * each }, (_, index) => {
    const cell = Math.floor(index / each);
    return { x: ((cell % edge) + 0.5) * stride, y: (Math.floor(cell / edge) + 0.5) * stride };
  });
}
