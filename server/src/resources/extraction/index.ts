import type { AppGrant } from '#domain/grant.ts';
import type { Tx } from '#store/postgres/index.ts';
import type { AddJobHooks } from '../inputs/index.ts';
import type { UploadDeps } from '../uploads/index.ts';
import { partsOf } from './add-job-parts.ts';
import type { ExtractionDeps } from './deps.ts';
import { cancelJobs } from './ends.ts';
import { startJob } from './jobs.ts';
import { lockOpenJobs } from './store.ts';

export type { ExtractionDeps } from './deps.ts';
export { type ArchiveLimits, defaultArchiveLimits, EntryFault, pathTrouble } from './extraction.ts';
export { extractionHandlers } from './handlers.ts';
export { extractionRoute } from './routes.ts';
export { readTar } from './tar.ts';
export { extractionJobs, extractionPeriodicJobs } from './worker.ts';
export { type RandomAccess, readZip } from './zip.ts';

/** What add jobs ask of this family. */
export const addJobHooks = (deps: Pick<ExtractionDeps, 'publicUrl'>): AddJobHooks => ({
  partsOf: partsOf(deps),
  async onCancelled(tx, grant, addJobKey) {
    const open = await lockOpenJobs(tx, grant, { addJobKey });
    await cancelJobs(tx, grant, open, 'Its add job was cancelled; what it had added stays.');
    return open.length > 0;
  },
});

/** What uploads tell this family: the archive is whole, or will never be. */
export const uploadHooks: Required<Pick<UploadDeps, 'onDone' | 'onGone'>> = {
  async onDone(tx: Tx, grant: AppGrant, uploadKey: number) {
    for (const { key } of await lockOpenJobs(tx, grant, { uploadKeys: [uploadKey] }))
      await startJob(tx, grant, key);
  },
  async onGone(tx: Tx, grant: AppGrant, uploadKeys: readonly number[], why: string) {
    const open = await lockOpenJobs(tx, grant, { uploadKeys });
    await cancelJobs(tx, grant, open, `Its upload ${why}; what it had added stays.`);
  },
};
