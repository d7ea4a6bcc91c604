import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { evaluateClassification } from '../classification.ts';
import { evaluateClustering } from '../clustering.ts';
import { evaluateDetection } from '../detection.ts';
import { evaluateTracking } from '../tracking.ts';
import { classificationCase, clusteringCase, detectionCase, maskCase, trackingCase } from './cases.ts';

/** What scikit-learn, pycocotools and motmetrics answered; see record.py. Case n of a kind has the seed n + 1. */
interface Answers {
  classification: { summary: number[]; perClass: number[][] }[];
  detection: { summary: number[]; perClass: number[] }[];
  masks: { summary: number[]; perClass: number[] }[];
  clustering: number[][];
  tracking: (number | null)[][];
}
const answers = JSON.parse(readFileSync(new URL('./answers.json', import.meta.url), 'utf8')) as Answers;

/** Lists numbers that differ by more than `tolerance`, so that a failure shows where. */
function differences(
  seed: number,
  ours: readonly (number | undefined)[],
  theirs: readonly (number | null)[],
  tolerance: number,
): string[] {
  if (ours.length !== theirs.length) return [`seed ${seed}: ${ours.length} numbers, not ${theirs.length}`];
  return theirs.flatMap((wanted, i) =>
    wanted === null || Math.abs((ours[i] ?? Number.NaN) - wanted) <= tolerance
      ? []
      : [`seed ${seed} [${i}]: ${ours[i]}, not ${wanted}`],
  );
}

describe('figures are those of the reference implementations', () => {
  test('classification: 300 sets, as scikit-learn', () => {
    const wrong = answers.classification.flatMap(({ summary, perClass }, at) => {
      const found = evaluateClassification(classificationCase(at + 1));
      const {
        macroAvgRocAuc,
        macroStdRocAuc,
        macroAvgF1Score,
        macroStdF1Score,
        macroAvgPrecision,
        macroAvgRecall,
      } = found.summary;
      return [
        ...differences(
          at + 1,
          [
            macroAvgRocAuc,
            macroStdRocAuc,
            macroAvgF1Score,
            macroStdF1Score,
            macroAvgPrecision,
            macroAvgRecall,
          ],
          summary,
          1e-9,
        ),
        ...perClass.flatMap((numbers, c) => {
          const { rocAuc, avgPrecision, precision, recall, f1 } = found.binaryMetrics[c] ?? {};
          return differences(at + 1, [rocAuc, avgPrecision, precision, recall, f1], numbers, 1e-9);
        }),
      ];
    });
    expect(wrong).toEqual([]);
  });

  for (const [kind, make] of [
    ['detection', detectionCase],
    ['masks', maskCase],
  ] as const) {
    test(`${kind}: all twelve numbers and each class by size, as pycocotools`, () => {
      const wrong = answers[kind].flatMap(({ summary, perClass }, at) => {
        const found = evaluateDetection(make(at + 1));
        const ours = found.byClass.map(({ ap }) => ap);
        return [
          ...differences(at + 1, Object.values(found.summary), summary, 1e-9),
          ...differences(at + 1, ours, perClass, 1e-9),
        ];
      });
      expect(wrong).toEqual([]);
    });
  }

  test('clustering: 300 sets, as scikit-learn', () => {
    const wrong = answers.clustering.flatMap((numbers, at) => {
      const { truth, clusters } = clusteringCase(at + 1);
      const { clusters: _n, classes: _m, ...found } = evaluateClustering(truth, clusters);
      return differences(at + 1, Object.values(found), numbers, 1e-9);
    });
    expect(wrong).toEqual([]);
  });

  test('tracking: 150 videos, as motmetrics', () => {
    const wrong = answers.tracking.flatMap((numbers, at) => {
      const { uniqueSwitchRate: _rate, ...found } = evaluateTracking(trackingCase(at + 1));
      return differences(at + 1, Object.values(found), numbers, 1e-9);
    });
    expect(wrong).toEqual([]);
  });
});
