import { surestClasses } from './exclusive.ts';
import { averagePrecision, countAtLeast, rocAuc, type SortedScores } from './ranking.ts';

/** What a model said, and what is true. */
export interface ClassificationRows {
  /** One id per class, in the order of the columns. */
  conceptIds: string[];
  /** float32 [rows, classes], 0..1. */
  probabilities: Float32Array;
  /** int8 [rows, classes]: 1 has it, 0 has it not, -1 unknown (left out of everything about that concept). */
  truth: Int8Array;
  /**
   * 'threshold' (the default): a concept counts as predicted from `threshold` on. 'surest': the one surest
   * concept of a row does, as fits concepts that exclude each other. Decides precision, recall and f1 only.
   */
  decide?: 'threshold' | 'surest';
  /** 0..1; 0.5 when left out. */
  threshold?: number;
}

export interface BinaryMetrics {
  conceptId: string;
  numPos: number;
  numNeg: number;
  numTot: number;
  /** 0 when there is no positive or no negative row: the area is then undefined, and left out of the means. */
  rocAuc: number;
  precision: number;
  recall: number;
  f1: number;
  avgPrecision: number;
  /** Thresholds 1.00, 0.99 … 0.00. */
  rocCurve: { fpr: number[]; tpr: number[]; thresholds: number[] };
  /** Thresholds 0.00, 0.01 … 1.00; precision is 1 where nothing is predicted. */
  precisionRecallCurve: { recall: number[]; precision: number[]; thresholds: number[] };
}

export interface ClassificationSummary {
  /** Share of rows whose surest concept is one they have; only rows that have any. */
  top1Accuracy: number;
  top5Accuracy: number;
  macroAvgRocAuc: number;
  macroStdRocAuc: number;
  macroAvgF1Score: number;
  macroStdF1Score: number;
  macroAvgPrecision: number;
  macroAvgRecall: number;
}

export interface ConfusionCell {
  predicted: string;
  actual: string;
  /** Mean share of the predicted concept among rows that have the actual one, 0..1; each actual concept's sum to 1. */
  value: number;
}

export interface ClassificationMetrics {
  summary: ClassificationSummary;
  /** Every ordered pair, zeros too; ids by falling diagonal. */
  confusionMatrix: { conceptIds: string[]; matrix: ConfusionCell[] };
  /** Rows that have both concepts; pairs without any are left out. Ids in the confusion matrix's order. */
  cooccurrenceMatrix: { conceptIds: string[]; matrix: { row: string; col: string; count: number }[] };
  labelCounts: { conceptId: string; count: number }[];
  binaryMetrics: BinaryMetrics[];
}

const steps = 100;
const usualThreshold = 0.5;
const thresholdsRising = Array.from({ length: steps + 1 }, (_, i) => i / steps);

/**
 * Evaluates a classifier the way the contract's EvalMetrics shows it.
 *
 * Means over concepts take in only those that have a positive row, and for ROC also a negative one; deviations
 * are those of the population.
 *
 * @throws RangeError when shapes do not fit, or a probability is not in 0..1
 */
export function evaluateClassification(rows: ClassificationRows): ClassificationMetrics {
  check(rows);
  const { conceptIds } = rows;
  const surest = rows.decide === 'surest' ? surestClasses(rows.probabilities, conceptIds.length) : undefined;
  const binaryMetrics = conceptIds.map((_, index) => binaryMetricsOf(rows, index, surest));
  const confusion = confusionOf(rows);
  const order = [...conceptIds.keys()].sort(
    (a, b) => diagonal(confusion, b) - diagonal(confusion, a) || a - b,
  );
  const ids = order.map((index) => conceptIds[index] as string);
  return {
    summary: summaryOf(rows, binaryMetrics),
    confusionMatrix: { conceptIds: ids, matrix: cellsOf(confusion, order, conceptIds) },
    cooccurrenceMatrix: { conceptIds: ids, matrix: cooccurrenceOf(rows, order) },
    labelCounts: binaryMetrics.map(({ conceptId, numPos }) => ({ conceptId, count: numPos })),
    binaryMetrics,
  };
}

function check({ conceptIds, probabilities, truth, threshold = usualThreshold }: ClassificationRows): void {
  const classes = conceptIds.length;
  if (classes === 0) throw new RangeError('An evaluation has at least one concept.');
  if (new Set(conceptIds).size !== classes)
    throw new RangeError('Concepts are evaluated once each; an id comes twice.');
  if (probabilities.length % classes !== 0 || truth.length !== probabilities.length) {
    throw new RangeError(
      `${classes} concepts need as many probabilities and truths per row; ${probabilities.length} and ${truth.length} came.`,
    );
  }
  if (!(threshold >= 0 && threshold <= 1)) throw new RangeError(`A threshold is in 0..1, not ${threshold}.`);
  for (let i = 0; i < probabilities.length; i += 1) {
    const value = probabilities[i] as number;
    if (!(value >= 0 && value <= 1)) {
      throw new RangeError(`A probability is in 0..1; row ${Math.floor(i / classes)} holds ${value}.`);
    }
  }
}

/** One concept's scores; typed arrays sort fast and without comparing in script. */
function sortedScores({ conceptIds, probabilities, truth }: ClassificationRows, index: number): SortedScores {
  const classes = conceptIds.length;
  const rows = truth.length / classes;
  const positives = new Float32Array(rows);
  const negatives = new Float32Array(rows);
  let [p, n] = [0, 0];
  for (let at = index; at < truth.length; at += classes) {
    if (truth[at] === 1) positives[p++] = probabilities[at] as number;
    else if (truth[at] === 0) negatives[n++] = probabilities[at] as number;
  }
  return { positives: positives.slice(0, p).sort(), negatives: negatives.slice(0, n).sort() };
}

function binaryMetricsOf(rows: ClassificationRows, index: number, surest?: Int32Array): BinaryMetrics {
  const scores = sortedScores(rows, index);
  const numPos = scores.positives.length;
  const numNeg = scores.negatives.length;
  // float32, as the probabilities are: 0.7 in both is the same number.
  const points = thresholdsRising.map((threshold) => at(scores, Math.fround(threshold)));
  const falling = [...points].reverse();
  const threshold = Math.fround(rows.threshold ?? usualThreshold);
  const hits =
    surest === undefined ? countAtLeast(scores.positives, threshold) : surestAmong(rows, index, surest, 1);
  const misses =
    surest === undefined ? countAtLeast(scores.negatives, threshold) : surestAmong(rows, index, surest, 0);
  return {
    conceptId: rows.conceptIds[index] as string,
    numPos,
    numNeg,
    numTot: numPos + numNeg,
    rocAuc: rocAuc(scores) ?? 0,
    // Nothing found is no precision, though a curve ends at 1.
    precision: hits === 0 ? 0 : hits / (hits + misses),
    recall: numPos === 0 ? 0 : hits / numPos,
    f1: hits === 0 ? 0 : (2 * hits) / (hits + misses + numPos),
    avgPrecision: averagePrecision(scores) ?? 0,
    rocCurve: {
      fpr: falling.map((point) => point.fpr),
      tpr: falling.map((point) => point.recall),
      thresholds: [...thresholdsRising].reverse(),
    },
    precisionRecallCurve: {
      recall: points.map((point) => point.recall),
      precision: points.map((point) => point.precision),
      thresholds: [...thresholdsRising],
    },
  };
}

/** Rows whose surest concept is this one, among those labelled so. */
function surestAmong(
  { conceptIds, truth }: ClassificationRows,
  index: number,
  surest: Int32Array,
  label: number,
): number {
  let count = 0;
  surest.forEach((guess, row) => {
    if (guess === index && truth[row * conceptIds.length + index] === label) count += 1;
  });
  return count;
}

function at({ positives, negatives }: SortedScores, threshold: number) {
  const truePositives = countAtLeast(positives, threshold);
  const falsePositives = countAtLeast(negatives, threshold);
  const predicted = truePositives + falsePositives;
  return {
    recall: positives.length === 0 ? 0 : truePositives / positives.length,
    fpr: negatives.length === 0 ? 0 : falsePositives / negatives.length,
    precision: predicted === 0 ? 1 : truePositives / predicted,
  };
}

function summaryOf(rows: ClassificationRows, metrics: BinaryMetrics[]): ClassificationSummary {
  const present = metrics.filter(({ numPos }) => numPos > 0);
  const areas = present.filter(({ numNeg }) => numNeg > 0).map((metric) => metric.rocAuc);
  const f1 = present.map((metric) => metric.f1);
  return {
    top1Accuracy: topAccuracy(rows, 1),
    top5Accuracy: topAccuracy(rows, 5),
    macroAvgRocAuc: mean(areas),
    macroStdRocAuc: deviation(areas),
    macroAvgF1Score: mean(f1),
    macroStdF1Score: deviation(f1),
    macroAvgPrecision: mean(present.map(({ precision }) => precision)),
    macroAvgRecall: mean(present.map(({ recall }) => recall)),
  };
}

const mean = (values: number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

function deviation(values: number[]): number {
  const average = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - average) ** 2)));
}

/** Share of rows that have one of their `count` surest concepts; equal probabilities by the order of concepts. */
function topAccuracy({ conceptIds, probabilities, truth }: ClassificationRows, count: number): number {
  const classes = conceptIds.length;
  let judged = 0;
  let right = 0;
  for (let start = 0; start < truth.length; start += classes) {
    let bestOwn = -1;
    for (let c = 0; c < classes; c += 1) {
      if (truth[start + c] !== 1) continue;
      if (bestOwn < 0 || (probabilities[start + c] as number) > (probabilities[start + bestOwn] as number))
        bestOwn = c;
    }
    if (bestOwn < 0) continue;
    judged += 1;
    const own = probabilities[start + bestOwn] as number;
    let surer = 0;
    for (let c = 0; c < classes && surer < count; c += 1) {
      const other = probabilities[start + c] as number;
      if (other > own || (other === own && c < bestOwn)) surer += 1;
    }
    if (surer < count) right += 1;
  }
  return judged === 0 ? 0 : right / judged;
}

/** float64 [actual, predicted]: the mean share of each concept in the rows that have the actual one. */
function confusionOf({ conceptIds, probabilities, truth }: ClassificationRows): Float64Array {
  const classes = conceptIds.length;
  const shares = new Float64Array(classes * classes);
  const counts = new Float64Array(classes);
  for (let start = 0; start < truth.length; start += classes) {
    let sum = 0;
    for (let c = 0; c < classes; c += 1) sum += probabilities[start + c] as number;
    for (let actual = 0; actual < classes; actual += 1) {
      if (truth[start + actual] !== 1) continue;
      counts[actual] = (counts[actual] as number) + 1;
      const to = actual * classes;
      for (let c = 0; c < classes; c += 1) {
        // A model that says nothing at all is as unsure as one that says everything.
        const share = sum > 0 ? (probabilities[start + c] as number) / sum : 1 / classes;
        shares[to + c] = (shares[to + c] as number) + share;
      }
    }
  }
  return shares.map((sum, i) => {
    const count = counts[Math.floor(i / classes)] as number;
    return count === 0 ? 0 : sum / count;
  });
}

const diagonal = (confusion: Float64Array, index: number): number =>
  confusion[index * Math.round(Math.sqrt(confusion.length)) + index] as number;

function cellsOf(confusion: Float64Array, order: number[], conceptIds: string[]): ConfusionCell[] {
  const classes = conceptIds.length;
  return order.flatMap((actual) =>
    order.map((predicted) => ({
      predicted: conceptIds[predicted] as string,
      actual: conceptIds[actual] as string,
      value: confusion[actual * classes + predicted] as number,
    })),
  );
}

function cooccurrenceOf({ conceptIds, truth }: ClassificationRows, order: number[]) {
  const classes = conceptIds.length;
  const counts = new Uint32Array(classes * classes);
  for (let start = 0; start < truth.length; start += classes) {
    const own: number[] = [];
    for (let c = 0; c < classes; c += 1) if (truth[start + c] === 1) own.push(c);
    for (const row of own)
      for (const col of own) counts[row * classes + col] = (counts[row * classes + col] as number) + 1;
  }
  return order.flatMap((row) =>
    order
      .map((col) => ({
        row: conceptIds[row] as string,
        col: conceptIds[col] as string,
        count: counts[row * classes + col] as number,
      }))
      .filter(({ count }) => count > 0),
  );
}

/** What one row of the test set shows: predictions surest first, and the concepts it truly has. */
export interface TestSetEntry {
  predictedConcepts: { conceptId: string; value: number }[];
  groundTruthConcepts: { conceptId: string; value: 1 }[];
}

/** @param conceptsMax how many predictions to show; equal ones by the order of concepts */
export function testSetEntry(rows: ClassificationRows, row: number, conceptsMax = 20): TestSetEntry {
  const { conceptIds, probabilities, truth } = rows;
  const start = row * conceptIds.length;
  return {
    predictedConcepts: conceptIds
      .map((conceptId, c) => ({ conceptId, value: probabilities[start + c] as number }))
      .sort((a, b) => b.value - a.value)
      .slice(0, conceptsMax),
    groundTruthConcepts: conceptIds
      .filter((_, c) => truth[start + c] === 1)
      .map((conceptId) => ({ conceptId, value: 1 as const })),
  };
}
