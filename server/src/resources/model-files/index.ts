import type { ServicePart } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { JobHandler } from '#jobs/index.ts';
import { buildJobs } from './build-job.ts';
import type { ModelFileDeps } from './deps.ts';
import { exportHandlers } from './export-handlers.ts';
import { exportJobs } from './export-job.ts';
import type { PackageFolders } from './package-folders.ts';
import { sweepJobs } from './sweep-job.ts';
import { uploadHandlers } from './upload-handler.ts';

export type { ModelFileDeps, ModelFileLimits } from './deps.ts';
export { openPackageFolders, type PackageFolders } from './package-folders.ts';
export { modelExportRoute } from './routes.ts';
export { buildLinesOf } from './store.ts';
export { modelFilePeriodicJobs } from './sweep-job.ts';
export { modelUploadRoute } from './upload-route.ts';

/** Models that are brought and taken away. */
export const modelFileHandlers = (
  deps: ModelFileDeps,
): ServicePart<Call, 'postModelVersionsUpload' | 'putModelVersionExports' | 'getModelVersionExport'> => ({
  ...uploadHandlers(deps),
  ...exportHandlers(deps),
});

export const modelFileJobs = (
  deps: ModelFileDeps & { readonly packageFolders: PackageFolders },
): Record<string, JobHandler> => ({ ...buildJobs(deps), ...exportJobs(deps), ...sweepJobs(deps) });
