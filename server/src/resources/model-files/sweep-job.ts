import { StatusCode } from '@fovea/contract';
import type { JobHandler } from '#jobs/index.ts';
import { setUploadStatus } from '../models/index.ts';
import { packageKey } from './build-version.ts';
import type { ModelFileDeps } from './deps.ts';
import { exportsFolder } from './export-job.ts';
import type { PackageFolders } from './package-folders.ts';
import {
  addLog,
  deleteUpload,
  forgetPackage,
  lockUnusedPackage,
  staleUploads,
  unusedObjects,
  unusedPackages,
} from './store.ts';
import { partsFolder } from './upload-handler.ts';

const sweepKind = 'models.sweepFiles';
export const modelFilePeriodicJobs = [{ kind: sweepKind, everyMs: 3_600_000 }];

const uploadAgeS = 7 * 24 * 3600;
const objectsPerLook = 500;
/** A part or an export in the making may be this old before its row says where it is. */
const objectAgeMsMin = 3 * 3_600_000;

/** Gives up uploads that nobody goes on with, and deletes packages, parts and exports that nothing refers to any more. */
export const sweepJobs = (
  deps: ModelFileDeps & { readonly packageFolders: PackageFolders },
): Record<string, JobHandler> => ({
  [sweepKind]: {
    async run(_jobs, { signal }) {
      await giveUpUploads(deps);
      for (const folder of [partsFolder, exportsFolder]) await sweepFolder(deps, folder, signal);
      for (const { sha } of await unusedPackages(deps.db)) {
        signal.throwIfAborted();
        await deps.db.transaction(async (tx) => {
          if (!(await lockUnusedPackage(tx, sha))) return;
          await deps.objects.delete(packageKey(sha.toString('hex')));
          await forgetPackage(tx, sha);
        });
      }
      const { objects, packageFolders } = deps;
      await packageFolders.sweep(
        async (sha) => /^[0-9a-f]{64}$/.test(sha) && (await objects.stat(packageKey(sha))) !== undefined,
      );
    },
  },
});

async function giveUpUploads({ db, jobGrant }: ModelFileDeps): Promise<void> {
  for (const { appKey, versionKey } of await staleUploads(db, uploadAgeS)) {
    const grant = await jobGrant(appKey);
    if (!grant) continue;
    await db.transaction(async (tx) => {
      await addLog(tx, versionKey, ['the upload was given up: nobody went on with it for a week']);
      await setUploadStatus(tx, grant, versionKey, {
        code: StatusCode.MODEL_UPLOADING_FAILED,
        details: 'Nobody went on with the upload for a week.',
      });
      await deleteUpload(tx, grant, versionKey);
    });
  }
}

async function sweepFolder(
  { db, objects }: ModelFileDeps,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  for (let after = ''; ; ) {
    signal.throwIfAborted();
    const found = await objects.list(folder, after, objectsPerLook);
    const old = found.filter(({ modifiedAt }) => Date.now() - modifiedAt.getTime() > objectAgeMsMin);
    for (const key of await unusedObjects(
      db,
      old.map((one) => one.key),
    ))
      await objects.delete(key);
    if (found.length < objectsPerLook) return;
    after = found.at(-1)?.key ?? '';
  }
}
