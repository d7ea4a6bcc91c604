export type { DatasetParts } from './deps.ts';
export { datasetHandlers } from './handlers.ts';
export { datasetJobs } from './jobs.ts';
export { addInputsToDatasets } from './membership.ts';
export {
  deleteMemberships,
  findDatasetKeys,
  holdDatasets,
  holdMembers,
  insertMemberships,
} from './membership-store.ts';
