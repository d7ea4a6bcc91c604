import { Fault } from '#domain/fault.ts';
import type { AppGrant, Caller } from '#domain/grant.ts';
import { enqueue, type JobHandler } from '#jobs/index.ts';
import type { Queryable } from '#store/postgres/index.ts';
import type { TransferParts } from './deps.ts';
import { runExport } from './export-job.ts';
import { type ImportRun, runImport, TransferCancelled, TransferRefused } from './import-job.ts';
import { archivesOfApp, dropArchivesWith, takeStep, transferByKey } from './store.ts';
import { isOpen } from './transfer.ts';

const runKind = 'transfers.run';
const freeKind = 'transfers.free';
const waitMs = 500;

interface Payload {
  readonly transferKey: number;
  /** Who asked; what is written is put down to them. */
  readonly asked: Pick<Caller, 'userKey' | 'userId'>;
}

/** Takes part in the caller's transaction. */
export function enqueueTransfer(
  tx: Queryable,
  grant: AppGrant,
  transferKey: number,
  runAt?: Date,
): Promise<void> {
  const { userKey, userId } = grant.caller;
  return enqueue(tx, {
    kind: runKind,
    key: String(transferKey),
    payload: { transferKey, asked: { userKey, userId } } satisfies Payload,
    appKey: grant.appKey,
    ...(runAt ? { runAt } : {}),
  });
}

/** For the transaction in which an app's rows go: what it wrote follows. */
export async function freeTransfersOfApp(tx: Queryable, appKey: number): Promise<void> {
  const objectKeys = await archivesOfApp(tx, appKey);
  if (objectKeys.length > 0) await enqueue(tx, { kind: freeKind, payload: { objectKeys }, priority: -10 });
}

/**
 * For the transaction that deletes inputs, before their rows go: archives of datasets that held them go too, and one
 * that is being written ends.
 */
export async function dropArchivesOfInputs(
  tx: Queryable,
  grant: AppGrant,
  inputKeys: readonly number[],
): Promise<void> {
  const objectKeys = await dropArchivesWith(tx, grant, inputKeys);
  if (objectKeys.length > 0) await enqueue(tx, { kind: freeKind, payload: { objectKeys }, priority: -10 });
}

export const transferJobs = (parts: TransferParts): Record<string, JobHandler> => ({
  [runKind]: {
    concurrency: 2,
    /** Goes on where the cursor stands; what a run left half is made whole by the next. */
    async run([job], context) {
      if (!job || job.appKey === null) return;
      const { transferKey, asked } = job.payload as Payload;
      const grant = await parts.jobGrant(job.appKey, asked);
      const row = grant && (await transferByKey(parts.db, grant, transferKey));
      if (!grant || !row || !isOpen(row)) return;
      await takeStep(parts.db, grant, row.key, { state: 'running' });
      const outcome = await attempt({ parts, grant, row, signal: context.signal });
      await parts.db.transaction(async (tx) => {
        if (outcome === 'waiting') await enqueueTransfer(tx, grant, row.key, new Date(Date.now() + waitMs));
        else await takeStep(tx, grant, row.key, outcome);
        await context.complete(tx, [job]);
      });
    },
    async onDead(job, error, tx) {
      const { transferKey, asked } = job.payload as Payload;
      const grant = job.appKey === null ? undefined : await parts.jobGrant(job.appKey, asked);
      if (grant)
        await takeStep(tx, grant, transferKey, {
          state: 'failed',
          reason: `It was tried several times and ended each time: ${error}`,
        });
    },
  },
  [freeKind]: {
    async run(jobs) {
      for (const { payload } of jobs)
        for (const key of payload.objectKeys as readonly string[]) await parts.objects.delete(key);
    },
  },
});

async function attempt(run: ImportRun): Promise<'waiting' | Parameters<typeof takeStep>[3]> {
  try {
    const ended = await (run.row.kind === 'export' ? runExport(run) : runImport(run));
    return ended === 'waiting' ? 'waiting' : { state: 'done' };
  } catch (error) {
    if (error instanceof TransferCancelled) return {};
    if (error instanceof TransferRefused) return { state: 'failed', reason: error.message };
    if (error instanceof Fault && error.kind !== 'internal')
      return { state: 'failed', reason: error.details };
    throw error;
  }
}
