import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, rows, type Sql, sql } from '#store/sql.ts';
import { allOf, pageKeys } from '../common/paging.ts';

/** Empty lists and texts do not constrain. */
export interface AnnotationFilter {
  /** Annotation ids; with `pairedInputIds` the input of each, at the same place. */
  readonly ids: readonly string[];
  readonly pairedInputIds: readonly string[];
  readonly inputKeys: readonly number[] | undefined;
  readonly statusCodes: readonly number[];
  readonly taskId: string;
  readonly userIds: readonly string[];
  readonly modelVersionIds: readonly string[];
  readonly workflowVersionIds: readonly string[];
  readonly trustedOnly: boolean;
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
    pairedInputIds.length > 0
      ? sql`(id, input_id) in (select * from unnest(${[...ids]}::text[], ${[...pairedInputIds]}::text[]))`
      : undefined,
    ids.length > 0 ? sql`id = any(${[...ids]})` : undefined,
    inputKeys ? sql`input_key = any(${[...inputKeys]}::bigint[])` : undefined,
    statusCodes.length > 0 ? sql`status_code = any(${[...statusCodes]}::int[])` : undefined,
    taskId === '' ? undefined : sql`task_id = ${taskId}`,
    workerIn(filter),
    filter.trustedOnly ? sql`trusted` : undefined,
  ]);
}

/** Any of the workers named, of whichever kind. */
function workerIn({
  userIds,
  modelVersionIds,
  workflowVersionIds,
}: AnnotationFilter): Sql<unknown> | undefined {
  const parts = [
    userIds.length > 0
      ? sql`worker_user_key in (select key from users where id = any(${[...userIds]}))`
      : undefined,
    modelVersionIds.length > 0
      ? sql`worker_model_version_key in (select key from model_versions where id = any(${[...modelVersionIds]}))`
      : undefined,
    workflowVersionIds.length > 0
      ? sql`worker_workflow_version_key in (select key from workflow_versions where id = any(${[...workflowVersionIds]}))`
      : undefined,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : sql.join(parts, sql` or `);
}

export async function findAnnotationKey(
  db: Db,
  grant: AppGrant,
  inputId: string,
  id: string,
): Promise<number | undefined> {
  const [found] = await rows<{ key: number }>(
    db,
    sql`select key from annotations where app_key = ${grant.appKey} and id = ${id} and input_id = ${inputId}`,
  );
  return found?.key;
}

/** Changes the status of all annotations that match. @returns how many had another one before. */
export async function setStatuses(
  db: Db,
  grant: AppGrant,
  filter: Pick<AnnotationFilter, 'userIds' | 'taskId' | 'statusCodes'>,
  statusCode: number,
): Promise<number> {
  const where = conditions(grant, {
    ...filter,
    ids: [],
    pairedInputIds: [],
    inputKeys: undefined,
    modelVersionIds: [],
    workflowVersionIds: [],
    trustedOnly: false,
  });
  const [changed] = await rows<{ n: number }>(
    db,
    sql`with changed as (
          update annotations set status_code = ${statusCode}, modified_at = now()
          where ${where} and status_code <> ${statusCode} returning 1)
        select count(*) as n from changed`,
  );
  return changed?.n ?? 0;
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
