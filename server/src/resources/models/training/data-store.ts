import { regionKinds } from '#domain/annotation-kinds.ts';
import type { AppGrant } from '#domain/grant.ts';
import { RawColumns, type RawReads } from '#store/postgres/index.ts';
import { type Db, first, rows, type Sql, sql } from '#store/sql.ts';
import { bucketBits, bucketOf, firstKeyOf } from '../../common/buckets.ts';
import { floatsOf } from '../../common/floats.ts';

/** A label on an input, or on a region of it. */
export interface LabelRow {
  readonly inputKey: number;
  /** The region's annotation; 0 for labels on the whole input. */
  readonly regionKey: number;
  /** The annotation whose embedding stands for what is labelled; null where the input has none. */
  readonly vectorKey: number | null;
  readonly conceptId: string;
  /** Present (1) or absent (0); where people disagree, present wins. */
  readonly value: number;
}

/** What is trained on; others of the scope are left out. */
export type InputKind = 'image' | 'text';

/** Which inputs are trained on: all of the app, the members of a dataset, or those of one of its versions. */
export type DataScope =
  | { readonly kind: 'app' }
  | { readonly kind: 'dataset' | 'version'; readonly key: number };

const inScope = (scope: DataScope, inputKey: Sql<unknown>): Sql<unknown> => {
  switch (scope.kind) {
    case 'app':
      return sql`true`;
    case 'dataset':
      return sql`exists (select 1 from dataset_inputs d where d.dataset_key = ${scope.key} and d.input_key = ${inputKey})`;
    case 'version':
      return sql`exists (select 1 from dataset_version_inputs d where d.version_key = ${scope.key} and d.bucket = ${inputKey} >> ${sql.lit(bucketBits)} and d.input_key = ${inputKey})`;
  }
};

/** Input keys from one to another, both included. */
interface KeyRange {
  readonly from: number;
  readonly to: number;
}

/**
 * All of the scope in ranges of keys, each with so many of its inputs, or with those of one chunk; buckets begin at 0, so
 * what comes "after" -1 is the first.
 */
async function* rangesOf(
  db: Db,
  grant: AppGrant,
  scope: DataScope,
  inputsPerLook: number,
): AsyncGenerator<KeyRange> {
  for (let afterKey = -1; ; ) {
    const range = await rangeAfter(db, grant, scope, afterKey, inputsPerLook);
    if (!range) return;
    yield range;
    afterKey = range.to;
  }
}

/** @returns undefined after the last */
async function rangeAfter(
  db: Db,
  grant: AppGrant,
  scope: DataScope,
  afterKey: number,
  inputsPerLook: number,
): Promise<KeyRange | undefined> {
  if (scope.kind === 'version') {
    const chunksPerLook = Math.ceil(inputsPerLook / 2 ** bucketBits);
    const found = await first<{ from: number | null; to: number | null }>(
      db,
      sql`select min(bucket) as "from", max(bucket) as "to" from (
            select l.bucket from dataset_version_chunks l join dataset_versions v on v.key = l.version_key
            where l.version_key = ${scope.key} and v.app_key = ${grant.appKey} and l.bucket > ${bucketOf(afterKey)}
            order by l.bucket limit ${chunksPerLook}) b`,
    );
    if (found?.from == null || found.to == null) return undefined;
    return { from: firstKeyOf(found.from), to: firstKeyOf(found.to + 1) - 1 };
  }
  const keys =
    scope.kind === 'app'
      ? sql`select i.key from inputs i where i.app_key = ${grant.appKey} and i.key > ${afterKey}`
      : sql`select d.input_key as key from dataset_inputs d join datasets s on s.key = d.dataset_key
            where d.dataset_key = ${scope.key} and s.app_key = ${grant.appKey} and d.input_key > ${afterKey}`;
  const found = await first<{ from: number | null; to: number | null }>(
    db,
    sql`select min(key) as "from", max(key) as "to" from (${keys} order by 1 limit ${inputsPerLook}) k`,
  );
  return found?.from == null || found.to == null ? undefined : { from: found.from, to: found.to };
}

/** Rows of a version `v` in a range of whole chunks, which is how ranges of versions are. */
const inRange = ({ from, to }: KeyRange): Sql<unknown> =>
  sql`v.bucket between ${bucketOf(from)} and ${bucketOf(to)}`;

const labelledPerLook = 5_000;
/** What says where they lie may be large. */
const markedPerLook = 500;

/**
 * Trusted labels with these concepts on processed inputs, each input and region once per concept, in the order of
 * the inputs; a few thousand inputs at a time.
 */
export async function* labelPages(
  db: Db,
  grant: AppGrant,
  scope: DataScope,
  conceptIds: readonly string[],
  kind: InputKind = 'image',
): AsyncGenerator<LabelRow[]> {
  for await (const range of rangesOf(db, grant, scope, labelledPerLook))
    yield await labelsOf(db, grant, scope, conceptIds, kind, range);
}

function labelsOf(
  db: Db,
  grant: AppGrant,
  scope: DataScope,
  conceptIds: readonly string[],
  kind: InputKind,
  range: KeyRange,
): Promise<LabelRow[]> {
  if (scope.kind === 'version') return labelsOfVersion(db, grant, scope.key, conceptIds, kind, range);
  return rows<LabelRow>(
    db,
    sql`select l.input_key as "inputKey", l.region_key as "regionKey", l.concept_id as "conceptId", l.value,
          case when l.region_key = 0 then w.key else l.region_key end as "vectorKey"
        from (
          select a.input_key, case when (a.kinds & ${sql.lit(regionKinds)}) <> 0 then a.key else 0 end as region_key,
            c.concept_id, max(c.value) as value
          from annotation_concepts c
          join annotations a on a.key = c.annotation_key
          join inputs i on i.key = a.input_key
          where c.app_key = ${grant.appKey} and c.concept_id = any(${[...conceptIds]}::text[]) and c.trusted
            and a.status_code = 24150 and i.status_code = 30000 and i.kind = ${kind} and ${inScope(scope, sql`a.input_key`)}
            and a.input_key between ${range.from} and ${range.to}
          group by 1, 2, 3) l
        left join annotations w on w.input_key = l.input_key and w.input_level
        order by 1, 2, 3`,
  );
}

/** Labels as they were when the version was made; embeddings are those of today. */
function labelsOfVersion(
  db: Db,
  grant: AppGrant,
  versionKey: number,
  conceptIds: readonly string[],
  kind: InputKind,
  range: KeyRange,
): Promise<LabelRow[]> {
  return rows<LabelRow>(
    db,
    sql`select l.input_key as "inputKey", l.region_key as "regionKey", l.concept_id as "conceptId", l.value,
          case when l.region_key = 0 then w.key else l.region_key end as "vectorKey"
        from (
          select v.input_key, case when (v.kinds & ${sql.lit(regionKinds)}) <> 0 then a.key else 0 end as region_key,
            s.concept_id, max(s.value)::real as value
          from dataset_version_annotations v
          join inputs i on i.key = v.input_key
          left join annotations a on a.input_key = v.input_key and a.id = v.annotation_id
          cross join lateral (
            select unnest(v.positive) as concept_id, 1 as value union all select unnest(v.negative), 0) s
          where v.version_key = ${versionKey} and i.app_key = ${grant.appKey} and i.status_code = 30000 and i.kind = ${kind}
            and s.concept_id = any(${[...conceptIds]}::text[]) and ${inRange(range)}
            and ((v.kinds & ${sql.lit(regionKinds)}) = 0 or a.key is not null)
          group by 1, 2, 3) l
        left join annotations w on w.input_key = l.input_key and w.input_level
        order by 1, 2, 3`,
  );
}

/** Concepts that people have labelled anything in scope with, most used first; at most 1,000. */
export async function labelledConcepts(
  db: Db,
  grant: AppGrant,
  scope: DataScope,
  kind: InputKind = 'image',
): Promise<string[]> {
  const found = await rows<{ id: string }>(
    db,
    sql`select c.concept_id as id from annotation_concepts c join inputs i on i.key = c.input_key
        where c.app_key = ${grant.appKey} and c.trusted and i.kind = ${kind} and ${inScope(scope, sql`c.input_key`)}
        group by 1 order by count(*) desc, 1 limit 1000`,
  );
  return found.map((row) => row.id);
}

const vectorsByAnnotation = {
  name: 'vectors-by-annotation',
  text: `select annotation_key, vector from embeddings
    where app_key = $1::bigint and model_version_key = $2::bigint and annotation_key = any($3::bigint[])`,
};

/** Stored vectors by annotation: floats [dims]. They come as bytes, which is most of what reading them costs. */
export async function vectorsOf(
  db: RawReads,
  grant: AppGrant,
  modelVersionKey: number,
  annotationKeys: readonly number[],
): Promise<Map<number, Float32Array>> {
  const columns = new RawColumns();
  const found = await db.raw(vectorsByAnnotation, [grant.appKey, modelVersionKey, annotationKeys]);
  return new Map(
    found.map((row) => {
      const key = columns.read(row).int8();
      columns.next();
      return [key, floatsOf(columns.bytes.subarray(columns.start, columns.end))];
    }),
  );
}

/**
 * Vectors of images that nobody has said any of the concepts of: they stand in as negatives where a concept has
 * none. Spread over the app, and the same ones every time.
 */
export async function unlabelledVectors(
  db: Db,
  grant: AppGrant,
  modelVersionKey: number,
  conceptIds: readonly string[],
  limit: number,
): Promise<Float32Array[]> {
  const found = await rows<{ vector: Buffer }>(
    db,
    sql`select e.vector from inputs i
        join annotations w on w.input_key = i.key and w.input_level
        join embeddings e on e.annotation_key = w.key and e.model_version_key = ${modelVersionKey}
        where i.app_key = ${grant.appKey} and i.status_code = 30000 and not exists (
          select 1 from annotation_concepts c
          where c.input_key = i.key and c.concept_id = any(${[...conceptIds]}::text[]) and c.trusted and c.value >= 0.5)
        order by md5(i.id), i.key limit ${limit}`,
  );
  return found.map(({ vector }) => floatsOf(vector));
}

/** The annotation that a region was labelled by: where it lies is in its data. */
export const regionData = (db: Db, grant: AppGrant, annotationKey: number) =>
  first<{ data: Buffer }>(
    db,
    sql`select data from annotations where app_key = ${grant.appKey} and key = ${annotationKey}`,
  );

/** @returns the row key and status of a dataset's version, or undefined */
export const findDatasetVersion = (db: Db, grant: AppGrant, datasetKey: number, id: string) =>
  first<{ key: number; statusCode: number }>(
    db,
    sql`select key, status_code as "statusCode" from dataset_versions
        where app_key = ${grant.appKey} and dataset_key = ${datasetKey} and id = ${id}`,
  );

export const findDataset = (db: Db, grant: AppGrant, id: string) =>
  first<{ key: number }>(db, sql`select key from datasets where app_key = ${grant.appKey} and id = ${id}`);

/** A labelled region of a picture. */
export interface RegionRow {
  readonly inputKey: number;
  /** Data message; where the region lies is in it. */
  readonly data: Buffer;
  /** Which of the concepts it shows. */
  readonly conceptIds: readonly string[];
}

/**
 * Trusted regions that show any of the concepts, in the order of their pictures; those of some hundred pictures at a time. Of
 * a version: as they were when it was made.
 */
export async function* regionPages(
  db: Db,
  grant: AppGrant,
  scope: DataScope,
  conceptIds: readonly string[],
): AsyncGenerator<RegionRow[]> {
  for await (const range of rangesOf(db, grant, scope, markedPerLook))
    yield await regionsOf(db, grant, scope, conceptIds, range);
}

function regionsOf(
  db: Db,
  grant: AppGrant,
  scope: DataScope,
  conceptIds: readonly string[],
  range: KeyRange,
): Promise<RegionRow[]> {
  const ids = sql`${[...conceptIds]}::text[]`;
  const found =
    scope.kind === 'version'
      ? sql`select v.annotation_id as key, v.input_key, v.data,
              array(select id from unnest(v.positive) id where id = any(${ids})) as concept_ids
            from dataset_version_annotations v join inputs i on i.key = v.input_key
            where v.version_key = ${scope.key} and i.app_key = ${grant.appKey} and i.status_code = 30000
              and i.kind = 'image' and (v.kinds & ${sql.lit(regionKinds)}) <> 0 and v.positive && ${ids}
              and ${inRange(range)}`
      : sql`select a.key, a.input_key, a.data, l.concept_ids
            from annotations a join inputs i on i.key = a.input_key
            cross join lateral (
              select array_agg(c.concept_id order by c.position) as concept_ids from annotation_concepts c
              where c.annotation_key = a.key and c.trusted and c.value >= 0.5 and c.concept_id = any(${ids})) l
            where a.app_key = ${grant.appKey} and a.status_code = 24150 and i.status_code = 30000 and i.kind = 'image'
              and (a.kinds & ${sql.lit(regionKinds)}) <> 0 and l.concept_ids is not null
              and a.input_key between ${range.from} and ${range.to} and ${inScope(scope, sql`a.input_key`)}`;
  return rows<RegionRow>(
    db,
    sql`select input_key as "inputKey", data, concept_ids as "conceptIds" from (${found}) found order by input_key, key`,
  );
}

/** A processed input and the annotation whose embedding stands for it. */
export interface InputRow {
  readonly inputKey: number;
  readonly vectorKey: number | null;
}

/** The next so many processed pictures of the scope after a key, labelled or not. */
export function picturesAfter(
  db: Db,
  grant: AppGrant,
  scope: DataScope,
  page: { afterKey: number; limit: number },
): Promise<InputRow[]> {
  return rows<InputRow>(
    db,
    sql`select i.key as "inputKey", w.key as "vectorKey" from inputs i
        left join annotations w on w.input_key = i.key and w.input_level
        where i.app_key = ${grant.appKey} and i.status_code = 30000 and i.kind = 'image' and i.key > ${page.afterKey}
          and ${inScope(scope, sql`i.key`)}
        order by i.key limit ${page.limit}`,
  );
}
