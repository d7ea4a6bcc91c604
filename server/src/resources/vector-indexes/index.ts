export { openVectorCatalog, type VectorCatalog } from './catalog.ts';
export { eraseEveryWhile, type MemoryIndexes, openMemoryIndexes } from './in-memory.ts';
export { vectorJobs, vectorPeriodicJobs } from './jobs.ts';
export { indexRoutes } from './routes.ts';
