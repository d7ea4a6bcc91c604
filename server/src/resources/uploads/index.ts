import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import { contentOf, type UploadContent } from './content.ts';
import type { UploadDeps } from './deps.ts';
import { partsOf, uploadsByKeys } from './store.ts';
import { uploadStatus } from './upload.ts';

export type { UploadContent } from './content.ts';
export type { UploadDeps } from './deps.ts';
export { addUploads, limitsOf as uploadLimitsOf, uploadHandlers } from './handlers.ts';
export { uploadJobs, uploadPeriodicJobs } from './jobs.ts';
export { type UploadRoute, uploadRoutes } from './routes.ts';
export { findUpload, type UploadRow, uploadsByKeys } from './store.ts';
export { readUpload, showUpload } from './translate.ts';
export type { UploadLimits } from './upload.ts';

/** The content of a finished upload for those who work on it; undefined when it is not, or no more, there. */
export async function openUpload(
  { db, objects }: { db: Db } & Pick<UploadDeps, 'objects'>,
  grant: AppGrant,
  uploadKey: number,
): Promise<UploadContent | undefined> {
  const [row] = await uploadsByKeys(db, grant, [uploadKey]);
  if (row?.statusCode !== uploadStatus.done) return undefined;
  const parts = await partsOf(db, grant, uploadKey);
  return contentOf(objects, row.folder, row.contentName, row.contentLength, parts);
}
