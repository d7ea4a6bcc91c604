import { padTo, panelWidth, rowStep, Workbench } from './matrix-kernel.ts';
import { randomFrom } from './random.ts';

/** A small network as plain numbers: standardised inputs, one hidden layer of rectified units, linear outputs. */
export interface TwoLayerNet {
  /** float32 [dims] each: what is subtracted from an input, and what it is multiplied by then. */
  mean: Float32Array;
  scale: Float32Array;
  /** float32 [dims + 1, hidden]; the last row is the bias. */
  first: Float32Array;
  /** float32 [hidden + 1, outputs]; the last row is the bias. */
  second: Float32Array;
}

export interface TwoLayerShape {
  dims: number;
  hidden: number;
  outputs: number;
}

export const shapeOf = ({ mean, first, second }: TwoLayerNet): TwoLayerShape => {
  const hidden = first.length / (mean.length + 1);
  return { dims: mean.length, hidden, outputs: second.length / (hidden + 1) };
};

/** Mean and one over the spread of each input, over rows of float32 [rows, dims]; still inputs count as they are. */
export function spreadOf(rows: Float32Array, dims: number): Pick<TwoLayerNet, 'mean' | 'scale'> {
  const count = rows.length / dims;
  const sum = new Float64Array(dims);
  const squares = new Float64Array(dims);
  for (let at = 0; at < rows.length; at += dims) {
    for (let d = 0; d < dims; d += 1) {
      const value = rows[at + d] as number;
      sum[d] = (sum[d] as number) + value;
      squares[d] = (squares[d] as number) + value * value;
    }
  }
  const mean = Float32Array.from(sum, (value) => value / count);
  const scale = Float32Array.from(squares, (value, d) => {
    const variance = value / count - (mean[d] as number) ** 2;
    return variance > 1e-10 ? 1 / Math.sqrt(variance) : 1;
  });
  return { mean, scale };
}

/** Weights to begin with, drawn from a seed. Source: He et al. 2015 for the spread of the first layer. */
export function freshNet(
  { dims, hidden, outputs }: TwoLayerShape,
  spread: Pick<TwoLayerNet, 'mean' | 'scale'>,
  seed: number,
): TwoLayerNet {
  const random = randomFrom(seed);
  const draw = (inputs: number, units: number, size: number) =>
    Float32Array.from({ length: (inputs + 1) * units }, (_, at) =>
      at < inputs * units ? (random() + random() + random() - 1.5) * 2 * size : 0,
    );
  return {
    ...spread,
    first: draw(dims, hidden, Math.sqrt(2 / dims)),
    second: draw(hidden, outputs, Math.sqrt(1 / hidden)),
  };
}

/**
 * Runs a network over batches of rows and, where it is to learn, steps down the slopes of a loss. The large product
 * is done by the matrix kernel, the small one in plain loops.
 */
export class TwoLayer {
  readonly batch: number;
  readonly shape: TwoLayerShape;
  /** float32 [batch, outputs]: what the network says, and then the loss's slope by each of it. */
  readonly out: Float32Array;
  readonly #net: TwoLayerNet;
  readonly #bench: Workbench;
  readonly #inputs: number;
  readonly #panels: number;
  readonly #x: Float32Array;
  readonly #hidden: Float32Array;
  readonly #weights: Float32Array;
  readonly #second: Float32Array;
  #learning: { gradient: Float32Array; m: Float32Array; v: Float32Array; second: AdamState } | undefined;
  #steps = 0;

  constructor(net: TwoLayerNet, batch: number) {
    this.#net = net;
    this.shape = shapeOf(net);
    const { dims, hidden, outputs } = this.shape;
    if (hidden % panelWidth !== 0)
      throw new RangeError(`hidden is a multiple of ${panelWidth}, not ${hidden}.`);
    this.batch = padTo(batch, rowStep);
    this.#inputs = padTo(dims + 1, rowStep);
    this.#panels = hidden / panelWidth;
    const size = this.#inputs * hidden;
    this.#bench = new Workbench(4 * size + this.batch * (this.#inputs + hidden) + 1024);
    this.#weights = this.#bench.take(size);
    this.#x = this.#bench.take(this.batch * this.#inputs);
    this.#hidden = this.#bench.take(this.batch * hidden);
    this.#second = Float32Array.from(net.second);
    this.out = new Float32Array(this.batch * outputs);
    for (let d = 0; d <= dims; d += 1)
      for (let h = 0; h < hidden; h += 1) this.#weights[this.#at(d, h)] = net.first[d * hidden + h] as number;
  }

  /** Computes rows of float32 [*, dims], named by index; at most one batch. What lies beyond is zeros. */
  forward(rows: Float32Array, order: ArrayLike<number>, from: number, to: number): void {
    const { dims } = this.shape;
    const { mean, scale } = this.#net;
    for (let i = 0; i < this.batch; i += 1) {
      const at = i * this.#inputs;
      if (from + i >= to) {
        this.#x.fill(0, at, at + this.#inputs);
        continue;
      }
      const source = (order[from + i] as number) * dims;
      for (let d = 0; d < dims; d += 1)
        this.#x[at + d] = ((rows[source + d] as number) - (mean[d] as number)) * (scale[d] as number);
      this.#x[at + dims] = 1;
    }
    for (let panel = 0; panel < this.#panels; panel += 1) {
      this.#bench.kernel.product(
        this.batch / rowStep,
        this.#inputs / rowStep,
        this.#x.byteOffset,
        this.#inputs * 4,
        this.#weights.byteOffset + panel * this.#inputs * panelWidth * 4,
        this.#hidden.byteOffset + panel * this.batch * panelWidth * 4,
      );
    }
    this.#outputs(to - from);
  }

  #outputs(count: number): void {
    const { hidden, outputs } = this.shape;
    for (let i = 0; i < count; i += 1) {
      const to = i * outputs;
      for (let k = 0; k < outputs; k += 1) this.out[to + k] = this.#second[hidden * outputs + k] as number;
      for (let h = 0; h < hidden; h += 1) {
        const value = this.#hidden[this.#hiddenAt(i, h)] as number;
        if (value <= 0) continue;
        const from = h * outputs;
        for (let k = 0; k < outputs; k += 1)
          this.out[to + k] = (this.out[to + k] as number) + value * (this.#second[from + k] as number);
      }
    }
  }

  /** One Adam step down the slopes now in `out`, for the `count` rows last computed, and towards small weights. */
  step(count: number, rate: number, decay: number): void {
    const { hidden, outputs, dims } = this.shape;
    this.#learning ??= {
      gradient: this.#bench.take(this.#weights.length),
      m: this.#bench.take(this.#weights.length),
      v: this.#bench.take(this.#weights.length),
      second: new AdamState(this.#second.length),
    };
    const { gradient, m, v, second } = this.#learning;
    this.#steps += 1;
    const slow = Math.sqrt(1 - 0.999 ** this.#steps);
    const stepRate = (rate * slow) / (1 - 0.9 ** this.#steps);
    second.clear();
    for (let i = 0; i < this.batch; i += 1) {
      const from = i * outputs;
      for (let h = 0; h < hidden; h += 1) {
        const cell = this.#hiddenAt(i, h);
        const value = this.#hidden[cell] as number;
        if (i >= count || value <= 0) {
          this.#hidden[cell] = 0;
          continue;
        }
        let slope = 0;
        for (let k = 0; k < outputs; k += 1) {
          const own = this.out[from + k] as number;
          slope += (this.#second[h * outputs + k] as number) * own;
          second.gradient[h * outputs + k] = (second.gradient[h * outputs + k] as number) + value * own;
        }
        this.#hidden[cell] = slope;
      }
      if (i >= count) continue;
      for (let k = 0; k < outputs; k += 1) {
        const bias = hidden * outputs + k;
        second.gradient[bias] = (second.gradient[bias] as number) + (this.out[from + k] as number);
      }
    }
    second.step(this.#second, stepRate, 1e-8 * slow, decay, hidden * outputs);
    const weighed = dims * panelWidth;
    for (let panel = 0; panel < this.#panels; panel += 1) {
      const at = panel * this.#inputs * panelWidth * 4;
      this.#bench.kernel.productTransposed(
        this.#inputs / rowStep,
        this.batch,
        this.#x.byteOffset,
        this.#inputs * 4,
        this.#hidden.byteOffset + panel * this.batch * panelWidth * 4,
        gradient.byteOffset + at,
      );
      const [w, g, mAt, vAt] = [this.#weights, gradient, m, v].map((area) => area.byteOffset + at) as [
        number,
        number,
        number,
        number,
      ];
      const bias = weighed * 4;
      const rest = this.#inputs * panelWidth - weighed;
      this.#bench.kernel.adam(weighed / 4, w, g, mAt, vAt, stepRate, 1e-8 * slow, decay);
      this.#bench.kernel.adam(rest / 4, w + bias, g + bias, mAt + bias, vAt + bias, stepRate, 1e-8 * slow, 0);
    }
  }

  /** The network as it is now. */
  plain(): TwoLayerNet {
    const { dims, hidden } = this.shape;
    const first = new Float32Array((dims + 1) * hidden);
    for (let d = 0; d <= dims; d += 1)
      for (let h = 0; h < hidden; h += 1) first[d * hidden + h] = this.#weights[this.#at(d, h)] as number;
    return { mean: this.#net.mean, scale: this.#net.scale, first, second: Float32Array.from(this.#second) };
  }

  /** Sets the biases of the outputs, before training. */
  setBias(bias: ArrayLike<number>): void {
    const { hidden, outputs } = this.shape;
    for (let k = 0; k < outputs; k += 1) this.#second[hidden * outputs + k] = bias[k] ?? 0;
  }

  #at(input: number, unit: number): number {
    return ((unit >> 3) * this.#inputs + input) * panelWidth + (unit & 7);
  }

  #hiddenAt(row: number, unit: number): number {
    return ((unit >> 3) * this.batch + row) * panelWidth + (unit & 7);
  }
}

/** Adam in plain loops, for the few weights of a last layer. Source: Kingma and Ba 2015. */
class AdamState {
  readonly gradient: Float32Array;
  readonly #m: Float32Array;
  readonly #v: Float32Array;

  constructor(size: number) {
    this.gradient = new Float32Array(size);
    this.#m = new Float32Array(size);
    this.#v = new Float32Array(size);
  }

  clear(): void {
    this.gradient.fill(0);
  }

  step(weights: Float32Array, rate: number, epsilon: number, decay: number, weighed: number): void {
    for (let at = 0; at < weights.length; at += 1) {
      const slope = (this.gradient[at] as number) + (at < weighed ? decay * (weights[at] as number) : 0);
      const m = (this.#m[at] as number) * 0.9 + slope * 0.1;
      const v = (this.#v[at] as number) * 0.999 + slope * slope * 0.001;
      this.#m[at] = m;
      this.#v[at] = v;
      weights[at] = (weights[at] as number) - (rate * m) / (Math.sqrt(v) + epsilon);
    }
  }
}

const rowsAtOnce = 256;

/** All rows of float32 [rows, dims] through a network. @returns float32 [rows, outputs] */
export function runNet(layer: TwoLayer, rows: Float32Array): Float32Array {
  const { dims, outputs } = layer.shape;
  const count = rows.length / dims;
  const all = Int32Array.from({ length: count }, (_, row) => row);
  const out = new Float32Array(count * outputs);
  for (let from = 0; from < count; from += layer.batch) {
    const to = Math.min(count, from + layer.batch);
    layer.forward(rows, all, from, to);
    out.set(layer.out.subarray(0, (to - from) * outputs), from * outputs);
  }
  return out;
}

export const openNet = (net: TwoLayerNet): TwoLayer => new TwoLayer(net, rowsAtOnce);
