export type { NewAnnotation } from './annotation.ts';
export type { PlainBox } from './boxes.ts';
export {
  type DataEdit,
  dropAnnotations,
  type EditTarget,
  editAnnotations,
  removeLabels,
  withLabels,
} from './bulk-edits.ts';
export type { AnnotationParts, FindInputs, FoundInput, SeenFrame, TrackSearchParts } from './deps.ts';
export { annotationFilterHandlers, findAnnotationFilter } from './filter-handlers.ts';
export { annotationHandlers } from './handlers.ts';
export { historyRoute } from './history-routes.ts';
export {
  annotationsAsOf,
  datasetInputsAsOf,
  labelsAsOf,
  type Moment,
  marksAsOf,
  textsAsOf,
} from './history-store.ts';
export {
  type InputLevelItem,
  type InputLevelPatch,
  inputLevelData,
  inputLevelTrouble,
  insertInputLevelAnnotations,
  patchInputLevels,
} from './input-level.ts';
export { insertAnnotations, type StoredAnnotation } from './insert-store.ts';
export { identifyLabels, labelTrouble, settleLabels } from './labels.ts';
export { maskRoute } from './mask-route.ts';
export { withMaskUrls } from './masks.ts';
export { type LookedAt, replaceFrameAnnotations, replaceModelAnnotations } from './model-annotations.ts';
export { labelFields, labelNames, openLabelWriter, type Span } from './packed-labels.ts';
export { placeTrouble } from './place.ts';
export { addAnnotations, addBoxes } from './post-annotations.ts';
export { putInputTexts } from './search-terms.ts';
export { bumpSearchRevision } from './store.ts';
export { type BackfillDeps, termBackfillJobs, termBackfillPeriodic } from './term-backfill.ts';
export { atTimes, inOrder, type Keyframe, keyframeOf } from './track.ts';
export { trackHandlers } from './track-handlers.ts';
export { trackSearchHandlers } from './track-searches.ts';
export { type InputLevelData, nameConcepts, type ShownAnnotation, showAnnotations } from './translate.ts';
export { userKeys } from './worker-store.ts';
