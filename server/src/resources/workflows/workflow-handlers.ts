import { create } from '@bufbuild/protobuf';
import {
  type ListWorkflowsRequest,
  type Model,
  type ServicePart,
  type Workflow,
  type WorkflowNode,
  WorkflowNodeSchema,
  WorkflowSchema,
  WorkflowVersionSchema,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { visibility as visibilities } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { readPage } from '#domain/page.ts';
import { type JsonMap, type PatchAction, patched } from '#domain/patch.ts';
import type { Tx } from '#store/postgres/index.ts';
import { commonFault } from '../common/faults.ts';
import { readVisibility, showVisibility } from '../common/translate.ts';
import { jsonOf, messageOf, patchedMessage, rawItem, readAction, sentJson } from '../models/index.ts';
import type { WorkflowDeps } from './deps.ts';
import { workflowFault } from './faults.ts';
import { readWorkflow, readWorkflowAnywhere } from './find.ts';
import { checkBaseNodes } from './node-types.ts';
import { pinNodes } from './nodes.ts';
import {
  deleteWorkflowRows,
  findDefaultWorkflow,
  insertWorkflow,
  lockWorkflow,
  pageOfWorkflows,
  renameWorkflow,
  updateWorkflow,
  type WorkflowScope,
  type WorkflowSort,
} from './store.ts';
import {
  bodyOfWorkflow,
  bodyOfWorkflowVersion,
  packWorkflow,
  packWorkflowVersion,
  showWorkflow,
  wordsOfWorkflow,
} from './translate.ts';
import { findWorkflowVersion, insertWorkflowVersion, newestVersions } from './version-store.ts';
import type { WorkflowRow, WorkflowVersionRow } from './workflow.ts';

type Rpc =
  | 'postWorkflows'
  | 'getWorkflow'
  | 'listWorkflows'
  | 'patchWorkflows'
  | 'patchWorkflowIds'
  | 'deleteWorkflow'
  | 'deleteWorkflows';

export function workflowHandlers(deps: WorkflowDeps): ServicePart<Call, Rpc> {
  const { db } = deps;
  return {
    /** Makes workflows, all or none. Nodes keep the order they were sent in wherever that order can run. */
    async postWorkflows(req, call) {
      if (req.workflows.length === 0)
        throw workflowFault.invalidRequest('workflows is empty; send at least one workflow.');
      const made = await db.transaction(async (tx) => {
        const all = [];
        for (const workflow of req.workflows) all.push(await makeWorkflow(tx, call, workflow));
        return all;
      });
      return { workflows: made.map(({ row, version }) => showWorkflow(row, version)) };
    },

    async getWorkflow(req, call) {
      const { row, grant } = await readWorkflowAnywhere(db, call, req.workflowId);
      return { workflow: showWorkflow(row, await findWorkflowVersion(db, grant, row.key)) };
    },

    async listWorkflows(req, call) {
      const app = call.appIfNamed;
      const scope: WorkflowScope = app ? { app } : { user: call.user, everyones: !req.userAppId?.userId };
      const found = await pageOfWorkflows(
        db,
        scope,
        {
          search: req.search || req.searchTerm,
          query: req.query,
          idPattern: req.id,
          visibility: req.visibility ? readVisibility(req.visibility) : undefined,
          nothing: req.starredOnly || req.bookmark || req.featuredOnly,
        },
        readSort(req),
        readPage(req),
      );
      const own = (row: WorkflowRow) => (app ? app.isMember : row.userId === call.caller.userId);
      const keysOf = (rows: readonly WorkflowRow[]) => rows.map((row) => row.key);
      const versions = new Map([
        ...(await newestVersions(db, visibilities.private, keysOf(found.filter(own)))),
        ...(await newestVersions(db, visibilities.public, keysOf(found.filter((row) => !own(row))))),
      ]);
      return { workflows: found.map((row) => showWorkflow(row, versions.get(row.key))) };
    },

    async patchWorkflows(req, call) {
      const action = readAction(req.action);
      const after = await db.transaction(async (tx) => {
        const all = [];
        for (const [index, workflow] of req.workflows.entries()) {
          all.push(await patchWorkflow(tx, call, action, workflow, rawItem(call.sent, 'workflows', index)));
        }
        return all;
      });
      return { workflows: after.map(({ row, version }) => showWorkflow(row, version)) };
    },

    async patchWorkflowIds(req, call) {
      readAction(req.action, ['overwrite']);
      const [change] = req.ids;
      if (req.ids.length !== 1 || !change)
        throw workflowFault.invalidRequest('ids holds exactly one {id, new_id}.');
      const trouble = change.newId === '' ? 'new_id is empty.' : idTrouble(change.newId, 'workflow');
      if (trouble) throw workflowFault.invalid(trouble);
      await db.transaction(async (tx) => {
        const row = await lockWorkflow(tx, call.app, change.id);
        if (!row) throw workflowFault.missing(change.id);
        if (!(await renameWorkflow(tx, call.app, row.key, change.id, change.newId)))
          throw workflowFault.duplicate(change.newId);
      });
      const row = await readWorkflow(db, call.app, change.newId);
      return { workflows: [showWorkflow(row, await findWorkflowVersion(db, call.app, row.key))] };
    },

    async deleteWorkflow(req, call) {
      const gone = await db.transaction((tx) => deleteWorkflowRows(tx, call.app, [req.workflowId]));
      if (gone.length === 0) throw workflowFault.missing(req.workflowId);
      return {};
    },

    /** Without ids and without delete_all nothing happens: official clients send empty lists. */
    async deleteWorkflows(req, call) {
      await db.transaction(async (tx) => {
        const gone = new Set(await deleteWorkflowRows(tx, call.app, req.deleteAll ? undefined : req.ids));
        const missing = req.deleteAll ? undefined : req.ids.find((id) => !gone.has(id));
        if (missing !== undefined) throw workflowFault.missing(missing);
      });
      return {};
    },
  };

  async function makeWorkflow(tx: Tx, call: Call, wire: Workflow) {
    const id = wire.id || newId();
    const trouble = idTrouble(id, 'workflow');
    if (trouble) throw workflowFault.invalid(trouble);
    const visibility = readVisibility(wire.visibility);
    await checkVisibility(call, visibility);
    const words = wordsOfWorkflow({ ...wire, id }, call.app.userId);
    const row = await insertWorkflow(tx, call.app.appKey, {
      id,
      visibility,
      body: packWorkflow(wire),
      words,
    });
    if (!row) throw workflowFault.duplicate(id);
    return { row, version: await addVersion(tx, call, row, wire.nodes, wire) };
  }

  async function addVersion(
    tx: Tx,
    call: Call,
    row: WorkflowRow,
    nodes: readonly WorkflowNode[],
    wire?: Workflow,
  ): Promise<WorkflowVersionRow> {
    const pinned = await pinNodes(tx, call, nodes);
    const id = wire?.version?.id || newId();
    const trouble = idTrouble(id, 'workflow version');
    if (trouble) throw workflowFault.invalid(trouble);
    const version = await insertWorkflowVersion(tx, call.app.appKey, row.key, {
      id,
      visibility: wire?.version?.visibility ? readVisibility(wire.version.visibility) : row.visibility,
      modelVersionKeys: pinned.modelVersionKeys,
      body: packWorkflowVersion(
        Object.assign(create(WorkflowVersionSchema, wire?.version), { nodes: pinned.nodes }),
      ),
    });
    if (!version) throw workflowFault.duplicate(id);
    return version;
  }

  async function patchWorkflow(tx: Tx, call: Call, action: PatchAction, wire: Workflow, raw: unknown) {
    const before = await lockWorkflow(tx, call.app, wire.id);
    if (!before) throw workflowFault.missing(wire.id);
    const sent = sentJson(WorkflowSchema, wire, raw);
    const nodes = sent.nodes;
    for (const key of ['id', 'user_id', 'app_id', 'created_at', 'modified_at', 'nodes', 'version'])
      delete sent[key];
    const row = Object.keys(sent).length > 0 ? await patchFields(tx, call, action, before, sent) : before;
    const newest = await findWorkflowVersion(tx, call.app, before.key);
    if (nodes === undefined) return { row, version: newest };
    const old = newest ? bodyOfWorkflowVersion(newest).nodes : [];
    const wanted = patchedNodes(action, old, nodes as JsonMap[]);
    const pinned = await pinNodes(tx, call, wanted);
    const same = JSON.stringify(pinned.nodes.map(nodeJson)) === JSON.stringify(old.map(nodeJson));
    if (same && newest) return { row, version: newest };
    if ((await findDefaultWorkflow(tx, call.app))?.key === before.key) checkBaseNodes(pinned.nodes);
    const version = await addVersion(tx, call, before, wanted);
    await deps.onWorkflowChanged(tx, call.app);
    return { row: row === before ? await keep(tx, call, before) : row, version };
  }

  async function patchFields(
    tx: Tx,
    call: Call,
    action: PatchAction,
    before: WorkflowRow,
    sent: JsonMap,
  ): Promise<WorkflowRow> {
    const shown = create(WorkflowSchema, {
      ...bodyOfWorkflow(before),
      visibility: showVisibility(before.visibility),
    });
    const after = patchedMessage(WorkflowSchema, action, shown, sent);
    // Taking the URL away takes the picture away.
    if (after.image && !after.image.url && !after.image.hosted) after.image = undefined;
    const visibility = readVisibility(after.visibility);
    if (visibility !== before.visibility) await checkVisibility(call, visibility);
    const words = wordsOfWorkflow({ ...after, id: before.id }, call.app.userId);
    const row = await updateWorkflow(tx, call.app, before.key, {
      visibility,
      body: packWorkflow(after),
      words,
    });
    if (!row) throw workflowFault.missing(before.id);
    return row;
  }

  /** Only the time of the last change moves. */
  async function keep(tx: Tx, call: Call, before: WorkflowRow): Promise<WorkflowRow> {
    const words = wordsOfWorkflow({ ...bodyOfWorkflow(before), id: before.id }, call.app.userId);
    return (await updateWorkflow(tx, call.app, before.key, { ...before, words })) ?? before;
  }

  async function checkVisibility(call: Call, visibility: number): Promise<void> {
    if (visibility >= visibilities.public && !(await deps.isProfilePublic(call.app)))
      throw commonFault.profilePrivate();
  }
}

const nodeJson = (node: WorkflowNode): JsonMap => withInputIds(jsonOf(WorkflowNodeSchema, node));

/** Inputs of a node match by the node they name, which patching knows as an id. */
function withInputIds(node: JsonMap): JsonMap {
  if (!Array.isArray(node.node_inputs)) return node;
  return {
    ...node,
    node_inputs: node.node_inputs.map((input) => ({
      ...(input as JsonMap),
      id: (input as JsonMap).node_id ?? '',
    })),
  };
}

function patchedNodes(
  action: PatchAction,
  before: readonly WorkflowNode[],
  sent: readonly JsonMap[],
): WorkflowNode[] {
  const after = patched(action, before.map(nodeJson), sent.map(withInputIds)) as JsonMap[];
  const renamed = new Map(sent.map((node) => [node.id, node]));
  return after.map((json) => {
    const node = messageOf(WorkflowNodeSchema, json);
    // A node that gets another model must not keep the version that was pinned for the old one.
    const model = renamed.get(node.id)?.model as JsonMap | undefined;
    const old = before.find((one) => one.id === node.id)?.model;
    if (model && isOtherModel(model, old) && node.model) {
      node.model.modelVersion = undefined;
      const patchedModel = messageOf(WorkflowNodeSchema, { id: node.id, model }).model;
      if (patchedModel) node.model = patchedModel;
    }
    return node;
  });
}

const isOtherModel = (sent: JsonMap, old: Model | undefined): boolean =>
  (sent.id ?? old?.id) !== old?.id ||
  (sent.app_id ?? old?.appId) !== old?.appId ||
  (sent.user_id ?? old?.userId) !== old?.userId;

function readSort(req: ListWorkflowsRequest): { by: WorkflowSort; ascending: boolean } {
  const ascending = req.sortAscending;
  switch (req.sortBy.case) {
    case 'sortById':
      return { by: 'id', ascending };
    case 'sortByCreatedAt':
      return { by: 'created_at', ascending };
    case 'sortByStarCount':
      return { by: 'star_count', ascending };
    case 'sortByRelevance':
      if (!req.search) throw workflowFault.invalidRequest('sort_by_relevance needs a non-empty search.');
      return { by: 'relevance', ascending };
    default:
      return { by: 'modified_at', ascending };
  }
}
