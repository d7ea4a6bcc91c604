import { annotationKind as kind, placeKinds, regionKinds } from '#domain/annotation-kinds.ts';
import { type Db, first, rows, run, type Sql, sql } from '#store/sql.ts';
import { type Choice, has, lacks } from './chunk-store.ts';
import type { Counter, KeptGroup } from './snapshot-counts.ts';
import { openStatuses, versionStatus } from './version-store.ts';

/**
 * Statements of the snapshot job. They run by version key, in a job whose version row was found under the app's
 * grant; the version carries its app.
 */

export interface PendingVersion {
  readonly datasetKey: number;
  readonly body: Buffer;
  readonly predictModelVersionKey: number | null;
}

/** Says that a version is being filled; undefined when it is gone or filled already. */
export function beginVersion(db: Db, appKey: number, versionKey: number) {
  return first<PendingVersion>(
    db,
    sql`update dataset_versions set status_code = ${versionStatus.inProgress}, percent_completed = 0
        where key = ${versionKey} and app_key = ${appKey} and status_code = any(${openStatuses}::int[])
        returning dataset_key as "datasetKey", body, predict_model_version_key as "predictModelVersionKey"`,
  );
}

/** Keeps the version from being deleted until the commit; undefined when it is gone or filled already. */
export const holdVersion = (db: Db, versionKey: number) =>
  first(
    db,
    sql`select key from dataset_versions where key = ${versionKey} and status_code = any(${openStatuses}::int[]) for update`,
  );

/** Lets the transaction see what the snapshot's maker sees; its first statement. */
export const seeAs = (db: Db, snapshot: string): Promise<void> =>
  run(db, sql`set transaction snapshot ${sql.lit(snapshot)}`);

export async function exportSnapshot(db: Db): Promise<string> {
  const row = await first<{ snapshot: string }>(db, sql`select pg_export_snapshot() as snapshot`);
  return (row as { snapshot: string }).snapshot;
}

/** Of inputs, 1,024 neighbouring keys. */
export interface Bucket {
  readonly bucket: number;
  /** Inputs in it. */
  readonly n: number;
  /** Changes when any row does that the chunk would be copied from. */
  readonly digest: string;
}

/**
 * The buckets of a dataset, in order. A row is told by its key and the transaction that wrote it last (xmin), so
 * nothing has to be read to see that nothing changed.
 */
export function bucketsOf(
  db: Db,
  datasetKey: number,
  choice: Choice,
  embedModelVersionIds: readonly string[],
): Promise<Bucket[]> {
  return rows<Bucket>(
    db,
    sql`with members as materialized (
          select i.key, i.xmin::text::bigint as xmin
          from dataset_members m join inputs i on i.key = m.input_key where m.dataset_key = ${datasetKey}),
        labels as (
          select a.input_key >> 10 as bucket, count(*) as n,
            bit_xor(hashint8extended(a.key, a.xmin::text::bigint)) as x,
            bit_xor(hashint8extended(a.xmin::text::bigint, a.key)) as y
          from members m join inputs i on i.key = m.key join annotations a on a.input_key = i.key
          where a.input_level or (${choice}) group by 1),
        vectors as (
          select e.input_key >> 10 as bucket, bit_xor(hashint8extended(e.key, e.xmin::text::bigint)) as x
          from members m join embeddings e on e.input_key = m.key
          where e.model_version_key = any(${embedKeys(embedModelVersionIds)}) group by 1)
        select m.bucket, m.n, concat_ws('.', m.n, m.x, m.y, l.n, l.x, l.y, v.x) as digest
        from (select key >> 10 as bucket, count(*) as n, bit_xor(hashint8extended(key, xmin)) as x,
                bit_xor(hashint8extended(xmin, key)) as y from members group by 1) m
        left join labels l using (bucket) left join vectors v using (bucket)
        order by m.bucket`,
  );
}

const embedKeys = (ids: readonly string[]): Sql<unknown> =>
  sql`array(select key from model_versions where id = any(${[...ids]}::text[]))`;

/** Chunks that are as wanted already, by bucket. Fingerprints of chunks from before there were any match nothing. */
export async function knownChunks(
  db: Db,
  datasetKey: number,
  wanted: readonly { bucket: number; fingerprint: Buffer }[],
): Promise<Map<number, number>> {
  const found = await rows<{ bucket: number; key: number }>(
    db,
    sql`select distinct on (w.bucket) w.bucket, c.key
        from unnest(${wanted.map((w) => w.bucket)}::bigint[], ${wanted.map((w) => w.fingerprint)}::bytea[])
          as w(bucket, fingerprint)
        join dataset_chunks c on c.dataset_key = ${datasetKey} and c.bucket = w.bucket and c.fingerprint = w.fingerprint
        order by w.bucket, c.key`,
  );
  return new Map(found.map(({ bucket, key }) => [bucket, key]));
}

/** Makes chunks part of a version. @throws when one of them is gone meanwhile */
export async function linkChunks(
  db: Db,
  versionKey: number,
  links: readonly { bucket: number; chunkKey: number }[],
): Promise<void> {
  await run(
    db,
    sql`insert into dataset_version_chunks as l (version_key, bucket, chunk_key)
        select ${versionKey}, n.* from unnest(
          ${links.map((l) => l.bucket)}::bigint[], ${links.map((l) => l.chunkKey)}::bigint[]) as n(bucket, chunk_key)
        on conflict (version_key, bucket) do update set chunk_key = excluded.chunk_key
        where l.chunk_key <> excluded.chunk_key`,
  );
}

/** Takes out of a version what an earlier attempt put in and the dataset does not hold any more. */
export async function unlinkOthers(db: Db, versionKey: number, buckets: readonly number[]): Promise<void> {
  await run(
    db,
    sql`delete from dataset_version_chunks
        where version_key = ${versionKey} and not bucket = any(${[...buckets]}::bigint[])`,
  );
}

export interface FactsRow {
  readonly inputKey: number;
  readonly kind: string;
  readonly split: string;
  readonly media: Buffer;
  readonly concepts: readonly string[];
  readonly counts: Partial<Record<Counter, number>>;
}

/** What each input of a chunk contributes to the counts. */
export function factsOf(
  db: Db,
  chunkKey: number,
  embedModelVersionIds: readonly string[],
): Promise<FactsRow[]> {
  return rows<FactsRow>(
    db,
    sql`select v.input_key as "inputKey", v.kind, v.split, v.media,
          coalesce((select array_agg(distinct concept order by concept) from dataset_chunk_annotations c,
            unnest(c.positive) concept where c.chunk_key = v.chunk_key and c.input_key = v.input_key), '{}') as concepts,
          jsonb_build_object(
            'inputsCount', 1,
            'unlabeledInputsCount', case when coalesce(bool_or(cardinality(a.positive) > 0), false) then 0 else 1 end,
            'inputsWithMetadataCount', coalesce(bool_or(${has(kind.metadata)}), false)::int,
            'inputsWithGeoCount', coalesce(bool_or(${has(kind.geo)}), false)::int,
            'regionsCount', count(*) filter (where ${has(regionKinds)}),
            'boundingBoxesCount', count(*) filter (where ${has(kind.box)}),
            'polygonsCount', count(*) filter (where ${has(kind.polygon)}),
            'pointsCount', count(*) filter (where ${has(kind.point)}),
            'masksCount', count(*) filter (where ${has(kind.mask)}),
            'regionInputsCount', coalesce(bool_or(${has(regionKinds)} and ${lacks(kind.frame)}), false)::int,
            'regionFramesCount', count(*) filter (where ${has(kind.frame)} and ${has(regionKinds)}),
            'framesCount', count(*) filter (where ${has(kind.frame)}),
            'frameInputsCount', coalesce(bool_or(${has(kind.frame)}), false)::int,
            'embeddingsCount', (select count(*) from embeddings e where e.input_key = v.input_key
              and e.model_version_key = any(${embedKeys(embedModelVersionIds)})),
            'positiveInputTagsCount', coalesce(sum(cardinality(a.positive)) filter (where ${lacks(placeKinds)}), 0),
            'positiveRegionTagsCount', coalesce(sum(cardinality(a.positive)) filter (where ${has(regionKinds)}), 0),
            'positiveFrameTagsCount', coalesce(sum(cardinality(a.positive)) filter (
              where ${has(kind.frame)} and ${lacks(regionKinds)}), 0)) as counts
        from dataset_chunk_inputs v
        left join dataset_chunk_annotations a on a.chunk_key = v.chunk_key and a.input_key = v.input_key
        where v.chunk_key = ${chunkKey} group by v.chunk_key, v.input_key`,
  );
}

const placed = kind.box | kind.polygon | kind.point | kind.keypoints;

/** The next regions of a chunk whose place is known without opening a picture (masks are left out). */
export function regionsAfter(
  db: Db,
  chunkKey: number,
  after: { inputKey: number; annotationId: string },
  limit: number,
) {
  return rows<{ inputKey: number; annotationId: string; data: Buffer }>(
    db,
    sql`select a.input_key as "inputKey", a.annotation_id as "annotationId", a.data from dataset_chunk_annotations a
        where a.chunk_key = ${chunkKey} and (a.input_key, a.annotation_id) > (${after.inputKey}, ${after.annotationId})
          and ${has(placed)} and ${lacks(kind.mask)}
        order by a.input_key, a.annotation_id limit ${limit}`,
  );
}

export async function keepCounts(
  db: Db,
  chunkKey: number,
  n: number,
  counts: readonly KeptGroup[],
): Promise<void> {
  await run(
    db,
    sql`update dataset_chunks set n = ${n}, counts = ${JSON.stringify(counts)}::jsonb where key = ${chunkKey}`,
  );
}

/** The counts of a version's next chunks, in the order of their buckets. */
export function countsAfter(db: Db, versionKey: number, bucket: number, limit: number) {
  return rows<{ bucket: number; counts: KeptGroup[] }>(
    db,
    sql`select l.bucket, c.counts from dataset_version_chunks l join dataset_chunks c on c.key = l.chunk_key
        where l.version_key = ${versionKey} and l.bucket > ${bucket} order by l.bucket limit ${limit}`,
  );
}

export interface PackedGroup {
  readonly split: string;
  readonly type: number;
  readonly value: string | number;
  readonly metrics: Buffer;
}

export async function storeGroups(db: Db, versionKey: number, groups: readonly PackedGroup[]): Promise<void> {
  await run(db, sql`delete from dataset_version_groups where version_key = ${versionKey}`);
  await run(
    db,
    sql`insert into dataset_version_groups (version_key, position, parent_path, type, value, metrics)
        select ${versionKey}, n.* from unnest(
          ${groups.map((_, i) => i)}::int[], ${groups.map((g) => g.split)}::text[],
          ${groups.map((g) => g.type)}::smallint[], ${groups.map((g) => JSON.stringify(g.value))}::jsonb[],
          ${groups.map((g) => g.metrics)}::bytea[]) as n(position, parent_path, type, value, metrics)`,
  );
}

export async function tellProgress(db: Db, versionKey: number, percent: number): Promise<void> {
  await run(
    db,
    sql`update dataset_versions set percent_completed = ${percent}
        where key = ${versionKey} and status_code = ${versionStatus.inProgress}`,
  );
}

export async function finishVersion(
  db: Db,
  versionKey: number,
  outcome: { statusCode: number; details?: string; metrics?: Buffer },
): Promise<void> {
  await run(
    db,
    sql`update dataset_versions set status_code = ${outcome.statusCode}, status_details = ${outcome.details ?? ''},
          metrics_by_split = ${outcome.metrics ?? null}, percent_completed = ${outcome.metrics ? 100 : 0}, modified_at = now()
        where key = ${versionKey}`,
  );
}
