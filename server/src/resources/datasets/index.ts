export { addInputsToDatasets } from './membership.ts';
export { findDatasetKeys } from './membership-store.ts';
