import type { AppGrant, UserGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { allOf, pageKeys } from '../common/paging.ts';
import type { EvaluatedInput, EvaluationRow } from './evaluation.ts';

const columns = sql`e.key, e.app_key as "appKey", e.id, e.model_app_key as "modelAppKey",
  e.model_version_key as "modelVersionKey", e.model_id as "modelId", e.model_type_id as "modelTypeId",
  e.data_app_key as "dataAppKey", e.dataset_id as "datasetId", e.truth_version_key as "truthVersionKey",
  e.predictions_version_key as "predictionsVersionKey", e.concept_ids as "conceptIds",
  e.status_code as "statusCode", e.status_details as "statusDetails", e.percent_completed as "percentCompleted",
  e.body, e.result, e.numbers, e.created_at as "createdAt", e.modified_at as "modifiedAt",
  u.id as "userId", a.id as "appId"`;
const owners = sql`join apps a on a.key = e.app_key join users u on u.key = a.user_key`;

export type NewEvaluation = Pick<
  EvaluationRow,
  | 'id'
  | 'modelAppKey'
  | 'modelVersionKey'
  | 'modelId'
  | 'modelTypeId'
  | 'dataAppKey'
  | 'datasetId'
  | 'truthVersionKey'
  | 'body'
> & { readonly trainDatasetId: string; readonly modelConceptIds: readonly string[] };

/** @returns undefined when the app has an evaluation of this id */
export async function insertEvaluation(
  db: Db,
  grant: AppGrant,
  made: NewEvaluation,
): Promise<number | undefined> {
  const row = await first<{ key: number }>(
    db,
    sql`insert into evaluations (app_key, id, model_app_key, model_version_key, model_id, model_type_id, data_app_key,
          dataset_id, truth_version_key, train_dataset_id, model_concept_ids, status_code, body)
        values (${grant.appKey}, ${made.id}, ${made.modelAppKey}, ${made.modelVersionKey}, ${made.modelId},
          ${made.modelTypeId}, ${made.dataAppKey}, ${made.datasetId}, ${made.truthVersionKey}, ${made.trainDatasetId},
          ${[...made.modelConceptIds]}::text[], 21303, ${made.body})
        on conflict (app_key, id) do nothing returning key`,
  );
  return row?.key;
}

export const findEvaluation = (db: Db, grant: AppGrant, id: string) =>
  first<EvaluationRow>(
    db,
    sql`select ${columns} from evaluations e ${owners} where e.app_key = ${grant.appKey} and e.id = ${id}`,
  );

export const findEvaluationByKey = (db: Db, grant: AppGrant, key: number) =>
  first<EvaluationRow>(
    db,
    sql`select ${columns} from evaluations e ${owners} where e.app_key = ${grant.appKey} and e.key = ${key}`,
  );

/** The newest evaluation of a model version that this app made. */
export const latestOfVersion = (db: Db, grant: AppGrant, modelVersionKey: number) =>
  first<EvaluationRow>(
    db,
    sql`select ${columns} from evaluations e ${owners}
        where e.app_key = ${grant.appKey} and e.model_version_key = ${modelVersionKey} order by e.key desc limit 1`,
  );

export function pageOfVersion(
  db: Db,
  grant: AppGrant,
  modelVersionKey: number,
  page: Page,
): Promise<EvaluationRow[]> {
  const where = sql`app_key = ${grant.appKey} and model_version_key = ${modelVersionKey}`;
  return rows<EvaluationRow>(
    db,
    sql`select ${columns} from ${pageKeys('evaluations', where, sql`key desc`, page)} p
        join evaluations e using (key) ${owners} order by p.position`,
  );
}

export type EvaluationSort =
  | 'app_id'
  | 'roc_auc'
  | 'f1'
  | 'created_at'
  | 'mean_avg_precision'
  | 'precision'
  | 'recall'
  | 'model_id'
  | 'eval_dataset_id'
  | 'train_dataset_id';

export interface EvaluationFilter {
  readonly modelTypeId: string;
  readonly evalDatasetIds: readonly string[];
  readonly trainDatasetIds: readonly string[];
  readonly conceptIds: readonly string[];
  readonly showFailed: boolean;
}

/** Evaluations of one app, or of all apps of a user. */
export function pageOfEvaluations(
  db: Db,
  scope: { app: AppGrant } | { user: UserGrant },
  filter: EvaluationFilter,
  sort: { by: EvaluationSort; ascending: boolean },
  page: Page,
): Promise<EvaluationRow[]> {
  const ids = (list: readonly string[]) => sql`${[...list]}::text[]`;
  const where = allOf([
    'app' in scope
      ? sql`app_key = ${scope.app.appKey}`
      : sql`app_key in (select key from apps where user_key = ${scope.user.userKey} and deleted_at is null
              and visibility >= ${scope.user.visibleFrom})`,
    filter.modelTypeId ? sql`model_type_id = ${filter.modelTypeId}` : undefined,
    filter.evalDatasetIds.length > 0 ? sql`dataset_id = any(${ids(filter.evalDatasetIds)})` : undefined,
    filter.trainDatasetIds.length > 0
      ? sql`train_dataset_id = any(${ids(filter.trainDatasetIds)})`
      : undefined,
    filter.conceptIds.length > 0 ? sql`model_concept_ids @> ${ids(filter.conceptIds)}` : undefined,
    filter.showFailed ? undefined : sql`status_code < 21310`,
  ]);
  const way = sort.ascending ? sql`asc` : sql`desc`;
  const column = {
    app_id: sql`(select id from apps where key = app_key) ${way}, `,
    roc_auc: sql`roc_auc ${way}, `,
    f1: sql`f1 ${way}, `,
    created_at: sql``,
    mean_avg_precision: sql`mean_ap ${way}, `,
    precision: sql`avg_precision ${way}, `,
    recall: sql`avg_recall ${way}, `,
    model_id: sql`model_id ${way}, `,
    eval_dataset_id: sql`dataset_id ${way}, `,
    train_dataset_id: sql`train_dataset_id ${way}, `,
  }[sort.by];
  return rows<EvaluationRow>(
    db,
    sql`select ${columns} from ${pageKeys('evaluations', where, sql`${column}key ${way}`, page)} p
        join evaluations e using (key) ${owners} order by p.position`,
  );
}

/** Says that the evaluation runs, and how far it is. @returns false when it is gone or was ended already */
export async function setProgress(db: Db, grant: AppGrant, key: number, percent: number): Promise<boolean> {
  const row = await first(
    db,
    sql`update evaluations set status_code = 21301, percent_completed = ${percent}, modified_at = now()
        where app_key = ${grant.appKey} and key = ${key} and status_code in (21301, 21303) returning key`,
  );
  return row !== undefined;
}

export interface EvaluationEnd {
  readonly code: number;
  readonly details: string;
  /** EvalMetrics with the figures, less the test set. */
  readonly result?: Buffer;
  readonly numbers?: Record<string, unknown>;
  readonly summary?: {
    readonly rocAuc?: number;
    readonly f1?: number;
    readonly precision?: number;
    readonly recall?: number;
    readonly meanAp?: number;
  };
  readonly predictionsVersionKey?: number;
}

/** @returns false when the evaluation is gone or was ended already */
export async function endEvaluation(
  db: Db,
  grant: AppGrant,
  key: number,
  end: EvaluationEnd,
): Promise<boolean> {
  const { rocAuc = 0, f1 = 0, precision = 0, recall = 0, meanAp = 0 } = end.summary ?? {};
  const row = await first(
    db,
    sql`update evaluations set status_code = ${end.code}, status_details = ${end.details},
          percent_completed = ${end.result ? 100 : 0}, result = ${end.result ?? null},
          numbers = ${end.numbers ? JSON.stringify(end.numbers) : null}::jsonb, roc_auc = ${rocAuc}, f1 = ${f1},
          avg_precision = ${precision}, avg_recall = ${recall}, mean_ap = ${meanAp},
          predictions_version_key = ${end.predictionsVersionKey ?? null}, modified_at = now()
        where app_key = ${grant.appKey} and key = ${key} and status_code in (21301, 21303) returning key`,
  );
  return row !== undefined;
}

export async function keepConcepts(
  db: Db,
  grant: AppGrant,
  key: number,
  conceptIds: readonly string[],
): Promise<void> {
  await run(
    db,
    sql`update evaluations set concept_ids = ${[...conceptIds]}::text[] where app_key = ${grant.appKey} and key = ${key}`,
  );
}

/** Inputs of an evaluation from a position on. Rows are reached through an evaluation found under its grant. */
export function inputsFrom(
  db: Db,
  { key }: Pick<EvaluationRow, 'key'>,
  position: number,
  limit: number,
  only?: 'open' | 'answered',
): Promise<EvaluatedInput[]> {
  const which = {
    open: sql`and predicted is null and trouble = ''`,
    answered: sql`and predicted is not null`,
    all: sql``,
  }[only ?? 'all'];
  return rows<EvaluatedInput>(
    db,
    sql`select position, input_key as "inputKey", input_id as "inputId", width, height, truth, positive, predicted,
          scores, trouble
        from evaluation_inputs where evaluation_key = ${key} and position >= ${position} ${which}
        order by position limit ${limit}`,
  );
}

export interface InputCounts {
  readonly total: number;
  readonly open: number;
  readonly failed: number;
}

export async function countInputs(db: Db, { key }: Pick<EvaluationRow, 'key'>): Promise<InputCounts> {
  const counted = await first<InputCounts>(
    db,
    sql`select count(*) as total, count(*) filter (where predicted is null and trouble = '') as open,
          count(*) filter (where trouble <> '') as failed
        from evaluation_inputs where evaluation_key = ${key}`,
  );
  return counted ?? { total: 0, open: 0, failed: 0 };
}

/** How many inputs truly have each concept. */
export async function countPositives(
  db: Db,
  { key }: Pick<EvaluationRow, 'key'>,
): Promise<Map<string, number>> {
  const found = await rows<{ id: string; n: number }>(
    db,
    sql`select id, count(*) as n from evaluation_inputs, unnest(positive) id
        where evaluation_key = ${key} group by id order by id`,
  );
  return new Map(found.map(({ id, n }) => [id, n]));
}

export type NewInput = Pick<
  EvaluatedInput,
  'position' | 'inputKey' | 'inputId' | 'width' | 'height' | 'truth' | 'positive'
>;

export async function insertInputs(
  db: Db,
  { key }: Pick<EvaluationRow, 'key'>,
  made: readonly NewInput[],
): Promise<void> {
  await run(
    db,
    sql`insert into evaluation_inputs (evaluation_key, position, input_key, input_id, width, height, truth, positive)
        select ${key}, n.position, n.input_key, n.input_id, n.width, n.height, n.truth,
          array(select jsonb_array_elements_text(n.positive))
        from unnest(${made.map((one) => one.position)}::int[], ${made.map((one) => one.inputKey)}::bigint[],
          ${made.map((one) => one.inputId)}::text[], ${made.map((one) => one.width)}::int[],
          ${made.map((one) => one.height)}::int[], ${made.map((one) => one.truth)}::bytea[],
          ${made.map((one) => JSON.stringify(one.positive))}::jsonb[])
          as n(position, input_key, input_id, width, height, truth, positive)
        on conflict do nothing`,
  );
}

export interface Answer {
  readonly position: number;
  readonly predicted?: Buffer;
  readonly scores?: readonly number[];
  readonly trouble?: string;
}

export async function keepAnswers(
  db: Db,
  { key }: Pick<EvaluationRow, 'key'>,
  answers: readonly Answer[],
): Promise<void> {
  await run(
    db,
    sql`update evaluation_inputs i set predicted = n.predicted, trouble = n.trouble,
          scores = case when n.scores is null then null else array(select jsonb_array_elements_text(n.scores)::real) end
        from unnest(${answers.map((one) => one.position)}::int[], ${answers.map((one) => one.predicted ?? null)}::bytea[],
          ${answers.map((one) => (one.scores ? JSON.stringify(one.scores) : null))}::jsonb[],
          ${answers.map((one) => one.trouble ?? '')}::text[]) as n(position, predicted, scores, trouble)
        where i.evaluation_key = ${key} and i.position = n.position`,
  );
}

export async function keepMatches(
  db: Db,
  { key }: Pick<EvaluationRow, 'key'>,
  matches: readonly { position: number; matches: readonly object[] }[],
): Promise<void> {
  await run(
    db,
    sql`update evaluation_inputs i set matches = n.matches
        from unnest(${matches.map((one) => one.position)}::int[], ${matches.map((one) => JSON.stringify(one.matches))}::jsonb[])
          as n(position, matches)
        where i.evaluation_key = ${key} and i.position = n.position`,
  );
}
