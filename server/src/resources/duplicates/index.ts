export { type DuplicateJobParts, duplicateJobs } from './jobs.ts';
export { duplicateRoutes } from './routes.ts';
