import type { ServicePart } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { readPage } from '#domain/page.ts';
import { findAddJob, markCancelled, pageOfAddJobs, pendingOf } from './add-jobs-store.ts';
import type { InputDeps } from './deps.ts';
import { inputFault } from './faults.ts';
import { inputStatus } from './input.ts';
import { move } from './process.ts';
import { lockInputs } from './store.ts';
import { showAddJob } from './translate.ts';

export function addJobRpcs({
  db,
}: InputDeps): ServicePart<Call, 'getInputsAddJob' | 'listInputsAddJobs' | 'cancelInputsAddJob'> {
  return {
    async getInputsAddJob(req, call) {
      const row = await findAddJob(db, call.app, req.id);
      if (!row) throw inputFault.missingJob(req.id);
      return { inputsAddJob: showAddJob(row) };
    },

    /** Newest first. */
    async listInputsAddJobs(req, call) {
      const rows = await pageOfAddJobs(db, call.app, readPage(req));
      return { inputsAddJobs: rows.map(showAddJob) };
    },

    /** Stops what has not begun; what is in progress comes to its end. */
    async cancelInputsAddJob(req, call) {
      const row = await db.transaction(async (tx) => {
        const job = await findAddJob(tx, call.app, req.id);
        if (!job) throw inputFault.missingJob(req.id);
        const locked = await lockInputs(tx, call.app, await pendingOf(tx, call.app, job.key));
        const pending = locked.filter(({ statusCode }) => statusCode === inputStatus.pending);
        await move(tx, call.app, pending, () => ({
          statusCode: inputStatus.failed,
          details: 'Its add job was cancelled before this input was processed.',
        }));
        // A job that is over stays what it was.
        if (job.pendingCount + job.inProgressCount > 0) await markCancelled(tx, call.app, job.key);
        return findAddJob(tx, call.app, req.id);
      });
      return row ? { inputsAddJob: showAddJob(row) } : {};
    },
  };
}
