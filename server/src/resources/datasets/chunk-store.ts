import { annotationKind as kind } from '#domain/annotation-kinds.ts';
import { type Db, first, rows, run, type Sql, sql } from '#store/sql.ts';
import { firstKeyOf } from '../common/buckets.ts';
import { openStatuses } from './version-store.ts';

/**
 * Chunks: what versions of datasets hold of 1,024 neighbouring inputs. They are filled once, shared by all versions that
 * find nothing changed, and deleted when none holds them.
 */

/** Which annotations a version holds: a condition over `i` (inputs) and `a` (annotations). */
export type Choice = Sql<unknown>;

/** Trusted, finished annotations that say something. */
export const trustedOnly: Choice = sql`a.trusted and a.status_code = 24150 and a.kinds <> 0`;

/** The same of what a filter has found, whoever said it. */
export const foundBy = (condition: Sql<unknown>): Choice => sql`a.kinds <> 0 and (${condition})`;

export const nothing: Choice = sql`false`;

/** Predicates over the kinds of an annotation `a`. */
export const has = (bits: number): Sql<unknown> => sql`(a.kinds & ${sql.lit(bits)}) <> 0`;
export const lacks = (bits: number): Sql<unknown> => sql`(a.kinds & ${sql.lit(bits)}) = 0`;

export interface ChunkFrame {
  readonly appKey: number;
  readonly datasetKey: number;
  readonly bucket: number;
  readonly fingerprint: Buffer;
}

/**
 * Members of a dataset in one bucket. Bounded in both tables: the planner carries equalities over a join, bounds it does
 * not, and each chunk would read all members of the dataset.
 */
function membersIn(datasetKey: number, bucket: number): Sql<unknown> {
  const from = firstKeyOf(bucket);
  const to = firstKeyOf(bucket + 1);
  return sql`dataset_members m join inputs i on i.key = m.input_key
    where m.dataset_key = ${datasetKey} and m.input_key >= ${from} and m.input_key < ${to}
      and i.key >= ${from} and i.key < ${to}`;
}

/** Copies the inputs of a bucket into a chunk of their own. They are held until the commit, and so are their media. */
export async function copyInputs(db: Db, frame: ChunkFrame): Promise<number> {
  const members = membersIn(frame.datasetKey, frame.bucket);
  await run(db, sql`select from ${members} order by i.key for key share of i`);
  const chunk = await first<{ key: number }>(
    db,
    sql`insert into dataset_chunks (app_key, dataset_key, bucket, fingerprint, n)
        values (${frame.appKey}, ${frame.datasetKey}, ${frame.bucket}, ${frame.fingerprint}, 0) returning key`,
  );
  const chunkKey = (chunk as { key: number }).key;
  await run(
    db,
    sql`insert into dataset_chunk_inputs (chunk_key, input_key, input_id, kind, split, url, media_sha, media, settings)
        select ${chunkKey}, i.key, i.id, i.kind, coalesce((
            select a.metadata ->> 'split' from annotations a where a.input_key = i.key and a.input_level
              and jsonb_typeof(a.metadata -> 'split') = 'string'), ''),
          i.url, i.media_sha, i.media, i.settings
        from ${members} order by i.key`,
  );
  return chunkKey;
}

/** Copies the chosen annotations of a chunk's inputs. */
export async function copyAnnotations(db: Db, chunkKey: number, choice: Choice): Promise<void> {
  await run(
    db,
    sql`insert into dataset_chunk_annotations (chunk_key, input_key, annotation_key, annotation_id, input_level, trusted,
          kinds, worker_user_key, worker_model_version_key, worker_workflow_version_key, task_id, annotation_info,
          positive, negative, data)
        select c.chunk_key, a.input_key, a.key, a.id, a.input_level, a.trusted, a.kinds, a.worker_user_key,
          a.worker_model_version_key, a.worker_workflow_version_key, a.task_id, a.annotation_info,
          coalesce(l.positive, '{}'), coalesce(l.negative, '{}'), a.data
        from dataset_chunk_inputs c join inputs i on i.key = c.input_key join annotations a on a.input_key = c.input_key
        left join lateral (
          select array_agg(concept_id order by position) filter (where value >= 0.5) as positive,
                 array_agg(concept_id order by position) filter (where value < 0.5) as negative
          from annotation_concepts where annotation_key = a.key) l on true
        where c.chunk_key = ${chunkKey} and (${choice}) order by a.input_key, a.id`,
  );
}

export interface PredictedRow {
  readonly inputKey: number;
  readonly kinds: number;
  readonly positive: readonly string[];
  readonly negative: readonly string[];
  readonly data: Buffer;
}

/** Puts what a model said of a chunk's inputs in the place of annotations. */
export async function putPredictions(
  db: Db,
  chunkKey: number,
  modelVersionKey: number,
  predicted: readonly (PredictedRow & { id: string })[],
): Promise<void> {
  for (const one of predicted) {
    await run(
      db,
      sql`insert into dataset_chunk_annotations (chunk_key, input_key, annotation_key, annotation_id, input_level, trusted,
            kinds, worker_model_version_key, positive, negative, data)
          values (${chunkKey}, ${one.inputKey}, 0, ${one.id}, false, false, ${one.kinds}, ${modelVersionKey},
            ${[...one.positive]}::text[], ${[...one.negative]}::text[], ${one.data})`,
    );
  }
}

/** Videos of a chunk whose frames have boxes or points. */
export const videosOf = (db: Db, chunkKey: number) =>
  rows<{ inputKey: number; media: Buffer }>(
    db,
    sql`select c.input_key as "inputKey", c.media from dataset_chunk_inputs c
        where c.chunk_key = ${chunkKey} and c.kind = 'video' and exists (
          select from dataset_chunk_annotations a where a.chunk_key = c.chunk_key and a.input_key = c.input_key
            and ${has(kind.frame)} and ${has(kind.box | kind.point)})
        order by c.input_key`,
  );

export interface TrackedRow {
  readonly id: string;
  /** Tells those who marked it apart. */
  readonly worker: string;
  readonly data: Buffer;
}

/** What marks boxes or points in the frames of a video. */
export const trackedOf = (db: Db, chunkKey: number, inputKey: number): Promise<TrackedRow[]> =>
  rows<TrackedRow>(
    db,
    sql`select a.annotation_id as id, a.data, concat_ws(' ', 'u' || a.worker_user_key, 'm' || a.worker_model_version_key,
          'w' || a.worker_workflow_version_key) as worker
        from dataset_chunk_annotations a
        where a.chunk_key = ${chunkKey} and a.input_key = ${inputKey} and ${has(kind.frame)} and ${has(kind.box | kind.point)}
        order by a.annotation_id`,
  );

/** Rows that are as the one they begin at, but for their place. */
export async function insertBetween(
  db: Db,
  chunkKey: number,
  inputKey: number,
  between: readonly { id: string; from: string; to: string; data: Buffer }[],
): Promise<void> {
  if (between.length === 0) return;
  await run(
    db,
    sql`insert into dataset_chunk_annotations (chunk_key, input_key, annotation_key, annotation_id, input_level, trusted,
          kinds, worker_user_key, worker_model_version_key, worker_workflow_version_key, task_id, annotation_info,
          positive, negative, data)
        select a.chunk_key, a.input_key, 0, n.id, false, a.trusted, a.kinds, a.worker_user_key,
          a.worker_model_version_key, a.worker_workflow_version_key, a.task_id,
          jsonb_build_object('interpolated', true, 'from', n.origin, 'to', n.next), a.positive, a.negative, n.data
        from unnest(
          ${between.map(({ id }) => id)}::text[], ${between.map(({ from }) => from)}::text[],
          ${between.map(({ to }) => to)}::text[], ${between.map(({ data }) => data)}::bytea[]) as n(id, origin, next, data)
        join dataset_chunk_annotations a
          on a.chunk_key = ${chunkKey} and a.input_key = ${inputKey} and a.annotation_id = n.origin
        on conflict do nothing`,
  );
}

export async function dropEmptyInputs(db: Db, chunkKey: number): Promise<void> {
  await run(
    db,
    sql`delete from dataset_chunk_inputs c where c.chunk_key = ${chunkKey} and not exists (
          select from dataset_chunk_annotations a where a.chunk_key = c.chunk_key and a.input_key = c.input_key)`,
  );
}

/** The inputs of a bucket that a prediction is made of. */
export const membersOf = (db: Db, datasetKey: number, bucket: number) =>
  rows<{ key: number; id: string }>(
    db,
    sql`select i.key, i.id from ${membersIn(datasetKey, bucket)} order by i.key`,
  );

/** Deletes some chunks that no version holds. @returns how many went */
export async function deleteUnusedChunks(
  db: Db,
  appKey: number,
  limit: number,
): Promise<Buffer[] | undefined> {
  const unused = await rows<{ key: number }>(
    db,
    sql`select c.key from dataset_chunks c where c.app_key = ${appKey}
          and not exists (select from dataset_version_chunks l where l.chunk_key = c.key)
          and not exists (select from dataset_versions v where v.dataset_key = c.dataset_key and v.status_code = any(${openStatuses}::int[]))
        order by c.key limit ${limit} for update of c skip locked`,
  );
  if (unused.length === 0) return undefined;
  const keys = unused.map(({ key }) => key);
  const media = await rows<{ sha: Buffer }>(
    db,
    sql`select distinct c.media_sha as sha from dataset_chunk_inputs c
        where c.chunk_key = any(${keys}::bigint[]) and c.media_sha is not null
          and not exists (select from inputs n where n.media_sha = c.media_sha)`,
  );
  await run(db, sql`delete from dataset_chunks where key = any(${keys}::bigint[])`);
  return media.map(({ sha }) => sha);
}

/** Media that versions of these datasets keep and no input shows any more. */
export async function mediaOfDatasets(db: Db, datasetKeys: readonly number[]): Promise<Buffer[]> {
  const media = await rows<{ sha: Buffer }>(
    db,
    sql`select distinct i.media_sha as sha from dataset_chunks c join dataset_chunk_inputs i on i.chunk_key = c.key
        where c.dataset_key = any(${[...datasetKeys]}::bigint[]) and i.media_sha is not null
          and not exists (select from inputs n where n.media_sha = i.media_sha)`,
  );
  return media.map(({ sha }) => sha);
}
