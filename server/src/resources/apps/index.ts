import { duplicationHandlers } from './duplication/handlers.ts';
import { type AppsParts, appHandlers as ownHandlers } from './handlers.ts';

export type { AppsParts } from './handlers.ts';

export const appHandlers = (parts: AppsParts) => ({ ...ownHandlers(parts), ...duplicationHandlers(parts) });
export { appJobs } from './jobs.ts';
export { sampleMsDefault, sampleMsOf } from './sample-ms.ts';
