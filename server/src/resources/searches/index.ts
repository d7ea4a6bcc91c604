export { searchHandlers } from './handlers.ts';
export { type InputSearch, openInputSearch } from './input-keys.ts';
export { searchJobs, searchPeriodicJobs } from './jobs.ts';
export { searchMetricsHandlers } from './metrics-handlers.ts';
export type { SearchParts } from './parts.ts';
