import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import { mainGrant } from '../models/index.ts';
import { workflowFault } from './faults.ts';
import { findDefaultWorkflow, findWorkflow, findWorkflowMovedTo } from './store.ts';
import type { WorkflowRow } from './workflow.ts';

export interface FoundWorkflow {
  readonly row: WorkflowRow;
  /** The app it lives in, which need not be the one asked. */
  readonly grant: AppGrant;
}

/**
 * A workflow of the app named, else one of the platform's own; without an id, the app's base workflow
 * (SEMANTICS 5.14).
 *
 * @throws Fault 11101 missing · MOVED renamed
 */
export async function readWorkflowAnywhere(db: Db, call: Call, id: string): Promise<FoundWorkflow> {
  const grant = call.app;
  if (id === '') {
    const row = await findDefaultWorkflow(db, grant);
    if (!row) throw workflowFault.noDefault();
    return { row, grant };
  }
  const row = await findWorkflow(db, grant, id);
  if (row) return { row, grant };
  const movedTo = grant.isMember ? await findWorkflowMovedTo(db, grant, id) : undefined;
  if (movedTo) throw workflowFault.moved(id, movedTo);
  const main = await mainGrant(call);
  const shared = main && (await findWorkflow(db, main, id));
  if (!main || !shared) throw workflowFault.missing(id);
  return { row: shared, grant: main };
}

/** A workflow of the app itself. @throws Fault as above */
export async function readWorkflow(db: Db, grant: AppGrant, id: string): Promise<WorkflowRow> {
  const row = id === '' ? await findDefaultWorkflow(db, grant) : await findWorkflow(db, grant, id);
  if (row) return row;
  const movedTo = grant.isMember ? await findWorkflowMovedTo(db, grant, id) : undefined;
  if (movedTo) throw workflowFault.moved(id, movedTo);
  throw workflowFault.missing(id);
}
