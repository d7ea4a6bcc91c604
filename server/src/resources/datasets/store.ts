import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, type Sql, sql } from '#store/sql.ts';
import { allOf, contains, pageKeys, wordsMatch, wordsOf } from '../common/paging.ts';
import type { DatasetPatch, DatasetRow, NewDataset } from './dataset.ts';

const columns = sql`d.key, d.id, d.body, d.visibility, d.created_at as "createdAt", d.modified_at as "modifiedAt"`;

/** @returns undefined when the id is taken. */
export function insertDataset(db: Db, grant: AppGrant, dataset: NewDataset): Promise<DatasetRow | undefined> {
  return first<DatasetRow>(
    db,
    sql`insert into datasets as d (app_key, id, body, words, visibility, is_bookmark)
        values (${grant.appKey}, ${dataset.id}, ${dataset.body}, ${wordsOf(dataset.words)}, ${dataset.visibility},
                ${dataset.isBookmark})
        on conflict (app_key, id) do nothing returning ${columns}`,
  );
}

export function findDataset(db: Db, grant: AppGrant, id: string): Promise<DatasetRow | undefined> {
  return first<DatasetRow>(
    db,
    sql`select ${columns} from datasets d
        where d.app_key = ${grant.appKey} and d.id = ${id} and d.visibility >= ${grant.visibleFrom}`,
  );
}

/** Datasets locked in key order until the commit; unknown ids are missing. */
export function lockDatasets(db: Db, grant: AppGrant, ids: readonly string[]): Promise<DatasetRow[]> {
  return rows<DatasetRow>(
    db,
    sql`select ${columns} from datasets d
        where d.app_key = ${grant.appKey} and d.id = any(${[...ids]}) order by d.key for no key update`,
  );
}

export function updateDataset(db: Db, grant: AppGrant, patch: DatasetPatch): Promise<DatasetRow | undefined> {
  return first<DatasetRow>(
    db,
    sql`update datasets d set body = ${patch.body}, words = ${wordsOf(patch.words)},
          visibility = coalesce(${patch.visibility ?? null}::smallint, d.visibility), modified_at = now()
        where d.app_key = ${grant.appKey} and d.id = ${patch.id} returning ${columns}`,
  );
}

/** Versions of millions of inputs go with their dataset. */
export const deletionTimeoutMs = 600_000;

/** Deletes datasets with their memberships and versions; the inputs stay. */
export async function deleteDatasetRows(db: Db, grant: AppGrant, keys: readonly number[]): Promise<void> {
  await run(db, sql`delete from datasets where app_key = ${grant.appKey} and key = any(${[...keys]})`);
}

export type DatasetSort = 'created_at' | 'star_count' | 'modified_at' | 'id' | 'relevance';

export interface DatasetFilter {
  readonly search: string;
  readonly idPart: string;
  readonly bookmarks: boolean;
  readonly sort: DatasetSort;
  readonly ascending: boolean;
}

export function pageOfDatasets(
  db: Db,
  grant: AppGrant,
  filter: DatasetFilter,
  page: Page,
): Promise<DatasetRow[]> {
  const where = allOf([
    sql`app_key = ${grant.appKey} and visibility >= ${grant.visibleFrom} and is_bookmark = ${filter.bookmarks} and not of_app`,
    wordsMatch(sql`words`, filter.search),
    filter.idPart === '' ? undefined : contains(sql`id`, filter.idPart),
  ]);
  return rows<DatasetRow>(
    db,
    sql`select ${columns} from ${pageKeys('datasets', where, orderOf(filter), page)} p join datasets d using (key)
        order by p.position`,
  );
}

function orderOf({ sort, ascending, search }: DatasetFilter): Sql<unknown> {
  const direction = ascending ? sql`asc` : sql`desc`;
  const orders: Record<DatasetSort, Sql<unknown>> = {
    id: sql`id ${direction}, key`,
    created_at: sql`created_at ${direction}, key ${direction}`,
    modified_at: sql`modified_at ${direction}, key ${direction}`,
    // Nobody can star: every count is equal, and the order is that of the keys.
    star_count: sql`key ${direction}`,
    relevance: sql`ts_rank(words, websearch_to_tsquery('english', ${search})) ${direction}, key`,
  };
  return orders[sort];
}
