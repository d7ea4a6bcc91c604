/** Heads and parts that training makes: trained, stored, applied. */

export type { FittedBank } from './bank.ts';
export { type CellFit, edgeOutputs } from './cells.ts';
export { type Clusters, placeIn } from './clusters.ts';
export { trainBank, trainCells, trainClusters, trainMetric } from './fit-part.ts';
export { applyHead, decodeHead, encodeHead, type Head, hashOf } from './head.ts';
export type { HeldOut } from './judge.ts';
export { type MetricFit, project } from './metric.ts';
export { decodePart, decodeTrained, encodePart, type Part, type Trained } from './part.ts';
export type { HeadObstacle } from './problem.ts';
export { randomFrom, shuffle } from './random.ts';
export { rowCountOf, type VectorFile, type Vectors } from './rows.ts';
export { textFeatureDims, textFeatures, textFeaturesId } from './text-features.ts';
export { scoreRows, type TrainOutcome, type TrainRequest, trainHead } from './train-head.ts';
export type { TwoLayerNet } from './two-layer.ts';
