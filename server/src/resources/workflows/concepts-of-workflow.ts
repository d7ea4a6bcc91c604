import type { Concept } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import { bodyOfVersion, canonicalTypeId, pinnedModels } from '../models/index.ts';
import { workflowFault } from './faults.ts';
import { readWorkflow } from './find.ts';
import { findWorkflowVersion } from './version-store.ts';

/** Concepts that a workflow's models can say, each once, in node order; without an id, of the app's base workflow. */
export async function conceptsOfWorkflow(
  db: Db,
  _call: Call,
  grant: AppGrant,
  workflow: { id: string; versionId: string; isWanted: (typeId: string) => boolean },
): Promise<Concept[]> {
  const row = await readWorkflow(db, grant, workflow.id);
  const version = await findWorkflowVersion(db, grant, row.key, workflow.versionId);
  if (!version && workflow.versionId) throw workflowFault.missingVersion(workflow.id, workflow.versionId);
  const models = await pinnedModels(db, grant, version?.modelVersionKeys ?? []);
  const byId = new Map<string, Concept>();
  for (const key of version?.modelVersionKeys ?? []) {
    const pinned = models.get(key);
    const isWanted = pinned && workflow.isWanted(canonicalTypeId(pinned.model.typeId));
    for (const concept of isWanted ? (bodyOfVersion(pinned.version).outputInfo?.data?.concepts ?? []) : []) {
      if (!byId.has(concept.id)) byId.set(concept.id, concept);
    }
  }
  return [...byId.values()];
}
