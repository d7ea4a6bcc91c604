import { StatusCode } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue, type Job, type JobContext, type JobHandler } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import { endTraining, findVersionByKey, setProgress, type TrainingResult } from '../version-store.ts';
import type { TrainingDeps } from './deps.ts';
import { sweepParts } from './parts-store.ts';
import { trainVersion } from './train-version.ts';
import { TrainingTrouble } from './trouble.ts';

const trainKind = 'models.train';
export const sweepPartsKind = 'models.sweepParts';

/** Jobs of this family that are due again and again. */
export const trainingPeriodicJobs = [{ kind: sweepPartsKind, everyMs: 3_600_000 }];
const progressEveryMs = 500;

interface TrainPayload {
  readonly versionKey: number;
}

/** Queues the training of a version, in the transaction that makes it. */
export const enqueueTraining = (tx: Tx, grant: AppGrant, versionKey: number): Promise<void> =>
  enqueue(tx, {
    kind: trainKind,
    key: String(versionKey),
    payload: { versionKey },
    appKey: grant.appKey,
    maxAttempts: 3,
  });

/** The version, or its app, was deleted while it was trained: there is nobody left to train for. */
class VersionGone extends Error {}

/**
 * Trains model versions, one at a time. Killed half-way, a training begins again from the data; run twice, the
 * second run finds the version ended and does nothing. The end of the training and of the job commit together.
 */
export function trainingJobs(deps: TrainingDeps): Record<string, JobHandler> {
  return {
    [trainKind]: {
      concurrency: 1,
      run: ([job], context) => runTraining(deps, job as Job<TrainPayload>, context),
      async onDead(job, error, tx) {
        const grant = job.appKey === null ? undefined : await deps.jobGrant(job.appKey);
        const { versionKey } = job.payload as TrainPayload;
        if (!grant) return;
        await endTraining(tx, grant, versionKey, {
          code: StatusCode.MODEL_TRAINING_FAILED,
          details: 'The training failed on the server; post a version to try again.',
          log: `${now()} failed: ${error}\n`,
        });
      },
    },
    [sweepPartsKind]: {
      async run(_jobs, { signal }) {
        const gone = await sweepParts(deps, signal);
        if (gone > 0) deps.log.info({ gone }, 'trained parts of versions that are gone were deleted');
      },
    },
  };
}

async function runTraining(deps: TrainingDeps, job: Job<TrainPayload>, context: JobContext): Promise<void> {
  const { versionKey } = job.payload;
  const grant = job.appKey === null ? undefined : await deps.jobGrant(job.appKey);
  const version = grant && (await findVersionByKey(deps.db, grant, versionKey));
  if (!grant || !version || !isOpen(version.statusCode)) return;
  const log = openLog();
  log.note(job.attempts > 1 ? `training begins again, attempt ${job.attempts}` : 'training begins');
  const report = openReport(deps, grant, versionKey, log.text);
  const beganAtMs = performance.now();
  let result: TrainingResult;
  try {
    await report(0);
    mayDie('training-begun');
    result = await trainVersion(deps, grant, version, {
      note: log.note,
      reached: report,
      signal: context.signal,
    });
    log.note('training ended well');
  } catch (error) {
    if (error instanceof VersionGone) return;
    if (!(error instanceof TrainingTrouble)) throw error;
    log.note(`training ended without a model: ${error.message}`);
    result = { code: error.code, details: error.message, log: '' };
  }
  await deps.db.transaction(async (tx) => {
    const tookMs = Math.round(performance.now() - beganAtMs);
    await endTraining(tx, grant, versionKey, { ...result, log: log.text(), tookMs });
    mayDie('training-ended');
    await context.complete(tx, [job]);
  });
}

const isOpen = (code: number): boolean =>
  code === StatusCode.MODEL_QUEUED_FOR_TRAINING || code === StatusCode.MODEL_TRAINING;

const now = () => new Date().toISOString();

function openLog() {
  let lines = '';
  return {
    note(line: string) {
      lines += `${now()} ${line}\n`;
    },
    text: () => lines,
  };
}

/** Writes progress down, not more often than anybody looks. @throws VersionGone when there is nothing to write to */
function openReport({ db }: TrainingDeps, grant: AppGrant, versionKey: number, logText: () => string) {
  let writtenAtMs = Number.NEGATIVE_INFINITY;
  return async (fraction: number): Promise<void> => {
    if (performance.now() - writtenAtMs < progressEveryMs) return;
    writtenAtMs = performance.now();
    const percent = Math.min(99, Math.floor(fraction * 100));
    if (!(await setProgress(db, grant, versionKey, percent, logText()))) throw new VersionGone();
  };
}
