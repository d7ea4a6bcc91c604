import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

export const workflowFault = {
  /** The contract answers 11101 for missing workflows, and clients compare its text (SEMANTICS 1.2). */
  missing: (id: string) =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, `There is no workflow '${id}' in this app.`),
  missingVersion: (id: string, versionId: string) =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      `The workflow '${id}' has no version '${versionId}'.`,
    ),
  noDefault: () =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, 'This app has no base workflow; name a workflow.'),
  moved: (oldId: string, newId: string) =>
    new Fault('moved', StatusCode.MOVED, `The workflow '${oldId}' is now called '${newId}'.`, {
      moved: { collection: 'workflows', to: newId },
    }),
  duplicate: (id: string) =>
    new Fault(
      'bad_request',
      StatusCode.WORKFLOW_DUPLICATE,
      `duplicate: a workflow with the id '${id}' exists already.`,
    ),
  invalid: (details: string) => new Fault('bad_request', StatusCode.WORKFLOW_INVALID_ARGUMENT, details),
  invalidRequest: (details: string) => new Fault('bad_request', StatusCode.WORKFLOW_INVALID_REQUEST, details),
  badGraph: (details: string) => new Fault('bad_request', StatusCode.WORKFLOW_INVALID_GRAPH, details),
  untrained: (nodeId: string, modelId: string) =>
    new Fault(
      'bad_request',
      StatusCode.WORKFLOW_REQUIRE_TRAINED_MODEL,
      `nodes: the model '${modelId}' of node '${nodeId}' has no trained version.`,
    ),
  notForBase: (nodeId: string) =>
    new Fault(
      'bad_request',
      StatusCode.WORKFLOW_INVALID_ARGUMENT,
      `nodes: '${nodeId}' is a rag-prompter, which searches the app; the base workflow of an app, which runs on its new inputs, cannot hold one.`,
    ),
  noState: (id: string) =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      `workflow_state: there is no state '${id}'; it ends five minutes after its last use. Send 'init' for a new one.`,
    ),
  noSuchNode: (id: string) =>
    new Fault(
      'bad_request',
      StatusCode.WORKFLOW_INVALID_ARGUMENT,
      `node_runner_selectors names the node '${id}', which the workflow does not have.`,
    ),
  nodeFailed: (nodeId: string) =>
    new Fault(
      'bad_request',
      StatusCode.WORKFLOW_NO_MATCHING_INPUT,
      `The node '${nodeId}', which this one builds on, failed.`,
    ),
  modelGone: (modelId: string) =>
    new Fault(
      'not_found',
      StatusCode.MODEL_DOES_NOT_EXIST,
      `The model version pinned for '${modelId}' is gone, or no longer visible to you.`,
    ),
} as const;
