import type { Watch } from './fit.ts';
import { Cancelled } from './fit.ts';
import { randomFrom, shuffle } from './random.ts';
import { freshNet, spreadOf, TwoLayer, type TwoLayerNet } from './two-layer.ts';

/**
 * Cells of pictures to learn from. Plain data, so that it can be handed to a thread.
 *
 * `things`: each class stands for itself, and a cell that lies in a thing also says where its edges are.
 * `kinds`: every cell is of exactly one class, the first of which is the background.
 */
export interface CellProblem {
  task: 'things' | 'kinds';
  /** float32 [rows, dims], shared memory. */
  rows: Float32Array;
  dims: number;
  classes: number;
  /** Class of each row; -1 for the background of `things`. */
  classOf: Int32Array;
  /** `things`: float32 [rows, 4], the logarithm of the distance in cells to the left, top, right and bottom edge. */
  edges?: Float32Array;
  seed: number;
  /** float: what the first learning rate is multiplied by. */
  haste?: number;
}

/** Outputs of a network that finds things: a logit for each class, then the four edges. */
export const edgeOutputs = 4;

const hidden = 64;
const batch = 128;
const stepsWanted = 2_400;
const epochsRange = [8, 80] as const;
const peakRate = 0.002;
const decay = 1e-4;
/** How much a mistake about edges weighs against one about classes. */
const edgeWeight = 1;

export interface CellFit {
  net: TwoLayerNet;
  epochs: number;
  /** Loss per row in the last pass. */
  loss: number;
}

/** Learns a network for cells. The same problem gives the same bits. */
export function fitCells(problem: CellProblem, watch: Watch): CellFit {
  const { rows, dims, classes, task, seed } = problem;
  const outputs = classes + (task === 'things' ? edgeOutputs : 0);
  const layer = new TwoLayer(freshNet({ dims, hidden, outputs }, spreadOf(rows, dims), seed), batch);
  layer.setBias(priors(problem));
  const order = Int32Array.from({ length: rows.length / dims }, (_, row) => row);
  const random = randomFrom(seed ^ 0x5eed);
  const stepsPerEpoch = Math.ceil(order.length / batch);
  const [least, most] = epochsRange;
  const epochs = Math.min(most, Math.max(least, Math.ceil(stepsWanted / stepsPerEpoch)));
  const slopes = task === 'things' ? thingSlopes(problem) : kindSlopes(problem);
  const steps = epochs * stepsPerEpoch;
  let loss = 0;
  for (let epoch = 0, step = 0; epoch < epochs; epoch += 1) {
    shuffle(order, random);
    loss = 0;
    for (let from = 0; from < order.length; from += batch, step += 1) {
      if (watch.cancelled()) throw new Cancelled('training was cancelled');
      const to = Math.min(order.length, from + batch);
      layer.forward(rows, order, from, to);
      loss += slopes(layer, order, from, to);
      layer.step(to - from, rateAt(step, steps) * (problem.haste ?? 1), decay);
      if (step % 16 === 0) watch.progress(step / steps);
    }
  }
  watch.progress(1);
  return { net: layer.plain(), epochs, loss: loss / order.length };
}

/** Up in the first twentieth, then down along a half cosine. */
function rateAt(step: number, steps: number): number {
  const rise = Math.max(1, steps / 20);
  if (step < rise) return (peakRate * (step + 1)) / rise;
  return (peakRate * (1 + Math.cos((Math.PI * (step - rise)) / Math.max(1, steps - rise)))) / 2;
}

/** What each output should say before anything is known. */
function priors({ task, classOf, classes, edges }: CellProblem): number[] {
  const counts = new Array<number>(classes).fill(0.5);
  for (const index of classOf) if (index >= 0) counts[index] = (counts[index] as number) + 1;
  const logits = counts.map((count) => Math.log(count / (classOf.length + 1 - count)));
  if (task === 'kinds' || !edges) return counts.map((count) => Math.log(count / classOf.length));
  const sums = [0, 0, 0, 0];
  let inside = 0;
  classOf.forEach((index, row) => {
    if (index < 0) return;
    inside += 1;
    for (let edge = 0; edge < edgeOutputs; edge += 1)
      sums[edge] = (sums[edge] as number) + (edges[row * edgeOutputs + edge] as number);
  });
  return [...logits, ...sums.map((sum) => sum / Math.max(1, inside))];
}

type Slopes = (layer: TwoLayer, order: Int32Array, from: number, to: number) => number;

/** Cross-entropy of each class, and for cells inside of things a smoothed absolute difference of the edges. */
function thingSlopes({ classOf, classes, edges = new Float32Array(0) }: CellProblem): Slopes {
  const outputs = classes + edgeOutputs;
  return ({ out }, order, from, to) => {
    const count = to - from;
    let loss = 0;
    for (let i = 0; i < count; i += 1) {
      const row = order[from + i] as number;
      const own = classOf[row] as number;
      for (let c = 0; c < classes; c += 1) {
        const value = out[i * outputs + c] as number;
        const wanted = c === own ? 1 : 0;
        const signed = wanted === 1 ? value : -value;
        loss += signed > 0 ? Math.log1p(Math.exp(-signed)) : Math.log1p(Math.exp(signed)) - signed;
        out[i * outputs + c] = (1 / (1 + Math.exp(-value)) - wanted) / count;
      }
      for (let edge = 0; edge < edgeOutputs; edge += 1) {
        const at = i * outputs + classes + edge;
        if (own < 0) {
          out[at] = 0;
          continue;
        }
        const apart = (out[at] as number) - (edges[row * edgeOutputs + edge] as number);
        // Smooth within a tenth of the distance, straight beyond. Source: Girshick 2015.
        const near = Math.abs(apart) < 0.1;
        loss += edgeWeight * (near ? apart * apart * 5 : Math.abs(apart) - 0.05);
        out[at] = (edgeWeight * (near ? apart * 10 : Math.sign(apart))) / count;
      }
    }
    return loss;
  };
}

/** Cross-entropy over all classes; rare ones weigh more, by the square root of how rare they are. */
function kindSlopes({ classOf, classes }: CellProblem): Slopes {
  const counts = new Float64Array(classes);
  for (const index of classOf) counts[index] = (counts[index] as number) + 1;
  const present = counts.filter((count) => count > 0).length;
  const weights = counts.map((count) => (count > 0 ? Math.sqrt(classOf.length / (present * count)) : 0));
  return ({ out }, order, from, to) => {
    const rows = to - from;
    let loss = 0;
    for (let i = 0; i < rows; i += 1) {
      const own = classOf[order[from + i] as number] as number;
      const scores = out.subarray(i * classes, (i + 1) * classes);
      const highest = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
      const ownScore = (scores[own] as number) - highest;
      let sum = 0;
      for (let c = 0; c < classes; c += 1) {
        scores[c] = Math.exp((scores[c] as number) - highest);
        sum += scores[c] as number;
      }
      const weight = weights[own] as number;
      loss += weight * (Math.log(sum) - ownScore);
      for (let c = 0; c < classes; c += 1)
        scores[c] = (weight * ((scores[c] as number) / sum - (c === own ? 1 : 0))) / rows;
    }
    return loss;
  };
}
