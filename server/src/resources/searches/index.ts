export { searchHandlers } from './handlers.ts';
export type { SearchParts } from './parts.ts';
export { openVectorCatalog, type VectorCatalog } from './vectors.ts';
