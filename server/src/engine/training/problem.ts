import { type RowReader, readerOf, rowCountOf, type Vectors } from './rows.ts';

/** What a head is to be trained on and how. Plain data, so that it can be handed to a thread. */
export interface HeadProblem {
  /** float32 [rows, dims]. */
  vectors: Vectors;
  dims: number;
  classes: number;
  /** Exclusive: exactly one class per row; the head ends in a softmax. Otherwise each class stands for itself. */
  exclusive: boolean;
  /** Exclusive: class per row, 0..classes-1, or -1 for a row to leave out. */
  classIndex?: Int32Array | undefined;
  /** Not exclusive: int8 [rows, classes]: 1 has it, 0 has it not, -1 unknown. */
  labels?: Int8Array | undefined;
  /** 'balanced': rare classes (and rare positives of a class) weigh as much as frequent ones. */
  classWeights: 'balanced' | 'none';
  seed: number;
  epochsMax: number;
  /**
   * How strongly large weights are held back, 1 being scikit-learn's C = 1 on vectors of unit length, and
   * 0.1 its C = 10. Left out: the best of a few, where trying them is cheap.
   */
  l2?: number | undefined;
  /** Whether classes without a single positive row are learnt as "never"; otherwise they stop the training. */
  allowMissingPositives: boolean;
}

/** Why there is nothing to train; `classes` are indices. */
export type HeadObstacle =
  | { kind: 'no_data' }
  | { kind: 'one_class' }
  | { kind: 'no_positives'; classes: number[] };

/**
 * Checks shapes and values.
 *
 * @throws RangeError naming the field: a caller's mistake
 * @returns what stands in the way of training though the request is well-formed, if anything
 */
export function checkProblem(problem: HeadProblem): HeadObstacle | undefined {
  checkShapes(problem);
  const { vectors, dims, classes, exclusive } = problem;
  if (rowCountOf(vectors, dims) === 0) return { kind: 'no_data' };
  if (exclusive && classes < 2) return { kind: 'one_class' };
  const positives = positivesOf(problem);
  if (positives.every((count) => count === 0)) {
    return knownRows(problem) === 0
      ? { kind: 'no_data' }
      : { kind: 'no_positives', classes: [...positives.keys()] };
  }
  const missing = [...positives.keys()].filter((index) => positives[index] === 0);
  if (missing.length > 0 && !problem.allowMissingPositives) return { kind: 'no_positives', classes: missing };
  checkFinite(vectors, dims);
  return undefined;
}

function checkShapes({
  vectors,
  dims,
  classes,
  exclusive,
  classIndex,
  labels,
  epochsMax,
  l2,
}: HeadProblem): void {
  const whole = { dims, classes, epochsMax };
  for (const [name, value] of Object.entries(whole)) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`${name} is a whole number >= 1, not ${value}.`);
  }
  if (l2 !== undefined && !(l2 >= 0 && l2 < Number.POSITIVE_INFINITY))
    throw new RangeError(`l2 is a number >= 0, not ${l2}.`);
  const rows = rowCountOf(vectors, dims);
  if (vectors instanceof Float32Array && vectors.length % dims !== 0)
    throw new RangeError(`vectors has ${vectors.length} floats, not rows of ${dims}.`);
  if (exclusive) {
    if (classIndex?.length !== rows)
      throw new RangeError(`classIndex has ${classIndex?.length} entries for ${rows} rows.`);
    const wrong = classIndex.findIndex((index) => index < -1 || index >= classes);
    if (wrong >= 0)
      throw new RangeError(`classIndex ${wrong} is ${classIndex[wrong]}, beyond ${classes} classes.`);
    return;
  }
  if (labels?.length !== rows * classes) {
    throw new RangeError(`labels has ${labels?.length} entries for ${rows} rows of ${classes} classes.`);
  }
  const wrong = labels.findIndex((label) => label < -1 || label > 1);
  if (wrong >= 0) throw new RangeError(`labels ${wrong} is ${labels[wrong]}, not -1, 0 or 1.`);
}

function checkFinite(vectors: Vectors, dims: number): void {
  const reader = readerOf(vectors, dims);
  const rows = rowCountOf(vectors, dims);
  for (let row = 0; row < rows; row += 1) {
    const at = reader.locate(row);
    for (let i = at; i < at + dims; i += 1) {
      if (!Number.isFinite(reader.data[i] as number))
        throw new RangeError(`vectors must be finite; row ${row} holds ${reader.data[i]}.`);
    }
  }
}

const readers = new WeakMap<HeadProblem, RowReader>();

/** The rows of a problem, through one reader for all who learn from it. */
export function rowsOf(problem: HeadProblem): RowReader {
  const known = readers.get(problem);
  if (known) return known;
  const reader = readerOf(problem.vectors, problem.dims);
  readers.set(problem, reader);
  return reader;
}

/** Positive rows per class. */
export function positivesOf({ classes, exclusive, classIndex, labels }: HeadProblem): Int32Array {
  const counts = new Int32Array(classes);
  if (exclusive) {
    for (const index of classIndex ?? []) if (index >= 0) counts[index] = (counts[index] as number) + 1;
  } else {
    labels?.forEach((label, i) => {
      if (label === 1) counts[i % classes] = (counts[i % classes] as number) + 1;
    });
  }
  return counts;
}

function knownRows({ exclusive, classIndex, labels }: HeadProblem): number {
  let known = 0;
  for (const label of (exclusive ? classIndex : labels) ?? []) if (label >= 0) known += 1;
  return known;
}
