import type { AppGrant, UserGrant } from '#domain/grant.ts';
import { visibility } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, type Sql, sql } from '#store/sql.ts';
import { allOf, contains, pageKeys, wildcard, wordsMatch, wordsOf, wordsRank } from '../common/paging.ts';
import { findMovedTo, leaveWord } from '../identity/index.ts';
import type { ModelRow, ModelWithVersion, NewModel, PinnedModel } from './model.ts';
import { readVersionColumns, type VersionColumns, versionColumns } from './version-columns.ts';

const modelColumns = sql`m.key, m.app_key as "appKey", m.id, m.name, m.type_id as "typeId", m.visibility, m.toolkits,
  m.use_cases as "useCases", m.languages, m.creator, m.license_type as "licenseType", m.source, m.featured, m.body, m.created_at as "createdAt", m.modified_at as "modifiedAt",
  u.id as "userId", a.id as "appId"`;
const ownerJoin = sql`join apps a on a.key = m.app_key join users u on u.key = a.user_key`;

/** @returns undefined when the id is taken */
export function insertModel(
  db: Db,
  grant: AppGrant,
  model: NewModel,
  words: string,
): Promise<ModelRow | undefined> {
  return first<ModelRow>(
    db,
    sql`with m as (
          insert into models (app_key, id, name, type_id, visibility, toolkits, use_cases, languages,
            creator, license_type, source, featured, body, words)
          values (${grant.appKey}, ${model.id}, ${model.name}, ${model.typeId}, ${model.visibility},
            ${[...model.toolkits]}::text[], ${[...model.useCases]}::text[], ${[...model.languages]}::text[],
            ${model.creator}, ${model.licenseType}, ${model.source}, ${model.featured}, ${model.body}, ${wordsOf(words)})
          on conflict (app_key, id) do nothing
          returning *)
        select ${modelColumns} from m ${ownerJoin}`,
  );
}

export function findModel(db: Db, grant: AppGrant, id: string): Promise<ModelRow | undefined> {
  return first<ModelRow>(
    db,
    sql`select ${modelColumns} from models m ${ownerJoin}
        where m.app_key = ${grant.appKey} and m.id = ${id} and m.visibility >= ${grant.visibleFrom}`,
  );
}

/** As `findModel`, locking the row until the end of the transaction: for patches and new versions. */
export function lockModel(db: Db, grant: AppGrant, id: string): Promise<ModelRow | undefined> {
  return first<ModelRow>(
    db,
    sql`select ${modelColumns} from models m ${ownerJoin}
        where m.app_key = ${grant.appKey} and m.id = ${id} for update of m`,
  );
}

export const findModelMovedTo = (db: Db, grant: AppGrant, id: string): Promise<string | undefined> =>
  findMovedTo(db, 'model', grant.appKey, id);

export interface ModelFilter {
  readonly typeId?: string;
  /** Models of these types only. */
  readonly typeIds?: readonly string[] | undefined;
  readonly trainedOnly?: boolean;
  readonly license?: string;
  readonly toolkits?: readonly string[];
  readonly useCases?: readonly string[];
  readonly languages?: readonly string[];
  readonly versionIds?: readonly string[];
  readonly visibility?: number | undefined;
  readonly creator?: string;
  readonly licenseType?: number;
  readonly source?: number;
  readonly featuredOnly?: boolean;
  /** For what nobody can have in this contract: stars, bookmarks, replicas. */
  readonly nothing?: boolean;
  readonly search?: string;
  /** Full words, `OR` and `-without`. */
  readonly query?: string;
  readonly namePattern?: string;
}

export type ModelSort = 'name' | 'num_inputs' | 'modified_at' | 'created_at' | 'star_count' | 'relevance';

/** Whose models: one app's, one user's, or all that the caller may see (its own and the public ones). */
export type ModelScope =
  | { readonly app: AppGrant }
  | { readonly user: UserGrant; readonly everyones: boolean };

/** A page of models, each with its latest version that the caller may see. */
export async function pageOfModels(
  db: Db,
  scope: ModelScope,
  filter: ModelFilter,
  sort: { by: ModelSort; ascending: boolean },
  page: Page,
): Promise<ModelWithVersion[]> {
  const where = allOf([inScope(scope), ...conditions(filter)]);
  const found = await rows<ModelRow & VersionColumns>(
    db,
    sql`select ${modelColumns}, ${versionColumns}
        from ${pageKeys('models', where, orderOf(sort, filter.search ?? ''), page)} p
        join models m using (key) ${ownerJoin}
        left join lateral (
          select * from model_versions
          where model_key = m.key and visibility >= ${versionsFrom(scope)} order by key desc limit 1) v on true
        order by p.position`,
  );
  return found.map((row) => ({ model: row, version: readVersionColumns(row) }));
}

/** Versions below this visibility stay hidden, row by row where a list goes over apps of several users. */
function versionsFrom(scope: ModelScope): Sql<unknown> {
  if ('app' in scope) return sql`${scope.app.visibleFrom}::smallint`;
  const { user } = scope;
  if (user.role === 'public') return sql`${visibility.public}::smallint`;
  return sql`case when a.user_key = ${user.userKey} then ${visibility.private} else ${visibility.public} end::smallint`;
}

function inScope(scope: ModelScope): Sql<unknown> {
  if ('app' in scope) {
    return sql`app_key = ${scope.app.appKey} and visibility >= ${scope.app.visibleFrom}`;
  }
  const { user, everyones } = scope;
  const open = sql`visibility >= ${visibility.public} and app_key in (
    select a.key from apps a join users u on u.key = a.user_key
    where a.deleted_at is null and a.visibility >= ${visibility.public} and u.visibility >= ${visibility.public}
      ${everyones ? sql`` : sql`and a.user_key = ${user.userKey}`})`;
  if (user.role === 'public') return open;
  const own = sql`app_key in (select key from apps where user_key = ${user.userKey} and deleted_at is null)`;
  return everyones ? sql`(${own}) or (${open})` : own;
}

function conditions(filter: ModelFilter): (Sql<unknown> | undefined)[] {
  const latest = (test: Sql<unknown>) =>
    sql`exists (select 1 from model_versions v where v.model_key = models.key and ${test})`;
  return [
    filter.typeId ? sql`type_id = ${filter.typeId}` : undefined,
    filter.typeIds ? sql`type_id = any(${[...filter.typeIds]}::text[])` : undefined,
    filter.trainedOnly ? latest(sql`v.status_code = 21100`) : undefined,
    filter.license ? latest(sql`v.license = ${filter.license}`) : undefined,
    filter.toolkits?.length ? sql`toolkits @> ${[...filter.toolkits]}::text[]` : undefined,
    filter.useCases?.length ? sql`use_cases @> ${[...filter.useCases]}::text[]` : undefined,
    filter.languages?.length ? sql`languages @> ${[...filter.languages]}::text[]` : undefined,
    filter.versionIds?.length ? latest(sql`v.id = any(${[...filter.versionIds]}::text[])`) : undefined,
    filter.visibility ? sql`visibility = ${filter.visibility}` : undefined,
    filter.creator ? sql`creator = ${filter.creator}` : undefined,
    filter.licenseType ? sql`license_type = ${filter.licenseType}::bigint` : undefined,
    filter.source ? sql`source = ${filter.source}::bigint` : undefined,
    filter.featuredOnly ? sql`featured` : undefined,
    filter.nothing ? sql`false` : undefined,
    filter.search ? wordsMatch(sql`words`, filter.search) : undefined,
    filter.query ? sql`words @@ websearch_to_tsquery('english', ${filter.query})` : undefined,
    filter.namePattern
      ? filter.namePattern.includes('*')
        ? sql`(${wildcard(sql`name`, filter.namePattern)}) or (${wildcard(sql`id`, filter.namePattern)})`
        : sql`(${contains(sql`name`, filter.namePattern)}) or (${contains(sql`id`, filter.namePattern)})`
      : undefined,
  ];
}

function orderOf({ by, ascending }: { by: ModelSort; ascending: boolean }, search: string): Sql<unknown> {
  const way = ascending ? sql`asc` : sql`desc`;
  const column = {
    name: sql`name`,
    modified_at: sql`modified_at`,
    created_at: sql`created_at`,
    num_inputs: sql`(select v.input_count from model_versions v where v.model_key = models.key order by v.key desc limit 1)`,
    // Nobody can star anything in this contract, so all are even.
    star_count: sql`0::int`,
    relevance: wordsRank(sql`words`, search),
  }[by];
  return sql`${column} ${way}, key ${way}`;
}

export type ModelPatch = Omit<NewModel, 'id' | 'typeId'>;

export function updateModel(
  db: Db,
  grant: AppGrant,
  key: number,
  patch: ModelPatch,
  words: string,
): Promise<ModelRow | undefined> {
  return first<ModelRow>(
    db,
    sql`with m as (
          update models set name = ${patch.name}, visibility = ${patch.visibility},
            toolkits = ${[...patch.toolkits]}::text[], use_cases = ${[...patch.useCases]}::text[],
            languages = ${[...patch.languages]}::text[], creator = ${patch.creator}, license_type = ${patch.licenseType},
            source = ${patch.source}, featured = ${patch.featured}, body = ${patch.body}, words = ${wordsOf(words)}, modified_at = now()
          where app_key = ${grant.appKey} and key = ${key} returning *)
        select ${modelColumns} from m ${ownerJoin}`,
  );
}

/** Gives a model another id and leaves word at the old one. @returns false when the new id is taken */
export async function renameModel(
  db: Db,
  grant: AppGrant,
  key: number,
  oldId: string,
  newId: string,
): Promise<boolean> {
  const renamed = await first(
    db,
    sql`update models set id = ${newId}, modified_at = now()
        where app_key = ${grant.appKey} and key = ${key}
          and not exists (select 1 from models where app_key = ${grant.appKey} and id = ${newId})
        returning key`,
  );
  if (!renamed) return false;
  await leaveWord(db, 'model', grant.appKey, oldId, newId);
  return true;
}

/** Deletes models with their versions. `ids` undefined means all of the app. @returns the ids deleted */
export async function deleteModelRows(
  db: Db,
  grant: AppGrant,
  ids: readonly string[] | undefined,
): Promise<string[]> {
  const which = ids ? sql`and id = any(${[...ids]}::text[])` : sql``;
  const gone = await rows<{ id: string }>(
    db,
    sql`delete from models where key in (
          select key from models where app_key = ${grant.appKey} ${which} order by key for update)
        returning id`,
  );
  return gone.map((row) => row.id);
}

/** Marks a model as changed: its newest version is another one. */
export const touchModel = (db: Db, grant: AppGrant, key: number) =>
  run(db, sql`update models set modified_at = now() where app_key = ${grant.appKey} and key = ${key}`);

/**
 * Versions that somebody pinned earlier, by key, as far as the app may still use them: its own, those of its
 * caller's other apps, and public ones.
 */
export async function pinnedModels(
  db: Db,
  grant: AppGrant,
  versionKeys: readonly number[],
): Promise<Map<number, PinnedModel>> {
  if (versionKeys.length === 0) return new Map();
  const found = await rows<ModelRow & VersionColumns>(
    db,
    sql`select ${modelColumns}, ${versionColumns}
        from model_versions v join models m on m.key = v.model_key ${ownerJoin}
        where v.key = any(${[...versionKeys]}::bigint[]) and a.deleted_at is null and (
          (m.app_key = ${grant.appKey} and m.visibility >= ${grant.visibleFrom} and v.visibility >= ${grant.visibleFrom})
          or a.user_key = ${grant.caller.userKey}
          or (v.visibility >= ${visibility.public} and m.visibility >= ${visibility.public}
            and a.visibility >= ${visibility.public} and u.visibility >= ${visibility.public}))`,
  );
  const byKey = new Map<number, PinnedModel>();
  for (const row of found) {
    const version = readVersionColumns(row);
    if (version) byKey.set(version.key, { model: row, version });
  }
  return byKey;
}
