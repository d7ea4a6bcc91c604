import { type RequestOf, type ServicePart, UserSchema } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { readPage } from '#domain/page.ts';
import { commonFault } from '../common/faults.ts';
import { unpackBody } from '../common/translate.ts';
import { isAnnotationStatus } from './annotation.ts';
import { dropLocked } from './bulk-edits.ts';
import type { AnnotationParts } from './deps.ts';
import { annotationFault } from './faults.ts';
import {
  type AnnotationFilter,
  findAnnotationKey,
  findWorkerKeys,
  lockAnnotationsOf,
  pageOfAnnotations,
  setStatuses,
} from './list-store.ts';
import { withMaskUrls } from './masks.ts';
import { patchAnnotations } from './patch-annotations.ts';
import { postAnnotations } from './post-annotations.ts';
import { bumpSearchRevision, deleteAnnotationRows, lockAnnotations, lockInputs } from './store.ts';
import { showAnnotations, showWorker } from './translate.ts';
import { type WorkerRow, workersOf } from './worker-store.ts';

type Rpc =
  | 'postAnnotations'
  | 'getAnnotation'
  | 'listAnnotations'
  | 'patchAnnotations'
  | 'patchAnnotationsStatus'
  | 'deleteAnnotation'
  | 'deleteAnnotations'
  | 'listAnnotationWorkers';

export function annotationHandlers(parts: AnnotationParts): ServicePart<Call, Rpc> {
  const { db, findInputs, publicUrl } = parts;
  return {
    postAnnotations: (req, call) => postAnnotations(parts, req, call),

    async getAnnotation(req, call) {
      const key = await findAnnotationKey(db, call.app, req.inputId, req.annotationId);
      const [annotation] = key === undefined ? [] : await showAnnotations(db, call.app, [key]);
      if (!annotation) throw annotationFault.missing(req.annotationId, req.inputId);
      return { annotation: withMaskUrls(publicUrl(call.app), call.app, [annotation])[0] };
    },

    /** Newest first: clients take element 0 of the whole app for what they just posted (SEMANTICS trap 7). */
    async listAnnotations(req, call) {
      const filter = await readFilter(req, call.app);
      if (filter.inputKeys?.length === 0) return { annotations: [] };
      const keys = await pageOfAnnotations(db, call.app, filter, readPage(req));
      return {
        annotations: withMaskUrls(publicUrl(call.app), call.app, await showAnnotations(db, call.app, keys)),
      };
    },

    patchAnnotations: (req, call) => patchAnnotations(parts, req, call),

    async patchAnnotationsStatus(req, call) {
      if (req.action !== '' && req.action !== 'overwrite')
        throw commonFault.unknownAction(req.action, ['overwrite']);
      if (!isAnnotationStatus(req.statusCode)) {
        throw annotationFault.invalid(
          `status_code is ${req.statusCode}; an annotation has one of 24150 to 24159.`,
        );
      }
      if (req.userIds.length === 0 && req.taskId === '' && req.statusCodes.length === 0) {
        throw annotationFault.invalid(
          'Name user_ids, task_id or status_codes; without any, all annotations would change.',
        );
      }
      const userIds = withCaller(req.userIds, call);
      const named = { userIds, modelVersionIds: [], workflowVersionIds: [] };
      const workers = userIds.length > 0 ? await findWorkerKeys(db, named) : undefined;
      const filter = { workers, taskId: req.taskId, statusCodes: req.statusCodes };
      let updatedCount = 0;
      // In steps: each leaves what it did done, and the same call made again does the rest.
      for (let after = 0; ; ) {
        const step = await db.transaction(async (tx) => {
          const changed = await setStatuses(tx, call.app, filter, req.statusCode, after);
          if (changed.n > 0) await bumpSearchRevision(tx, call.app);
          return changed;
        });
        updatedCount += step.n;
        if (step.last === null) break;
        after = step.last;
        mayDie('statuses-half');
      }
      return { userIds, updatedCount };
    },

    async deleteAnnotation(req, call) {
      const pairs = [{ inputId: req.inputId, id: req.annotationId }];
      const found = await deletePairs(call.app, pairs);
      if (found === 0) throw annotationFault.missing(req.annotationId, req.inputId);
      return {};
    },

    /** Unknown ids are ignored, as for inputs (SEMANTICS 8). */
    async deleteAnnotations(req, call) {
      if (req.inputIds.length === 0) {
        if (req.ids.length === 0) return {};
        throw annotationFault.invalid('input_ids is empty; name the input of each annotation in ids.');
      }
      if (req.ids.length === 0) {
        const inputs = await findInputs(db, call.app, req.inputIds);
        await deleteAllOf(
          call.app,
          inputs.map(({ key }) => key),
        );
        return {};
      }
      checkPairs(req);
      await deletePairs(
        call.app,
        req.ids.map((id, i) => ({ id, inputId: req.inputIds[i] as string })),
      );
      return {};
    },

    async listAnnotationWorkers(req, call) {
      const { number, size } = readPage(req);
      const workers = await workersOf(db, call.app, req.trustedOnly);
      const named = req.additionalFields.includes('names') || req.additionalFields.includes('all');
      const page = workers.slice((number - 1) * size, number * size);
      return { workers: page.map((row) => (named && withNames(row)) || showWorker(row) || {}) };
    },
  };

  async function readFilter(req: RequestOf<'listAnnotations'>, grant: AppGrant): Promise<AnnotationFilter> {
    if (req.ids.length > 0 && req.inputIds.length > 0) checkPairs(req);
    const workersNamed = req.userIds.length + req.modelVersionIds.length + req.workflowVersionIds.length > 0;
    const byInput = req.inputIds.length > 0 && req.ids.length === 0;
    const inputs = byInput ? await findInputs(db, grant, req.inputIds) : undefined;
    return {
      ids: req.ids,
      pairedInputIds: req.ids.length > 0 ? req.inputIds : [],
      inputKeys: inputs?.map(({ key }) => key),
      statusCodes: req.statuses.map(({ code }) => code),
      taskId: req.taskId,
      workers: workersNamed
        ? await findWorkerKeys(db, { ...req, userIds: withCaller(req.userIds, grant) })
        : undefined,
      trustedOnly: !req.listAllAnnotations && !workersNamed,
    };
  }

  /** @returns how many of the pairs existed. */
  function deletePairs(grant: AppGrant, pairs: readonly { inputId: string; id: string }[]): Promise<number> {
    return db.transaction(async (tx) => {
      const rows = await lockAnnotations(tx, grant, pairs);
      await dropLocked(tx, grant, rows);
      if (rows.length > 0) await bumpSearchRevision(tx, grant);
      return rows.length;
    });
  }

  function deleteAllOf(grant: AppGrant, inputKeys: readonly number[]): Promise<void> {
    return db.transaction(async (tx) => {
      await lockInputs(tx, grant, inputKeys);
      const keys = await lockAnnotationsOf(tx, grant, inputKeys);
      if (keys.length === 0) return;
      await deleteAnnotationRows(tx, grant, keys);
      await bumpSearchRevision(tx, grant);
    });
  }
}

function checkPairs({ ids, inputIds }: { ids: readonly string[]; inputIds: readonly string[] }): void {
  if (ids.length === inputIds.length) return;
  throw annotationFault.invalid(
    `ids holds ${ids.length} and input_ids ${inputIds.length} items; they have to pair up one to one.`,
  );
}

const withCaller = (userIds: readonly string[], { caller }: Pick<Call, 'caller'>): string[] =>
  userIds.map((id) => (id === 'me' ? caller.userId : id));

function withNames(row: WorkerRow) {
  if (!row.workerUserId || !row.userBody) return undefined;
  const { firstName, lastName } = unpackBody(UserSchema, row.userBody);
  const value = { id: row.workerUserId, firstName, lastName };
  return { worker: { case: 'user' as const, value } };
}
