import type { VectorCollection, VectorStore } from '#domain/vector-store.ts';
import type { VectorHost } from './vector-host.ts';

/** The memory of this process as a store like the others. */
export const openInProcessStore = (host: VectorHost): VectorStore => ({
  kind: 'in_process',
  async check() {},
  async open(name, dims): Promise<VectorCollection> {
    return host.scope(name, dims);
  },
  async drop(name) {
    host.dropScope(name);
  },
});
