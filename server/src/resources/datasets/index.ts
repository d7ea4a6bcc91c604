export type { DatasetParts } from './deps.ts';
export { datasetHandlers } from './handlers.ts';
export { datasetJobs } from './jobs.ts';
export { addInputsToDatasets } from './membership.ts';
export { findDatasetKeys } from './membership-store.ts';
