import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue } from '#jobs/index.ts';
import { bumpSearchRevision } from '../annotations/index.ts';
import { deleteFromVersions } from '../datasets/index.ts';
import { shiftCounts } from './add-jobs-store.ts';
import type { InputDeps } from './deps.ts';
import { freeingJobs } from './free-media.ts';
import { shiftsOf } from './process.ts';
import { deleteInputRows, findInputs, lockInputs } from './store.ts';

/** Rows per transaction: a deletion of thousands must not hold the app's tallies for long. */
const inputsPerCommit = 1000;

/**
 * Deletes inputs with all that hangs on them; ids that do not exist are ignored. Their media are freed by a job, those
 * that a dataset version holds once its time to keep them is over.
 */
export async function deleteInputs(deps: InputDeps, grant: AppGrant, ids: readonly string[]): Promise<void> {
  for (let at = 0; at < ids.length; at += inputsPerCommit) {
    await deleteSome(deps, grant, ids.slice(at, at + inputsPerCommit));
  }
}

function deleteSome(deps: InputDeps, grant: AppGrant, ids: readonly string[]): Promise<void> {
  return deps.db.transaction(async (tx) => {
    const found = await findInputs(tx, grant, ids);
    const locked = await lockInputs(
      tx,
      grant,
      found.map(({ key }) => key),
    );
    if (locked.length === 0) return;
    await shiftCounts(tx, grant, shiftsOf(locked.map((input) => ({ ...input, to: undefined }))));
    mayDie('delete-counted');
    const keys = locked.map(({ key }) => key);
    // Before the rows go: they say which datasets had them.
    await deps.archiveHooks?.onDelete(tx, grant, keys);
    await deleteFromVersions(tx, grant, keys, deps.deletedKeptMs);
    mayDie('delete-versions');
    await deleteInputRows(tx, grant, keys);
    await bumpSearchRevision(tx, grant);
    mayDie('delete-done');
    await enqueue(tx, freeingJobs(locked.map(({ mediaSha }) => mediaSha)));
  });
}
