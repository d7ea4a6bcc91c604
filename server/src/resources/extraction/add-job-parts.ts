import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import type { AddJobParts } from '../inputs/index.ts';
import { showUpload, uploadsByKeys } from '../uploads/index.ts';
import type { ExtractionDeps } from './deps.ts';
import { isOver } from './extraction.ts';
import { type JobRow, jobsOfAddJobs } from './store.ts';
import { showJob } from './translate.ts';

/** What feeds add jobs: their extraction jobs, and the uploads these wait for. */
export const partsOf =
  (deps: Pick<ExtractionDeps, 'publicUrl'>) =>
  async (db: Db, grant: AppGrant, addJobKeys: readonly number[]): Promise<Map<number, AddJobParts>> => {
    const jobs = await jobsOfAddJobs(db, grant, addJobKeys);
    if (jobs.length === 0) return new Map();
    const uploadKeys = jobs.flatMap(({ uploadKey }) => uploadKey ?? []);
    const found = uploadKeys.length === 0 ? [] : await uploadsByKeys(db, grant, uploadKeys);
    const uploads = new Map(found.map((row) => [row.key, showUpload(row, grant, deps.publicUrl(grant))]));
    const byAddJob = new Map<number, JobRow[]>();
    for (const job of jobs) byAddJob.set(job.addJobKey, [...(byAddJob.get(job.addJobKey) ?? []), job]);
    return new Map(
      [...byAddJob].map(([addJobKey, own]) => [
        addJobKey,
        {
          extractionJobs: own.map(showJob),
          uploads: own.flatMap(({ uploadKey }) => uploads.get(uploadKey ?? 0) ?? []),
          callBackUrl: own.find(({ callBackUrl }) => callBackUrl !== '')?.callBackUrl ?? '',
          isOpen: own.some(({ statusCode }) => !isOver(statusCode)),
        },
      ]),
    );
  };
