import type { AppGrant } from '#domain/grant.ts';
import type { VectorPage, VectorStoreKind } from '#domain/vector-store.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';

/** A collection outside of this process, as the database knows it. */
export interface CollectionRow {
  readonly modelVersionKey: number;
  readonly store: VectorStoreKind;
  readonly dims: number;
  /** Every transaction before this one is in it, once it is whole. */
  readonly seenBefore: string;
  /** Where its building goes on. */
  readonly afterKey: number;
  readonly isWhole: boolean;
}

const columns = sql`model_version_key as "modelVersionKey", store, dims, seen_before::text as "seenBefore",
  after_key as "afterKey", is_whole as "isWhole"`;

export const findCollection = (
  db: Db,
  grant: AppGrant,
  modelVersionKey: number,
  store: VectorStoreKind,
): Promise<CollectionRow | undefined> =>
  first<CollectionRow>(
    db,
    sql`select ${columns} from vector_collections
        where app_key = ${grant.appKey} and model_version_key = ${modelVersionKey} and store = ${store}`,
  );

/** As findCollection, and nobody else writes into the collection until the end of the transaction. */
export const lockCollection = (
  db: Db,
  grant: AppGrant,
  modelVersionKey: number,
  store: VectorStoreKind,
): Promise<CollectionRow | undefined> =>
  first<CollectionRow>(
    db,
    sql`select ${columns} from vector_collections
        where app_key = ${grant.appKey} and model_version_key = ${modelVersionKey} and store = ${store} for update`,
  );

/** Begins a collection. What is written from now on is caught up with; what was there before is walked. */
export async function beginCollection(
  db: Db,
  grant: AppGrant,
  modelVersionKey: number,
  store: VectorStoreKind,
  dims: number,
): Promise<void> {
  await run(
    db,
    sql`insert into vector_collections (app_key, model_version_key, store, dims, seen_before)
        values (${grant.appKey}, ${modelVersionKey}, ${store}, ${dims}, pg_snapshot_xmin(pg_current_snapshot()))
        on conflict do nothing`,
  );
}

export async function moveCollection(
  db: Db,
  grant: AppGrant,
  { modelVersionKey, store }: Pick<CollectionRow, 'modelVersionKey' | 'store'>,
  to: Partial<Pick<CollectionRow, 'afterKey' | 'isWhole' | 'seenBefore'>>,
): Promise<void> {
  await run(
    db,
    sql`update vector_collections set after_key = coalesce(${to.afterKey ?? null}, after_key),
          is_whole = coalesce(${to.isWhole ?? null}, is_whole),
          seen_before = coalesce(${to.seenBefore ?? null}::text::xid8, seen_before), modified_at = now()
        where app_key = ${grant.appKey} and model_version_key = ${modelVersionKey} and store = ${store}`,
  );
}

export const xminNow = async (db: Db): Promise<string> =>
  (
    (await first<{ xmin: string }>(
      db,
      sql`select pg_snapshot_xmin(pg_current_snapshot())::text as xmin`,
    )) as {
      xmin: string;
    }
  ).xmin;

export const changedSince = (db: Db, grant: AppGrant, { modelVersionKey, seenBefore }: CollectionRow) =>
  rows<{ key: number; vector: Buffer }>(
    db,
    sql`select key, vector from embeddings where app_key = ${grant.appKey} and model_version_key = ${modelVersionKey}
          and xid >= ${seenBefore}::text::xid8 order by key`,
  );

/** The next vectors of an app and embedder after a key, in key order: the truth that every index is made of. */
export async function truthPage(
  db: Db,
  grant: AppGrant,
  modelVersionKey: number,
  afterKey: number,
  limit: number,
): Promise<VectorPage> {
  return pageOf(
    await rows<{ key: number; vector: Buffer }>(
      db,
      sql`select key, vector from embeddings where app_key = ${grant.appKey} and model_version_key = ${modelVersionKey}
            and key > ${afterKey} order by key limit ${limit}`,
    ),
  );
}

export async function truthOf(
  db: Db,
  grant: AppGrant,
  modelVersionKey: number,
  keys: readonly number[],
): Promise<VectorPage> {
  return pageOf(
    await rows<{ key: number; vector: Buffer }>(
      db,
      sql`select key, vector from embeddings where app_key = ${grant.appKey} and model_version_key = ${modelVersionKey}
            and key = any(${[...keys]}::bigint[]) order by key`,
    ),
  );
}

/** Rows of stored vectors, all of one length, as one page. */
export function pageOf(found: readonly { key: number; vector: Buffer }[]): VectorPage {
  const bytesEach = found[0]?.vector.length ?? 0;
  const vectors = new Float32Array((found.length * bytesEach) / 4);
  const bytes = new Uint8Array(vectors.buffer);
  for (const [i, { vector }] of found.entries()) bytes.set(vector, i * bytesEach);
  return { keys: Float64Array.from(found, ({ key }) => key), vectors };
}

export async function dimsOf(db: Db, grant: AppGrant, modelVersionKey: number): Promise<number | undefined> {
  const row = await first<{ bytes: number }>(
    db,
    sql`select octet_length(vector) as bytes from embeddings
        where app_key = ${grant.appKey} and model_version_key = ${modelVersionKey} limit 1`,
  );
  return row && row.bytes / 4;
}

export interface IndexedVersion {
  readonly modelVersionKey: number;
  readonly modelVersionId: string;
  readonly modelId: string;
  readonly vectors: number;
}

/** The embedders whose vectors an app holds, and how many; `also` those named, though they have none yet. */
export const indexedVersions = (
  db: Db,
  grant: AppGrant,
  also: readonly number[] = [],
): Promise<IndexedVersion[]> =>
  rows<IndexedVersion>(
    db,
    sql`select v.key as "modelVersionKey", v.id as "modelVersionId", m.id as "modelId", e.n as vectors
        from (
          select model_version_key, sum(n)::bigint as n from (
            select model_version_key, count(*) as n from embeddings where app_key = ${grant.appKey} group by 1
            union all select key, 0 from unnest(${[...also]}::bigint[]) as named(key)) counted
          group by 1) e
        join model_versions v on v.key = e.model_version_key join models m on m.key = v.model_key order by v.key`,
  );

export const collectionsOf = (db: Db, grant: AppGrant): Promise<CollectionRow[]> =>
  rows<CollectionRow>(db, sql`select ${columns} from vector_collections where app_key = ${grant.appKey}`);

/** The App message that an app was saved with. */
export async function bodyOfApp(db: Db, grant: AppGrant): Promise<Buffer | undefined> {
  const row = await first<{ body: Buffer }>(db, sql`select body from apps where key = ${grant.appKey}`);
  return row?.body;
}

/** Collections of apps that are gone, or that hold nothing any more. */
export const orphanedCollections = (db: Db) =>
  rows<{ appKey: number; modelVersionKey: number; store: VectorStoreKind }>(
    db,
    sql`select c.app_key as "appKey", c.model_version_key as "modelVersionKey", c.store from vector_collections c
        where not exists (select from embeddings e where e.app_key = c.app_key and e.model_version_key = c.model_version_key)
          and c.modified_at < now() - interval '1 hour'`,
  );

export async function forgetCollection(
  db: Db,
  { appKey, modelVersionKey, store }: { appKey: number; modelVersionKey: number; store: VectorStoreKind },
): Promise<void> {
  await run(
    db,
    sql`delete from vector_collections where app_key = ${appKey} and model_version_key = ${modelVersionKey} and store = ${store}`,
  );
}
