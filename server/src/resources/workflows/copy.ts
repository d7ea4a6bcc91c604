import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import type { Tx } from '#store/postgres/index.ts';
import type { Db } from '#store/sql.ts';
import { workflowFault } from './faults.ts';
import { checkBaseNodes } from './node-types.ts';
import { findWorkflow, findWorkflowInApp, insertWorkflow, setDefaultWorkflow } from './store.ts';
import { bodyOfWorkflow, bodyOfWorkflowVersion, wordsOfWorkflow } from './translate.ts';
import { findWorkflowVersion, insertWorkflowVersion, newestVersions } from './version-store.ts';
import type { WorkflowVersionRow } from './workflow.ts';

/**
 * Makes a workflow the base workflow of an app, copying it there first unless it is the app's own. A copy of an
 * earlier time with the same id is brought to the same nodes by a new version.
 *
 * @throws Fault 11101 when there is no such workflow, or the copying caller may not see it · 22104 when no base workflow may hold its nodes
 */
export async function copyWorkflowIntoApp(
  tx: Tx,
  from: AppGrant,
  workflowId: string,
  toAppKey: number,
): Promise<void> {
  const source = await findWorkflow(tx, from, workflowId);
  if (!source) throw workflowFault.missing(workflowId);
  const version = await findWorkflowVersion(tx, from, source.key);
  if (version) checkBaseNodes(bodyOfWorkflowVersion(version).nodes);
  if (source.appKey === toAppKey) return setDefaultWorkflow(tx, toAppKey, source.key);
  const words = wordsOfWorkflow({ ...bodyOfWorkflow(source), id: source.id }, from.userId);
  const copy =
    (await insertWorkflow(tx, toAppKey, { id: source.id, visibility: 10, body: source.body, words })) ??
    (await findWorkflowInApp(tx, toAppKey, source.id));
  if (!copy) throw workflowFault.missing(workflowId);
  if (version) await copyVersion(tx, toAppKey, copy.key, version);
  await setDefaultWorkflow(tx, toAppKey, copy.key);
}

async function copyVersion(
  tx: Db,
  appKey: number,
  workflowKey: number,
  version: WorkflowVersionRow,
): Promise<void> {
  const newest = (await newestVersions(tx, 0, [workflowKey])).get(workflowKey);
  if (newest?.body.equals(version.body)) return;
  await insertWorkflowVersion(tx, appKey, workflowKey, {
    id: newId(),
    visibility: 10,
    modelVersionKeys: version.modelVersionKeys,
    body: version.body,
  });
}
