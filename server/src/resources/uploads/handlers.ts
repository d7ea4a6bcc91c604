import type { PutUploadContentPartsRequest, ServicePart } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { readPage } from '#domain/page.ts';
import { enqueue } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import { commonFault } from '../common/faults.ts';
import { keepPart } from './content.ts';
import type { UploadDeps } from './deps.ts';
import { uploadFault } from './faults.ts';
import { freeingJob } from './jobs.ts';
import { openPart, takeParts } from './parts.ts';
import {
  deleteUploadRows,
  endUploads,
  findUpload,
  insertUploads,
  lockKeptBytes,
  lockUploads,
  type NewUpload,
  pageOfUploads,
  type UploadRow,
} from './store.ts';
import { readUpload, showUpload } from './translate.ts';
import { defaultUploadLimits, type Part, uploadStatus } from './upload.ts';

type Rpc = 'postUploads' | 'putUploadContentParts' | 'getUpload' | 'listUploads' | 'deleteUploads';

const itemsMax = 128;

export function uploadHandlers(deps: UploadDeps): ServicePart<Call, Rpc> {
  const { db } = deps;
  const show = (row: UploadRow, grant: AppGrant) => showUpload(row, grant, deps.publicUrl(grant));
  return {
    /** All or nothing. */
    async postUploads(req, call) {
      const { uploadBytesMax } = limitsOf(deps);
      if (req.uploads.length === 0) throw uploadFault.invalid('uploads is empty.');
      if (req.uploads.length > itemsMax) throw commonFault.tooMany('uploads', req.uploads.length, itemsMax);
      const wanted = req.uploads.map((one) => readUpload(one, uploadBytesMax));
      const made = await db.transaction((tx) => addUploads(deps, tx, call.app, wanted));
      return { uploads: made.map((row) => show(row, call.app)) };
    },

    /** Parts come in any order and as often as the caller likes. All parts of one request are taken, or none. */
    async putUploadContentParts(req, call) {
      return { upload: show(await putParts(deps, req, call), call.app) };
    },

    async getUpload(req, call) {
      const row = await findUpload(db, call.app, req.uploadId);
      if (!row) throw uploadFault.missing(req.uploadId);
      return { upload: show(row, call.app) };
    },

    /** Newest first. */
    async listUploads(req, call) {
      const rows = await pageOfUploads(db, call.app, readPage(req));
      return { uploads: rows.map((row) => show(row, call.app)) };
    },

    /**
     * One in progress is canceled and still shown as such until it expires, however often that is asked for; any other
     * is deleted. All or nothing.
     */
    async deleteUploads(req, call) {
      await db.transaction(async (tx) => {
        const found = await lockUploads(tx, call.app, req.ids);
        const missing = req.ids.find((id) => !found.some((row) => row.id === id));
        if (missing !== undefined) throw uploadFault.missing(missing);
        const going = found.filter((row) => row.statusCode !== uploadStatus.canceled);
        if (going.length === 0) return;
        const keysWhere = (isWanted: (row: UploadRow) => boolean) =>
          going.filter(isWanted).map(({ key }) => key);
        const isOpen = (row: UploadRow) => row.statusCode === uploadStatus.inProgress;
        await deps.onGone?.(
          tx,
          call.app,
          going.map(({ key }) => key),
          'was deleted',
        );
        await endUploads(tx, call.app, keysWhere(isOpen), uploadStatus.canceled);
        await deleteUploadRows(
          tx,
          call.app,
          keysWhere((row) => !isOpen(row)),
        );
        await enqueue(
          tx,
          going.map(({ folder }) => freeingJob(folder)),
        );
      });
      return {};
    },
  };
}

export const limitsOf = (deps: UploadDeps) => ({ ...defaultUploadLimits, ...deps.uploadLimits });

/** Begins uploads, within the app's quota. @throws Fault when an id is taken or the quota is used up */
export async function addUploads(
  deps: UploadDeps,
  tx: Tx,
  grant: AppGrant,
  wanted: readonly NewUpload[],
): Promise<UploadRow[]> {
  const { appBytesMax, lifetimeS } = limitsOf(deps);
  const asked = wanted.reduce((sum, { contentLength }) => sum + contentLength, 0);
  if ((await lockKeptBytes(tx, grant)) + asked > appBytesMax) throw uploadFault.quota(appBytesMax);
  const made = await insertUploads(tx, grant, wanted, lifetimeS);
  const refused = wanted.find((one) => !made.some(({ folder }) => folder === one.folder));
  if (refused) throw uploadFault.duplicateId(refused.id);
  return made;
}

async function putParts(deps: UploadDeps, req: PutUploadContentPartsRequest, call: Call): Promise<UploadRow> {
  if (req.contentParts.length === 0) throw uploadFault.invalid('content_parts is empty.');
  const places = req.contentParts.map(({ partNumber, rangeStart, data }) => ({
    partNumber: Number(partNumber),
    rangeStart: Number(rangeStart),
    sizeBytes: data.length,
  }));
  const folder = await openPart(deps, call.app, req.uploadId, places);
  const kept: Part[] = [];
  // One after the other: they are in memory already, and a disk writes no faster in turns.
  for (const [i, { data }] of req.contentParts.entries())
    kept.push(await keepPart(deps.objects, folder, places[i] as (typeof places)[number], data));
  mayDie('part-kept');
  return takeParts(deps, call.app, req.uploadId, folder, kept);
}
