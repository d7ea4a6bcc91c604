import type { AppGrant } from '#domain/grant.ts';
import { enqueue } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import { jobStatus } from './extraction.ts';
import { callBackJob, freeingJob } from './jobs.ts';
import { endJobs, type JobRow } from './store.ts';

/** Ends locked jobs, erases their credentials, and sends word to whoever wants it. */
export async function endThem(
  tx: Tx,
  grant: AppGrant,
  jobs: readonly JobRow[],
  statusCode: number,
  details: string,
): Promise<void> {
  if (jobs.length === 0) return;
  const objects = await endJobs(
    tx,
    grant,
    jobs.map(({ key }) => key),
    statusCode,
    details,
  );
  await enqueue(tx, [
    ...objects.map(freeingJob),
    ...jobs.filter(({ callBackUrl }) => callBackUrl !== '').map(({ key }) => callBackJob(grant, key)),
  ]);
}

export const cancelJobs = (
  tx: Tx,
  grant: AppGrant,
  jobs: readonly JobRow[],
  details: string,
): Promise<void> => endThem(tx, grant, jobs, jobStatus.cancelled, details);
