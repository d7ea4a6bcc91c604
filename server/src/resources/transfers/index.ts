export type { TransferParts } from './deps.ts';
export { dropArchivesOfInputs, freeTransfersOfApp, transferJobs } from './jobs.ts';
export { type TransferRoute, type TransferRouteParts, transferRoutes } from './routes.ts';
