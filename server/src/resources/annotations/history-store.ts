import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, rows, type Sql, sql } from '#store/sql.ts';

/**
 * A moment of the past as SQL takes it: a Date (milliseconds), or text with microseconds.
 */
export type Moment = Date | string;

/**
 * The annotations of the app as they were at a moment: a relation to stand in the place of `annotations` in a FROM,
 * with the same columns (and `valid_from`, `changed_by`). Annotations of inputs that were deleted since are not in it.
 */
export const annotationsAsOf = (grant: AppGrant, at: Moment): Sql<unknown> =>
  sql`annotations_as_of(${grant.appKey}, ${at})`;

/** As `annotationsAsOf`, in the place of `annotation_concepts`: app_key, annotation_key, input_key, concept_id, position, value, trusted. */
export const labelsAsOf = (grant: AppGrant, at: Moment): Sql<unknown> =>
  sql`labels_as_of(${grant.appKey}, ${at})`;

/** As `annotationsAsOf`, in the place of `dataset_inputs`. Members of datasets that were deleted since are not in it. */
export const datasetInputsAsOf = (grant: AppGrant, at: Moment): Sql<unknown> =>
  sql`dataset_inputs_as_of(${grant.appKey}, ${at})`;

/** As `annotationsAsOf`, in the place of `annotation_texts`: annotation_key, input_key, app_keys, words. */
export const textsAsOf = (grant: AppGrant, at: Moment): Sql<unknown> =>
  sql`texts_as_of(${grant.appKey}, ${at})`;

/** As `annotationsAsOf`, in the place of `annotation_marks`: annotation_key, kind, value. */
export const marksAsOf = (grant: AppGrant, at: Moment): Sql<unknown> =>
  sql`marks_as_of(${grant.appKey}, ${at})`;

export type EventKind = 'created' | 'changed' | 'deleted' | 'added_to_dataset' | 'removed_from_dataset';

/** One change. What was before and after is named by the row key of the present state, or of a past one. */
export interface EventRow {
  readonly kind: EventKind;
  /** Microseconds since 1970. */
  readonly atUs: number;
  /** 0 annotations, 1 datasets; with `key` it orders what happened at one moment. */
  readonly rank: number;
  readonly key: number;
  readonly annotationId: string | null;
  readonly datasetId: string | null;
  readonly userId: string | null;
  readonly beforeVersion: number | null;
  readonly afterVersion: number | null;
  readonly afterIsNow: boolean;
  /** What before and after take, in bytes. */
  readonly bytes: number;
}

/** Where a page ended: the order of its last event. */
export type HistoryCursor = Pick<EventRow, 'atUs' | 'rank' | 'key'>;

/** What happened to an input's annotations (or one of them) and its places in datasets, the last first. */
export function eventsOf(
  db: Db,
  grant: AppGrant,
  inputKey: number,
  options: { annotationId: string | undefined; after: HistoryCursor | undefined; limit: number },
): Promise<EventRow[]> {
  const { annotationId, after, limit } = options;
  const only = annotationId === undefined ? sql`true` : sql`id = ${annotationId}`;
  const where = sql`app_key = ${grant.appKey} and input_key = ${inputKey}`;
  const beyond = after
    ? sql`("atUs", rank, o.key) < (${after.atUs}::bigint, ${after.rank}::int, ${after.key}::bigint)`
    : sql`true`;
  return rows<EventRow>(
    db,
    sql`with states as (
          select version, key, id, octet_length(data) as bytes, valid_from, changed_by, valid_to, ended_by, deleted
          from annotation_versions where ${where} and ${only}
          union all
          select null, key, id, octet_length(data), valid_from, changed_by, null, null, false
          from annotations where ${where} and ${only}
        ), chained as (
          select s.*, lag(version) over w as before, coalesce(lag(bytes) over w, 0) as before_bytes, row_number() over w = 1 as is_first
          from states s window w as (partition by key order by valid_from)
        ), events as (
          select case when is_first then 'created' else 'changed' end as kind, valid_from as at, 0 as rank, key, id as annotation_id,
            null::bigint as dataset_key, changed_by as who, before, version as after, version is null as after_is_now,
            bytes + before_bytes as bytes
          from chained
          union all
          select 'deleted', valid_to, 0, key, id, null, ended_by, version, null, false, bytes from chained where deleted
          ${annotationId === undefined ? memberEvents(where) : sql``}
        ), ordered as (
          select e.*, (extract(epoch from at) * 1000000)::bigint as "atUs" from events e)
        select kind, "atUs", rank, o.key, annotation_id as "annotationId", d.id as "datasetId", u.id as "userId",
          before as "beforeVersion", after as "afterVersion", after_is_now as "afterIsNow", bytes
        from ordered o left join users u on u.key = o.who left join datasets d on d.key = o.dataset_key
        where ${beyond}
        order by "atUs" desc, rank desc, o.key desc limit ${limit}`,
  );
}

const memberEvents = (where: Sql<unknown>): Sql<unknown> => sql`
  union all
  select 'added_to_dataset', valid_from, 1, key, null, dataset_key, changed_by, null, null, false, 0
  from (select key, valid_from, dataset_key, changed_by from dataset_inputs where ${where}
        union all select key, valid_from, dataset_key, changed_by from dataset_input_versions where ${where}) m
  union all
  select 'removed_from_dataset', valid_to, 1, key, null, dataset_key, ended_by, null, null, false, 0
  from dataset_input_versions where ${where}`;

/** Whether the input has, or had, this annotation. */
export async function wasAnnotation(db: Db, grant: AppGrant, inputKey: number, id: string): Promise<boolean> {
  const where = sql`app_key = ${grant.appKey} and input_key = ${inputKey} and id = ${id}`;
  const found = await first<{ was: boolean }>(
    db,
    sql`select exists (select from annotations where ${where}) or exists (select from annotation_versions where ${where}) as was`,
  );
  return found?.was ?? false;
}
