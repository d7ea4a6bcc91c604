export { searchHandlers } from './handlers.ts';
export { type InputSearch, openInputSearch } from './input-keys.ts';
export type { SearchParts } from './parts.ts';
export { openVectorCatalog, type VectorCatalog } from './vectors.ts';
