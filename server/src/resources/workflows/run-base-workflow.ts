import { create } from '@bufbuild/protobuf';
import { InputSchema, StatusCode } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { rows, sql } from '#store/sql.ts';
import { bumpSearchRevision, replaceModelAnnotations } from '../annotations/index.ts';
import { canonicalTypeId } from '../models/index.ts';
import type { WorkflowDeps } from './deps.ts';
import { presentNodes, type ReadyNode, runWorkflow } from './run-workflow.ts';
import { findDefaultWorkflow } from './store.ts';
import { findWorkflowVersion } from './version-store.ts';
import { writeAnnotations } from './write-annotations.ts';

/** Their vectors were made when the input was processed, and are no annotations. */
const embedders = new Set(['visual-embedder', 'text-embedder', 'multimodal-embedder']);

/** What they let pass was said by others already. */
const passesOn = new Set(['random-sample', 'image-crop', 'image-tiler']);

/**
 * Runs the app's base workflow on inputs and keeps what its models say as untrusted annotations, so that inputs
 * can be found by what is seen in them (SEMANTICS 5.4). Run twice, it writes the same again.
 */
export async function runBaseWorkflow(
  deps: WorkflowDeps,
  grant: AppGrant,
  inputKeys: readonly number[],
): Promise<void> {
  const workflow = await findDefaultWorkflow(deps.db, grant);
  const version = workflow && (await findWorkflowVersion(deps.db, grant, workflow.key));
  const present = await presentNodes(deps, grant, version);
  // A model may be deleted while a base workflow names it; the others still have their say.
  if (present.goneIds.length > 0)
    deps.log.warn({ appKey: grant.appKey, nodes: present.goneIds }, 'nodes of a base workflow have no model');
  const nodes = present.nodes.filter(({ pinned }) => !embedders.has(canonicalTypeId(pinned.model.typeId)));
  if (nodes.length === 0) return;
  const inputs = await rows<{ key: number; id: string }>(
    deps.db,
    sql`select key, id from inputs where app_key = ${grant.appKey} and key = any(${[...inputKeys]}) order by key`,
  );
  const kept = nodes.filter(({ node }) => !node.suppressOutput);
  for (const { key, id } of inputs) {
    const { outputs } = await runWorkflow(deps, grant, nodes, create(InputSchema, { id }), {
      signal: AbortSignal.timeout(120_000),
      background: true,
    });
    await deps.db.transaction(async (tx) => {
      for (const [i, output] of outputs.entries()) {
        const modelVersionKey = kept[i]?.pinned.version.key;
        if (modelVersionKey === undefined || !output.data || output.status?.code !== StatusCode.SUCCESS)
          continue;
        const { model, version } = (kept[i] as ReadyNode).pinned;
        const data = output.data;
        if (canonicalTypeId(model.typeId) === 'annotation-writer')
          await writeAnnotations(tx, grant, { key, id }, version, data);
        else if (!passesOn.has(canonicalTypeId(model.typeId)))
          await replaceModelAnnotations(tx, grant, key, modelVersionKey, data);
      }
      await bumpSearchRevision(tx, grant);
    });
  }
}
