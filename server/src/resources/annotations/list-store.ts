import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, rows, type Sql, sql } from '#store/sql.ts';
import { actingAs } from '../common/acting.ts';
import { allOf, pageKeys } from '../common/paging.ts';

/** Empty lists and texts do not constrain. */
export interface AnnotationFilter {
  /** Annotation ids; with `pairedInputIds` the input of each, at the same place. */
  readonly ids: readonly string[];
  readonly pairedInputIds: readonly string[];
  readonly inputKeys: readonly number[] | undefined;
  readonly statusCodes: readonly number[];
  readonly taskId: string;
  /** Annotations of any of these; undefined: of anybody. */
  readonly workers: WorkerKeyLists | undefined;
  readonly trustedOnly: boolean;
}

/** Row keys, looked up before: with them the planner knows how rare a worker is. */
export interface WorkerKeyLists {
  readonly users: readonly number[];
  readonly modelVersions: readonly number[];
  readonly workflowVersions: readonly number[];
}

/** Row keys of the workers that somebody names by their ids. */
export async function findWorkerKeys(
  db: Db,
  named: {
    userIds: readonly string[];
    modelVersionIds: readonly string[];
    workflowVersionIds: readonly string[];
  },
): Promise<WorkerKeyLists> {
  const found = await rows<{ kind: keyof WorkerKeyLists; key: number }>(
    db,
    sql`select 'users' as kind, key from users where id = any(${[...named.userIds]}::text[])
        union all
        select 'modelVersions', key from model_versions where id = any(${[...named.modelVersionIds]}::text[])
        union all
        select 'workflowVersions', key from workflow_versions where id = any(${[...named.workflowVersionIds]}::text[])`,
  );
  const of = (kind: keyof WorkerKeyLists) => found.filter((row) => row.kind === kind).map(({ key }) => key);
  return { users: of('users'), modelVersions: of('modelVersions'), workflowVersions: of('workflowVersions') };
}

/** Keys of a page of annotations, newest first. */
export async function pageOfAnnotations(
  db: Db,
  grant: AppGrant,
  filter: AnnotationFilter,
  page: Page,
): Promise<number[]> {
  const found = await rows<{ key: number }>(
    db,
    sql`select key from ${pageKeys('annotations', conditions(grant, filter), sql`key desc`, page)} p order by position`,
  );
  return found.map(({ key }) => key);
}

function conditions(grant: AppGrant, filter: AnnotationFilter): Sql<unknown> {
  const { ids, pairedInputIds, inputKeys, statusCodes, taskId } = filter;
  return allOf([
    sql`app_key = ${grant.appKey}`,
    pairedInputIds.length > 0 ? isPair(grant, ids, pairedInputIds) : undefined,
    ids.length > 0 ? sql`id = any(${[...ids]})` : undefined,
    inputKeys ? sql`input_key = any(${[...inputKeys]}::bigint[])` : undefined,
    statusCodes.length > 0 ? sql`status_code = any(${[...statusCodes]}::int[])` : undefined,
    taskId === '' ? undefined : sql`task_id = ${taskId}`,
    filter.workers ? workerIn(filter.workers) : undefined,
    filter.trustedOnly ? sql`trusted` : undefined,
  ]);
}

const workerIn = ({ users, modelVersions, workflowVersions }: WorkerKeyLists): Sql<unknown> =>
  sql`worker_user_key = any(${[...users]}::bigint[]) or worker_model_version_key = any(${[...modelVersions]}::bigint[])
    or worker_workflow_version_key = any(${[...workflowVersions]}::bigint[])`;

/** Annotation ids repeat between inputs, so pairs are found by the input. */
const isPair = (grant: AppGrant, ids: readonly string[], inputIds: readonly string[]): Sql<unknown> =>
  sql`(input_key, id) in (
    select i.key, p.id from unnest(${[...ids]}::text[], ${[...inputIds]}::text[]) as p(id, input_id)
    join inputs i on i.app_key = ${grant.appKey} and i.id = p.input_id)`;

export async function findAnnotationKey(
  db: Db,
  grant: AppGrant,
  inputId: string,
  id: string,
): Promise<number | undefined> {
  const [found] = await rows<{ key: number }>(
    db,
    sql`select key from annotations
        where app_key = ${grant.appKey} and ${isPair(grant, [id], [inputId])}`,
  );
  return found?.key;
}

/** Annotations locked at once when a status is set: others wait for no more than these. */
const statusesPerStep = 2000;

/**
 * Changes the status of the next 2,000 annotations that match, in the order of their keys.
 *
 * @returns how many had another one before, and the key to go on after: null when there are no more
 */
export async function setStatuses(
  db: Db,
  grant: AppGrant,
  filter: Pick<AnnotationFilter, 'workers' | 'taskId' | 'statusCodes'>,
  statusCode: number,
  after: number,
): Promise<{ n: number; last: number | null }> {
  const where = conditions(grant, {
    ...filter,
    ids: [],
    pairedInputIds: [],
    inputKeys: undefined,
    trustedOnly: false,
  });
  const [changed] = await rows<{ n: number; last: number | null }>(
    db,
    sql`with step as (
          select key from annotations where ${where} and status_code <> ${statusCode} and key > ${after}
          order by key limit ${statusesPerStep} for no key update),
        changed as (
          update annotations set status_code = ${statusCode}, modified_at = now()
          where key in (select key from step) and ${actingAs(grant)} returning 1)
        select (select count(*) from changed) as n,
          case when count(*) = ${statusesPerStep} then max(key) end as last from step`,
  );
  return changed ?? { n: 0, last: null };
}

/** Keys of the annotations of some inputs, less the ones about the inputs as a whole, locked in key order. */
export async function lockAnnotationsOf(
  db: Db,
  grant: AppGrant,
  inputKeys: readonly number[],
): Promise<number[]> {
  const found = await rows<{ key: number }>(
    db,
    sql`select key from annotations
        where app_key = ${grant.appKey} and input_key = any(${[...inputKeys]}::bigint[]) and not input_level
        order by key for update`,
  );
  return found.map(({ key }) => key);
}
