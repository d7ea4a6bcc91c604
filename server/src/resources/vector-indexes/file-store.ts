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
