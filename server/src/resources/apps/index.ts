export { type AppsParts, appHandlers } from './handlers.ts';
export { appJobs } from './jobs.ts';
export { sampleMsDefault, sampleMsOf } from './sample-ms.ts';
