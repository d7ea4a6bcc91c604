import { areaOf, type Box, overlap, suppressed, unit } from '../builtin/boxes.ts';
import { edgeOutputs } from '../training/cells.ts';

/** A thing that somebody boxed in, in 0..1 of the picture. */
export interface LabelledBox {
  box: Box;
  /** Index of its class. */
  label: number;
}

export interface FoundThing {
  box: Box;
  label: number;
  /** 0..1 */
  score: number;
}

/** Cells of a picture as they are to be learnt: its class, -1 for background, -2 for neither; and the edges. */
export interface ThingTargets {
  classOf: Int32Array;
  /** float32 [cells, 4]: logarithm of the distance to the left, top, right and bottom edge, in cells. */
  edges: Float32Array;
}

/** Part of a box, about its middle, whose cells say that the thing is there. */
const middleShare = 0.5;
const middleCellsMin = 1.2;
const distanceMin = 0.2;

/**
 * Cells in the middle of a box are the thing's; cells at its rim are nobody's, as they may well look like it. Where
 * boxes overlap the smaller one has the cell.
 *
 * Source: Tian et al. 2019 (FCOS) for the edges and the sampling of middles.
 */
export function thingTargets(boxes: readonly LabelledBox[], grid: number): ThingTargets {
  const classOf = new Int32Array(grid * grid).fill(-1);
  const edges = new Float32Array(grid * grid * edgeOutputs);
  for (const { box, label } of [...boxes].sort((a, b) => areaOf(b.box) - areaOf(a.box))) {
    const [left, top, right, bottom] = [box.left, box.top, box.right, box.bottom].map(
      (edge) => edge * grid,
    ) as [number, number, number, number];
    const half = {
      x: Math.max((right - left) * middleShare, middleCellsMin) / 2,
      y: Math.max((bottom - top) * middleShare, middleCellsMin) / 2,
    };
    const middle = { x: (left + right) / 2, y: (top + bottom) / 2 };
    for (let row = Math.max(0, Math.floor(top)); row < Math.min(grid, Math.ceil(bottom + 1)); row += 1) {
      for (
        let column = Math.max(0, Math.floor(left));
        column < Math.min(grid, Math.ceil(right + 1));
        column += 1
      ) {
        const [x, y] = [column + 0.5, row + 0.5];
        const cell = row * grid + column;
        if (Math.abs(x - middle.x) <= half.x && Math.abs(y - middle.y) <= half.y) {
          classOf[cell] = label;
          [x - left, y - top, right - x, bottom - y].forEach((distance, edge) => {
            edges[cell * edgeOutputs + edge] = Math.log(Math.max(distance, distanceMin));
          });
        } else if (x > left && x < right && y > top && y < bottom && (classOf[cell] as number) < 0)
          classOf[cell] = -2;
      }
    }
  }
  return { classOf, edges };
}

const candidatesMax = 300;
const foundMax = 100;
const overlapMax = 0.5;
/** Boxes of cells that share so much with a kept box have a say in where its edges are. */
const votersOverlapMin = 0.6;

/**
 * Reads things from what a network says of each cell: peaks of each class, without those that lie on surer ones; the
 * edges are the mean of all cells that agree, by how sure each is.
 *
 * @param out float32 [grid * grid, classes + 4]
 */
export function decodeThings(
  out: Float32Array,
  grid: number,
  classes: number,
  confidenceMin: number,
): FoundThing[] {
  const width = classes + edgeOutputs;
  const scores = new Float32Array(grid * grid * classes);
  for (let cell = 0; cell < grid * grid; cell += 1) {
    for (let c = 0; c < classes; c += 1)
      scores[cell * classes + c] = 1 / (1 + Math.exp(-(out[cell * width + c] as number)));
  }
  const found: FoundThing[] = [];
  const voters: FoundThing[] = [];
  for (let cell = 0; cell < grid * grid; cell += 1) {
    for (let label = 0; label < classes; label += 1) {
      const score = scores[cell * classes + label] as number;
      if (score < confidenceMin) continue;
      const one = {
        label,
        score,
        box: boxAt(out.subarray(cell * width + classes, (cell + 1) * width), cell, grid),
      };
      voters.push(one);
      if (isPeak(scores, cell, grid, label, classes)) found.push(one);
    }
  }
  const surest = found.sort((a, b) => b.score - a.score).slice(0, candidatesMax);
  const kept = suppressed(surest, overlapMax, (one) => one.label).slice(0, foundMax);
  const likely = voters.sort((a, b) => b.score - a.score).slice(0, 4 * candidatesMax);
  return kept.map((one) => ({ ...one, box: voted(one, likely) }));
}

function boxAt(edges: Float32Array, cell: number, grid: number): Box {
  const [x, y] = [(cell % grid) + 0.5, Math.floor(cell / grid) + 0.5];
  const [left, top, right, bottom] = [...edges].map((edge) => Math.exp(Math.min(edge, 5))) as [
    number,
    number,
    number,
    number,
  ];
  return {
    left: unit((x - left) / grid),
    top: unit((y - top) / grid),
    right: unit((x + right) / grid),
    bottom: unit((y + bottom) / grid),
  };
}

function isPeak(scores: Float32Array, cell: number, grid: number, label: number, classes: number): boolean {
  const own = scores[cell * classes + label] as number;
  const [row, column] = [Math.floor(cell / grid), cell % grid];
  for (let y = Math.max(0, row - 1); y <= Math.min(grid - 1, row + 1); y += 1) {
    for (let x = Math.max(0, column - 1); x <= Math.min(grid - 1, column + 1); x += 1)
      if ((scores[(y * grid + x) * classes + label] as number) > own) return false;
  }
  return true;
}

function voted(one: FoundThing, voters: readonly FoundThing[]): Box {
  const sum = { left: 0, top: 0, right: 0, bottom: 0 };
  let weight = 0;
  for (const voter of voters) {
    if (voter.label !== one.label || overlap(voter.box, one.box) < votersOverlapMin) continue;
    weight += voter.score;
    for (const edge of ['left', 'top', 'right', 'bottom'] as const)
      sum[edge] += voter.score * voter.box[edge];
  }
  if (weight === 0) return one.box;
  return {
    left: sum.left / weight,
    top: sum.top / weight,
    right: sum.right / weight,
    bottom: sum.bottom / weight,
  };
}
