import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, sql } from '#store/sql.ts';
import { pageKeys } from '../common/paging.ts';

export interface FilterRow {
  readonly id: string;
  /** Search message. */
  readonly body: Buffer;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

const columns = sql`f.id, f.body, f.created_at as "createdAt", f.modified_at as "modifiedAt"`;

/** @returns undefined when the id is taken. */
export const insertFilter = (
  db: Db,
  grant: AppGrant,
  id: string,
  body: Buffer,
): Promise<FilterRow | undefined> =>
  first(
    db,
    sql`insert into annotation_filters as f (app_key, id, body) values (${grant.appKey}, ${id}, ${body})
        on conflict (app_key, id) do nothing returning ${columns}`,
  );

export const findFilter = (db: Db, grant: AppGrant, id: string): Promise<FilterRow | undefined> =>
  first(
    db,
    sql`select ${columns} from annotation_filters f where f.app_key = ${grant.appKey} and f.id = ${id}`,
  );

/** A page of the app's filters, newest first. */
export const pageOfFilters = (db: Db, grant: AppGrant, page: Page): Promise<FilterRow[]> =>
  rows(
    db,
    sql`select ${columns} from ${pageKeys('annotation_filters', sql`app_key = ${grant.appKey}`, sql`key desc`, page)} p
        join annotation_filters f using (key) order by p.position`,
  );

/** @returns undefined when there is none. */
export const updateFilter = (
  db: Db,
  grant: AppGrant,
  id: string,
  body: Buffer,
): Promise<FilterRow | undefined> =>
  first(
    db,
    sql`update annotation_filters f set body = ${body}, modified_at = now()
        where f.app_key = ${grant.appKey} and f.id = ${id} returning ${columns}`,
  );

/** @returns the ids that were there. */
export async function deleteFilters(db: Db, grant: AppGrant, ids: readonly string[]): Promise<Set<string>> {
  const gone = await rows<{ id: string }>(
    db,
    sql`delete from annotation_filters where app_key = ${grant.appKey} and id = any(${[...ids]}::text[]) returning id`,
  );
  return new Set(gone.map(({ id }) => id));
}
