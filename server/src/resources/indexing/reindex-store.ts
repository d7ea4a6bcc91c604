import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';

const processed = 30000;

/** Begins one anew over all inputs that are there. @returns its generation */
export async function beginReindex(db: Db, grant: AppGrant): Promise<number> {
  const row = await first<{ generation: number }>(
    db,
    sql`insert into app_reindexes as r (app_key, last_key)
        select ${grant.appKey}, coalesce(max(key), 0) from inputs where app_key = ${grant.appKey}
        on conflict (app_key) do update set generation = r.generation + 1, last_key = excluded.last_key, cursor_key = 0,
          chunk_key = 0, reindexed = 0, errors = 0, started_at = now(), ended_at = null
        returning generation`,
  );
  return row?.generation ?? 0;
}

/** Takes the next inputs in hand; none when all are done, or when another generation has begun. */
export async function takeChunk(
  db: Db,
  grant: AppGrant,
  generation: number,
  limit: number,
): Promise<number[]> {
  const found = await rows<{ key: number }>(
    db,
    sql`with next as materialized (
          select i.key from app_reindexes r, lateral (
            select key from inputs where app_key = r.app_key and status_code = ${processed} and key > r.cursor_key and key <= r.last_key
            order by key limit ${limit}) i
          where r.app_key = ${grant.appKey} and r.generation = ${generation}
        ), taken as (
          update app_reindexes set chunk_key = (select max(key) from next)
          where app_key = ${grant.appKey} and generation = ${generation} and exists (select from next)
        )
        select key from next order by key`,
  );
  return found.map(({ key }) => key);
}

/** @returns false when another generation has begun */
export async function finishChunk(
  db: Db,
  grant: AppGrant,
  generation: number,
  outcome: { reindexed: number; errors: number },
): Promise<boolean> {
  const row = await first(
    db,
    sql`update app_reindexes set cursor_key = chunk_key, reindexed = reindexed + ${outcome.reindexed}, errors = errors + ${outcome.errors}
        where app_key = ${grant.appKey} and generation = ${generation} returning app_key`,
  );
  return row !== undefined;
}

/** Nothing is left to do; what was left when it ended counts as done, or as failed. */
export async function endReindex(
  db: Db,
  appKey: number,
  generation: number,
  rest: 'reindexed' | 'errors',
): Promise<void> {
  await run(
    db,
    sql`update app_reindexes r set cursor_key = r.last_key, chunk_key = r.last_key, ended_at = now(),
          reindexed = r.reindexed + case when ${rest} = 'reindexed' then left_over.n else 0 end,
          errors = r.errors + case when ${rest} = 'errors' then left_over.n else 0 end
        from (
          select count(*) as n from inputs i join app_reindexes o on o.app_key = i.app_key
          where o.app_key = ${appKey} and i.status_code = ${processed} and i.key > o.cursor_key and i.key <= o.last_key) left_over
        where r.app_key = ${appKey} and r.generation = ${generation} and r.ended_at is null`,
  );
}

export interface ReindexCounts {
  readonly toReindex: number;
  readonly reindexing: number;
  readonly reindexed: number;
  readonly errors: number;
}

/** What waits is counted by the tallies per 1,024 keys, and only the two ends by key. */
export const reindexCounts = (db: Db, grant: AppGrant): Promise<ReindexCounts | undefined> =>
  first<ReindexCounts>(
    db,
    sql`select r.reindexed, r.errors,
          (select count(*) from inputs where app_key = r.app_key and status_code = ${processed}
             and key > r.cursor_key and key <= r.chunk_key) as reindexing,
          (select count(*) from inputs where app_key = r.app_key and status_code = ${processed} and key > r.chunk_key
             and key <= least(r.last_key, ((r.chunk_key >> 10) + 1 << 10) - 1))
          + (select coalesce(sum(n), 0)::bigint from input_tallies where app_key = r.app_key and status_code = ${processed}
             and bucket > r.chunk_key >> 10 and bucket < r.last_key >> 10)
          + (select count(*) from inputs where app_key = r.app_key and status_code = ${processed}
             and r.last_key >> 10 > r.chunk_key >> 10 and key >= (r.last_key >> 10) << 10 and key <= r.last_key) as "toReindex"
        from app_reindexes r where r.app_key = ${grant.appKey}`,
  );
