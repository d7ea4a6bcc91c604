import { describe, expect, test } from 'vitest';
import { type ClassificationRows, evaluateClassification, testSetEntry } from './classification.ts';
import { evaluateDetection } from './detection.ts';
import { evaluateRows } from './evaluate-rows.ts';
import { reportExclusive, surestClasses } from './exclusive.ts';
import { measure } from './measure.ts';
import { rocAuc } from './ranking.ts';
import { stratifiedFolds, stratifiedHoldOut } from './split.ts';
import { scoredRows } from './testdata.ts';

/** Worked out by hand: three cats, two dogs, one fish that is also a dog. */
const pets: ClassificationRows = {
  conceptIds: ['cat', 'dog', 'fish'],
  probabilities: Float32Array.from(
    [
      [0.8, 0.1, 0.1],
      [0.5, 0.25, 0.25],
      [0.25, 0.75, 0],
      [0.25, 0.5, 0.25],
      [0.5, 0.5, 0],
      [0, 0.25, 0.75],
    ].flat(),
  ),
  truth: Int8Array.from(
    [
      [1, 0, 0],
      [1, 0, 0],
      [1, 0, 0],
      [0, 1, 0],
      [0, 1, 0],
      [0, 1, 1],
    ].flat(),
  ),
};

test('confusion holds the mean predicted share of each concept, by actual concept, strongest diagonal first', () => {
  const { confusionMatrix } = evaluateClassification(pets);
  expect(confusionMatrix.conceptIds).toEqual(['fish', 'cat', 'dog']);
  expect(confusionMatrix.matrix.map(({ actual, predicted }) => `${actual}>${predicted}`)).toEqual([
    'fish>fish',
    'fish>cat',
    'fish>dog',
    'cat>fish',
    'cat>cat',
    'cat>dog',
    'dog>fish',
    'dog>cat',
    'dog>dog',
  ]);
  const wanted = [0.75, 0, 0.25, 0.35 / 3, 1.55 / 3, 1.1 / 3, 1 / 3, 0.25, 1.25 / 3];
  confusionMatrix.matrix.forEach(({ value }, i) => {
    expect(value).toBeCloseTo(wanted[i] as number, 6);
  });
});

test('counts say how many rows have a concept, and how many have two together', () => {
  const { labelCounts, cooccurrenceMatrix } = evaluateClassification(pets);
  expect(labelCounts).toEqual([
    { conceptId: 'cat', count: 3 },
    { conceptId: 'dog', count: 3 },
    { conceptId: 'fish', count: 1 },
  ]);
  expect(cooccurrenceMatrix.matrix).toEqual([
    { row: 'fish', col: 'fish', count: 1 },
    { row: 'fish', col: 'dog', count: 1 },
    { row: 'cat', col: 'cat', count: 3 },
    { row: 'dog', col: 'fish', count: 1 },
    { row: 'dog', col: 'dog', count: 3 },
  ]);
});

test.each([
  // cat: scores of cats 0.8 0.5 0.25, of others 0.25 0.5 0. Pairs won: 3 + 2.5 + 1.5 of 9.
  { index: 0, rocAuc: 7 / 9, precision: 2 / 3, recall: 2 / 3, f1: 2 / 3 },
  // dog: 0.5 0.5 0.25 against 0.1 0.25 0.75. Pairs won: 2 + 2 + 1.5 of 9.
  { index: 1, rocAuc: 5.5 / 9, precision: 2 / 3, recall: 2 / 3, f1: 2 / 3 },
  { index: 2, rocAuc: 1, precision: 1, recall: 1, f1: 1 },
])('concept $index of the pets has the metrics worked out by hand', ({ index, ...wanted }) => {
  const metrics = evaluateClassification(pets).binaryMetrics[index];
  for (const [name, value] of Object.entries(wanted)) {
    expect([name, metrics?.[name as 'f1'].toFixed(10)]).toEqual([name, value.toFixed(10)]);
  }
});

test('curves run over 101 thresholds: ROC from 1 down to 0, precision and recall from 0 up to 1', () => {
  const [cat] = evaluateClassification(pets).binaryMetrics;
  const { rocCurve, precisionRecallCurve: curve } = cat as NonNullable<typeof cat>;
  expect([rocCurve.thresholds.length, rocCurve.thresholds[0], rocCurve.thresholds.at(-1)]).toEqual([
    101, 1, 0,
  ]);
  expect([curve.thresholds.length, curve.thresholds[0], curve.thresholds.at(-1)]).toEqual([101, 0, 1]);
  expect([rocCurve.fpr[0], rocCurve.tpr[0], rocCurve.fpr.at(-1), rocCurve.tpr.at(-1)]).toEqual([0, 0, 1, 1]);
  // At 0.80 the cat with exactly 0.8 counts; at 0.81 no longer.
  expect(rocCurve.tpr[20]).toBeCloseTo(1 / 3, 10);
  expect(rocCurve.tpr[19]).toBe(0);
  expect([curve.precision[0], curve.recall[0]]).toEqual([0.5, 1]);
  expect([curve.precision[100], curve.recall[100]]).toEqual([1, 0]);
});

/**
 * roc_auc, average_precision, precision, recall, f1 at 0.5 per concept, and the macro means, of
 * scoredRows(400, 5, 17): computed once by this project with scikit-learn 1.9.1.
 */
const recorded = {
  concepts: [
    [0.8789778206, 0.6671791009, 0.2293577982, 0.7352941176, 0.3496503497],
    [0.8903181059, 0.8066397822, 0.5633802817, 0.7339449541, 0.6374501992],
    [0.8581510417, 0.8423953281, 0.6529411765, 0.69375, 0.6727272727],
    [0.8724516663, 0.8938567761, 0.8021978022, 0.691943128, 0.7430025445],
    [0.8798460312, 0.9475134374, 0.9026548673, 0.7132867133, 0.796875],
  ],
  summary: {
    macroAvgRocAuc: 0.8759489331245227,
    macroStdRocAuc: 0.010581403249412166,
    macroAvgF1Score: 0.6399410732220143,
    macroStdF1Score: 0.15530599973285625,
    macroAvgPrecision: 0.6301063851560613,
    macroAvgRecall: 0.7136437826048596,
  },
  /** The surest concept against the first true one, as a plain classifier. */
  accuracy: 0.4875,
  precision: [0.47619048, 0.67857143, 0.65432099, 0.43617021, 0.33858268],
  recall: [0.4, 0.38, 0.5047619, 0.53947368, 0.62318841],
};

test('metrics of 400 rows full of ties are those recorded from scikit-learn', () => {
  const metrics = evaluateClassification(scoredRows(400, 5, 17));
  metrics.binaryMetrics.forEach((own, c) => {
    const found = [own.rocAuc, own.avgPrecision, own.precision, own.recall, own.f1];
    found.forEach((value, i) => {
      expect(value).toBeCloseTo(recorded.concepts[c]?.[i] as number, 9);
    });
  });
  for (const [name, value] of Object.entries(recorded.summary)) {
    expect(metrics.summary[name as 'macroAvgRocAuc']).toBeCloseTo(value, 12);
  }
});

test('where concepts exclude each other, precision and recall may go by the surest concept', () => {
  const { probabilities, conceptIds, truth } = scoredRows(400, 5, 17);
  const first = surestClasses(Float32Array.from(truth), 5);
  const single = Int8Array.from(truth, (_, i) => (first[Math.floor(i / 5)] === i % 5 ? 1 : 0));
  const { binaryMetrics } = evaluateClassification({
    conceptIds,
    probabilities,
    truth: single,
    decide: 'surest',
  });
  binaryMetrics.forEach(({ precision, recall }, c) => {
    expect(precision).toBeCloseTo(recorded.precision[c] as number, 7);
    expect(recall).toBeCloseTo(recorded.recall[c] as number, 7);
  });
});

test('an evaluation in a thread of its own gives the same', async () => {
  expect(await evaluateRows(pets)).toEqual(evaluateClassification(pets));
  await expect(evaluateRows({ ...pets, threshold: 2 })).rejects.toThrow('0..1, not 2');
});

test('a plain report is the one recorded from scikit-learn', () => {
  const { probabilities, truth } = scoredRows(400, 5, 17);
  const first = surestClasses(Float32Array.from(truth), 5);
  const report = reportExclusive(surestClasses(probabilities, 5), first, 5);
  expect(report.accuracy).toBeCloseTo(recorded.accuracy, 12);
  report.perClass.forEach(({ precision, recall }, c) => {
    expect(precision).toBeCloseTo(recorded.precision[c] as number, 7);
    expect(recall).toBeCloseTo(recorded.recall[c] as number, 7);
  });
});

test('the area under a curve is the share of pairs in order, whatever the ties', () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const { probabilities, truth } = scoredRows(40, 2, seed);
    const of = (label: number) => probabilities.filter((_, i) => i % 2 === 0 && truth[i] === label).sort();
    const [positives, negatives] = [of(1), of(0)];
    let won = 0;
    for (const p of positives) for (const n of negatives) won += p > n ? 1 : p === n ? 0.5 : 0;
    const pairs = positives.length * negatives.length;
    expect(rocAuc({ positives, negatives })).toEqual(pairs === 0 ? undefined : won / pairs);
  }
});

describe('where there is nothing to measure', () => {
  const rows = { conceptIds: ['a', 'b'], probabilities: Float32Array.from([0.9, 0, 0.2, 0]) };
  test('a concept nobody has counts 0 and stays out of the means', () => {
    const { binaryMetrics, summary, confusionMatrix } = evaluateClassification({
      ...rows,
      truth: Int8Array.from([1, 0, 0, 0]),
    });
    expect(binaryMetrics[1]).toMatchObject({ numPos: 0, numNeg: 2, rocAuc: 0, f1: 0 });
    expect(summary).toMatchObject({ macroAvgRocAuc: 1, macroAvgF1Score: 1, top1Accuracy: 1 });
    expect(confusionMatrix.matrix.filter(({ actual }) => actual === 'b').map(({ value }) => value)).toEqual([
      0, 0,
    ]);
  });
  test('unknown labels are left out of their concept', () => {
    const { binaryMetrics } = evaluateClassification({ ...rows, truth: Int8Array.from([1, -1, -1, 0]) });
    expect(binaryMetrics.map(({ numTot }) => numTot)).toEqual([1, 1]);
  });
  test('no rows at all give zeros, not NaN', () => {
    const { summary } = evaluateClassification({
      conceptIds: ['a'],
      probabilities: new Float32Array(0),
      truth: new Int8Array(0),
    });
    expect(Object.values(summary)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });
  test('a row where the model says nothing is shared out evenly', () => {
    const { confusionMatrix } = evaluateClassification({
      conceptIds: ['a', 'b'],
      probabilities: new Float32Array(2),
      truth: Int8Array.from([1, 0]),
    });
    expect(confusionMatrix.matrix.slice(0, 2).map(({ value }) => value)).toEqual([0.5, 0.5]);
  });
});

test.each([
  ['a probability above 1', { probabilities: Float32Array.from([1.5, 0, 0]) }, 'row 0 holds 1.5'],
  ['a probability that is not a number', { probabilities: Float32Array.from([0, 0, Number.NaN]) }, 'NaN'],
  ['too few truths', { truth: Int8Array.from([1]) }, '3 and 1 came'],
  ['an id given twice', { conceptIds: ['a', 'a', 'b'] }, 'twice'],
])('%s is refused with the reason', (_, change, words) => {
  const rows = { conceptIds: ['a', 'b', 'c'], probabilities: new Float32Array(3), truth: new Int8Array(3) };
  expect(() => evaluateClassification({ ...rows, ...change })).toThrow(words);
});

test('a test-set entry shows the surest predictions first, and what is true', () => {
  expect(testSetEntry(pets, 5, 2)).toEqual({
    predictedConcepts: [
      { conceptId: 'fish', value: 0.75 },
      { conceptId: 'dog', value: 0.25 },
    ],
    groundTruthConcepts: [
      { conceptId: 'dog', value: 1 },
      { conceptId: 'fish', value: 1 },
    ],
  });
});

test('folds spread every class evenly and are the same for the same seed', () => {
  const groups = Int32Array.from({ length: 103 }, (_, i) => (i < 60 ? 0 : i < 100 ? 1 : 2));
  const folds = stratifiedFolds(groups, 5, 9);
  for (const group of [0, 1, 2]) {
    const counts = [0, 1, 2, 3, 4].map(
      (fold) => folds.filter((f, i) => f === fold && groups[i] === group).length,
    );
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  }
  expect(stratifiedFolds(groups, 5, 9)).toEqual(folds);
  expect(stratifiedFolds(groups, 5, 10)).not.toEqual(folds);
});

test('rows held out are a fair share of every class, and never all of one', () => {
  const groups = Int32Array.from({ length: 211 }, (_, i) => (i < 100 ? 0 : i < 200 ? 1 : i));
  const held = stratifiedHoldOut(groups, 0.2, 4);
  const heldOf = (group: number) => held.filter((h, i) => h === 1 && groups[i] === group).length;
  expect([heldOf(0), heldOf(1)]).toEqual([20, 20]);
  for (let i = 200; i < 211; i += 1) expect(held[i]).toBe(0);
  expect(stratifiedHoldOut(groups, 0.2, 4)).toEqual(held);
});

test('any measure runs in a thread of its own, and says what does not fit', async () => {
  const truth = Int32Array.of(0, 0, 1, 1);
  expect(await measure('clustering', { truth, clusters: Int32Array.of(5, 5, 7, 7) })).toMatchObject({
    purity: 1,
    adjustedRandIndex: 1,
  });
  await expect(measure('clustering', { truth, clusters: Int32Array.of(1) })).rejects.toThrow(RangeError);
  const stopped = AbortSignal.abort(new Error('enough'));
  await expect(measure('clustering', { truth, clusters: truth }, stopped)).rejects.toThrow('enough');
});

test('precision and recall of detections go by how sure they are, and every object knows its counterpart', () => {
  const found = evaluateDetection({
    classes: 1,
    truth: {
      image: Int32Array.of(0, 0),
      classIndex: Int32Array.of(0, 0),
      boxes: Float64Array.of(0, 0, 10, 10, 50, 50, 10, 10),
    },
    found: {
      image: Int32Array.of(0, 0, 1),
      classIndex: Int32Array.of(0, 0, 0),
      boxes: Float64Array.of(0, 0, 10, 9, 200, 0, 10, 10, 0, 0, 5, 5),
      scores: Float64Array.of(0.9, 0.6, 0.3),
    },
  });
  expect([...found.foundMatches]).toEqual([0, -1, -1]);
  expect([...found.trueMatches]).toEqual([0, -1]);
  const curve = found.byClass[0]?.curves[0];
  expect([0, 50, 80, 95].map((t) => [curve?.precision[t], curve?.recall[t]])).toEqual([
    [1 / 3, 0.5],
    [0.5, 0.5],
    [1, 0.5],
    [1, 0],
  ]);
});
