export { enqueue, type NewJob } from './enqueue.ts';
export { type Job, type JobContext, type JobHandler, LeaseLost } from './job.ts';
export type { Periodic } from './schedule.ts';
export { jobsMigrationSql } from './schema.ts';
export { type JobCounts, type Jobs, type JobsOptions, startJobs } from './worker.ts';
