export type { EvaluationDeps } from './deps.ts';
export { evaluationHandlers } from './handlers.ts';
export { evaluationJobs } from './jobs.ts';
export { evaluationRoutes } from './trace-route.ts';
