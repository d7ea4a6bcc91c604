import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, run, sql } from '#store/sql.ts';
import { isEmbeddable } from './store.ts';

/** How far the walk is that gives everything vectors of another embedder. */
export interface EmbedderChange {
  readonly servingKey: number;
  readonly comingKey: number | null;
  readonly pass: number;
  /** Annotations up to here were looked at in this pass. */
  readonly cursorKey: number;
  readonly lastKey: number;
  readonly embedded: number;
  readonly failed: number;
}

const columns = sql`serving_key as "servingKey", coming_key as "comingKey", pass, cursor_key as "cursorKey",
  last_key as "lastKey", embedded, failed`;

/** Writes down which embedder serves, where nothing is written down yet. */
export const keepServing = (db: Db, grant: AppGrant, modelVersionKey: number): Promise<void> =>
  run(
    db,
    sql`insert into app_embedders (app_key, serving_key) values (${grant.appKey}, ${modelVersionKey}) on conflict do nothing`,
  );

export const findChange = (db: Db, grant: AppGrant): Promise<EmbedderChange | undefined> =>
  first<EmbedderChange>(db, sql`select ${columns} from app_embedders where app_key = ${grant.appKey}`);

/** Nobody stores vectors by what was true before until the end of the transaction; who does now is waited for. */
export const lockChange = (db: Db, grant: AppGrant): Promise<EmbedderChange | undefined> =>
  first<EmbedderChange>(
    db,
    sql`select ${columns} from app_embedders where app_key = ${grant.appKey} for update`,
  );

/** Whoever stores vectors holds this: the embedders that are looked up afterwards are those of now until the end. */
export const holdEmbedders = (db: Db, grant: AppGrant): Promise<void> =>
  run(db, sql`select from app_embedders where app_key = ${grant.appKey} for share`);

/** Begins a pass over all annotations that are there. */
export async function beginPass(db: Db, grant: AppGrant, comingKey: number, pass: number): Promise<void> {
  await run(
    db,
    sql`update app_embedders set coming_key = ${comingKey}, pass = ${pass}, cursor_key = 0, embedded = 0, failed = 0,
          started_at = case when ${pass}::int = 1 then now() else started_at end,
          last_key = (select coalesce(max(key), 0) from annotations where app_key = ${grant.appKey})
        where app_key = ${grant.appKey}`,
  );
}

/** @returns false when another step has moved it since */
export async function movePass(
  db: Db,
  grant: AppGrant,
  { comingKey, pass, cursorKey }: EmbedderChange,
  to: { cursorKey: number; embedded: number; failed: number },
): Promise<boolean> {
  const row = await first(
    db,
    sql`update app_embedders set cursor_key = ${to.cursorKey}, embedded = embedded + ${to.embedded}, failed = failed + ${to.failed}
        where app_key = ${grant.appKey} and coming_key = ${comingKey} and pass = ${pass} and cursor_key = ${cursorKey}
        returning app_key`,
  );
  return row !== undefined;
}

/** Ends a change: this one serves from now on. */
export const endChange = (db: Db, grant: AppGrant, servingKey: number): Promise<void> =>
  run(
    db,
    sql`update app_embedders set serving_key = ${servingKey}, coming_key = null where app_key = ${grant.appKey}`,
  );

const windowRows = 2_048;

/**
 * The next annotations of the app, a window of them by key, and which of them could have a vector of the coming
 * embedder and have none. `until` is null behind the last.
 */
export async function nextLacking(
  db: Db,
  grant: AppGrant,
  { comingKey, cursorKey, lastKey }: EmbedderChange,
): Promise<{ until: number | null; lacking: { key: number; inputKey: number }[] }> {
  const row = await first<{ until: number | null; lacking: { key: number; inputKey: number }[] }>(
    db,
    sql`with a as materialized (
          select key, input_key, input_level, kinds, worker_model_version_key from annotations
          where app_key = ${grant.appKey} and key > ${cursorKey} and key <= ${lastKey} order by key limit ${windowRows})
        select (select max(key) from a) as until, coalesce((
          select jsonb_agg(jsonb_build_object('key', a.key, 'inputKey', a.input_key) order by a.key)
          from a join inputs i on i.key = a.input_key
          where i.status_code = 30000 and i.media_sha is not null and ${isEmbeddable} and not exists (
            select from embeddings e where e.annotation_key = a.key and e.model_version_key = ${comingKey})), '[]') as lacking`,
  );
  return row ?? { until: null, lacking: [] };
}

/** Whether the app is being reindexed: that makes the same vectors, input by input. */
export async function isReindexing(db: Db, grant: AppGrant): Promise<boolean> {
  const row = await first(
    db,
    sql`select from app_reindexes where app_key = ${grant.appKey} and ended_at is null`,
  );
  return row !== undefined;
}
