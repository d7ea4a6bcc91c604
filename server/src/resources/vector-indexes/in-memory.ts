import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import type { VectorHost, VectorIndex } from '#engine/vector/index.ts';
import type { Log } from '#store/log.ts';
import { copyOut, type Database, RawColumns, type RawReads } from '#store/postgres/index.ts';
import { type Db, first, sql } from '#store/sql.ts';
import { deletedSince, filedVersions, markOfFile, putFile } from './file-store.ts';

/**
 * Indexes over the embeddings of each app and embedder in the memory of this process, caught up with the database before
 * every search: what a committed transaction wrote is found. Deleted rows are noticed when a hit is looked up and dropped
 * then.
 */
export interface MemoryIndexes {
  /** The index, up to date. Undefined when the app holds no embeddings of this model version. */
  open(grant: AppGrant, modelVersionKey: number, raw?: RawReads['raw']): Promise<VectorIndex | undefined>;
  /** Erases from memory and files what was deleted since the last time. */
  eraseDeleted(): Promise<void>;
  /** Drops the indexes of an app and their files, in the transaction in which its rows go. */
  forgetApp(tx: Db, appKey: number): Promise<void>;
}

interface Scope {
  readonly index: VectorIndex;
  /** Every transaction before this one was seen whole. */
  seenBefore: string;
  catchingUp: Promise<void> | undefined;
  /** Read from rows since the file of vectors was written. */
  changed: number;
  keeping: boolean;
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
      where app_key = $1::bigint and model_version_key = $2::bigint and xid >= $3::text::xid8 limit $4::bigint) e on true`,
};

const allVectors = `copy (
  select key, vector from embeddings
  where app_key = current_setting('fovea.app_key')::bigint
    and model_version_key = current_setting('fovea.model_version_key')::bigint
    and xid >= current_setting('fovea.xid')::xid8
) to stdout (format binary)`;

/** @param owner app, model version, and the mark of the last look */
async function changesSince(
  raw: RawReads['raw'],
  owner: readonly [number, number, string],
): Promise<{ mark: string; changed: EmbeddingRow[] }> {
  const columns = new RawColumns();
  const changed: EmbeddingRow[] = [];
  let mark = '';
  for (const row of await raw(changes, [...owner, changesMax + 1])) {
    mark = columns.read(row).text();
    const key = columns.int8OrNull();
    // Nothing changed: the mark stands alone.
    if (key === null) break;
    columns.next();
    changed.push({ key, vector: columns.bytes.subarray(columns.start, columns.end) });
  }
  return { mark, changed };
}

/** A file of vectors is written anew when so large a share of them has changed since. */
const changedShareMax = 0.1;

export function openMemoryIndexes(db: Database, host: VectorHost, log: Log): MemoryIndexes {
  const scopes = new Map<string, Scope>();
  let erasedBefore = '0';

  // Transactions still running now may commit later with an older id: next time starts from the oldest of them.
  async function catchUp(
    scope: Scope,
    grant: AppGrant,
    modelVersionKey: number,
    raw: RawReads['raw'],
  ): Promise<void> {
    if (scope.seenBefore === '0') scope.seenBefore = (await loaded(scope, grant, modelVersionKey)) ?? '0';
    const owner = [grant.appKey, modelVersionKey, scope.seenBefore] as const;
    const { mark, changed } = await changesSince(raw, owner);
    if (changed.length <= changesMax) {
      put(scope.index, changed);
      scope.changed += changed.length;
      scope.seenBefore = mark;
    } else {
      const { mark, count } = await readAll(scope.index, owner);
      scope.changed += count;
      scope.seenBefore = mark;
    }
    if (scope.index.isLarge && !scope.keeping && scope.changed > changedShareMax * scope.index.size)
      void keep(scope, grant, modelVersionKey);
  }

  /** Reads the file of an earlier life of this process. @returns the mark to go on from; undefined where there is none */
  async function loaded(
    { index }: Scope,
    grant: AppGrant,
    modelVersionKey: number,
  ): Promise<string | undefined> {
    const label = await index.keptLabel();
    if (label === undefined) return undefined;
    const mark = await markOfFile(db, grant, modelVersionKey, label);
    return mark !== undefined && (await index.loadKept()) ? mark : undefined;
  }

  /** The file is believed once the database knows of it: one that was cut short, or of another database, is not. */
  async function keep(scope: Scope, grant: AppGrant, modelVersionKey: number): Promise<void> {
    const { seenBefore, changed, index } = scope;
    const label = newId();
    scope.keeping = true;
    try {
      await index.keep(label);
      await putFile(db, grant, modelVersionKey, label, seenBefore);
      scope.changed -= changed;
    } catch (error) {
      log.warn(
        { error },
        'vectors could not be written to their file; after a restart they are read from the database',
      );
      // Not tried again before as much has changed once more.
      scope.changed = 0;
    } finally {
      scope.keeping = false;
    }
  }

  /** @returns the mark for the next look, and how many there were */
  function readAll(index: VectorIndex, owner: readonly unknown[]): Promise<{ mark: string; count: number }> {
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
        let count = 0;
        await copyOut(tx.client, allVectors, ([key, vector]) => {
          count += 1;
          batch.add(key as Buffer, vector as Buffer);
        });
        batch.flush();
        return { mark: (mark as { xmin: string }).xmin, count };
      },
      { isolation: 'repeatable read', readOnly: true, timeoutMs: 60_000 },
    );
  }

  return {
    async eraseDeleted() {
      const { mark, deleted } = await deletedSince(db, erasedBefore);
      for (const { appKey, modelVersionKey, keys } of deleted)
        await host.erase(`${appKey}-${modelVersionKey}`, keys);
      erasedBefore = mark;
    },
    async forgetApp(tx, appKey) {
      const kept = (await filedVersions(tx, appKey)).map((modelVersionKey) => `${appKey}-${modelVersionKey}`);
      const open = [...scopes.keys()].filter((name) => name.startsWith(`${appKey}-`));
      for (const name of new Set([...kept, ...open])) {
        scopes.delete(name);
        host.dropScope(name);
      }
    },
    async open(grant, modelVersionKey, raw = db.raw) {
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
          changed: 0,
          keeping: false,
        };
        scopes.set(name, scope);
      }
      const opened = scope;
      // A search that arrives while another catches up may have been preceded by a commit that the other missed.
      if (opened.catchingUp) await opened.catchingUp.catch(() => {});
      opened.catchingUp ??= catchUp(opened, grant, modelVersionKey, raw).finally(() => {
        opened.catchingUp = undefined;
      });
      await opened.catchingUp;
      return opened.index;
    },
  };
}

const eraseEveryMs = 30_000;

/** Erases what was deleted now and every half minute. @returns ends that */
export function eraseEveryWhile(memory: MemoryIndexes, log: Log): () => Promise<void> {
  let running: Promise<void> | undefined;
  const erase = () => {
    running ??= memory
      .eraseDeleted()
      // Nothing is lost: the next time begins where this one did.
      .catch((error) => log.warn({ error }, 'deleted vectors could not be erased from their files yet'))
      .finally(() => {
        running = undefined;
      });
  };
  const timer = setInterval(erase, eraseEveryMs);
  timer.unref();
  erase();
  return async () => {
    clearInterval(timer);
    await running;
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
