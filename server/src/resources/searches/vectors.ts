import type { VectorHost, VectorIndex } from '#engine/vector/index.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { Database } from '#store/postgres/index.ts';
import { first, rows, sql } from '#store/sql.ts';

/**
 * Indexes over the embeddings of each app and embedder, caught up with the database before every search: what a
 * committed transaction wrote is found. Deleted rows are noticed when a hit is looked up and dropped then.
 */
export interface VectorCatalog {
  /** The index, up to date. Undefined when the app holds no embeddings of this model version. */
  open(grant: AppGrant, modelVersionKey: number): Promise<VectorIndex | undefined>;
}

interface Scope {
  readonly index: VectorIndex;
  /** Every transaction before this one was seen whole. */
  seenBefore: string;
  catchingUp: Promise<void> | undefined;
}

interface EmbeddingRow {
  readonly key: number;
  readonly vector: Buffer;
}

const rowsPerRead = 4_000;

export function openVectorCatalog(db: Database, host: VectorHost): VectorCatalog {
  const scopes = new Map<string, Scope>();

  async function catchUp(scope: Scope, grant: AppGrant, modelVersionKey: number): Promise<void> {
    const { seenBefore, read } = await db.transaction(
      async (tx) => {
        // Transactions still running now may commit later with an older id: next time starts from the oldest of them.
        const now = await first<{ xmin: string }>(tx, sql`select pg_snapshot_xmin(pg_current_snapshot())::text as xmin`);
        let after = 0;
        let count = 0;
        for (;;) {
          const part: EmbeddingRow[] = await rows<EmbeddingRow>(
            tx,
            sql`select key, vector from embeddings
                where app_key = ${grant.appKey} and model_version_key = ${modelVersionKey}
                  and xid >= ${scope.seenBefore}::xid8 and key > ${after}
                order by key limit ${rowsPerRead}`,
          );
          if (part.length === 0) return { seenBefore: (now as { xmin: string }).xmin, read: count };
          scope.index.upsert(
            part.map((row) => row.key),
            packed(part, scope.index.dims),
          );
          count += part.length;
          after = (part.at(-1) as EmbeddingRow).key;
        }
      },
      { isolation: 'repeatable read', readOnly: true, timeoutMs: 60_000 },
    );
    if (read >= 0) scope.seenBefore = seenBefore;
  }

  return {
    async open(grant, modelVersionKey) {
      const name = `${grant.appKey}-${modelVersionKey}`;
      let scope = scopes.get(name);
      if (!scope) {
        const sample = await first<{ bytes: number }>(
          db,
          sql`select octet_length(vector) as bytes from embeddings
              where app_key = ${grant.appKey} and model_version_key = ${modelVersionKey} limit 1`,
        );
        if (!sample) return undefined;
        scope = scopes.get(name) ?? { index: host.scope(name, sample.bytes / 4), seenBefore: '0', catchingUp: undefined };
        scopes.set(name, scope);
      }
      const opened = scope;
      // A search that arrives while another catches up may have been preceded by a commit that the other missed.
      if (opened.catchingUp) await opened.catchingUp.catch(() => {});
      opened.catchingUp ??= catchUp(opened, grant, modelVersionKey).finally(() => {
        opened.catchingUp = undefined;
      });
      await opened.catchingUp;
      return opened.index;
    },
  };
}

function packed(part: readonly EmbeddingRow[], dims: number): Float32Array {
  const vectors = new Float32Array(part.length * dims);
  for (const [i, { vector }] of part.entries()) {
    for (let d = 0; d < dims; d++) vectors[i * dims + d] = vector.readFloatLE(d * 4);
  }
  return vectors;
}
