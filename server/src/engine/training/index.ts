/** Linear heads on embeddings: trained, stored, applied. */

export { applyHead, decodeHead, encodeHead, type Head, hashOf } from './head.ts';
export type { HeldOut } from './judge.ts';
export type { HeadObstacle } from './problem.ts';
export { scoreRows, type TrainOutcome, type TrainRequest, trainHead } from './train-head.ts';
