export { logEntryHandlers } from './handlers.ts';
