/** Linear heads on embeddings: trained, stored, applied. */
export type { HeldOut } from './fit.ts';
export { applyHead, decodeHead, encodeHead, type Head, hashOf } from './head.ts';
export type { HeadObstacle } from './problem.ts';
export { scoreRows, type TrainOutcome, type TrainRequest, trainHead } from './train-head.ts';
