/** p = sigmoid(a * logit + b); for an exclusive head a is shared by all classes and b is 0. */
export interface Calibration {
  a: Float32Array;
  b: Float32Array;
}

export const uncalibrated = (classes: number): Calibration => ({
  a: new Float32Array(classes).fill(1),
  b: new Float32Array(classes),
});

/** Fewer positives or negatives than this say nothing about calibration. */
const labelsMin = 3;
/** Fewer rows than this say nothing about a temperature. */
const rowsMin = 10;
/** A steeper or flatter correction than this comes from too few rows, not from the head. */
const slopeMax = 10;

/**
 * Fits one sigmoid to one class's logits.
 *
 * @param labels 1, 0, or -1 for unknown
 * @returns slope and offset; 1 and 0 when there are too few labels
 *
 * Source: Platt 1999 with the smoothed targets and the Newton iteration of Lin, Lin and Weng 2007.
 */
export function fitSigmoid(logits: Float32Array, labels: Int8Array): { a: number; b: number } {
  const known = [...labels.keys()].filter((row) => (labels[row] as number) >= 0);
  const positives = known.filter((row) => labels[row] === 1).length;
  const negatives = known.length - positives;
  const plain = { a: 1, b: 0 };
  if (positives < labelsMin || negatives < labelsMin) return plain;
  const target = { yes: (positives + 1) / (positives + 2), no: 1 / (negatives + 2) };
  const wanted = known.map((row) => (labels[row] === 1 ? target.yes : target.no));
  const lossAt = (a: number, b: number): number =>
    known.reduce((sum, row, i) => {
      const value = a * (logits[row] as number) + b;
      const softplus = value > 0 ? value + Math.log1p(Math.exp(-value)) : Math.log1p(Math.exp(value));
      return sum + softplus - (wanted[i] as number) * value;
    }, 0);
  let { a, b } = plain;
  let loss = lossAt(a, b);
  for (let round = 0; round < 50; round += 1) {
    const move = newtonStep(known, logits, wanted, a, b);
    let size = 1;
    while (size > 1e-6 && lossAt(a + size * move.a, b + size * move.b) > loss) size /= 2;
    if (size <= 1e-6) break;
    a += size * move.a;
    b += size * move.b;
    const before = loss;
    loss = lossAt(a, b);
    if (before - loss < 1e-9 * known.length) break;
  }
  const usable = a > 1 / slopeMax && a < slopeMax && Math.abs(b) < 50;
  return usable ? { a, b } : plain;
}

function newtonStep(known: number[], logits: Float32Array, wanted: number[], a: number, b: number) {
  let [ga, gb, haa, hab, hbb] = [0, 0, 1e-9, 0, 1e-9];
  known.forEach((row, i) => {
    const x = logits[row] as number;
    const p = 1 / (1 + Math.exp(-(a * x + b)));
    const slope = p - (wanted[i] as number);
    const curve = p * (1 - p);
    ga += slope * x;
    gb += slope;
    haa += curve * x * x;
    hab += curve * x;
    hbb += curve;
  });
  const determinant = haa * hbb - hab * hab;
  if (!(determinant > 1e-18)) return { a: 0, b: 0 };
  return { a: -(hbb * ga - hab * gb) / determinant, b: -(haa * gb - hab * ga) / determinant };
}

/**
 * The one slope that makes a softmax's confidence fit the rows given (temperature scaling; Guo et al. 2017).
 * Targets are smoothed by how few rows there are, as Platt's are: ten right answers are no proof of certainty.
 *
 * @param logits float32 [rows, classes]
 * @param truth class per row
 */
export function fitTemperature(logits: Float32Array, truth: Int32Array, classes: number): number {
  if (truth.length < rowsMin) return 1;
  const doubt = 1 / (truth.length + 2);
  const lossAt = (logSlope: number): number => {
    const slope = Math.exp(logSlope);
    let loss = 0;
    for (let row = 0; row < truth.length; row += 1) {
      const at = row * classes;
      const own = (logits[at + (truth[row] as number)] as number) * slope;
      let sum = 0;
      let mean = 0;
      for (let c = 0; c < classes; c += 1) {
        const value = (logits[at + c] as number) * slope - own;
        sum += Math.exp(value);
        mean += value / classes;
      }
      loss += Math.log(sum) - doubt * mean;
    }
    return loss;
  };
  const limit = Math.log(slopeMax);
  return Math.exp(goldenMinimum(lossAt, -limit, limit, 14));
}

function goldenMinimum(f: (x: number) => number, from: number, to: number, rounds: number): number {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [from, to];
  let [left, right] = [high - ratio * (high - low), low + ratio * (high - low)];
  let [atLeft, atRight] = [f(left), f(right)];
  for (let round = 0; round < rounds; round += 1) {
    if (atLeft <= atRight) {
      [high, right, atRight] = [right, left, atLeft];
      left = high - ratio * (high - low);
      atLeft = f(left);
    } else {
      [low, left, atLeft] = [left, right, atRight];
      right = low + ratio * (high - low);
      atRight = f(right);
    }
  }
  return (low + high) / 2;
}
