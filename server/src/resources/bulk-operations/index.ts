export type { BulkJobParts, BulkParts } from './deps.ts';
export { addSearchToDataset, bulkOperationHandlers } from './handlers.ts';
export { bulkOperationJobs } from './jobs.ts';
