export { beyondRoutes } from './beyond/routes.ts';
export type { DatasetParts } from './deps.ts';
export { deleteFromVersions } from './erase.ts';
export {
  addPredictionsVersion,
  addTrainingVersion,
  addTruthVersion,
  findDatasetAndVersion,
  type KnownVersion,
  type PredictedInput,
  versionsNamed,
} from './evaluation-versions.ts';
export { exampleInputs } from './example-inputs.ts';
export { freeArchivesOfApp } from './export/job.ts';
export { type LeftOut, type RecordTools, recordsOf } from './export/records.ts';
export { exportRoute } from './export/route.ts';
export { openVersion, versionState } from './export/version-records.ts';
export { datasetHandlers } from './handlers.ts';
export { datasetJobs, datasetPeriodicJobs } from './jobs.ts';
export { addInputsToDatasets } from './membership.ts';
export {
  deleteMemberships,
  findDatasetKeys,
  holdDatasets,
  holdMembers,
  insertMemberships,
} from './membership-store.ts';
export type { KeptInput } from './version-rows.ts';
