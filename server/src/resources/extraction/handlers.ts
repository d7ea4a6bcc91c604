import type { InputsUpload, ServicePart } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { readPage } from '#domain/page.ts';
import type { Tx } from '#store/postgres/index.ts';
import { commonFault } from '../common/faults.ts';
import { findDatasetKeys } from '../datasets/index.ts';
import { type AddJobRow, insertAddJob, showAddJobs } from '../inputs/index.ts';
import { addUploads, readUpload, uploadLimitsOf } from '../uploads/index.ts';
import { partsOf } from './add-job-parts.ts';
import type { ExtractionDeps } from './deps.ts';
import { cancelJobs } from './ends.ts';
import { extractionFault } from './faults.ts';
import { startJob } from './jobs.ts';
import { readSource, sealSource } from './source.ts';
import { findJob, insertArchives, insertJob, jobsByIds, lockOpenJobs, pageOfJobs } from './store.ts';
import { readTemplate, templateOf } from './template.ts';
import { showJob } from './translate.ts';

type Rpc =
  | 'postInputsUploads'
  | 'postInputsDataSources'
  | 'getInputsExtractionJob'
  | 'listInputsExtractionJobs'
  | 'cancelInputsExtractionJobs';

const itemsMax = 128;

export function extractionHandlers(deps: ExtractionDeps): ServicePart<Call, Rpc> {
  const { db } = deps;
  const hooks = { partsOf: partsOf(deps), onCancelled: async () => false };
  const show = async (grant: AppGrant, rows: readonly AddJobRow[]) => ({
    inputsAddJobs: await showAddJobs({ db, addJobHooks: hooks }, grant, rows),
  });
  return {
    /** All or nothing. Each upload is filled by PutUploadContentParts; its last byte starts the extraction. */
    async postInputsUploads(req, call) {
      checkCount('inputs_uploads', req.inputsUploads.length);
      const wanted = req.inputsUploads.map((one) => readInputsUpload(deps, one));
      const rows = await db.transaction(async (tx) => {
        await checkDatasets(tx, call.app, wanted);
        const uploads = await addUploads(
          deps,
          tx,
          call.app,
          wanted.map(({ upload }) => upload),
        );
        const jobs: AddJobRow[] = [];
        for (const [i, { addJobId, inputTemplate, conflictResolution }] of wanted.entries()) {
          const addJob = await addJobOf(tx, call.app, addJobId);
          const upload = uploads[i] as (typeof uploads)[number];
          const rest = { inputTemplate, conflictResolution, callBackUrl: '', url: '', source: null };
          const made = { id: newId(), addJobKey: addJob.key, uploadKey: upload.key, ...rest };
          const { key } = await insertJob(tx, call.app, made);
          await insertArchives(tx, call.app, key, [
            { name: upload.contentName || upload.id, depth: 0, object: null },
          ]);
          jobs.push(addJob);
        }
        return jobs;
      });
      return show(call.app, rows);
    },

    /** All or nothing; what the sources hold comes by jobs. Credentials are kept encrypted, and only until then. */
    async postInputsDataSources(req, call) {
      checkCount('data_sources', req.dataSources.length);
      const callBackUrl = readCallBackUrl(req.callBackUrl);
      const wanted = req.dataSources.map((one) => ({
        addJobId: readAddJobId(one.inputsAddJobId),
        inputTemplate: readTemplate(one.inputTemplate),
        conflictResolution: one.inputIdConflictResolution,
        ...readSource(one),
      }));
      const rows = await db.transaction(async (tx) => {
        await checkDatasets(tx, call.app, wanted);
        const jobs: AddJobRow[] = [];
        for (const { addJobId, inputTemplate, conflictResolution, source, shownUrl } of wanted) {
          const addJob = await addJobOf(tx, call.app, addJobId);
          const rest = { inputTemplate, conflictResolution, callBackUrl, url: shownUrl };
          const sealed = sealSource(deps.sealer, source);
          const made = { id: newId(), addJobKey: addJob.key, uploadKey: null, source: sealed, ...rest };
          await startJob(tx, call.app, (await insertJob(tx, call.app, made)).key);
          jobs.push(addJob);
        }
        mayDie('extraction-queued');
        return jobs;
      });
      return show(call.app, rows);
    },

    async getInputsExtractionJob(req, call) {
      const row = await findJob(db, call.app, req.inputsExtractionJobId);
      if (!row) throw extractionFault.missing(req.inputsExtractionJobId);
      return { inputsExtractionJob: showJob(row) };
    },

    /** Newest first. */
    async listInputsExtractionJobs(req, call) {
      const rows = await pageOfJobs(db, call.app, readPage(req));
      return { inputsExtractionJobs: rows.map(showJob) };
    },

    /** Stops jobs; what they have added stays. One that is over stays what it was. All or nothing. */
    async cancelInputsExtractionJobs(req, call) {
      await db.transaction(async (tx) => {
        const found = new Set((await jobsByIds(tx, call.app, req.ids)).map(({ id }) => id));
        const missing = req.ids.find((id) => !found.has(id));
        if (missing !== undefined) throw extractionFault.missing(missing);
        const open = await lockOpenJobs(tx, call.app, { ids: req.ids });
        await cancelJobs(tx, call.app, open, 'It was cancelled; what it had added stays.');
      });
      const rows = new Map((await jobsByIds(db, call.app, req.ids)).map((row) => [row.id, row]));
      return { inputsExtractionJobs: req.ids.flatMap((id) => rows.get(id) ?? []).map(showJob) };
    },
  };
}

function checkCount(field: string, n: number): void {
  if (n === 0) throw extractionFault.invalid(`${field} is empty.`);
  if (n > itemsMax) throw commonFault.tooMany(field, n, itemsMax);
}

function readAddJobId(id: string): string {
  const trouble = idTrouble(id, 'inputs add job');
  if (trouble) throw extractionFault.invalid(trouble);
  return id || newId();
}

function readCallBackUrl(url: string): string {
  if (url === '') return url;
  if (url.length > 4096 || !/^https?:\/\//.test(url) || !URL.canParse(url))
    throw extractionFault.invalid('call_back_url must be a URL that begins with https:// or http://.');
  return url;
}

function readInputsUpload(deps: ExtractionDeps, one: InputsUpload) {
  if (!one.upload) throw extractionFault.invalid('inputs_uploads: upload is missing.');
  return {
    addJobId: readAddJobId(one.inputsAddJobId),
    upload: readUpload(one.upload, uploadLimitsOf(deps).uploadBytesMax),
    inputTemplate: readTemplate(one.inputTemplate),
    conflictResolution: one.inputIdConflictResolution,
  };
}

/** A template that names a dataset which does not exist would sink every single input. */
async function checkDatasets(
  tx: Tx,
  grant: AppGrant,
  wanted: readonly { inputTemplate: Buffer }[],
): Promise<void> {
  const ids = [...new Set(wanted.flatMap(({ inputTemplate }) => templateOf(inputTemplate).datasetIds))];
  if (ids.length === 0) return;
  const keys = await findDatasetKeys(tx, grant, ids);
  const missing = ids.find((id) => !keys.has(id));
  if (missing !== undefined) throw extractionFault.noSuchDataset(missing);
}

async function addJobOf(tx: Tx, grant: AppGrant, id: string): Promise<AddJobRow> {
  const made = await insertAddJob(tx, grant, id);
  if (!made) throw extractionFault.jobExists(id);
  return made;
}
