/** Stores of vectors outside of this process; what they must do is in domain/vector-store.ts. */

export { openPgVectorStore } from './pgvector.ts';
export { openQdrantStore, type QdrantConfig } from './qdrant.ts';
