import type { WorkflowDeps } from './deps.ts';
import { workflowResultHandlers } from './result-handlers.ts';
import { workflowSimilarityHandlers } from './similarity-handlers.ts';
import { workflowVersionHandlers } from './version-handlers.ts';
import { workflowHandlers as rowHandlers } from './workflow-handlers.ts';

export { conceptsOfWorkflow } from './concepts-of-workflow.ts';
export { copyWorkflowIntoApp } from './copy.ts';
export type { WorkflowDeps } from './deps.ts';
export { readWorkflow, readWorkflowAnywhere } from './find.ts';
export { runBaseWorkflow } from './run-base-workflow.ts';
export { runWorkflowNamed } from './run-named.ts';
export { openRunTimes, type RunTimes, runTimesRoute } from './run-times.ts';
export { type ReadyNode, readyNodes, runWorkflow } from './run-workflow.ts';
export { seedBuiltins } from './seed.ts';
export { showWorkflowVersion } from './translate.ts';
export { findEmbedders, findWorkflowVersion, workflowVersionByKey } from './version-store.ts';
export type { WorkflowVersionRow } from './workflow.ts';

/** Workflows, their versions and their results. */
export const workflowHandlers = (deps: WorkflowDeps) => ({
  ...rowHandlers(deps),
  ...workflowVersionHandlers(deps),
  ...workflowResultHandlers(deps),
  ...workflowSimilarityHandlers(deps),
});
