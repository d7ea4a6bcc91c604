import { Cancelled, type Watch } from './fit.ts';
import { randomFrom, shuffle } from './random.ts';

export interface MetricProblem {
  /** float32 [rows, dims] of length one, shared memory. */
  vectors: Float32Array;
  dims: number;
  classes: number;
  /** Class of each row. */
  classOf: Int32Array;
  /** Length of the vectors that are made. */
  width: number;
  /** Angle kept between classes, in radians. */
  margin: number;
  seed: number;
}

/** A linear map after which vectors of one class point the same way. */
export interface MetricFit {
  /** float32 [dims, width]. */
  projection: Float32Array;
  /** float32 [dims]: taken off a vector first. */
  mean: Float32Array;
  epochs: number;
  loss: number;
}

/** Logits are cosines times this. */
const sharpness = 16;
const batch = 32;
const rowsPerEpochMax = 4_000;
const stepsWanted = 1_500;
const epochsRange = [6, 60] as const;
const peakRate = 0.01;
/** How strongly the map is drawn back to where it began: on few rows it must not tear the space apart. */
const decay = 2e-4;

/**
 * Learns a map by telling classes apart by angle, each with a margin: what helps to tell them apart also brings
 * alike things together, unseen classes included.
 *
 * Source: Deng et al. 2019 (ArcFace).
 */
export function fitMetric(problem: MetricProblem, watch: Watch): MetricFit {
  const { vectors, dims, classes, classOf, width, margin, seed } = problem;
  const random = randomFrom(seed);
  const mean = meanOf(vectors, dims);
  const start = rotation(dims, width, random);
  const projection = Float32Array.from(start);
  const proxies = proxiesOf(problem, mean, projection);
  const map = new Adam(projection.length);
  const ends = new Adam(proxies.length);
  const order = Int32Array.from({ length: vectors.length / dims }, (_, row) => row);
  const perEpoch = Math.min(order.length, rowsPerEpochMax);
  const [least, most] = epochsRange;
  const epochs = Math.min(most, Math.max(least, Math.ceil((stepsWanted * batch) / perEpoch)));
  const steps = epochs * Math.ceil(perEpoch / batch);
  let loss = 0;
  for (let epoch = 0, step = 0; epoch < epochs; epoch += 1) {
    shuffle(order, random);
    loss = 0;
    for (let from = 0; from < perEpoch; from += batch, step += 1) {
      if (watch.cancelled()) throw new Cancelled('training was cancelled');
      if (step % 8 === 0) watch.progress(step / steps);
      const to = Math.min(perEpoch, from + batch);
      map.gradient.fill(0);
      ends.gradient.fill(0);
      for (let at = from; at < to; at += 1) {
        const row = order[at] as number;
        loss += learnRow({
          vector: vectors.subarray(row * dims, (row + 1) * dims),
          own: classOf[row] as number,
          share: 1 / (to - from),
          mean,
          projection,
          proxies,
          width,
          classes,
          margin,
          mapGradient: map.gradient,
          proxyGradient: ends.gradient,
        });
      }
      for (let at = 0; at < projection.length; at += 1)
        map.gradient[at] =
          (map.gradient[at] as number) + decay * ((projection[at] as number) - (start[at] as number)) * dims;
      const rate = (peakRate * (1 + Math.cos((Math.PI * step) / steps))) / 2;
      map.step(projection, rate);
      ends.step(proxies, rate);
    }
  }
  watch.progress(1);
  return { projection, mean, epochs, loss: loss / perEpoch };
}

interface Row {
  vector: Float32Array;
  own: number;
  share: number;
  mean: Float32Array;
  projection: Float32Array;
  proxies: Float32Array;
  width: number;
  classes: number;
  margin: number;
  mapGradient: Float32Array;
  proxyGradient: Float32Array;
}

/** Adds one row's slopes to the gradients. @returns its loss */
function learnRow({
  vector,
  own,
  share,
  mean,
  projection,
  proxies,
  width,
  classes,
  margin,
  mapGradient,
  proxyGradient,
}: Row): number {
  const raw = mapped(vector, mean, projection, width);
  const length = Math.hypot(...raw) || 1;
  const turned = raw.map((value) => value / length);
  const lengths = new Float64Array(classes);
  const cosines = new Float64Array(classes);
  for (let c = 0; c < classes; c += 1) {
    let square = 0;
    let dot = 0;
    for (let k = 0; k < width; k += 1) {
      const value = proxies[c * width + k] as number;
      square += value * value;
      dot += value * (turned[k] as number);
    }
    lengths[c] = Math.sqrt(square) || 1;
    cosines[c] = Math.max(-0.9999, Math.min(0.9999, dot / (lengths[c] as number)));
  }
  const angle = Math.acos(cosines[own] as number);
  // Beyond a half turn the margin would pull the other way.
  const isFar = angle + margin > Math.PI;
  const logits = cosines.map((cosine) => cosine * sharpness);
  logits[own] =
    sharpness * (isFar ? (cosines[own] as number) - margin * Math.sin(margin) : Math.cos(angle + margin));
  const highest = logits.reduce((a, b) => Math.max(a, b));
  const powers = logits.map((logit) => Math.exp(logit - highest));
  const sum = powers.reduce((a, b) => a + b);
  const slopeOfTurned = new Float64Array(width);
  for (let c = 0; c < classes; c += 1) {
    const slope = (powers[c] as number) / sum - (c === own ? 1 : 0);
    const byCosine = c === own && !isFar ? Math.sin(angle + margin) / Math.sin(angle) : 1;
    const weight = slope * sharpness * byCosine * share;
    for (let k = 0; k < width; k += 1) {
      const end = (proxies[c * width + k] as number) / (lengths[c] as number);
      slopeOfTurned[k] = (slopeOfTurned[k] as number) + weight * end;
      proxyGradient[c * width + k] =
        (proxyGradient[c * width + k] as number) +
        (weight * ((turned[k] as number) - (cosines[c] as number) * end)) / (lengths[c] as number);
    }
  }
  let along = 0;
  for (let k = 0; k < width; k += 1) along += (slopeOfTurned[k] as number) * (turned[k] as number);
  for (let d = 0; d < vector.length; d += 1) {
    const value = (vector[d] as number) - (mean[d] as number);
    for (let k = 0; k < width; k += 1) {
      const slope = ((slopeOfTurned[k] as number) - along * (turned[k] as number)) / length;
      mapGradient[d * width + k] = (mapGradient[d * width + k] as number) + value * slope;
    }
  }
  return Math.log(sum) + highest - (logits[own] as number);
}

function mapped(
  vector: Float32Array,
  mean: Float32Array,
  projection: Float32Array,
  width: number,
): Float64Array {
  const made = new Float64Array(width);
  for (let d = 0; d < vector.length; d += 1) {
    const value = (vector[d] as number) - (mean[d] as number);
    for (let k = 0; k < width; k += 1)
      made[k] = (made[k] as number) + value * (projection[d * width + k] as number);
  }
  return made;
}

/** A vector through the map, of length one. */
export function project(
  { projection, mean }: Pick<MetricFit, 'projection' | 'mean'>,
  vector: Float32Array,
): Float32Array {
  const made = mapped(vector, mean, projection, projection.length / mean.length);
  const length = Math.hypot(...made) || 1;
  return Float32Array.from(made, (value) => value / length);
}

function meanOf(vectors: Float32Array, dims: number): Float32Array {
  const rows = vectors.length / dims;
  const mean = new Float64Array(dims);
  vectors.forEach((value, at) => {
    mean[at % dims] = (mean[at % dims] as number) + value / rows;
  });
  return Float32Array.from(mean);
}

/** Directions at right angles to one another, so that the map begins by changing no angle it can keep. */
function rotation(dims: number, width: number, random: () => number): Float32Array {
  const columns: Float64Array[] = [];
  while (columns.length < width) {
    const column = Float64Array.from({ length: dims }, () => random() + random() + random() - 1.5);
    for (const other of columns) {
      const shared = column.reduce((sum, value, d) => sum + value * (other[d] as number), 0);
      for (let d = 0; d < dims; d += 1) column[d] = (column[d] as number) - shared * (other[d] as number);
    }
    const length = Math.hypot(...column);
    columns.push(column.map((value) => value / length));
  }
  return Float32Array.from(
    { length: dims * width },
    (_, at) => columns[at % width]?.[Math.floor(at / width)] as number,
  );
}

/** Each class begins where its rows are. */
function proxiesOf(
  { vectors, dims, classes, classOf, width }: MetricProblem,
  mean: Float32Array,
  projection: Float32Array,
): Float32Array {
  const proxies = new Float32Array(classes * width);
  classOf.forEach((own, row) => {
    const made = mapped(vectors.subarray(row * dims, (row + 1) * dims), mean, projection, width);
    const length = Math.hypot(...made) || 1;
    made.forEach((value, k) => {
      proxies[own * width + k] = (proxies[own * width + k] as number) + value / length;
    });
  });
  for (let c = 0; c < classes; c += 1) {
    const own = proxies.subarray(c * width, (c + 1) * width);
    const length = Math.hypot(...own);
    if (length > 0)
      own.forEach((value, k) => {
        own[k] = value / length;
      });
    else own[c % width] = 1;
  }
  return proxies;
}

/** Source: Kingma and Ba 2015. */
class Adam {
  readonly gradient: Float32Array;
  readonly #m: Float32Array;
  readonly #v: Float32Array;
  #steps = 0;

  constructor(size: number) {
    this.gradient = new Float32Array(size);
    this.#m = new Float32Array(size);
    this.#v = new Float32Array(size);
  }

  step(weights: Float32Array, rate: number): void {
    this.#steps += 1;
    const slow = Math.sqrt(1 - 0.999 ** this.#steps);
    const stepRate = (rate * slow) / (1 - 0.9 ** this.#steps);
    for (let at = 0; at < weights.length; at += 1) {
      const slope = this.gradient[at] as number;
      const m = (this.#m[at] as number) * 0.9 + slope * 0.1;
      const v = (this.#v[at] as number) * 0.999 + slope * slope * 0.001;
      this.#m[at] = m;
      this.#v[at] = v;
      weights[at] = (weights[at] as number) - (stepRate * m) / (Math.sqrt(v) + 1e-8 * slow);
    }
  }
}
