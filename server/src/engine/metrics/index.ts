/** Numbers that say how good a model is, and ways to part data fairly. */
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
export { type ClusteringMetrics, evaluateClustering } from './clustering.ts';
export {
  type AreaName,
  areaRanges,
  type ClassPrecision,
  type DetectionCurve,
  type DetectionMetrics,
  type DetectionRows,
  type DetectionSummary,
  evaluateDetection,
  type FoundObjects,
  type TrueObjects,
} from './detection.ts';
export { evaluateRows } from './evaluate-rows.ts';
export { type ClassReport, type ExclusiveReport, reportExclusive, surestClasses } from './exclusive.ts';
export { areaOf, maskOverlap, type Runs, runsOf, runsOfPolygon, sharedArea } from './masks.ts';
export { measure } from './measure.ts';
export { averagePrecision, rocAuc, type SortedScores } from './ranking.ts';
export { stratifiedFolds, stratifiedHoldOut } from './split.ts';
export { evaluateTracking, type FrameObjects, type TrackedFrame, type TrackingMetrics } from './tracking.ts';
