import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { exportStatus } from './export/store.ts';

/**
 * Marks inputs as deleted in all versions of the app that hold them. Those who copy inputs into a version hold them,
 * so an input is deleted before it is copied, or after.
 *
 * @returns the versions
 */
export async function markDeleted(db: Db, grant: AppGrant, inputKeys: readonly number[]): Promise<number[]> {
  const found = await rows<{ key: number }>(
    db,
    sql`with marked as (
          update dataset_chunk_inputs i set deleted_at = now()
          from unnest(${[...inputKeys]}::bigint[]) as k(key)
          join dataset_chunks c on c.app_key = ${grant.appKey} and c.bucket = k.key >> 10
          where i.chunk_key = c.key and i.input_key = k.key and i.deleted_at is null returning i.chunk_key)
        select distinct l.version_key as key
        from (select distinct chunk_key from marked) m join dataset_version_chunks l on l.chunk_key = m.chunk_key`,
  );
  return found.map(({ key }) => key);
}

/** Inputs that came back are deleted no more. */
export const markRestored = (db: Db, grant: AppGrant, inputKeys: readonly number[]): Promise<void> =>
  run(
    db,
    sql`update dataset_chunk_inputs i set deleted_at = null
        from unnest(${[...inputKeys]}::bigint[]) as k(key)
        join dataset_chunks c on c.app_key = ${grant.appKey} and c.bucket = k.key >> 10
        where i.chunk_key = c.key and i.input_key = k.key and not i.erased`,
  );

/** Forgets archives of versions, those in the making too. @returns where they lie in the object store */
export async function dropArchives(db: Db, versionKeys: readonly number[]): Promise<string[]> {
  const found = await rows<{ key: string }>(
    db,
    sql`delete from dataset_exports
        where version_key = any(${[...versionKeys]}::bigint[]) and status_code <> ${exportStatus.pending}
        returning object_key as key`,
  );
  return found.map(({ key }) => key);
}

/**
 * Leaves of some inputs that were deleted before a moment nothing but their ids and labels.
 *
 * @returns the media they had, undefined when no such input is left
 */
export async function eraseSome(
  db: Db,
  appKey: number,
  keptMs: number,
  limit: number,
): Promise<Buffer[] | undefined> {
  const found = await rows<{ chunkKey: number; inputKey: number; sha: Buffer | null }>(
    db,
    sql`select i.chunk_key as "chunkKey", i.input_key as "inputKey", i.media_sha as sha
        from dataset_chunk_inputs i join dataset_chunks c on c.key = i.chunk_key
        where c.app_key = ${appKey} and not i.erased and i.deleted_at is not null
          and i.deleted_at <= now() - ${keptMs} * interval '1 millisecond'
        order by i.chunk_key, i.input_key limit ${limit} for update of i`,
  );
  if (found.length === 0) return undefined;
  const chosen = sql`unnest(${found.map((one) => one.chunkKey)}::bigint[], ${found.map((one) => one.inputKey)}::bigint[])
    as k(chunk_key, input_key)`;
  await run(
    db,
    sql`update dataset_chunk_inputs i set erased = true, url = '', media_sha = null, media = '', settings = ''
        from ${chosen} where i.chunk_key = k.chunk_key and i.input_key = k.input_key`,
  );
  await run(
    db,
    sql`update dataset_chunk_annotations a set data = '', annotation_info = null
        from ${chosen} where a.chunk_key = k.chunk_key and a.input_key = k.input_key`,
  );
  return found.flatMap(({ sha }) => sha ?? []);
}

/** When the next input of an app is due to be erased, undefined when none waits for it. */
export async function nextErasure(db: Db, appKey: number, keptMs: number): Promise<Date | undefined> {
  const row = await first<{ at: Date | null }>(
    db,
    sql`select min(i.deleted_at) + ${keptMs} * interval '1 millisecond' as at
        from dataset_chunk_inputs i join dataset_chunks c on c.key = i.chunk_key
        where c.app_key = ${appKey} and i.deleted_at is not null and not i.erased`,
  );
  return row?.at ?? undefined;
}

/** Apps whose versions hold something that is due. */
export async function appsToErase(db: Db, keptMs: number): Promise<number[]> {
  const found = await rows<{ key: number }>(
    db,
    sql`select distinct c.app_key as key from dataset_chunk_inputs i join dataset_chunks c on c.key = i.chunk_key
        where i.deleted_at <= now() - ${keptMs} * interval '1 millisecond' and not i.erased`,
  );
  return found.map(({ key }) => key);
}
