import type { AppGrant, UserGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, type Sql, sql } from '#store/sql.ts';
import { allOf, contains, pageKeys, wildcard, wordsMatch, wordsOf, wordsRank } from '../common/paging.ts';
import { leaveWord } from '../identity/index.ts';
import type { AppRow, AppSort } from './app.ts';

const columns = sql`a.key, a.id, u.id as "userId", a.name, a.body, a.default_language as "defaultLanguage", a.visibility,
  a.is_template as "isTemplate", a.search_revision as "searchRevision", w.id as "workflowId", v.id as "workflowVersionId",
  a.created_at as "createdAt", a.modified_at as "modifiedAt"`;
const joined = sql`join users u on u.key = a.user_key left join workflows w on w.key = a.default_workflow_key
  left join lateral (select id from workflow_versions where workflow_key = w.key order by key desc limit 1) v on true`;

export interface NewApp {
  readonly id: string;
  readonly name: string;
  readonly body: Buffer;
  readonly words: string;
  readonly defaultLanguage: string;
  readonly visibility: number;
  readonly isTemplate: boolean;
}

/** @returns the key, or undefined when the id is taken. */
export async function insertApp(db: Db, grant: UserGrant, app: NewApp): Promise<number | undefined> {
  const row = await first<{ key: number }>(
    db,
    sql`insert into apps (user_key, id, name, body, words, default_language, visibility, is_template)
        values (${grant.userKey}, ${app.id}, ${app.name}, ${app.body}, ${wordsOf(app.words)}, ${app.defaultLanguage},
                ${app.visibility}, ${app.isTemplate})
        on conflict (user_key, id) where deleted_at is null do nothing returning key`,
  );
  return row?.key;
}

export const appsByKey = (db: Db, grant: UserGrant, keys: readonly number[]): Promise<AppRow[]> =>
  rows<AppRow>(
    db,
    sql`select ${columns} from apps a ${joined}
        where a.user_key = ${grant.userKey} and a.key = any(${[...keys]}) order by array_position(${[...keys]}::bigint[], a.key)`,
  );

export interface AppFilter {
  readonly search: string;
  readonly query: string;
  readonly namePattern: string;
  readonly idPattern: string;
  readonly templateOnly: boolean;
  readonly visibility: number | undefined;
  readonly sort: AppSort;
  readonly ascending: boolean;
}

export function pageOfApps(db: Db, grant: UserGrant, filter: AppFilter, page: Page): Promise<AppRow[]> {
  const where = allOf([
    sql`user_key = ${grant.userKey} and deleted_at is null and visibility >= ${grant.visibleFrom}`,
    wordsMatch(sql`words`, filter.search),
    filter.query ? sql`words @@ websearch_to_tsquery('english', ${filter.query})` : undefined,
    filter.namePattern ? wildcard(sql`name`, filter.namePattern) : undefined,
    filter.idPattern
      ? filter.idPattern.includes('*')
        ? wildcard(sql`id`, filter.idPattern)
        : contains(sql`id`, filter.idPattern)
      : undefined,
    filter.templateOnly ? sql`is_template` : undefined,
    filter.visibility === undefined ? undefined : sql`visibility = ${filter.visibility}`,
  ]);
  return rows<AppRow>(
    db,
    sql`select ${columns} from ${pageKeys('apps', where, orderOf(filter), page)} p join apps a using (key) ${joined}
        order by p.position`,
  );
}

function orderOf(filter: AppFilter): Sql<unknown> {
  const direction = filter.ascending ? sql`asc` : sql`desc`;
  const orders: Record<AppSort, Sql<unknown>> = {
    name: sql`name ${direction}, key`,
    id: sql`id ${direction}, key`,
    created_at: sql`created_at ${direction}, key ${direction}`,
    modified_at: sql`modified_at ${direction}, key ${direction}`,
    // Nobody can star yet: every count is equal, and the order is that of the keys.
    star_count: sql`key ${direction}`,
    relevance: sql`${wordsRank(sql`words`, filter.search)} ${direction}, key`,
  };
  return orders[filter.sort];
}

export interface AppPatch {
  readonly name: string | undefined;
  readonly body: Buffer;
  readonly words: string;
  readonly defaultLanguage: string | undefined;
  readonly visibility: number | undefined;
  readonly isTemplate: boolean | undefined;
}

/** Locks the app until the transaction ends, so that two patches do not lose each other. */
export const lockApp = (db: Db, grant: AppGrant): Promise<AppRow | undefined> =>
  first<AppRow>(
    db,
    sql`with locked as (select * from apps where key = ${grant.appKey} and deleted_at is null for update)
        select ${columns} from locked a ${joined}`,
  );

export const updateApp = (db: Db, grant: AppGrant, patch: AppPatch): Promise<void> =>
  run(
    db,
    sql`update apps set
          name = coalesce(${patch.name ?? null}, name), body = ${patch.body}, words = ${wordsOf(patch.words)},
          default_language = coalesce(${patch.defaultLanguage ?? null}, default_language),
          visibility = coalesce(${patch.visibility ?? null}::smallint, visibility),
          is_template = coalesce(${patch.isTemplate ?? null}::boolean, is_template), modified_at = now()
        where key = ${grant.appKey}`,
  );

/** Gives the app another id and leaves a pointer behind. @returns false when the new id is taken. */
export async function renameApp(db: Db, grant: AppGrant, newId: string): Promise<boolean> {
  const taken = await first(
    db,
    sql`select from apps where user_key = ${grant.userKey} and id = ${newId} and deleted_at is null`,
  );
  if (taken) return false;
  await run(db, sql`update apps set id = ${newId}, modified_at = now() where key = ${grant.appKey}`);
  await leaveWord(db, 'app', grant.userKey, grant.appId, newId);
  return true;
}

/** Hides the app from everyone at once, with its keys; the rows go later, in the background. */
export async function hideApp(db: Db, grant: AppGrant): Promise<void> {
  await run(db, sql`update apps set deleted_at = now() where key = ${grant.appKey} and deleted_at is null`);
  await run(db, sql`delete from keys where app_key = ${grant.appKey}`);
}

/**
 * Removes up to `limit` inputs of a hidden app. @returns how many went; at 0 the app itself may go.
 * Takes no grant: the app is past having one.
 */
export async function purgeInputs(db: Db, appKey: number, limit: number): Promise<number> {
  const gone = await rows(
    db,
    sql`delete from inputs where key in (
          select i.key from inputs i join apps a on a.key = i.app_key
          where a.key = ${appKey} and a.deleted_at is not null order by i.key limit ${limit}) returning key`,
  );
  return gone.length;
}

export async function purgeApp(db: Db, appKey: number): Promise<void> {
  await run(db, sql`delete from apps where key = ${appKey} and deleted_at is not null`);
  await run(db, sql`delete from input_tallies where app_key = ${appKey}`);
  await run(db, sql`delete from concept_tallies where app_key = ${appKey}`);
}

export interface ResourceCounts {
  readonly datasets: number;
  readonly models: number;
  readonly workflows: number;
  readonly inputs: number;
}

/** What an app of the granted user holds. Inputs come from the tally, so that the cost does not grow with them. */
export async function countResources(db: Db, grant: UserGrant, appKey: number): Promise<ResourceCounts> {
  const row = await first<ResourceCounts>(
    db,
    sql`select (select count(*) from datasets where app_key = ${appKey} and not of_app) as datasets,
               (select count(*) from models where app_key = ${appKey}) as models,
               (select count(*) from workflows where app_key = ${appKey}) as workflows,
               (select coalesce(sum(n), 0)::bigint from input_tallies where app_key = ${appKey} and bucket = -1) as inputs
        from apps where key = ${appKey} and user_key = ${grant.userKey}`,
  );
  return row as ResourceCounts;
}
