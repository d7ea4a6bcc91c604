import type { UserGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { allOf, pageKeys } from '../common/paging.ts';
import type { KeyRow } from './key.ts';

const columns = sql`k.key, k.sealed, k.type, k.description, k.scopes, k.endpoints, k.organization_id as "organizationId",
  k.expires_at as "expiresAt", k.created_at as "createdAt", a.id as "appId", u.id as "appUserId"`;
const joined = sql`left join apps a on a.key = k.app_key left join users u on u.key = a.user_key`;

export interface NewKey {
  readonly hash: Buffer;
  readonly sealed: Buffer;
  readonly type: string;
  readonly appKey: number | null;
  readonly description: string;
  readonly scopes: readonly string[];
  readonly endpoints: readonly string[];
  readonly organizationId: string;
  readonly expiresAt: Date | null;
}

export async function insertKey(db: Db, grant: UserGrant, made: NewKey): Promise<KeyRow> {
  const row = await first<KeyRow>(
    db,
    sql`with k as (
          insert into keys (hash, sealed, user_key, app_key, type, description, scopes, endpoints, organization_id, expires_at)
          values (${made.hash}, ${made.sealed}, ${grant.userKey}, ${made.appKey}, ${made.type}, ${made.description},
                  ${[...made.scopes]}, ${[...made.endpoints]}, ${made.organizationId}, ${made.expiresAt})
          returning *)
        select ${columns} from k ${joined}`,
  );
  return row as KeyRow;
}

/** Looked up by the hash of the secret, which is the id: the secret itself is never compared in SQL. */
export const findKey = (db: Db, grant: UserGrant, hash: Buffer): Promise<KeyRow | undefined> =>
  first<KeyRow>(
    db,
    sql`select ${columns} from keys k ${joined} where k.hash = ${hash} and k.user_key = ${grant.userKey}`,
  );

/** Locks the key until the transaction ends, so that two patches do not lose each other. */
export const lockKey = (
  db: Db,
  grant: UserGrant,
  hash: Buffer,
): Promise<Pick<KeyRow, 'type' | 'scopes' | 'endpoints'> | undefined> =>
  first(
    db,
    sql`select type, scopes, endpoints from keys where hash = ${hash} and user_key = ${grant.userKey} for update`,
  );

/** Showing a key shows its secret, so nobody sees keys that can do more than the one they came with. */
const notAbove = ({ caller }: UserGrant) =>
  allOf([
    caller.scopes.has('All') ? undefined : sql`scopes <@ ${[...caller.scopes]}::text[]`,
    caller.endpoints.size === 0
      ? undefined
      : sql`endpoints <> '{}' and endpoints <@ ${[...caller.endpoints]}::text[]`,
  ]);

export function pageOfUserKeys(
  db: Db,
  grant: UserGrant,
  filter: { notExpired: boolean; scopes: readonly string[]; endpoints: readonly string[]; type: string },
  page: Page,
): Promise<KeyRow[]> {
  const where = allOf([
    sql`user_key = ${grant.userKey}`,
    filter.notExpired ? sql`expires_at is null or expires_at > now()` : undefined,
    filter.scopes.length > 0 ? sql`scopes @> ${[...filter.scopes]}` : undefined,
    filter.endpoints.length > 0 ? sql`endpoints @> ${[...filter.endpoints]}` : undefined,
    filter.type ? sql`type = ${filter.type}` : undefined,
    notAbove(grant),
  ]);
  return rows<KeyRow>(
    db,
    sql`select ${columns} from ${pageKeys('keys', where, sql`key`, page)} p join keys k using (key) ${joined} order by p.position`,
  );
}

/** Keys of one app: all of them for its owner, one's own for a collaborator. */
export function pageOfAppKeys(db: Db, grant: UserGrant & { appKey: number }, page: Page): Promise<KeyRow[]> {
  const where = allOf([
    sql`app_key = ${grant.appKey}`,
    grant.role === 'owner' ? undefined : sql`user_key = ${grant.caller.userKey}`,
    notAbove(grant),
  ]);
  return rows<KeyRow>(
    db,
    sql`select ${columns} from ${pageKeys('keys', where, sql`key`, page)} p join keys k using (key) ${joined} order by p.position`,
  );
}

export async function updateKey(
  db: Db,
  grant: UserGrant,
  hash: Buffer,
  patch: {
    description: string | undefined;
    scopes: readonly string[];
    endpoints: readonly string[];
    appKey: number | undefined;
  },
): Promise<void> {
  await run(
    db,
    sql`update keys set
          description = coalesce(${patch.description ?? null}, description),
          scopes = ${[...patch.scopes]}, endpoints = ${[...patch.endpoints]},
          app_key = coalesce(${patch.appKey ?? null}::bigint, app_key),
          modified_at = now()
        where hash = ${hash} and user_key = ${grant.userKey}`,
  );
}

export async function deleteKey(db: Db, grant: UserGrant, hash: Buffer): Promise<boolean> {
  return (
    (await rows(db, sql`delete from keys where hash = ${hash} and user_key = ${grant.userKey} returning key`))
      .length > 0
  );
}
