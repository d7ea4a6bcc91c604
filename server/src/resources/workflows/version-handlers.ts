import { create } from '@bufbuild/protobuf';
import { type ServicePart, WorkflowVersionSchema } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { visibility } from '#domain/grant.ts';
import { readPage } from '#domain/page.ts';
import { commonFault } from '../common/faults.ts';
import { readVisibility, showVisibility } from '../common/translate.ts';
import { patchedMessage, rawItem, readAction, sentJson } from '../models/index.ts';
import type { WorkflowDeps } from './deps.ts';
import { workflowFault } from './faults.ts';
import { readWorkflow, readWorkflowAnywhere } from './find.ts';
import { bodyOfWorkflowVersion, packWorkflowVersion, showWorkflowVersion } from './translate.ts';
import {
  deleteWorkflowVersionRows,
  findWorkflowVersion,
  pageOfWorkflowVersions,
  touchWorkflow,
  updateWorkflowVersion,
} from './version-store.ts';

type Rpc =
  | 'getWorkflowVersion'
  | 'listWorkflowVersions'
  | 'patchWorkflowVersions'
  | 'deleteWorkflowVersions'
  | 'postWorkflowVersionsPublish'
  | 'postWorkflowVersionsUnPublish';

export function workflowVersionHandlers(deps: WorkflowDeps): ServicePart<Call, Rpc> {
  const { db } = deps;
  return {
    async getWorkflowVersion(req, call) {
      const { row, grant } = await readWorkflowAnywhere(db, call, req.workflowId);
      const version = await findWorkflowVersion(db, grant, row.key, req.workflowVersionId);
      if (!version) throw workflowFault.missingVersion(req.workflowId, req.workflowVersionId);
      return { workflowVersion: showWorkflowVersion(version, row) };
    },

    /** Newest first: clients take the first for the latest. */
    async listWorkflowVersions(req, call) {
      const row = await readWorkflow(db, call.app, req.workflowId);
      const found = await pageOfWorkflowVersions(db, call.app, row.key, readPage(req));
      return { workflowVersions: found.map((version) => showWorkflowVersion(version, row)) };
    },

    /** Changes what describes a version; its nodes never change. */
    async patchWorkflowVersions(req, call) {
      const action = readAction(req.action);
      const row = await readWorkflow(db, call.app, req.workflowId);
      const after = await db.transaction(async (tx) => {
        const all = [];
        for (const [index, sent] of req.workflowVersions.entries()) {
          const before =
            sent.id === '' ? undefined : await findWorkflowVersion(tx, call.app, row.key, sent.id);
          if (!before) throw workflowFault.missingVersion(req.workflowId, sent.id);
          const json = sentJson(WorkflowVersionSchema, sent, rawItem(call.sent, 'workflow_versions', index));
          const known = ['description', 'metadata', 'visibility', 'license'];
          for (const key of Object.keys(json)) if (!known.includes(key)) delete json[key];
          const shown = create(WorkflowVersionSchema, {
            ...bodyOfWorkflowVersion(before),
            visibility: showVisibility(before.visibility),
          });
          const patched = patchedMessage(WorkflowVersionSchema, action, shown, json);
          const kept = await updateWorkflowVersion(tx, call.app, before.key, {
            visibility: readVisibility(patched.visibility),
            body: packWorkflowVersion(patched),
          });
          if (!kept) throw workflowFault.missingVersion(req.workflowId, sent.id);
          all.push(kept);
        }
        return all;
      });
      return { workflowVersions: after.map((version) => showWorkflowVersion(version, row)) };
    },

    async deleteWorkflowVersions(req, call) {
      const row = await readWorkflow(db, call.app, req.workflowId);
      await db.transaction(async (tx) => {
        const gone = new Set(await deleteWorkflowVersionRows(tx, call.app, row.key, req.workflowVersionIds));
        const missing = req.workflowVersionIds.find((id) => !gone.has(id));
        if (missing !== undefined) throw workflowFault.missingVersion(req.workflowId, missing);
        await touchWorkflow(tx, call.app, row.key);
        await deps.onWorkflowChanged(tx, call.app);
      });
      return {};
    },

    async postWorkflowVersionsPublish(req, call) {
      await publish(call, req, visibility.public);
      return {};
    },
    async postWorkflowVersionsUnPublish(req, call) {
      await publish(call, req, visibility.private);
      return {};
    },
  };

  async function publish(
    call: Call,
    req: { workflowId: string; publications: { versionId: string }[] },
    gettable: number,
  ) {
    if (gettable >= visibility.public && !(await deps.isProfilePublic(call.app)))
      throw commonFault.profilePrivate();
    const row = await readWorkflow(db, call.app, req.workflowId);
    await db.transaction(async (tx) => {
      for (const { versionId } of req.publications) {
        const before =
          versionId === '' ? undefined : await findWorkflowVersion(tx, call.app, row.key, versionId);
        if (!before) throw workflowFault.missingVersion(req.workflowId, versionId);
        await updateWorkflowVersion(tx, call.app, before.key, { visibility: gettable, body: before.body });
      }
    });
  }
}
