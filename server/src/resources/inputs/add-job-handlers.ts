import type { InputsAddJob, ServicePart } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { readPage } from '#domain/page.ts';
import { findAddJob, markCancelled, pageOfAddJobs, pendingOf } from './add-jobs-store.ts';
import type { InputDeps } from './deps.ts';
import { inputFault } from './faults.ts';
import { inputStatus } from './input.ts';
import { move } from './process.ts';
import type { AddJobRow } from './rows.ts';
import { lockInputs } from './store.ts';
import { showAddJob } from './translate.ts';

/** Inputs cancelled in one transaction: a job of a million must not hold its counters for long. */
const inputsPerCommit = 1000;

export function addJobRpcs(
  deps: InputDeps,
): ServicePart<Call, 'getInputsAddJob' | 'listInputsAddJobs' | 'cancelInputsAddJob'> {
  const { db } = deps;
  return {
    async getInputsAddJob(req, call) {
      const row = await findAddJob(db, call.app, req.id);
      if (!row) throw inputFault.missingJob(req.id);
      const [inputsAddJob] = await showAddJobs(deps, call.app, [row]);
      return { inputsAddJob };
    },

    /** Newest first. */
    async listInputsAddJobs(req, call) {
      const rows = await pageOfAddJobs(db, call.app, readPage(req));
      return { inputsAddJobs: await showAddJobs(deps, call.app, rows) };
    },

    /** Stops what has not begun; what is in progress comes to its end. Broken off, it can be asked for again. */
    async cancelInputsAddJob(req, call) {
      const job = await findAddJob(db, call.app, req.id);
      if (!job) throw inputFault.missingJob(req.id);
      await db.transaction(async (tx) => {
        const wasFed = (await deps.addJobHooks?.onCancelled(tx, call.app, job.key)) ?? false;
        // A job that is over stays what it was.
        const wasOpen = wasFed || job.pendingCount + job.inProgressCount > 0;
        if (wasOpen) await markCancelled(tx, call.app, job.key);
      });
      mayDie('cancel-marked');
      while ((await cancelSome(deps, call.app, job.key)) === inputsPerCommit) mayDie('cancel-half');
      const row = await findAddJob(db, call.app, req.id);
      const [inputsAddJob] = row ? await showAddJobs(deps, call.app, [row]) : [];
      return inputsAddJob ? { inputsAddJob } : {};
    },
  };
}

function cancelSome({ db }: InputDeps, grant: AppGrant, addJobKey: number): Promise<number> {
  return db.transaction(async (tx) => {
    const keys = await pendingOf(tx, grant, addJobKey, inputsPerCommit);
    const locked = await lockInputs(tx, grant, keys);
    const pending = locked.filter(({ statusCode }) => statusCode === inputStatus.pending);
    await move(tx, grant, pending, () => ({
      statusCode: inputStatus.failed,
      details: 'Its add job was cancelled before this input was processed.',
    }));
    return keys.length;
  });
}

/** Add jobs as the contract shows them, with what other families know of them. */
export async function showAddJobs(
  { db, addJobHooks }: Pick<InputDeps, 'addJobHooks'> & { db: Parameters<typeof findAddJob>[0] },
  grant: AppGrant,
  rows: readonly AddJobRow[],
): Promise<InputsAddJob[]> {
  const parts = await addJobHooks?.partsOf(
    db,
    grant,
    rows.map(({ key }) => key),
  );
  return rows.map((row) => showAddJob(row, parts?.get(row.key)));
}
