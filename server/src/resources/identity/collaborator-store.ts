import type { AppGrant, UserGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, sql } from '#store/sql.ts';
import { allOf, pageKeys } from '../common/paging.ts';

export interface CollaboratorRow {
  readonly id: string;
  readonly userId: string;
  readonly scopes: string[];
  readonly endpoints: string[];
  readonly createdAt: Date;
  readonly modifiedAt: Date;
  readonly deletedAt: Date | null;
}

const columns = sql`c.id, u.id as "userId", c.scopes, c.endpoints, c.created_at as "createdAt",
  c.modified_at as "modifiedAt", c.deleted_at as "deletedAt"`;

/** @returns undefined when this user works on the app already. */
export async function insertCollaborator(
  db: Db,
  grant: AppGrant,
  made: { id: string; userKey: number; scopes: readonly string[]; endpoints: readonly string[] },
): Promise<CollaboratorRow | 'id_taken' | undefined> {
  const row = await first<CollaboratorRow>(
    db,
    sql`with c as (
          insert into collaborators (id, app_key, user_key, scopes, endpoints)
          values (${made.id}, ${grant.appKey}, ${made.userKey}, ${[...made.scopes]}, ${[...made.endpoints]})
          on conflict do nothing returning *)
        select ${columns} from c join users u on u.key = c.user_key`,
  );
  if (row) return row;
  return (await first(db, sql`select from collaborators where id = ${made.id}`)) ? 'id_taken' : undefined;
}

/** Locks the collaborator until the transaction ends, so that two patches do not lose each other. */
export const lockCollaborator = (
  db: Db,
  grant: AppGrant,
  id: string,
): Promise<Pick<CollaboratorRow, 'scopes' | 'endpoints'> | undefined> =>
  first(
    db,
    sql`select scopes, endpoints from collaborators
        where app_key = ${grant.appKey} and id = ${id} and deleted_at is null for update`,
  );

export function pageOfCollaborators(
  db: Db,
  grant: AppGrant,
  withRemoved: boolean,
  page: Page,
): Promise<CollaboratorRow[]> {
  const where = allOf([sql`app_key = ${grant.appKey}`, withRemoved ? undefined : sql`deleted_at is null`]);
  return rows<CollaboratorRow>(
    db,
    sql`select ${columns} from ${pageKeys('collaborators', where, sql`key`, page)} p
        join collaborators c using (key) join users u on u.key = c.user_key order by p.position`,
  );
}

export async function updateCollaborator(
  db: Db,
  grant: AppGrant,
  id: string,
  patch: { scopes: readonly string[]; endpoints: readonly string[] },
): Promise<CollaboratorRow> {
  const row = await first<CollaboratorRow>(
    db,
    sql`with c as (
          update collaborators set scopes = ${[...patch.scopes]}, endpoints = ${[...patch.endpoints]}, modified_at = now()
          where app_key = ${grant.appKey} and id = ${id} and deleted_at is null returning *)
        select ${columns} from c join users u on u.key = c.user_key`,
  );
  return row as CollaboratorRow;
}

/** Removes by collaborator ids or emails of users. @returns how many went. */
export async function removeCollaborators(
  db: Db,
  grant: AppGrant,
  ids: readonly string[],
  emails: readonly string[],
): Promise<number> {
  const gone = await rows(
    db,
    sql`update collaborators c set deleted_at = now() from users u
        where u.key = c.user_key and c.app_key = ${grant.appKey} and c.deleted_at is null
          and (c.id = any(${[...ids]}) or u.email = any(${[...emails]})) returning c.id`,
  );
  return gone.length;
}

export interface CollaborationRow {
  readonly appId: string;
  readonly appName: string;
  readonly ownerId: string;
  readonly scopes: string[];
  readonly endpoints: string[];
  readonly createdAt: Date;
}

/** Apps of others that were shared with this user. */
export function pageOfCollaborations(
  db: Db,
  grant: UserGrant,
  templateOnly: boolean,
  page: Page,
): Promise<CollaborationRow[]> {
  const where = allOf([
    sql`user_key = ${grant.userKey} and deleted_at is null`,
    sql`exists (select from apps a where a.key = app_key and a.deleted_at is null and (not ${templateOnly} or a.is_template))`,
  ]);
  return rows<CollaborationRow>(
    db,
    sql`select a.id as "appId", a.name as "appName", o.id as "ownerId", c.scopes, c.endpoints, c.created_at as "createdAt"
        from ${pageKeys('collaborators', where, sql`key`, page)} p join collaborators c using (key)
        join apps a on a.key = c.app_key join users o on o.key = a.user_key order by p.position`,
  );
}

export const findUserByEmail = (db: Db, email: string) =>
  first<{ key: number; id: string }>(db, sql`select key, id from users where email = ${email}`);
