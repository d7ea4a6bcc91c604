export * from './files.ts';
export type { Format, FormatId, Listing } from './format.ts';
export { coco } from './formats/coco.ts';
export { boundsOf, type Feature, fit, type Holds, type Loss } from './holds.ts';
export { listTree } from './listing.ts';
export { safePath } from './paths.ts';
export { type Problem, problemLog, type Report } from './problems.ts';
export * from './record.ts';
