import type { ServicePart } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { readPage } from '#domain/page.ts';
import { addJobRpcs } from './add-job-handlers.ts';
import { deleteInputs } from './delete-inputs.ts';
import type { InputDeps } from './deps.ts';
import { inputFault } from './faults.ts';
import { inputStatus } from './input.ts';
import { patchInputs } from './patch-inputs.ts';
import { postInputs } from './post-inputs.ts';
import { findInputKey, inputById, inputsBehind, inputsByKeys, inputsOfPage } from './read-store.ts';
import { inputSamples } from './samples.ts';
import { packInputs } from './show.ts';
import { countsByStatus, findInputs, keysBehind, pageOfIds } from './store.ts';
import { videoManifest } from './video-manifest.ts';

type Rpc =
  | 'postInputs'
  | 'getInput'
  | 'listInputs'
  | 'streamInputs'
  | 'getInputCount'
  | 'getInputSamples'
  | 'getInputVideoManifest'
  | 'patchInputs'
  | 'deleteInput'
  | 'deleteInputs'
  | 'getInputsAddJob'
  | 'listInputsAddJobs'
  | 'cancelInputsAddJob';

/** The contract's default for StreamInputs; other lists have 128. */
const streamPageSizeDefault = 20;

export function inputHandlers(deps: InputDeps): ServicePart<Call, Rpc> {
  const { db } = deps;
  return {
    ...addJobRpcs(deps),

    postInputs: (req, call) => postInputs(deps, req, call),

    patchInputs: (req, call) => patchInputs(deps, req, call),

    async getInput(req, call) {
      const row = await inputById(db, call.app, req.inputId);
      if (!row) throw inputFault.missing(req.inputId);
      return packInputs(deps, call.app, [row]);
    },

    /** Newest first. */
    async listInputs(req, call) {
      const page = readPage(req);
      const statusCode = req.status?.code || undefined;
      if (req.ids.length === 0)
        return packInputs(deps, call.app, await inputsOfPage(db, call.app, statusCode, page));
      const filter = { ids: req.ids, ...(statusCode ? { statusCode } : {}) };
      const keys = await pageOfIds(db, call.app, filter, page);
      return packInputs(deps, call.app, await inputsByKeys(db, call.app, keys));
    },

    /** Oldest first, behind `last_id`; an empty page is the end. */
    async streamInputs(req, call) {
      const { size } = readPage({ perPage: req.perPage }, streamPageSizeDefault);
      if (!req.orderById && !req.descending) {
        const afterKey = req.lastId === '' ? 0 : await findInputKey(db, call.app, req.lastId);
        if (afterKey === undefined) throw inputFault.missingCursor(req.lastId);
        return packInputs(deps, call.app, await inputsBehind(db, call.app, afterKey, size));
      }
      const [last] = req.lastId === '' ? [] : await findInputs(db, call.app, [req.lastId]);
      // By id any cursor has a place; by time only that of an input that exists.
      if (req.lastId !== '' && !last && !req.orderById) throw inputFault.missingCursor(req.lastId);
      const after = req.lastId === '' ? undefined : { key: last?.key ?? 0, id: req.lastId };
      const at = { after, byId: req.orderById, descending: req.descending, size };
      const keys = await keysBehind(db, call.app, at);
      return packInputs(deps, call.app, await inputsByKeys(db, call.app, keys));
    },

    async getInputCount(_req, call) {
      const counts = await countsByStatus(db, call.app);
      const of = (code: number) => counts.find(({ statusCode }) => statusCode === code)?.n ?? 0;
      const [processed, toProcess, processing] = [
        inputStatus.processed,
        inputStatus.pending,
        inputStatus.inProgress,
      ].map(of);
      const all = counts.reduce((sum, { n }) => sum + n, 0);
      const errors = all - (processed ?? 0) - (toProcess ?? 0) - (processing ?? 0);
      const again = await deps.indexer?.reindexCounts(db, call.app);
      return {
        counts: {
          processed,
          toProcess,
          processing,
          errors,
          toReindex: again?.toReindex ?? 0,
          reindexing: again?.reindexing ?? 0,
          reindexed: again?.reindexed ?? 0,
          reindexErrors: again?.errors ?? 0,
        },
      };
    },

    async getInputSamples(req, call) {
      return { hits: await inputSamples(deps, call.app, req.taskId, req.userIds) };
    },

    getInputVideoManifest: (req, call) => videoManifest(deps, call.app, req.inputId, call.signal),

    async deleteInput(req, call) {
      await deleteInputs(deps, call.app, [req.inputId]);
      return {};
    },

    /** An empty list deletes nothing and succeeds: both SDKs send it after every good batch. */
    async deleteInputs(req, call) {
      await deleteInputs(deps, call.app, req.ids);
      return {};
    },
  };
}
