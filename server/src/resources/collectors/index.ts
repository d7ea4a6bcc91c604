export { openCollecting, type Predicted } from './collect.ts';
export type { CollectorJobParts, CollectorParts } from './deps.ts';
export { collectorHandlers } from './handlers.ts';
export { collectorJobs } from './jobs.ts';
