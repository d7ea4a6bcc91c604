import { create, toBinary } from '@bufbuild/protobuf';
import { DatasetVersionMetricsSchema } from '@fovea/contract';
import { annotationKind as kind, placeKinds, regionKinds } from '#domain/annotation-kinds.ts';
import { type Db, first, rows, run, type Sql, sql } from '#store/sql.ts';
import type { Metrics } from './version.ts';
import { versionStatus } from './version-store.ts';

/**
 * Statements of the snapshot job. They run by version key, in a job whose version row was found under the app's
 * grant; the version carries its app.
 */

/** The version to be filled, locked; undefined when it is gone or filled already. */
export function lockPending(db: Db, appKey: number, versionKey: number) {
  return first<{ datasetKey: number; body: Buffer }>(
    db,
    sql`select dataset_key as "datasetKey", body from dataset_versions
        where key = ${versionKey} and app_key = ${appKey} and status_code = ${versionStatus.pending} for update`,
  );
}

export async function copyMembers(db: Db, versionKey: number, datasetKey: number): Promise<void> {
  await run(
    db,
    sql`insert into dataset_version_inputs (version_key, input_key, input_id, kind)
        select ${versionKey}, i.key, i.id, i.kind
        from dataset_inputs m join inputs i on i.key = m.input_key
        where m.dataset_key = ${datasetKey} order by i.key`,
  );
}

/** Trusted, finished annotations that say something. */
export async function copyAnnotations(db: Db, versionKey: number): Promise<void> {
  await run(
    db,
    sql`insert into dataset_version_annotations
          (version_key, input_key, annotation_id, input_level, kinds, positive, negative, data)
        select v.version_key, a.input_key, a.id, a.input_level, a.kinds, coalesce(l.positive, '{}'), coalesce(l.negative, '{}'), a.data
        from dataset_version_inputs v join annotations a on a.input_key = v.input_key
        left join lateral (
          select array_agg(concept_id order by position) filter (where value >= 0.5) as positive,
                 array_agg(concept_id order by position) filter (where value < 0.5) as negative
          from annotation_concepts where annotation_key = a.key) l on true
        where v.version_key = ${versionKey} and a.trusted and a.status_code = 24150 and a.kinds <> 0
        order by a.key`,
  );
}

export async function dropEmptyMembers(db: Db, versionKey: number): Promise<void> {
  await run(
    db,
    sql`delete from dataset_version_inputs v where v.version_key = ${versionKey} and not exists (
          select 1 from dataset_version_annotations a where a.version_key = v.version_key and a.input_key = v.input_key)`,
  );
}

const has = (bits: number): Sql<unknown> => sql`(a.kinds & ${sql.lit(bits)}) <> 0`;
const lacks = (bits: number): Sql<unknown> => sql`(a.kinds & ${sql.lit(bits)}) = 0`;

/** What each input of a version contributes to the counts. */
const facts = (versionKey: number) => sql`
  select v.input_key, v.kind,
    coalesce(bool_or(cardinality(a.positive) > 0), false) as labelled,
    coalesce(bool_or(${has(kind.metadata)}), false) as with_metadata,
    coalesce(bool_or(${has(kind.geo)}), false) as with_geo,
    count(*) filter (where ${has(regionKinds)}) as regions,
    count(*) filter (where ${has(kind.box)}) as boxes,
    count(*) filter (where ${has(kind.polygon)}) as polygons,
    count(*) filter (where ${has(kind.point)}) as points,
    count(*) filter (where ${has(kind.mask)}) as masks,
    count(*) filter (where ${has(kind.frame)}) as frames,
    count(*) filter (where ${has(kind.frame)} and ${has(regionKinds)}) as region_frames,
    coalesce(bool_or(${has(regionKinds)} and ${lacks(kind.frame)}), false) as has_regions,
    coalesce(sum(cardinality(a.positive)) filter (where ${lacks(placeKinds)}), 0) as input_tags,
    coalesce(sum(cardinality(a.positive)) filter (where ${has(regionKinds)}), 0) as region_tags,
    coalesce(sum(cardinality(a.positive)) filter (where ${has(kind.frame)} and ${lacks(regionKinds)}), 0) as frame_tags,
    (select count(distinct concept) from dataset_version_annotations c, unnest(c.positive) concept
     where c.version_key = v.version_key and c.input_key = v.input_key) as concepts
  from dataset_version_inputs v
  left join dataset_version_annotations a on a.version_key = v.version_key and a.input_key = v.input_key
  where v.version_key = ${versionKey} group by v.version_key, v.input_key, v.kind`;

const sums = sql`
  count(*) as "inputsCount", count(*) filter (where not labelled) as "unlabeledInputsCount",
  count(*) filter (where with_metadata) as "inputsWithMetadataCount", count(*) filter (where with_geo) as "inputsWithGeoCount",
  coalesce(sum(regions), 0)::bigint as "regionsCount", coalesce(sum(boxes), 0)::bigint as "boundingBoxesCount",
  coalesce(sum(polygons), 0)::bigint as "polygonsCount", coalesce(sum(points), 0)::bigint as "pointsCount",
  coalesce(sum(masks), 0)::bigint as "masksCount", count(*) filter (where has_regions) as "regionInputsCount",
  coalesce(sum(region_frames), 0)::bigint as "regionFramesCount", coalesce(sum(frames), 0)::bigint as "framesCount",
  count(*) filter (where frames > 0) as "frameInputsCount",
  coalesce(sum(input_tags), 0)::bigint as "positiveInputTagsCount",
  coalesce(sum(region_tags), 0)::bigint as "positiveRegionTagsCount",
  coalesce(sum(frame_tags), 0)::bigint as "positiveFrameTagsCount"`;

type Sums = Record<keyof Metrics, number>;
export type CountedGroup = Sums & { type: number; value: string | number };

export async function countAll(db: Db, versionKey: number): Promise<Buffer> {
  const counted = await first<Sums>(db, sql`select ${sums} from (${facts(versionKey)}) f`);
  return packMetrics(counted ?? ({} as Sums));
}

/** Types as the contract numbers them: DatasetVersionMetricsGroupType. */
const groupTypes = [
  [2, sql`to_jsonb(kind)`, sql`kind`],
  [11, sql`to_jsonb(concepts)`, sql`concepts`],
  [20, sql`to_jsonb(boxes)`, sql`boxes`],
  [21, sql`to_jsonb(polygons)`, sql`polygons`],
  [22, sql`to_jsonb(points)`, sql`points`],
  [23, sql`to_jsonb(masks)`, sql`masks`],
] as const;

/** Counts by input type, by concept, and by how many concepts, boxes, polygons, points and masks an input has. */
export async function countGroups(db: Db, versionKey: number): Promise<CountedGroup[]> {
  const byNumber = sql.join(
    groupTypes.map(
      ([type, value, column]) =>
        sql`select ${sql.lit(type)} as type, ${value} as value, ${sums} from facts group by ${column}`,
    ),
    sql` union all `,
  );
  return rows<CountedGroup>(
    db,
    sql`with facts as materialized (${facts(versionKey)}),
          members as (
            select distinct a.input_key, concept from dataset_version_annotations a, unnest(a.positive) concept
            where a.version_key = ${versionKey})
        select * from (
          ${byNumber}
          union all select 10, to_jsonb(concept), ${sums} from members join facts using (input_key) group by concept
        ) g order by type, value`,
  );
}

export async function storeGroups(
  db: Db,
  versionKey: number,
  groups: readonly CountedGroup[],
): Promise<void> {
  await run(
    db,
    sql`insert into dataset_version_groups (version_key, position, type, value, metrics)
        select ${versionKey}, n.* from unnest(
          ${groups.map((_, i) => i)}::int[], ${groups.map((g) => g.type)}::smallint[],
          ${groups.map((g) => JSON.stringify(g.value))}::jsonb[], ${groups.map(packMetrics)}::bytea[])
          as n(position, type, value, metrics)`,
  );
}

export async function finishVersion(
  db: Db,
  versionKey: number,
  statusCode: number,
  metrics: Buffer | null,
): Promise<void> {
  await run(
    db,
    sql`update dataset_versions set status_code = ${statusCode}, metrics = coalesce(${metrics}, metrics), modified_at = now()
        where key = ${versionKey}`,
  );
}

const counters = [
  'inputsCount',
  'unlabeledInputsCount',
  'inputsWithMetadataCount',
  'inputsWithGeoCount',
  'regionsCount',
  'boundingBoxesCount',
  'polygonsCount',
  'pointsCount',
  'masksCount',
  'regionInputsCount',
  'regionFramesCount',
  'framesCount',
  'frameInputsCount',
  'embeddingsCount',
  'positiveInputTagsCount',
  'positiveRegionTagsCount',
  'positiveFrameTagsCount',
] as const;

/** Every counter is present, zeros too: readers tell "none" from "not counted". */
function packMetrics(counted: Partial<Sums>): Buffer {
  const metrics = Object.fromEntries(counters.map((name) => [name, BigInt(counted[name] ?? 0)]));
  return Buffer.from(toBinary(DatasetVersionMetricsSchema, create(DatasetVersionMetricsSchema, metrics)));
}
