import type { AppGrant, UserGrant } from '#domain/grant.ts';
import { visibility } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, type Sql, sql } from '#store/sql.ts';
import { allOf, contains, pageKeys, wildcard, wordsMatch, wordsOf, wordsRank } from '../common/paging.ts';
import { findMovedTo, leaveWord } from '../identity/index.ts';
import type { WorkflowRow } from './workflow.ts';

const columns = sql`w.key, w.app_key as "appKey", w.id, w.visibility, w.body, w.created_at as "createdAt",
  w.modified_at as "modifiedAt", u.id as "userId", a.id as "appId"`;
const ownerJoin = sql`join apps a on a.key = w.app_key join users u on u.key = a.user_key`;

export interface NewWorkflow {
  readonly id: string;
  readonly visibility: number;
  readonly body: Buffer;
  readonly words: string;
}

/** @returns undefined when the id is taken */
export function insertWorkflow(
  db: Db,
  appKey: number,
  workflow: NewWorkflow,
): Promise<WorkflowRow | undefined> {
  return first<WorkflowRow>(
    db,
    sql`with w as (
          insert into workflows (app_key, id, visibility, body, words)
          values (${appKey}, ${workflow.id}, ${workflow.visibility}, ${workflow.body}, ${wordsOf(workflow.words)})
          on conflict (app_key, id) do nothing returning *)
        select ${columns} from w ${ownerJoin}`,
  );
}

export function findWorkflow(db: Db, grant: AppGrant, id: string): Promise<WorkflowRow | undefined> {
  return first<WorkflowRow>(
    db,
    sql`select ${columns} from workflows w ${ownerJoin}
        where w.app_key = ${grant.appKey} and w.id = ${id} and w.visibility >= ${grant.visibleFrom}`,
  );
}

/** As `findWorkflow`, locking the row until the end of the transaction. */
export function lockWorkflow(db: Db, grant: AppGrant, id: string): Promise<WorkflowRow | undefined> {
  return first<WorkflowRow>(
    db,
    sql`select ${columns} from workflows w ${ownerJoin} where w.app_key = ${grant.appKey} and w.id = ${id} for update of w`,
  );
}

/** The workflow that an app runs on its inputs, where the caller may see it. */
export function findDefaultWorkflow(db: Db, grant: AppGrant): Promise<WorkflowRow | undefined> {
  return first<WorkflowRow>(
    db,
    sql`select ${columns} from workflows w ${ownerJoin} where a.key = ${grant.appKey} and w.key = a.default_workflow_key and w.visibility >= ${grant.visibleFrom}`,
  );
}

export const findWorkflowMovedTo = (db: Db, grant: AppGrant, id: string): Promise<string | undefined> =>
  findMovedTo(db, 'workflow', grant.appKey, id);

export interface WorkflowFilter {
  readonly search?: string;
  /** Full words, `OR` and `-without`. */
  readonly query?: string;
  readonly idPattern?: string;
  readonly visibility?: number | undefined;
  readonly nothing?: boolean;
}

export type WorkflowSort = 'id' | 'modified_at' | 'created_at' | 'star_count' | 'relevance';

export type WorkflowScope =
  | { readonly app: AppGrant }
  | { readonly user: UserGrant; readonly everyones: boolean };

export function pageOfWorkflows(
  db: Db,
  scope: WorkflowScope,
  filter: WorkflowFilter,
  sort: { by: WorkflowSort; ascending: boolean },
  page: Page,
): Promise<WorkflowRow[]> {
  const where = allOf([
    inScope(scope),
    filter.visibility ? sql`visibility = ${filter.visibility}` : undefined,
    filter.search ? wordsMatch(sql`words`, filter.search) : undefined,
    filter.query ? sql`words @@ websearch_to_tsquery('english', ${filter.query})` : undefined,
    filter.idPattern
      ? filter.idPattern.includes('*')
        ? wildcard(sql`id`, filter.idPattern)
        : contains(sql`id`, filter.idPattern)
      : undefined,
    filter.nothing ? sql`false` : undefined,
  ]);
  const way = sort.ascending ? sql`asc` : sql`desc`;
  const column = {
    id: sql`id`,
    modified_at: sql`modified_at`,
    created_at: sql`created_at`,
    star_count: sql`0::int`,
    relevance: wordsRank(sql`words`, filter.search ?? ''),
  }[sort.by];
  return rows<WorkflowRow>(
    db,
    sql`select ${columns} from ${pageKeys('workflows', where, sql`${column} ${way}, key ${way}`, page)} p
        join workflows w using (key) ${ownerJoin} order by p.position`,
  );
}

function inScope(scope: WorkflowScope): Sql<unknown> {
  if ('app' in scope) return sql`app_key = ${scope.app.appKey} and visibility >= ${scope.app.visibleFrom}`;
  const { user, everyones } = scope;
  const open = sql`visibility >= ${visibility.public} and app_key in (
    select a.key from apps a join users u on u.key = a.user_key
    where a.deleted_at is null and a.visibility >= ${visibility.public} and u.visibility >= ${visibility.public}
      ${everyones ? sql`` : sql`and a.user_key = ${user.userKey}`})`;
  if (user.role === 'public') return open;
  const own = sql`app_key in (select key from apps where user_key = ${user.userKey} and deleted_at is null)`;
  return everyones ? sql`(${own}) or (${open})` : own;
}

export function updateWorkflow(
  db: Db,
  grant: AppGrant,
  key: number,
  patch: Omit<NewWorkflow, 'id'>,
): Promise<WorkflowRow | undefined> {
  return first<WorkflowRow>(
    db,
    sql`with w as (
          update workflows set visibility = ${patch.visibility}, body = ${patch.body}, words = ${wordsOf(patch.words)}, modified_at = now()
          where app_key = ${grant.appKey} and key = ${key} returning *)
        select ${columns} from w ${ownerJoin}`,
  );
}

/** @returns false when the new id is taken */
export async function renameWorkflow(
  db: Db,
  grant: AppGrant,
  key: number,
  oldId: string,
  newId: string,
): Promise<boolean> {
  const renamed = await first(
    db,
    sql`update workflows set id = ${newId}, modified_at = now()
        where app_key = ${grant.appKey} and key = ${key}
          and not exists (select 1 from workflows where app_key = ${grant.appKey} and id = ${newId})
        returning key`,
  );
  if (!renamed) return false;
  await leaveWord(db, 'workflow', grant.appKey, oldId, newId);
  return true;
}

/** Deletes workflows with their versions; an app whose base workflow goes is left without one. @returns the ids deleted */
export async function deleteWorkflowRows(
  db: Db,
  grant: AppGrant,
  ids: readonly string[] | undefined,
): Promise<string[]> {
  const which = ids ? sql`and id = any(${[...ids]}::text[])` : sql``;
  const gone = await rows<{ key: number; id: string }>(
    db,
    sql`delete from workflows where key in (
          select key from workflows where app_key = ${grant.appKey} ${which} order by key for update)
        returning key, id`,
  );
  await run(
    db,
    sql`update apps set default_workflow_key = null
        where key = ${grant.appKey} and default_workflow_key = any(${gone.map((row) => row.key)}::bigint[])`,
  );
  return gone.map((row) => row.id);
}

export const setDefaultWorkflow = (db: Db, appKey: number, workflowKey: number) =>
  run(
    db,
    sql`update apps set default_workflow_key = ${workflowKey}, modified_at = now() where key = ${appKey}`,
  );

/** Workflow of another app with the newest version, for copying. */
export const findWorkflowInApp = (db: Db, appKey: number, id: string) =>
  first<WorkflowRow>(
    db,
    sql`select ${columns} from workflows w ${ownerJoin} where w.app_key = ${appKey} and w.id = ${id}`,
  );
