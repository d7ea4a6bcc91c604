import type { AppGrant } from '#domain/grant.ts';
import { type Db, rows, sql } from '#store/sql.ts';
import { bucketOf } from '../common/buckets.ts';

export interface TrueInput {
  readonly inputKey: number;
  readonly inputId: string;
}

/** What people said of an input in one annotation. `data` is the contract's Data message. */
export interface TrueAnnotation {
  readonly inputKey: number;
  readonly kinds: number;
  readonly positive: readonly string[];
  readonly negative: readonly string[];
  readonly data: Buffer;
}

/** Processed inputs of a dataset version in key order, which is that of chunks and of the inputs in each. */
export const inputsOfVersion = (
  db: Db,
  grant: AppGrant,
  versionKey: number,
  after: number,
  limit: number,
): Promise<TrueInput[]> =>
  rows<TrueInput>(
    db,
    sql`select v.input_key as "inputKey", v.input_id as "inputId"
        from dataset_version_inputs v join inputs i on i.key = v.input_key
        where v.version_key = ${versionKey} and i.app_key = ${grant.appKey} and i.status_code = 30000
          and v.bucket >= ${bucketOf(after)} and v.input_key > ${after}
        order by v.bucket, v.input_key limit ${limit}`,
  );

export const annotationsOfVersion = (
  db: Db,
  versionKey: number,
  inputKeys: readonly number[],
): Promise<TrueAnnotation[]> =>
  rows<TrueAnnotation>(
    db,
    sql`select input_key as "inputKey", kinds, positive, negative, data from dataset_version_annotations
        where version_key = ${versionKey} and bucket = any(${[...new Set(inputKeys.map(bucketOf))]}::bigint[])
          and input_key = any(${[...inputKeys]}::bigint[])
        order by input_key, annotation_id`,
  );

/** Ids that anything in the app is labelled with. */
export async function labelIdsOf(db: Db, grant: AppGrant): Promise<string[]> {
  const found = await rows<{ id: string }>(
    db,
    sql`select distinct concept_id as id from concept_tallies where app_key = ${grant.appKey} and positive + negative > 0`,
  );
  return found.map(({ id }) => id);
}

/** Processed inputs of an app that somebody labelled with any of the ids, in key order. */
export const labelledInputs = (
  db: Db,
  grant: AppGrant,
  labelIds: readonly string[],
  after: number,
  limit: number,
): Promise<TrueInput[]> =>
  rows<TrueInput>(
    db,
    sql`select i.key as "inputKey", i.id as "inputId" from inputs i
        where i.app_key = ${grant.appKey} and i.status_code = 30000 and i.key > ${after} and exists (
          select 1 from annotation_concepts c
          where c.input_key = i.key and c.trusted and c.concept_id = any(${[...labelIds]}::text[]))
        order by i.key limit ${limit}`,
  );

/** Trusted, finished annotations of inputs as they are now. */
export const annotationsNow = (
  db: Db,
  grant: AppGrant,
  inputKeys: readonly number[],
): Promise<TrueAnnotation[]> =>
  rows<TrueAnnotation>(
    db,
    sql`select a.input_key as "inputKey", a.kinds, coalesce(l.positive, '{}') as positive,
          coalesce(l.negative, '{}') as negative, a.data
        from annotations a left join lateral (
          select array_agg(concept_id order by position) filter (where value >= 0.5) as positive,
                 array_agg(concept_id order by position) filter (where value < 0.5) as negative
          from annotation_concepts where annotation_key = a.key) l on true
        where a.app_key = ${grant.appKey} and a.input_key = any(${[...inputKeys]}::bigint[])
          and a.trusted and a.status_code = 24150 and a.kinds <> 0
        order by a.key`,
  );

/** Stored embeddings of whole inputs, little-endian float32, by input. */
export async function vectorsOfInputs(
  db: Db,
  grant: AppGrant,
  modelVersionKey: number,
  inputKeys: readonly number[],
): Promise<Map<number, Buffer>> {
  const found = await rows<{ key: number; vector: Buffer }>(
    db,
    sql`select a.input_key as key, e.vector from annotations a join embeddings e on e.annotation_key = a.key
        where a.app_key = ${grant.appKey} and a.input_level and a.input_key = any(${[...inputKeys]}::bigint[])
          and e.model_version_key = ${modelVersionKey}`,
  );
  return new Map(found.map((row) => [row.key, row.vector]));
}
