export { statValueHandlers } from './handlers.ts';
