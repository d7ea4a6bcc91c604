/** How often each class is found, when a row's class is its surest one. */
export interface ClassReport {
  precision: number;
  recall: number;
  f1: number;
  /** Rows that truly have the class. */
  support: number;
}

export interface ExclusiveReport {
  /** Share of rows whose surest class is right. */
  accuracy: number;
  perClass: ClassReport[];
}

/**
 * @param predicted class per row
 * @param truth class per row; -1 leaves the row out
 * @returns precision is 0 for a class never predicted, recall 0 for one that never occurs
 */
export function reportExclusive(predicted: Int32Array, truth: Int32Array, classes: number): ExclusiveReport {
  if (predicted.length !== truth.length) {
    throw new RangeError(`${predicted.length} predictions do not match ${truth.length} truths.`);
  }
  const right = new Float64Array(classes);
  const said = new Float64Array(classes);
  const support = new Float64Array(classes);
  truth.forEach((actual, row) => {
    if (actual < 0) return;
    const guess = predicted[row] as number;
    if (guess < 0 || guess >= classes || actual >= classes) {
      throw new RangeError(`Row ${row} names a class beyond ${classes}.`);
    }
    said[guess] = (said[guess] as number) + 1;
    support[actual] = (support[actual] as number) + 1;
    if (guess === actual) right[actual] = (right[actual] as number) + 1;
  });
  const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
  const total = support.reduce((a, b) => a + b, 0);
  return {
    accuracy: share(
      right.reduce((a, b) => a + b, 0),
      total,
    ),
    perClass: Array.from(right, (hits, index) => {
      const precision = share(hits, said[index] as number);
      const recall = share(hits, support[index] as number);
      return {
        precision,
        recall,
        f1: share(2 * precision * recall, precision + recall),
        support: support[index] as number,
      };
    }),
  };
}

/** The surest class of each row; of equal ones the first. */
export function surestClasses(probabilities: Float32Array, classes: number): Int32Array {
  return Int32Array.from({ length: probabilities.length / classes }, (_, row) => {
    let best = 0;
    for (let c = 1; c < classes; c += 1) {
      if ((probabilities[row * classes + c] as number) > (probabilities[row * classes + best] as number))
        best = c;
    }
    return best;
  });
}
