import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, sql } from '#store/sql.ts';
import { pageKeys } from '../common/paging.ts';

/** Which of the three search calls a saved search was made for, and is run by. */
export type SavedKind = 'searches' | 'inputs' | 'annotations';

export interface SavedRow {
  readonly id: string;
  readonly kind: SavedKind;
  readonly body: Buffer;
  readonly visibility: number;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

const columns = sql`s.id, s.kind, s.body, s.visibility, s.created_at as "createdAt", s.modified_at as "modifiedAt"`;

/** @returns undefined when the id is taken. */
export const insertSaved = (
  db: Db,
  grant: AppGrant,
  id: string,
  kind: SavedKind,
  body: Buffer,
  visibility: number,
): Promise<SavedRow | undefined> =>
  first<SavedRow>(
    db,
    sql`insert into saved_searches as s (app_key, id, kind, body, visibility)
        values (${grant.appKey}, ${id}, ${kind}, ${body}, ${visibility})
        on conflict (app_key, id) do nothing returning ${columns}`,
  );

export const findSaved = (db: Db, grant: AppGrant, id: string): Promise<SavedRow | undefined> =>
  first<SavedRow>(
    db,
    sql`select ${columns} from saved_searches s
        where s.app_key = ${grant.appKey} and s.id = ${id} and s.visibility >= ${grant.visibleFrom}`,
  );

/** Locks the search until the transaction ends, so that two patches do not lose each other. */
export const lockSaved = (db: Db, grant: AppGrant, id: string): Promise<SavedRow | undefined> =>
  first<SavedRow>(
    db,
    sql`select ${columns} from saved_searches s where s.app_key = ${grant.appKey} and s.id = ${id} for update`,
  );

export const pageOfSaved = (db: Db, grant: AppGrant, page: Page): Promise<SavedRow[]> =>
  rows<SavedRow>(
    db,
    sql`select ${columns} from ${pageKeys('saved_searches', sql`app_key = ${grant.appKey} and visibility >= ${grant.visibleFrom}`, sql`key`, page)} p
        join saved_searches s using (key) order by p.position`,
  );

export const updateSaved = (
  db: Db,
  grant: AppGrant,
  id: string,
  body: Buffer,
  visibility: number,
): Promise<SavedRow | undefined> =>
  first<SavedRow>(
    db,
    sql`update saved_searches s set body = ${body}, visibility = ${visibility}, modified_at = now()
        where s.app_key = ${grant.appKey} and s.id = ${id} returning ${columns}`,
  );

export async function deleteSaved(db: Db, grant: AppGrant, id: string): Promise<boolean> {
  return (
    (
      await rows(
        db,
        sql`delete from saved_searches where app_key = ${grant.appKey} and id = ${id} returning key`,
      )
    ).length > 0
  );
}
