import { create } from '@bufbuild/protobuf';
import { type Data, InputSchema, StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { RunDeps } from '../predictions/index.ts';
import { workflowFault } from './faults.ts';
import { readyNodes, runWorkflow } from './run-workflow.ts';
import { findWorkflow } from './store.ts';
import { findWorkflowVersion } from './version-store.ts';

/**
 * Runs a workflow of an app, or one of the platform's own, on some data in the background.
 *
 * @returns what each node made, those left out that failed or are suppressed
 * @throws Fault 11101 without such a workflow, and when the data cannot be had at all
 */
export async function runWorkflowNamed(
  deps: RunDeps,
  grant: AppGrant,
  main: AppGrant | undefined,
  id: string,
  data: Data,
  signal: AbortSignal,
): Promise<Data[]> {
  for (const owner of [grant, main]) {
    const row = owner && (await findWorkflow(deps.db, owner, id));
    if (!row) continue;
    const nodes = await readyNodes(deps, grant, await findWorkflowVersion(deps.db, owner, row.key));
    const input = create(InputSchema, { data });
    const { outputs, status } = await runWorkflow(deps, grant, nodes, input, { signal, background: true });
    if (outputs.length === 0 && status && status.code !== StatusCode.SUCCESS)
      throw new Fault(
        'bad_request',
        status.code,
        `workflow '${id}': ${status.details || status.description}`,
      );
    return outputs.flatMap((output) =>
      output.data && output.status?.code === StatusCode.SUCCESS ? [output.data] : [],
    );
  }
  throw workflowFault.missing(id);
}
