import type { AppGrant } from '#domain/grant.ts';
import { type Db, rows, type Sql, sql } from '#store/sql.ts';
import { allOf } from '../common/paging.ts';

export interface StatRow {
  readonly time: Date;
  readonly value: number;
  readonly tags: readonly string[];
}

/** Keeps values; those without a time get that of the commit. @returns them in the order sent */
export async function insertStats(
  db: Db,
  grant: AppGrant,
  wanted: readonly (Omit<StatRow, 'time'> & { time: Date | undefined })[],
): Promise<StatRow[]> {
  const made = await rows<StatRow & { key: number }>(
    db,
    sql`insert into stat_values (app_key, time, value, tags)
        select ${grant.appKey}, coalesce(n.time, now()), n.value,
          array(select jsonb_array_elements_text(n.tags))
        from unnest(${wanted.map((w) => w.time ?? null)}::timestamptz[], ${wanted.map((w) => w.value)}::float8[],
          ${wanted.map((w) => JSON.stringify(w.tags))}::jsonb[]) with ordinality as n(time, value, tags, position)
        order by n.position returning key, time, value, tags`,
  );
  return made.sort((a, b) => a.key - b.key);
}

export const timeBins = ['year', 'month', 'week', 'day', 'hour', 'minute'] as const;
export type TimeBin = (typeof timeBins)[number];

export interface StatQuery {
  /** All of them have to be there. */
  readonly tags: readonly string[];
  readonly tagGroups: readonly string[];
  readonly average: boolean;
  readonly bin: TimeBin | undefined;
  readonly from: Date | undefined;
  readonly until: Date | undefined;
}

export interface AggregateRow {
  readonly time: Date | null;
  readonly value: number;
  readonly n: number;
  readonly tags: readonly string[];
}

/**
 * Sums or averages per time bin (UTC) and per combination of one tag out of each group; values that lack a tag of one
 * of the groups are left out. In the order of time, then tags.
 */
export function aggregateStats(
  db: Db,
  grant: AppGrant,
  query: StatQuery,
  limit: number,
): Promise<AggregateRow[]> {
  const groups = query.tagGroups.map((group, i) => ({
    name: sql.ref(`g${i}`),
    of: sql`cross join lateral (
      select distinct tag from unnest(s.tags) tag where split_part(tag, ':', 1) = ${group}) ${sql.ref(`g${i}`)}`,
  }));
  const tags = groups.map(({ name }) => sql`${name}.tag`);
  const bin: Sql<unknown> = query.bin
    ? sql`date_trunc(${sql.lit(query.bin)}, s.time, 'UTC')`
    : sql`null::timestamptz`;
  const where = allOf([
    sql`s.app_key = ${grant.appKey}`,
    query.tags.length > 0 ? sql`s.tags @> ${[...query.tags]}::text[]` : undefined,
    query.from ? sql`s.time >= ${query.from}` : undefined,
    query.until ? sql`s.time <= ${query.until}` : undefined,
  ]);
  const shownTags = tags.length > 0 ? sql`array[${sql.join(tags)}]::text[]` : sql`'{}'::text[]`;
  return rows<AggregateRow>(
    db,
    sql`select ${bin} as time, ${query.average ? sql`avg(s.value)` : sql`sum(s.value)`} as value, count(*) as n, ${shownTags} as tags
        from stat_values s ${sql.join(
          groups.map(({ of }) => of),
          sql` `,
        )}
        where ${where} group by 1, 4 order by 1, 4 limit ${limit}`,
  );
}
