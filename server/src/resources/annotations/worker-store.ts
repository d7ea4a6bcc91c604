import type { AppGrant } from '#domain/grant.ts';
import { type Db, rows, type Sql, sql } from '#store/sql.ts';

const keysById = async (found: Promise<{ id: string; key: number }[]>): Promise<Map<string, number>> =>
  new Map((await found).map(({ id, key }) => [id, key]));

const none = async () => new Map<string, number>();

export const userKeys = (db: Db, ids: readonly string[]) =>
  ids.length === 0 ? none() : keysById(rows(db, sql`select id, key from users where id = any(${[...ids]})`));

/** What a version may be told apart by: ids of its model or workflow, its app, its user. Empty ones tell nothing. */
export interface VersionOwner {
  readonly id: string;
  readonly appId: string;
  readonly userId: string;
}

export interface KnownVersion extends VersionOwner {
  readonly key: number;
  readonly versionId: string;
  /** Of the app that the annotation is made in. */
  readonly isOwn: boolean;
}

/** Versions of models of this app, and of models that the caller may see elsewhere. */
export const modelVersions = (db: Db, grant: AppGrant, ids: readonly string[]) =>
  versionsOf(db, grant, ids, sql`model_versions v join models m on m.key = v.model_key`);

/** As `modelVersions`, of workflows. */
export const workflowVersions = (db: Db, grant: AppGrant, ids: readonly string[]) =>
  versionsOf(db, grant, ids, sql`workflow_versions v join workflows m on m.key = v.workflow_key`);

async function versionsOf(
  db: Db,
  grant: AppGrant,
  ids: readonly string[],
  versions: Sql<unknown>,
): Promise<KnownVersion[]> {
  if (ids.length === 0) return [];
  return rows(
    db,
    sql`select v.key, v.id as "versionId", m.id, a.id as "appId", u.id as "userId", m.app_key = ${grant.appKey} as "isOwn"
        from ${versions} join apps a on a.key = m.app_key join users u on u.key = a.user_key
        where a.deleted_at is null and v.id = any(${[...ids]}::text[]) and (m.app_key = ${grant.appKey} or a.user_key = ${grant.caller.userKey}
          or least(u.visibility, a.visibility, m.visibility, v.visibility) >= 50)
        order by v.key`,
  );
}

export interface WorkerRow {
  readonly workerUserId: string | null;
  readonly userBody: Buffer | null;
  readonly modelVersionId: string | null;
  readonly modelId: string | null;
  readonly modelName: string | null;
  readonly modelTypeId: string | null;
  readonly modelAppId: string | null;
  readonly modelUserId: string | null;
  readonly workflowVersionId: string | null;
  readonly workflowId: string | null;
  readonly workflowAppId: string | null;
  readonly workflowUserId: string | null;
}

/** The distinct values of one worker column in an app: one step down the index for each, however many rows there are. */
const distinctKeys = (grant: AppGrant, name: string) => {
  const column = sql.ref(name);
  return sql`(
    with recursive found as (
      (select ${column} as key from annotations
       where app_key = ${grant.appKey} and ${column} is not null order by ${column} limit 1)
      union all
      select (select a.${column} from annotations a
              where a.app_key = ${grant.appKey} and a.${column} > found.key order by a.${column} limit 1)
      from found where found.key is not null
    ) select key from found where key is not null)`;
};

/** Everyone who made annotations in the app: users first, then models, then workflows, each by age. */
export async function workersOf(db: Db, grant: AppGrant, trustedOnly: boolean): Promise<WorkerRow[]> {
  const users = await rows<WorkerRow>(
    db,
    sql`select u.id as "workerUserId", u.body as "userBody"
        from users u join ${distinctKeys(grant, 'worker_user_key')} k on k.key = u.key order by u.key`,
  );
  // What models and workflows make is never trusted.
  if (trustedOnly) return users;
  const models = await rows<WorkerRow>(
    db,
    sql`select v.id as "modelVersionId", m.id as "modelId", m.name as "modelName", m.type_id as "modelTypeId",
          a.id as "modelAppId", u.id as "modelUserId"
        from model_versions v join ${distinctKeys(grant, 'worker_model_version_key')} k on k.key = v.key
        join models m on m.key = v.model_key join apps a on a.key = m.app_key join users u on u.key = a.user_key
        order by v.key`,
  );
  const workflows = await rows<WorkerRow>(
    db,
    sql`select v.id as "workflowVersionId", w.id as "workflowId", a.id as "workflowAppId", u.id as "workflowUserId"
        from workflow_versions v join ${distinctKeys(grant, 'worker_workflow_version_key')} k on k.key = v.key
        join workflows w on w.key = v.workflow_key join apps a on a.key = w.app_key join users u on u.key = a.user_key
        order by v.key`,
  );
  return [...users, ...models, ...workflows];
}
