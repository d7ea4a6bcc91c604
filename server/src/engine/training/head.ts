import { createHash } from 'node:crypto';
import type { HeldOut } from './judge.ts';
import { padTo, panelsOf, panelWidth, rowStep, Workbench } from './matrix-kernel.ts';

/** A trained linear head over embeddings, with its calibration. */
export interface Head {
  dims: number;
  classes: number;
  exclusive: boolean;
  /** float32 [classes, dims], for plain (not standardised) embeddings. */
  weights: Float32Array;
  bias: Float32Array;
  /** p = sigmoid(a * logit + b), or softmax(a * logit) for an exclusive head. */
  calibrationA: Float32Array;
  calibrationB: Float32Array;
  seed: number;
  l2: number;
  epochsRun: number;
  heldOut: HeldOut | null;
}

/** SHA-256, in hex, over all numbers of the head: equal heads answer equally. */
export function hashOf({ weights, bias, calibrationA, calibrationB }: Head): string {
  const hash = createHash('sha256');
  for (const part of [weights, bias, calibrationA, calibrationB]) hash.update(bytesOf(part));
  return hash.digest('hex');
}

const bytesOf = (floats: Float32Array): Uint8Array =>
  new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);

/** Rows computed at once. A row's result never depends on the rows beside it. */
const batchRows = 64;

class Runner {
  readonly #head: Head;
  readonly #bench: Workbench;
  readonly #weights: Float32Array;
  readonly #x: Float32Array;
  readonly #out: Float32Array;
  readonly #inputs: number;
  readonly #panels: number;

  constructor(head: Head) {
    const { dims, classes } = head;
    this.#head = head;
    this.#inputs = padTo(dims + 1, rowStep);
    this.#panels = panelsOf(classes);
    const size = this.#panels * this.#inputs * panelWidth;
    this.#bench = new Workbench(size + batchRows * (this.#inputs + this.#panels * panelWidth) + 1024);
    this.#weights = this.#bench.take(size);
    this.#x = this.#bench.take(batchRows * this.#inputs);
    this.#out = this.#bench.take(this.#panels * batchRows * panelWidth);
    for (let c = 0; c < classes; c += 1) {
      const at = (c >> 3) * this.#inputs * panelWidth + (c & 7);
      for (let d = 0; d < dims; d += 1) {
        this.#weights[at + d * panelWidth] = head.weights[c * dims + d] as number;
      }
      this.#weights[at + dims * panelWidth] = head.bias[c] as number;
    }
  }

  run(vectors: Float32Array): Float32Array {
    const { dims, classes } = this.#head;
    const rows = vectors.length / dims;
    const probabilities = new Float32Array(rows * classes);
    for (let from = 0; from < rows; from += batchRows) {
      const count = Math.min(batchRows, rows - from);
      this.#compute(vectors, from, count);
      for (let i = 0; i < count; i += 1) this.#show(i, probabilities, (from + i) * classes);
    }
    return probabilities;
  }

  #compute(vectors: Float32Array, from: number, count: number): void {
    const { dims } = this.#head;
    for (let i = 0; i < count; i += 1) {
      this.#x.set(vectors.subarray((from + i) * dims, (from + i + 1) * dims), i * this.#inputs);
      this.#x[i * this.#inputs + dims] = 1;
    }
    for (let panel = 0; panel < this.#panels; panel += 1) {
      this.#bench.kernel.product(
        Math.ceil(count / rowStep),
        this.#inputs / rowStep,
        this.#x.byteOffset,
        this.#inputs * 4,
        this.#weights.byteOffset + panel * this.#inputs * panelWidth * 4,
        this.#out.byteOffset + panel * batchRows * panelWidth * 4,
      );
    }
  }

  #show(row: number, probabilities: Float32Array, at: number): void {
    const { classes, exclusive, calibrationA, calibrationB } = this.#head;
    const logits = Float64Array.from({ length: classes }, (_, c) => {
      const raw = this.#out[((c >> 3) * batchRows + row) * panelWidth + (c & 7)] as number;
      return raw * (calibrationA[c] as number) + (calibrationB[c] as number);
    });
    if (!exclusive) {
      for (let c = 0; c < classes; c += 1) probabilities[at + c] = 1 / (1 + Math.exp(-(logits[c] as number)));
      return;
    }
    const highest = logits.reduce((a, b) => Math.max(a, b));
    const powers = logits.map((logit) => Math.exp(logit - highest));
    const sum = powers.reduce((a, b) => a + b);
    for (let c = 0; c < classes; c += 1) probabilities[at + c] = (powers[c] as number) / sum;
  }
}

const runners = new WeakMap<Head, Runner>();

/**
 * Probabilities of each class for each embedding.
 *
 * Runs on the calling thread, about 1 s for 10 thousand million multiplications: 20 ms for 4,000 rows of 512 and 100
 * classes. Larger sets belong in `scoreRows`.
 *
 * @param vectors float32 [rows, dims]
 * @returns float32 [rows, classes], 0..1; each row sums to 1 for an exclusive head
 * @throws RangeError when the vectors do not fit the head or are not finite
 */
export function applyHead(head: Head, vectors: Float32Array): Float32Array {
  if (vectors.length % head.dims !== 0) {
    throw new RangeError(`The head takes rows of ${head.dims} floats; ${vectors.length} floats came.`);
  }
  const wrong = vectors.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    throw new RangeError(`vectors must be finite; row ${Math.floor(wrong / head.dims)} is not.`);
  let runner = runners.get(head);
  if (runner === undefined) {
    runner = new Runner(head);
    runners.set(head, runner);
  }
  return runner.run(vectors);
}

const magic = 0x48_56_4f_46; // "FOVH"
const version = 1;
const checksumBytes = 32;
const prefixBytes = 12;

/**
 * Bytes to store a head: a magic word, a version, the length of a JSON description padded to four bytes, the
 * description, then weights, bias and both calibrations as float32, and last a SHA-256 of all before it.
 * All little-endian.
 */
export function encodeHead(head: Head): Uint8Array {
  const { dims, classes, exclusive, seed, l2, epochsRun, heldOut } = head;
  const facts = new TextEncoder().encode(
    JSON.stringify({ dims, classes, exclusive, seed, l2, epochsRun, heldOut }),
  );
  const factsBytes = padTo(facts.length, 4);
  const parts = [head.weights, head.bias, head.calibrationA, head.calibrationB];
  const floatBytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const bytes = new Uint8Array(prefixBytes + factsBytes + floatBytes + checksumBytes);
  const view = new DataView(bytes.buffer);
  [magic, version, facts.length].forEach((word, i) => {
    view.setUint32(i * 4, word, true);
  });
  bytes.set(facts, prefixBytes);
  let at = prefixBytes + factsBytes;
  for (const part of parts) {
    bytes.set(bytesOf(part), at);
    at += part.byteLength;
  }
  bytes.set(createHash('sha256').update(bytes.subarray(0, at)).digest(), at);
  return bytes;
}

/** @throws Error saying what is wrong when the bytes are not a whole head of a known version */
export function decodeHead(stored: Uint8Array): Head {
  if (stored.length < prefixBytes + checksumBytes) throw new Error('a stored head is longer than this');
  const bytes = Uint8Array.from(stored);
  const view = new DataView(bytes.buffer);
  if (view.getUint32(0, true) !== magic) throw new Error('these bytes are not a stored head');
  if (view.getUint32(4, true) !== version) {
    throw new Error(
      `this head was stored in version ${view.getUint32(4, true)}; version ${version} is understood`,
    );
  }
  const end = bytes.length - checksumBytes;
  const checksum = createHash('sha256').update(bytes.subarray(0, end)).digest();
  if (!checksum.equals(bytes.subarray(end)))
    throw new Error('the stored head is damaged: its checksum differs');
  const factsLength = view.getUint32(8, true);
  const facts = JSON.parse(new TextDecoder().decode(bytes.subarray(prefixBytes, prefixBytes + factsLength)));
  let at = prefixBytes + padTo(factsLength, 4);
  const take = (floats: number): Float32Array => {
    const part = new Float32Array(bytes.buffer, at, floats);
    at += floats * 4;
    return part;
  };
  const { dims, classes } = facts as Head;
  return {
    ...(facts as Head),
    weights: take(dims * classes),
    bias: take(classes),
    calibrationA: take(classes),
    calibrationB: take(classes),
  };
}
