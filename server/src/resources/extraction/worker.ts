import { toJson } from '@bufbuild/protobuf';
import { InputsAddJobSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue, type Job, type JobContext, type JobHandler } from '#jobs/index.ts';
import { FetchFault } from '#store/fetcher/index.ts';
import { addJobByKey, showAddJobs } from '../inputs/index.ts';
import { partsOf } from './add-job-parts.ts';
import type { Run } from './batch.ts';
import type { ExtractionDeps } from './deps.ts';
import { endThem } from './ends.ts';
import { isOver, jobStatus, TooMuch } from './extraction.ts';
import {
  callBackJob,
  callBackKind,
  extractKind,
  freeKind,
  type KeyPayload,
  scratchPrefix,
  startJob,
  sweepKind,
} from './jobs.ts';
import { ListingFailed, takePage } from './list-source.ts';
import { faultsOf, type JobRow, jobByKey, lockJob, nextArchive, setStatus, unknownObjects } from './store.ts';
import { templateOf } from './template.ts';
import { unpack } from './unpack.ts';

/** Jobs of this family by kind, for the worker. */
export const extractionJobs = (deps: ExtractionDeps): Record<string, JobHandler> => ({
  [extractKind]: extractHandler(deps),
  [freeKind]: freeHandler(deps),
  [sweepKind]: sweepHandler(deps),
  [callBackKind]: callBackHandler(deps),
});

export const extractionPeriodicJobs = [{ kind: sweepKind, everyMs: 24 * 3_600_000 }];

/** After this long a job makes room for others between two archives or pages. */
const turnMsMax = 20_000;

/**
 * Extracts inputs. Each commit moves a cursor with the inputs that it adds, so that a run that begins anew, after a
 * crash or by a second worker, goes on where the last commit was and adds nothing twice.
 */
function extractHandler(deps: ExtractionDeps): JobHandler<KeyPayload> {
  async function run([job]: Job<KeyPayload>[], context: JobContext): Promise<void> {
    if (!job?.appKey) return;
    const grant = await deps.jobGrant(job.appKey);
    // The app is gone, and the job with it.
    if (!grant) return;
    const { jobKey } = job.payload;
    const until = Date.now() + turnMsMax;
    try {
      while (Date.now() < until) if (!(await step(deps, grant, jobKey, context.signal))) return;
    } catch (thrown) {
      // A host that nobody reaches is the owner's to mend: they are told, and the queue has nothing to give up.
      if (!(thrown instanceof FetchFault) || job.attempts < job.maxAttempts) throw thrown;
      const statusCode = (row: JobRow) => (isListing(row) ? jobStatus.listingFailed : jobStatus.failed);
      return end(deps, grant, jobKey, statusCode, `It was given up after several tries. ${thrown.message}`);
    }
    await deps.db.transaction(async (tx) => {
      await context.complete(tx, [job]);
      await startJob(tx, grant, jobKey);
    });
  }

  /** Gives up: what was added stays. */
  async function onDead(
    job: Job<KeyPayload>,
    error: string,
    tx: Parameters<typeof endThem>[0],
  ): Promise<void> {
    const grant = job.appKey === null ? undefined : await deps.jobGrant(job.appKey);
    const row = grant && (await lockJob(tx, grant, job.payload.jobKey));
    if (!grant || !row || isOver(row.statusCode)) return;
    deps.log.error({ kind: extractKind, job: row.id, error }, 'inputs could not be extracted');
    const code = isListing(row) ? jobStatus.listingFailed : jobStatus.failed;
    const words = 'It was given up after several tries. The log of the server says why.';
    await endThem(tx, grant, [row], code, words);
  }

  return { concurrency: 2, run, onDead };
}

/** One archive, or one page of a source. @returns false when there is nothing left to do */
async function step(
  deps: ExtractionDeps,
  grant: AppGrant,
  jobKey: number,
  signal: AbortSignal,
): Promise<boolean> {
  signal.throwIfAborted();
  const job = await jobByKey(deps.db, grant, jobKey);
  if (!job || isOver(job.statusCode)) return false;
  const addJob = await addJobByKey(deps.db, grant, job.addJobKey);
  if (!addJob) return false;
  if (job.statusCode === jobStatus.queued) await begin(deps, grant, jobKey);
  const run: Run = { deps, grant, job, addJobId: addJob.id, template: templateOf(job.inputTemplate), signal };
  try {
    const archive = await nextArchive(deps.db, grant, jobKey);
    if (archive) return await unpack(run, archive);
    if (!job.isListed) return await takePage(run);
    await finish(deps, grant, jobKey);
  } catch (thrown) {
    if (thrown instanceof ListingFailed)
      await end(deps, grant, jobKey, () => jobStatus.listingFailed, thrown.message);
    else if (thrown instanceof TooMuch)
      await end(deps, grant, jobKey, () => jobStatus.archiveFailed, thrown.message);
    else throw thrown;
  }
  return false;
}

function begin(deps: ExtractionDeps, grant: AppGrant, jobKey: number): Promise<void> {
  return deps.db.transaction(async (tx) => {
    const locked = await lockJob(tx, grant, jobKey);
    if (locked?.statusCode === jobStatus.queued) await setStatus(tx, grant, [jobKey], jobStatus.running, '');
  });
}

function end(
  deps: ExtractionDeps,
  grant: AppGrant,
  jobKey: number,
  statusCode: (row: JobRow) => number,
  details: string,
): Promise<void> {
  return deps.db.transaction(async (tx) => {
    const locked = await lockJob(tx, grant, jobKey);
    if (locked && !isOver(locked.statusCode)) await endThem(tx, grant, [locked], statusCode(locked), details);
  });
}

/** What is at a source is not known yet. */
const isListing = (row: JobRow): boolean => row.source !== null && !row.isListed;

function finish(deps: ExtractionDeps, grant: AppGrant, jobKey: number): Promise<void> {
  return deps.db.transaction(async (tx) => {
    const locked = await lockJob(tx, grant, jobKey);
    if (!locked || isOver(locked.statusCode)) return;
    const [first] = await faultsOf(tx, grant, jobKey, 0, 1);
    await endThem(tx, grant, [locked], codeOf(locked), wordsOf(locked, first));
  });
}

const inputsOf = (job: JobRow): number => job.audioCount + job.imageCount + job.videoCount + job.textCount;

/** Failed only where an archive was, and nothing good came of the whole. */
const codeOf = (job: JobRow): number =>
  job.failedArchives > 0 && job.completedArchives === 0 && inputsOf(job) === 0
    ? jobStatus.archiveFailed
    : jobStatus.completed;

function wordsOf(job: JobRow, first: { name: string; details: string } | undefined): string {
  if (!first) return inputsOf(job) === 0 ? 'Nothing was found there that becomes an input.' : '';
  const others = job.faultCount === 1 ? '' : `, and ${job.faultCount - 1} more`;
  const why = first.details.replace(/\.$/, '');
  return `${job.faultCount} ${job.faultCount === 1 ? 'file' : 'files'} came to no input: ${first.name}: ${why}${others}.`.slice(
    0,
    1000,
  );
}

function freeHandler({ objects }: ExtractionDeps): JobHandler {
  return {
    async run(jobs) {
      for (const { payload } of jobs)
        await objects.delete(scratchPrefix + (payload as { object: string }).object);
    },
  };
}

const sweepAgeMsMin = 24 * 3_600_000;
const objectsPerLook = 500;

/** Removes copies that a crash left behind. */
function sweepHandler({ db, objects }: ExtractionDeps): JobHandler {
  return {
    async run(_jobs, { signal }) {
      for (let after = ''; ; ) {
        signal.throwIfAborted();
        const found = await objects.list(scratchPrefix, after, objectsPerLook);
        const old = found.filter(({ modifiedAt }) => Date.now() - modifiedAt.getTime() > sweepAgeMsMin);
        const names = old.map(({ key }) => key.slice(scratchPrefix.length));
        for (const object of await unknownObjects(db, names)) await objects.delete(scratchPrefix + object);
        if (found.length < objectsPerLook) return;
        after = found.at(-1)?.key ?? '';
      }
    },
  };
}

const callBackPauseMs = 2_000;
const callBackAgeMsMax = 24 * 3_600_000;

/** Posts the add job, as REST shows it, when all its inputs are processed; a day later at the latest. */
function callBackHandler(deps: ExtractionDeps): JobHandler<KeyPayload> {
  return {
    concurrency: 2,
    async run([job], context) {
      const grant = job?.appKey ? await deps.jobGrant(job.appKey) : undefined;
      const row = grant && job && (await jobByKey(deps.db, grant, job.payload.jobKey));
      const addJob = row && (await addJobByKey(deps.db, grant, row.addJobKey));
      if (!grant || !job || !row || !addJob) return;
      const isOpen = addJob.pendingCount + addJob.inProgressCount > 0;
      if (isOpen && Date.now() - row.modifiedAt.getTime() < callBackAgeMsMax) {
        await deps.db.transaction(async (tx) => {
          await context.complete(tx, [job]);
          await enqueue(tx, callBackJob(grant, row.key, new Date(Date.now() + callBackPauseMs)));
        });
        return;
      }
      const hooks = { partsOf: partsOf(deps), onCancelled: async () => false };
      const [shown] = await showAddJobs({ db: deps.db, addJobHooks: hooks }, grant, [addJob]);
      if (!shown) return;
      const body = {
        inputs_add_job: toJson(InputsAddJobSchema, shown, { useProtoFieldName: true, enumAsInteger: true }),
      };
      await deps.fetcher.fetch(row.callBackUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        sizeBytesMax: 2 ** 20,
        signal: context.signal,
      });
    },
  };
}
