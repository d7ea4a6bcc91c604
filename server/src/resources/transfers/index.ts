export { callFor } from './call.ts';
export type { TransferParts } from './deps.ts';
export { freeTransfersOfApp, transferJobs } from './jobs.ts';
export { type TransferRoute, type TransferRouteParts, transferRoutes } from './routes.ts';
