/** Numbers that say how good a classifier is, and ways to part data fairly. */
export {
  type BinaryMetrics,
  type ClassificationMetrics,
  type ClassificationRows,
  type ClassificationSummary,
  type ConfusionCell,
  evaluateClassification,
  type TestSetEntry,
  testSetEntry,
} from './classification.ts';
export { evaluateRows } from './evaluate-rows.ts';
export { type ClassReport, type ExclusiveReport, reportExclusive, surestClasses } from './exclusive.ts';
export { averagePrecision, rocAuc, type SortedScores } from './ranking.ts';
export { stratifiedFolds, stratifiedHoldOut } from './split.ts';
