import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StatusCode } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { PackageFault } from '#engine/index.ts';
import { enqueue, type Job, type JobContext, type JobHandler } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import { endBuild, findVersionByKey, setUploadStatus } from '../models/index.ts';
import { buildVersion } from './build-version.ts';
import type { ModelFileDeps } from './deps.ts';
import { BuildTrouble } from './faults.ts';
import { addLog, deleteUpload, partsOf } from './store.ts';

const buildKind = 'models.build';
export const freeKind = 'models.freeUploads';

interface BuildPayload {
  readonly versionKey: number;
}

/** Queues the building of an uploaded version, in the transaction that takes its last part. */
export const enqueueBuild = (tx: Tx, grant: AppGrant, versionKey: number): Promise<void> =>
  enqueue(tx, {
    kind: buildKind,
    key: String(versionKey),
    payload: { versionKey },
    appKey: grant.appKey,
    maxAttempts: 3,
  });

/**
 * Builds uploaded versions: unpacks, checks, tries out, and stores them. Killed half-way, a build begins again from the
 * parts; run twice, the second run finds the version ended.
 */
export function buildJobs(deps: ModelFileDeps): Record<string, JobHandler> {
  return {
    [buildKind]: {
      concurrency: 1,
      run: ([job], context) => runBuild(deps, job as Job<BuildPayload>, context),
      async onDead(job, error, tx) {
        const grant = job.appKey === null ? undefined : await deps.jobGrant(job.appKey);
        const { versionKey } = job.payload as BuildPayload;
        if (!grant) return;
        await addLog(tx, versionKey, [`failed on the server: ${error}`]);
        await setUploadStatus(tx, grant, versionKey, {
          code: StatusCode.MODEL_BUILDING_FAILED,
          details: 'The model could not be built on the server; upload it again.',
        });
      },
    },
    [freeKind]: {
      async run(jobs) {
        for (const job of jobs) {
          const { keys } = job.payload as { keys: readonly string[] };
          for (const key of keys) await deps.objects.delete(key);
        }
      },
    },
  };
}

async function runBuild(deps: ModelFileDeps, job: Job<BuildPayload>, context: JobContext): Promise<void> {
  const { db } = deps;
  const { versionKey } = job.payload;
  const grant = job.appKey === null ? undefined : await deps.jobGrant(job.appKey);
  const version = grant && (await findVersionByKey(db, grant, versionKey));
  if (!grant || version?.statusCode !== StatusCode.MODEL_BUILDING) return;
  const folder = join(deps.workDir, `build-${versionKey}`);
  const log = (...lines: string[]) => addLog(db, versionKey, lines);
  await log(job.attempts > 1 ? `building begins again, attempt ${job.attempts}` : 'building begins');
  mayDie('model-build-begun');
  try {
    await rm(folder, { recursive: true, force: true });
    const built = await buildVersion(deps, { grant, version, folder, log, signal: context.signal });
    await finish(deps, grant, versionKey, context, job, async (tx) => {
      await endBuild(tx, grant, versionKey, built);
      await addLog(tx, versionKey, ['the model is ready']);
    });
  } catch (error) {
    if (!(error instanceof BuildTrouble || error instanceof PackageFault)) throw error;
    const details =
      error instanceof BuildTrouble ? `The upload is refused: ${error.message}.` : error.message;
    await log(details);
    await finish(deps, grant, versionKey, context, job, (tx) =>
      setUploadStatus(tx, grant, versionKey, { code: StatusCode.MODEL_BUILDING_FAILED, details }),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The end of the version, of its upload and of the job commit together; then the parts go. */
async function finish(
  { db }: ModelFileDeps,
  grant: AppGrant,
  versionKey: number,
  context: JobContext,
  job: Job,
  end: (tx: Tx) => Promise<unknown>,
): Promise<void> {
  await db.transaction(async (tx) => {
    await end(tx);
    const keys = (await partsOf(tx, grant, versionKey)).map(({ objectKey }) => objectKey);
    await deleteUpload(tx, grant, versionKey);
    await enqueue(tx, { kind: freeKind, payload: { keys }, priority: -10 });
    mayDie('model-build-ended');
    await context.complete(tx, [job]);
  });
}
