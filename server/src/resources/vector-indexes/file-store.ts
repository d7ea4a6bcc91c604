import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';

/** Up to which transaction a file of vectors is level; undefined where the database does not know the file. */
export async function markOfFile(
  db: Db,
  grant: AppGrant,
  modelVersionKey: number,
  label: string,
): Promise<string | undefined> {
  const row = await first<{ mark: string }>(
    db,
    sql`select seen_before::text as mark from vector_files
        where label = ${label} and app_key = ${grant.appKey} and model_version_key = ${modelVersionKey}`,
  );
  return row?.mark;
}

/** Vectors that were deleted since a mark, by app and embedder, and the mark to go on from. */
export async function deletedSince(
  db: Db,
  seenBefore: string,
): Promise<{ mark: string; deleted: { appKey: number; modelVersionKey: number; keys: number[] }[] }> {
  const found = await rows<{ mark: string; appKey: number | null; modelVersionKey: number; keys: number[] }>(
    db,
    sql`select s.mark, e.app_key as "appKey", e.model_version_key as "modelVersionKey", e.keys
        from (select pg_snapshot_xmin(pg_current_snapshot())::text as mark) s
        left join (select app_key, model_version_key, array_agg(key::float8) as keys from erased_vectors
          where xid >= ${seenBefore}::text::xid8 group by 1, 2) e on true`,
  );
  const deleted = found.flatMap(({ appKey, modelVersionKey, keys }) =>
    appKey === null ? [] : { appKey, modelVersionKey, keys },
  );
  return { mark: found[0]?.mark ?? seenBefore, deleted };
}

/** Files are believed for a month, so longer nobody need know what to erase from them. */
export const forgetErased = (db: Db): Promise<void> =>
  run(db, sql`delete from erased_vectors where at < now() - interval '31 days'`);

/** The embedders of an app whose vectors are in files. */
export async function filedVersions(db: Db, appKey: number): Promise<number[]> {
  const found = await rows<{ key: number }>(
    db,
    sql`select distinct model_version_key as key from vector_files where app_key = ${appKey}`,
  );
  return found.map(({ key }) => key);
}

/** Knows a file from now on. Those of other processes are known for a month; one that is older is read from the rows. */
export const putFile = (
  db: Db,
  grant: AppGrant,
  modelVersionKey: number,
  label: string,
  seenBefore: string,
): Promise<void> =>
  run(
    db,
    sql`with gone as (
          delete from vector_files where app_key = ${grant.appKey} and created_at < now() - interval '30 days')
        insert into vector_files (label, app_key, model_version_key, seen_before)
        values (${label}, ${grant.appKey}, ${modelVersionKey}, ${seenBefore}::text::xid8)`,
  );
