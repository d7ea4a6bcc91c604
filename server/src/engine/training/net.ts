import { padTo, panelsOf, panelWidth, rowStep, Workbench } from './matrix-kernel.ts';
import { type HeadProblem, rowsOf } from './problem.ts';
import type { RowReader } from './rows.ts';

/** What is subtracted from each input dimension, and the one factor all are multiplied by afterwards. */
export interface Standard {
  mean: Float64Array;
  scale: number;
}

/**
 * Centres each dimension over the rows named and scales all of them alike, so that the mean variance is 1.
 * One factor for all keeps the directions of the embedding, on which the l2 term then acts as on plain inputs.
 */
export function standardOf(problem: HeadProblem, rows: Int32Array): Standard {
  const { dims } = problem;
  const reader = rowsOf(problem);
  const vectors = reader.data;
  const mean = new Float64Array(dims);
  let squares = 0;
  for (const row of rows) {
    const at = reader.locate(row);
    for (let d = 0; d < dims; d += 1) {
      const value = vectors[at + d] as number;
      mean[d] = (mean[d] as number) + value;
      squares += value * value;
    }
  }
  for (let d = 0; d < dims; d += 1) mean[d] = (mean[d] as number) / rows.length;
  const variance =
    squares / (rows.length * dims) - mean.reduce((sum, value) => sum + value * value, 0) / dims;
  return { mean, scale: variance > 1e-24 ? 1 / Math.sqrt(variance) : 1 };
}

const neverLogit = -1e4;

/**
 * One linear layer over standardised inputs, learnt batch by batch. The bias is the weight of an extra input
 * that is always 1. Weights lie in panels of eight classes: [panel, input, 8].
 */
export class Net {
  readonly batch: number;
  readonly weights: Float32Array;
  /** Logits of the batch, and then the loss's slope by each of them: [panel, batch row, 8]. */
  readonly logits: Float32Array;
  readonly #problem: HeadProblem;
  readonly #standard: Standard;
  readonly #rows: RowReader;
  readonly #bench: Workbench;
  readonly #inputs: number;
  readonly #panels: number;
  readonly #x: Float32Array;
  readonly #mean: Float32Array;
  /** Of each row of the batch: weight, highest logit, sum of exp; and one float that nothing is in. */
  readonly #notes: Float32Array;
  readonly #gradient: Float32Array;
  readonly #first: Float32Array;
  readonly #second: Float32Array;
  #steps = 0;

  constructor(problem: HeadProblem, standard: Standard, batch: number) {
    this.#problem = problem;
    this.#standard = standard;
    this.#rows = rowsOf(problem);
    this.batch = padTo(batch, rowStep);
    this.#inputs = padTo(problem.dims + 1, rowStep);
    this.#panels = panelsOf(problem.classes);
    const size = this.#panels * this.#inputs * panelWidth;
    const logits = this.#panels * this.batch * panelWidth;
    this.#bench = new Workbench(4 * size + logits + (this.batch + 1) * this.#inputs + 4 * this.batch + 1024);
    this.weights = this.#bench.take(size);
    this.#gradient = this.#bench.take(size);
    this.#first = this.#bench.take(size);
    this.#second = this.#bench.take(size);
    this.logits = this.#bench.take(logits);
    this.#x = this.#bench.take(this.batch * this.#inputs);
    this.#mean = this.#bench.take(this.#inputs);
    this.#mean.set(standard.mean);
    this.#notes = this.#bench.take(4 * this.batch);
  }

  /** Computes the logits of rows[from..to), at most one batch; rows beyond are zeros. */
  forward(rows: Int32Array, from: number, to: number): void {
    this.#gather(rows, from, to);
    const { product } = this.#bench.kernel;
    const panelFloats = this.#inputs * panelWidth;
    for (let panel = 0; panel < this.#panels; panel += 1) {
      product(
        this.batch / rowStep,
        this.#inputs / rowStep,
        this.#x.byteOffset,
        this.#inputs * 4,
        this.weights.byteOffset + panel * panelFloats * 4,
        this.logits.byteOffset + panel * this.batch * panelWidth * 4,
      );
    }
  }

  /**
   * Turns `logits` into each class's share of its row, times the row's weight; where a weight is 0, into zeros.
   *
   * @returns of each row four floats: its weight, its highest logit, and the sum of exp(logit - highest)
   */
  softmax(weightOf: (row: number) => number): Float32Array {
    const notes = this.#notes;
    for (let i = 0; i < this.batch; i += 1) notes[4 * i] = weightOf(i);
    this.#bench.kernel.softmax(
      this.batch,
      this.#panels,
      this.logits.byteOffset,
      this.batch * panelWidth * 4,
      notes.byteOffset,
    );
    return notes;
  }

  /** One step down the slopes now in `logits`, for the batch last given to `forward`, and towards small weights. */
  step(rate: number, decay: number): void {
    this.#steps += 1;
    const slow = Math.sqrt(1 - 0.999 ** this.#steps);
    const stepRate = (rate * slow) / (1 - 0.9 ** this.#steps);
    const { productTransposed, adam } = this.#bench.kernel;
    const panelBytes = this.#inputs * panelWidth * 4;
    const weighed = this.#problem.dims * panelWidth;
    for (let panel = 0; panel < this.#panels; panel += 1) {
      const at = panel * panelBytes;
      productTransposed(
        this.#inputs / rowStep,
        this.batch,
        this.#x.byteOffset,
        this.#inputs * 4,
        this.logits.byteOffset + panel * this.batch * panelWidth * 4,
        this.#gradient.byteOffset + at,
      );
      const areas = [this.weights, this.#gradient, this.#first, this.#second].map((a) => a.byteOffset + at);
      const [w, g, m, v] = areas as [number, number, number, number];
      const bias = weighed * 4;
      const rest = this.#inputs * panelWidth - weighed;
      adam(weighed / 4, w, g, m, v, stepRate, 1e-8 * slow, decay);
      adam(rest / 4, w + bias, g + bias, m + bias, v + bias, stepRate, 1e-8 * slow, 0);
    }
  }

  /** Sets every bias, before training. Classes that only fill the last panel never have a share of anything. */
  setBias(bias: Float64Array): void {
    for (let index = 0; index < this.#panels * panelWidth; index += 1)
      this.weights[this.#weightAt(this.#problem.dims, index)] = bias[index] ?? neverLogit;
  }

  /** The layer as it applies to plain inputs: float32 [classes, dims] and [classes]. */
  plain(): { weights: Float32Array; bias: Float32Array } {
    const { dims, classes } = this.#problem;
    const { mean, scale } = this.#standard;
    const plain = { weights: new Float32Array(classes * dims), bias: new Float32Array(classes) };
    for (let c = 0; c < classes; c += 1) {
      let bias = this.weights[this.#weightAt(dims, c)] as number;
      for (let d = 0; d < dims; d += 1) {
        const weight = (this.weights[this.#weightAt(d, c)] as number) * scale;
        plain.weights[c * dims + d] = weight;
        bias -= weight * (mean[d] as number);
      }
      plain.bias[c] = bias;
    }
    return plain;
  }

  #weightAt(input: number, index: number): number {
    return (Math.floor(index / panelWidth) * this.#inputs + input) * panelWidth + (index % panelWidth);
  }

  #gather(rows: Int32Array, from: number, to: number): void {
    const { dims } = this.#problem;
    const reader = this.#rows;
    const x = this.#x;
    const inputs = this.#inputs;
    const count = Math.min(this.batch, to - from);
    for (let i = 0; i < count; i += 1) {
      const source = reader.locate(rows[from + i] as number);
      x.set(reader.data.subarray(source, source + dims), i * inputs);
    }
    this.#bench.kernel.standardise(
      count,
      Math.ceil(dims / 4),
      x.byteOffset,
      inputs * 4,
      this.#mean.byteOffset,
      this.#standard.scale,
    );
    // Behind the values the input of the bias, and zeros.
    for (let i = 0; i < count; i += 1)
      x.fill(0, i * inputs + dims + 1, (i + 1) * inputs)[i * inputs + dims] = 1;
    x.fill(0, count * inputs);
  }
}
