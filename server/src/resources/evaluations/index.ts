import { afterTrainingJobs } from './after-training.ts';
import type { EvaluationDeps } from './deps.ts';
import { evaluationHandlers as modelHandlers } from './handlers.ts';
import { evaluationJobs as modelJobs } from './jobs.ts';
import { workflowEvaluationHandlers } from './workflow/handlers.ts';
import { workflowEvaluationJobs } from './workflow/jobs.ts';

export { evaluateAfterTraining } from './after-training.ts';
export type { EvaluationDeps } from './deps.ts';
export { evaluationRoutes } from './trace-route.ts';

/** Evaluations of model versions and of nodes of workflows. */
export const evaluationHandlers = (deps: EvaluationDeps) => ({
  ...modelHandlers(deps),
  ...workflowEvaluationHandlers(deps),
});

export const evaluationJobs = (deps: EvaluationDeps) => ({
  ...modelJobs(deps),
  ...afterTrainingJobs(deps),
  ...workflowEvaluationJobs(deps),
});
