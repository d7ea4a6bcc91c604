import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { allOf, pageKeys } from '../../common/paging.ts';

export interface WorkflowEvaluationRow {
  readonly key: number;
  readonly id: string;
  readonly workflowKey: number;
  readonly workflowVersionKey: number;
  readonly targetNodeId: string;
  readonly templateId: string;
  readonly truthAppKey: number;
  readonly truthVersionKey: number | null;
  readonly statusCode: number;
  readonly statusDetails: string;
  readonly body: Buffer;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

const columns = sql`e.key, e.id, e.workflow_key as "workflowKey", e.workflow_version_key as "workflowVersionKey",
  e.target_node_id as "targetNodeId", e.template_id as "templateId", e.truth_app_key as "truthAppKey",
  e.truth_version_key as "truthVersionKey", e.status_code as "statusCode", e.status_details as "statusDetails", e.body,
  e.created_at as "createdAt", e.modified_at as "modifiedAt"`;

export type NewWorkflowEvaluation = Pick<
  WorkflowEvaluationRow,
  | 'id'
  | 'workflowKey'
  | 'workflowVersionKey'
  | 'targetNodeId'
  | 'templateId'
  | 'truthAppKey'
  | 'truthVersionKey'
  | 'body'
>;

/** @returns undefined when the app has an evaluation of this id */
export const insertWorkflowEvaluation = (db: Db, grant: AppGrant, made: NewWorkflowEvaluation) =>
  first<WorkflowEvaluationRow>(
    db,
    sql`with e as (
          insert into workflow_evaluations (app_key, id, workflow_key, workflow_version_key, target_node_id, template_id,
            truth_app_key, truth_version_key, status_code, body)
          values (${grant.appKey}, ${made.id}, ${made.workflowKey}, ${made.workflowVersionKey}, ${made.targetNodeId},
            ${made.templateId}, ${made.truthAppKey}, ${made.truthVersionKey}, 43100, ${made.body})
          on conflict (app_key, id) do nothing returning *)
        select ${columns} from e`,
  );

export const findWorkflowEvaluation = (db: Db, grant: AppGrant, id: string, lock = false) =>
  first<WorkflowEvaluationRow>(
    db,
    sql`select ${columns} from workflow_evaluations e where e.app_key = ${grant.appKey} and e.id = ${id}
        ${lock ? sql`for no key update` : sql``}`,
  );

export const findWorkflowEvaluationByKey = (db: Db, grant: AppGrant, key: number) =>
  first<WorkflowEvaluationRow>(
    db,
    sql`select ${columns} from workflow_evaluations e where e.app_key = ${grant.appKey} and e.key = ${key}`,
  );

/** Evaluations of a workflow version, of a workflow, or of the whole app; the newest first. */
export function pageOfWorkflowEvaluations(
  db: Db,
  grant: AppGrant,
  of: { workflowKey?: number; versionKey?: number },
  page: Page,
): Promise<WorkflowEvaluationRow[]> {
  const where = allOf([
    sql`app_key = ${grant.appKey}`,
    of.workflowKey === undefined ? undefined : sql`workflow_key = ${of.workflowKey}`,
    of.versionKey === undefined ? undefined : sql`workflow_version_key = ${of.versionKey}`,
  ]);
  return rows<WorkflowEvaluationRow>(
    db,
    sql`select ${columns} from ${pageKeys('workflow_evaluations', where, sql`key desc`, page)} p
        join workflow_evaluations e using (key) order by p.position`,
  );
}

/** @returns false when it is gone, or `only` names states that it is not in */
export async function updateWorkflowEvaluation(
  db: Db,
  grant: AppGrant,
  key: number,
  patch: { statusCode: number; statusDetails: string; body: Buffer },
  only?: readonly number[],
): Promise<boolean> {
  const row = await first(
    db,
    sql`update workflow_evaluations set status_code = ${patch.statusCode}, status_details = ${patch.statusDetails},
          body = ${patch.body}, modified_at = now()
        where app_key = ${grant.appKey} and key = ${key}
          ${only ? sql`and status_code = any(${[...only]}::int[])` : sql``} returning key`,
  );
  return row !== undefined;
}

export interface SampleRow {
  readonly position: number;
  readonly id: string;
  readonly inputKey: number;
  readonly width: number;
  readonly height: number;
  readonly truth: Buffer;
  readonly predicted: Buffer | null;
  readonly result: Buffer | null;
  readonly trouble: string;
}

const sampleColumns = sql`position, id, input_key as "inputKey", width, height, truth, predicted, result, trouble`;

/** Samples of an evaluation from a position on; rows are reached through an evaluation found under its grant. */
export const samplesFrom = (
  db: Db,
  { key }: Pick<WorkflowEvaluationRow, 'key'>,
  position: number,
  limit: number,
): Promise<SampleRow[]> =>
  rows<SampleRow>(
    db,
    sql`select ${sampleColumns} from workflow_evaluation_data
        where evaluation_key = ${key} and position >= ${position} order by position limit ${limit}`,
  );

export const samplesNamed = (
  db: Db,
  { key }: Pick<WorkflowEvaluationRow, 'key'>,
  ids: readonly string[],
): Promise<SampleRow[]> =>
  rows<SampleRow>(
    db,
    sql`select ${sampleColumns} from workflow_evaluation_data
        where evaluation_key = ${key} and id = any(${[...ids]}::text[]) order by position`,
  );

export async function insertSamples(
  db: Db,
  { key }: Pick<WorkflowEvaluationRow, 'key'>,
  made: readonly Pick<SampleRow, 'position' | 'id' | 'inputKey' | 'width' | 'height' | 'truth'>[],
): Promise<void> {
  await run(
    db,
    sql`insert into workflow_evaluation_data (evaluation_key, position, id, input_key, width, height, truth)
        select ${key}, n.* from unnest(${made.map((one) => one.position)}::int[], ${made.map((one) => one.id)}::text[],
          ${made.map((one) => one.inputKey)}::bigint[], ${made.map((one) => one.width)}::int[],
          ${made.map((one) => one.height)}::int[], ${made.map((one) => one.truth)}::bytea[]) n
        on conflict do nothing`,
  );
}

export async function keepSample(
  db: Db,
  { key }: Pick<WorkflowEvaluationRow, 'key'>,
  position: number,
  answer: { predicted?: Buffer; result?: Buffer; trouble?: string },
): Promise<void> {
  await run(
    db,
    sql`update workflow_evaluation_data set predicted = coalesce(${answer.predicted ?? null}, predicted),
          result = coalesce(${answer.result ?? null}, result), trouble = coalesce(${answer.trouble ?? null}, trouble)
        where evaluation_key = ${key} and position = ${position}`,
  );
}
