import type { AppGrant } from '#domain/grant.ts';
import type { VectorHost, VectorIndex } from '#engine/vector/index.ts';
import { copyOut, type Database } from '#store/postgres/index.ts';
import { first, sql } from '#store/sql.ts';

/**
 * Indexes over the embeddings of each app and embedder in the memory of this process, caught up with the database before
 * every search: what a committed transaction wrote is found. Deleted rows are noticed when a hit is looked up and dropped
 * then.
 */
export interface MemoryIndexes {
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

/** Changes read along with the look for changes; where there are more, they are read in bulk. */
export const changesMax = 256;
const rowsPerUpsert = 256;

/** One statement, so that the changes and the mark for the next look come from the same moment. */
export const changes = {
  name: 'searches-changed-vectors',
  text: `select s.xmin, e.key, e.vector
    from (select pg_snapshot_xmin(pg_current_snapshot())::text as xmin) s
    left join lateral (
      select key, vector from embeddings
      where app_key = $1 and model_version_key = $2 and xid >= $3::xid8 limit $4) e on true`,
};

const allVectors = `copy (
  select key, vector from embeddings
  where app_key = current_setting('fovea.app_key')::bigint
    and model_version_key = current_setting('fovea.model_version_key')::bigint
    and xid >= current_setting('fovea.xid')::xid8
) to stdout (format binary)`;

export function openMemoryIndexes(db: Database, host: VectorHost): MemoryIndexes {
  const scopes = new Map<string, Scope>();

  // Transactions still running now may commit later with an older id: next time starts from the oldest of them.
  async function catchUp(scope: Scope, grant: AppGrant, modelVersionKey: number): Promise<void> {
    const owner = [grant.appKey, modelVersionKey, scope.seenBefore];
    type Change = { xmin: string; key: number | null; vector: Buffer };
    const found = await db.run<Change>(changes, [...owner, changesMax + 1]);
    if (found.length <= changesMax) {
      put(
        scope.index,
        found.filter((row): row is Change & EmbeddingRow => row.key !== null),
      );
      scope.seenBefore = (found[0] as Change).xmin;
    } else {
      scope.seenBefore = await readAll(scope.index, owner);
    }
  }

  /** @returns the mark for the next look */
  function readAll(index: VectorIndex, owner: readonly unknown[]): Promise<string> {
    return db.transaction(
      async (tx) => {
        const mark = await first<{ xmin: string }>(
          tx,
          sql`select pg_snapshot_xmin(pg_current_snapshot())::text as xmin`,
        );
        // COPY takes no parameters; settings of the transaction carry them.
        await tx.query(
          `select set_config('fovea.app_key', $1, true), set_config('fovea.model_version_key', $2, true), set_config('fovea.xid', $3, true)`,
          owner.map(String),
        );
        const batch = new Batch(index);
        await copyOut(tx.client, allVectors, ([key, vector]) => batch.add(key as Buffer, vector as Buffer));
        batch.flush();
        return (mark as { xmin: string }).xmin;
      },
      { isolation: 'repeatable read', readOnly: true, timeoutMs: 60_000 },
    );
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
        scope = scopes.get(name) ?? {
          index: host.scope(name, sample.bytes / 4),
          seenBefore: '0',
          catchingUp: undefined,
        };
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

function put(index: VectorIndex, part: readonly EmbeddingRow[]): void {
  if (part.length === 0) return;
  const vectors = new Float32Array(part.length * index.dims);
  const bytes = new Uint8Array(vectors.buffer);
  for (const [i, { vector }] of part.entries()) bytes.set(vector, i * index.dims * 4);
  index.upsert(
    part.map(({ key }) => key),
    vectors,
  );
}

/** Vectors on their way into an index, some at a time. */
class Batch {
  readonly #index: VectorIndex;
  readonly #vectors: Float32Array;
  readonly #bytes: Uint8Array;
  #keys: number[] = [];

  constructor(index: VectorIndex) {
    this.#index = index;
    this.#vectors = new Float32Array(rowsPerUpsert * index.dims);
    this.#bytes = new Uint8Array(this.#vectors.buffer);
  }

  add(key: Buffer, vector: Buffer): void {
    this.#bytes.set(vector, this.#keys.length * this.#index.dims * 4);
    this.#keys.push(Number(key.readBigInt64BE()));
    if (this.#keys.length === rowsPerUpsert) this.flush();
  }

  flush(): void {
    this.#index.upsert(this.#keys, this.#vectors.subarray(0, this.#keys.length * this.#index.dims));
    this.#keys = [];
  }
}
