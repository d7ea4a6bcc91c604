import type { RunnerSelector, ServicePart } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { commonFault } from '../common/faults.ts';
import { batchStatus, outcomeOf } from '../common/status.ts';
import { checkSelector, eachOf } from '../predictions/index.ts';
import type { WorkflowDeps } from './deps.ts';
import { workflowFault } from './faults.ts';
import { readWorkflowAnywhere } from './find.ts';
import { type ReadyNode, readyNodes, runWorkflow } from './run-workflow.ts';
import { continueState } from './state.ts';
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
      checkSelectors(nodes, req.nodeRunnerSelectors);
      const state = req.workflowState && (await continueState(deps.db, call.app, req.workflowState.id));
      const keep = deps.runTimes.begin(call.requestId, call.caller.userKey, row.id);
      const startMs = performance.now();
      const results = await eachOf(req.inputs, inputsAtOnce, (input, index) =>
        runWorkflow(deps, call.app, nodes, input, {
          signal: call.signal,
          isAdmitted: index >= inputsAtOnce,
          timed: (node, beganMs, tookMs) =>
            keep({ input: index, node, startedMs: beganMs - startMs, tookMs }),
        }),
      );
      const outcomes = results.map((result) => outcomeOf(result.status));
      return {
        status: batchStatus(outcomes),
        workflow: showWorkflow(row, version),
        results,
        ...(state === undefined ? {} : { workflowState: { id: state } }),
      };
    },
  };
}

/** Where each node is to run. @throws Fault for a node that is not there, or a place that is not */
function checkSelectors(
  nodes: readonly ReadyNode[],
  selectors: Readonly<Record<string, RunnerSelector>>,
): void {
  for (const [nodeId, selector] of Object.entries(selectors)) {
    if (!nodes.some(({ node }) => node.id === nodeId)) throw workflowFault.noSuchNode(nodeId);
    checkSelector(selector);
  }
}
