import type { UserGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { pageKeys } from '../../common/paging.ts';
import { type Count, duplicationStatus } from './duplication.ts';

export interface DuplicationRow {
  readonly key: number;
  readonly id: string;
  readonly userKey: number;
  readonly sourceAppKey: number;
  readonly destAppKey: number;
  readonly isNewApp: boolean;
  readonly filter: Buffer;
  readonly statusCode: number;
  readonly statusDetails: string;
  readonly step: string;
  readonly afterKey: number;
  readonly counts: Readonly<Record<string, Count>>;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

const columns = sql`d.key, d.id, d.user_key as "userKey", d.source_app_key as "sourceAppKey", d.dest_app_key as "destAppKey",
  d.is_new_app as "isNewApp", d.filter, d.status_code as "statusCode", d.status_details as "statusDetails", d.step,
  d.after_key as "afterKey", d.counts, d.created_at as "createdAt", d.modified_at as "modifiedAt"`;

export interface NewDuplication {
  readonly id: string;
  readonly sourceAppKey: number;
  readonly destAppKey: number;
  readonly isNewApp: boolean;
  readonly filter: Buffer;
}

/** @returns undefined when the user has a job of this id */
export function insertDuplication(
  db: Db,
  grant: UserGrant,
  wanted: NewDuplication,
): Promise<DuplicationRow | undefined> {
  return first<DuplicationRow>(
    db,
    sql`insert into app_duplications as d (id, user_key, source_app_key, dest_app_key, is_new_app, filter)
        values (${wanted.id}, ${grant.caller.userKey}, ${wanted.sourceAppKey}, ${wanted.destAppKey}, ${wanted.isNewApp},
                ${wanted.filter})
        on conflict (user_key, id) do nothing returning ${columns}`,
  );
}

export const findDuplication = (db: Db, grant: UserGrant, id: string): Promise<DuplicationRow | undefined> =>
  first<DuplicationRow>(
    db,
    sql`select ${columns} from app_duplications d where d.user_key = ${grant.userKey} and d.id = ${id}`,
  );

/** The latest first. */
export const pageOfDuplications = (db: Db, grant: UserGrant, page: Page): Promise<DuplicationRow[]> =>
  rows<DuplicationRow>(
    db,
    sql`select ${columns} from ${pageKeys('app_duplications', sql`user_key = ${grant.userKey}`, sql`key desc`, page)} p
        join app_duplications d using (key) order by p.position`,
  );

const open = [duplicationStatus.pending, duplicationStatus.inProgress];

/** A job that is not over, locked; its row carries the apps that its maker was granted. */
export const lockOpen = (db: Db, key: number): Promise<DuplicationRow | undefined> =>
  first<DuplicationRow>(
    db,
    sql`select ${columns} from app_duplications d where d.key = ${key} and d.status_code = any(${open}::int[]) for update`,
  );

export async function moveOn(
  db: Db,
  key: number,
  to: { step: string; afterKey: number; counts: Readonly<Record<string, Count>> },
): Promise<void> {
  await run(
    db,
    sql`update app_duplications set status_code = ${duplicationStatus.inProgress}, step = ${to.step},
          after_key = ${to.afterKey}, counts = ${JSON.stringify(to.counts)}::jsonb, modified_at = now()
        where key = ${key}`,
  );
}

export async function endDuplication(
  db: Db,
  key: number,
  outcome: { statusCode: number; details: string },
): Promise<void> {
  await run(
    db,
    sql`update app_duplications set status_code = ${outcome.statusCode}, status_details = ${outcome.details},
          modified_at = now() where key = ${key} and status_code = any(${open}::int[])`,
  );
  await run(db, sql`delete from app_duplication_rows where duplication_key = ${key}`);
}

/** Apps that are still there, by key. */
export function livingApps(db: Db, keys: readonly number[]) {
  return rows<{ key: number; id: string; userId: string; userKey: number; visibility: number }>(
    db,
    sql`select a.key, a.id, u.id as "userId", a.user_key as "userKey", a.visibility from apps a join users u on u.key = a.user_key
        where a.key = any(${[...keys]}::bigint[]) and a.deleted_at is null`,
  );
}

/** Apps that a user has been let into, of those given. */
export async function sharedApps(db: Db, userKey: number, keys: readonly number[]): Promise<Set<number>> {
  const found = await rows<{ key: number }>(
    db,
    sql`select app_key as key from collaborators
        where user_key = ${userKey} and app_key = any(${[...keys]}::bigint[]) and deleted_at is null`,
  );
  return new Set(found.map(({ key }) => key));
}
