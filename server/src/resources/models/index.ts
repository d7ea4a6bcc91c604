export { canonicalTypeId, findModelType, modelTypes } from './catalogue/index.ts';
export { type ConceptsOfWorkflow, modelConceptHandlers } from './concept-handlers.ts';
export { conceptNamesIn, settleConcepts } from './concept-names.ts';
export type { ModelDeps } from './deps.ts';
export { modelFault } from './faults.ts';
export {
  grantNamed,
  mainApp,
  mainGrant,
  readModelAndVersion,
  readModelRow,
  readTrainedVersion,
} from './find.ts';
export {
  isTrained,
  type ModelRow,
  type Owner,
  type PinnedModel,
  type VersionRow,
} from './model.ts';
export { modelHandlers } from './model-handlers.ts';
export { jsonOf, messageOf, patchedMessage, rawItem, readAction, sentJson } from './patch-json.ts';
export { seedModels } from './seed.ts';
export { lockModel, pinnedModels, touchModel } from './store.ts';
export type { TrainingDeps } from './training/deps.ts';
export { enqueueTraining, trainingJobs, trainingPeriodicJobs } from './training/jobs.ts';
export { trainLogRoute } from './training/log-route.ts';
export { keepPart } from './training/parts-store.ts';
export {
  bodyOfModel,
  bodyOfVersion,
  inputKindsOf,
  logOption,
  packVersion,
  readVersion,
  showModel,
  showVersion,
} from './translate.ts';
export { modelTypeHandlers } from './type-handlers.ts';
export { modelVersionHandlers } from './version-handlers.ts';
export {
  endBuild,
  findVersion,
  findVersionByKey,
  insertVersion,
  setUploadStatus,
  trainingMetricsOf,
  trainLinesOf,
} from './version-store.ts';
