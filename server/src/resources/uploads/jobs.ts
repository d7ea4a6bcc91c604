import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { JobHandler, NewJob } from '#jobs/index.ts';
import { enqueue } from '#jobs/index.ts';
import { dropFolder, uploadsPrefix } from './content.ts';
import type { UploadDeps } from './deps.ts';
import { appsWithExpired, deleteUploadRows, endUploads, lockExpired, unknownFolders } from './store.ts';
import { uploadStatus } from './upload.ts';

const freeKind = 'uploads.free';
const expireKind = 'uploads.expire';
const sweepKind = 'uploads.sweep';

/** Removes the bytes of an upload whose row lets go of them, for that transaction. */
export const freeingJob = (folder: string): NewJob => ({
  kind: freeKind,
  payload: { folder },
  priority: -10,
});

/** Jobs of this family by kind, for the worker. */
export const uploadJobs = (deps: UploadDeps): Record<string, JobHandler> => ({
  [freeKind]: freeHandler(deps),
  [expireKind]: expireHandler(deps),
  [sweepKind]: sweepHandler(deps),
});

/** Expiry comes soon after its time; the sweep only finds what crashes left behind. */
export const uploadPeriodicJobs = [
  { kind: expireKind, everyMs: 60_000 },
  { kind: sweepKind, everyMs: 24 * 3_600_000 },
];

/** Deletes a folder. Run twice, it finds nothing. */
function freeHandler({ objects }: UploadDeps): JobHandler {
  return {
    async run(jobs) {
      for (const { payload } of jobs) await dropFolder(objects, (payload as { folder: string }).folder);
    },
  };
}

const expiredAtOnce = 100;

/** Ends what has had its time; what ended a week ago is forgotten altogether. */
function expireHandler(deps: UploadDeps): JobHandler {
  return {
    async run(_jobs, { signal }) {
      for (const appKey of await appsWithExpired(deps.db)) {
        const grant = await deps.jobGrant(appKey);
        while (grant && (await expireSome(deps, grant)) === expiredAtOnce) signal.throwIfAborted();
      }
    },
  };
}

function expireSome(deps: UploadDeps, grant: AppGrant): Promise<number> {
  return deps.db.transaction(async (tx) => {
    const found = await lockExpired(tx, grant, expiredAtOnce);
    const isOver = (code: number) => code === uploadStatus.canceled;
    const weekAgo = Date.now() - 7 * 24 * 3_600_000;
    const old = found.filter(
      ({ expiresAt, statusCode }) => expiresAt.getTime() <= weekAgo || isOver(statusCode),
    );
    const due = found.filter((row) => !old.includes(row));
    const keys = (rows: typeof found) => rows.map(({ key }) => key);
    if (due.length > 0) await deps.onGone?.(tx, grant, keys(due), 'has expired');
    await endUploads(tx, grant, keys(due), uploadStatus.expired);
    await deleteUploadRows(tx, grant, keys(old));
    mayDie('uploads-expired');
    await enqueue(
      tx,
      found.map(({ folder }) => freeingJob(folder)),
    );
    return found.length;
  });
}

/** A part may lie for a while before its row is committed; nothing younger than this is swept. */
const sweepAgeMsMin = 24 * 3_600_000;
const objectsPerLook = 500;

/** Frees what belongs to no upload: parts of a crash, and those of apps that are gone. */
function sweepHandler({ db, objects }: UploadDeps): JobHandler {
  return {
    async run(_jobs, { signal }) {
      for (let after = ''; ; ) {
        signal.throwIfAborted();
        const found = await objects.list(uploadsPrefix, after, objectsPerLook);
        const folderOf = (key: string) => key.slice(uploadsPrefix.length).split('/')[0] as string;
        const old = found.filter(({ modifiedAt }) => Date.now() - modifiedAt.getTime() > sweepAgeMsMin);
        const unknown = new Set(await unknownFolders(db, [...new Set(old.map(({ key }) => folderOf(key)))]));
        for (const { key } of old) if (unknown.has(folderOf(key))) await objects.delete(key);
        if (found.length < objectsPerLook) return;
        after = found.at(-1)?.key ?? '';
      }
    },
  };
}
