import { type ServicePart, StatusCode } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { newId } from '#domain/ids.ts';
import { commonFault } from '../common/faults.ts';
import { batchStatus } from '../common/status.ts';
import { eachOf } from '../predictions/index.ts';
import type { WorkflowDeps } from './deps.ts';
import { workflowFault } from './faults.ts';
import { readWorkflowAnywhere } from './find.ts';
import { readyNodes, runWorkflow } from './run-workflow.ts';
import { showWorkflow } from './translate.ts';
import { findWorkflowVersion } from './version-store.ts';

const inputsMax = 32;
const inputsAtOnce = 4;

export function workflowResultHandlers(deps: WorkflowDeps): ServicePart<Call, 'postWorkflowResults'> {
  return {
    /** Runs a workflow on 1 to 32 inputs; one result for each, in order. */
    async postWorkflowResults(req, call) {
      const { row, grant } = await readWorkflowAnywhere(deps.db, call, req.workflowId);
      const version = await findWorkflowVersion(deps.db, grant, row.key, req.versionId);
      if (req.versionId && !version) throw workflowFault.missingVersion(req.workflowId, req.versionId);
      if (req.inputs.length === 0)
        throw workflowFault.invalidRequest('inputs is empty; send 1 to 32 inputs.');
      if (req.inputs.length > inputsMax) throw commonFault.tooMany('inputs', req.inputs.length, inputsMax);
      const nodes = await readyNodes(deps, grant, version, req.outputConfig);
      const results = await eachOf(req.inputs, inputsAtOnce, (input) =>
        runWorkflow(deps, call.app, nodes, input, { signal: call.signal }),
      );
      const outcomes = results.map((result) => result.status?.code === StatusCode.SUCCESS);
      return {
        status: batchStatus(outcomes),
        workflow: showWorkflow(row, version),
        results,
        ...(req.workflowState ? { workflowState: { id: stateId(req.workflowState.id) } } : {}),
      };
    },
  };
}

/** `init` asks for a new state. Nothing here remembers anything between calls, so an id is all there is to it. */
const stateId = (id: string): string => (id === 'init' || id === '' ? newId() : id);
