import { annotationKind } from '#domain/annotation-kinds.ts';
import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';

export interface NewEmbedding {
  readonly annotationKey: number;
  readonly inputKey: number;
  readonly modelVersionKey: number;
  readonly vector: Buffer;
}

/**
 * Stores vectors, replacing older ones of the same annotation and model. Annotations that are gone are passed
 * over. A replaced row gets the new transaction id, by which indexes notice it.
 */
export async function putEmbeddings(
  db: Db,
  grant: AppGrant,
  embeddings: readonly NewEmbedding[],
): Promise<void> {
  if (embeddings.length === 0) return;
  await run(
    db,
    sql`insert into embeddings (app_key, model_version_key, input_key, annotation_key, vector)
        select ${grant.appKey}, e.model_version_key, e.input_key, e.annotation_key, e.vector
        from unnest(
          ${embeddings.map((e) => e.modelVersionKey)}::bigint[], ${embeddings.map((e) => e.inputKey)}::bigint[],
          ${embeddings.map((e) => e.annotationKey)}::bigint[], ${embeddings.map((e) => e.vector)}::bytea[]
        ) as e(model_version_key, input_key, annotation_key, vector)
        join annotations a on a.key = e.annotation_key and a.app_key = ${grant.appKey}
        order by e.annotation_key
        on conflict (annotation_key, model_version_key) do update
          set vector = excluded.vector, xid = pg_current_xact_id()`,
  );
}

/** Removes the vectors of annotations that no longer show a part of a picture. @returns how many there were */
export async function dropEmbeddings(
  db: Db,
  grant: AppGrant,
  annotationKeys: readonly number[],
): Promise<number> {
  if (annotationKeys.length === 0) return 0;
  const gone = await rows<{ key: number }>(
    db,
    sql`delete from embeddings where app_key = ${grant.appKey} and annotation_key = any(${[...annotationKeys]}::bigint[]) returning key`,
  );
  return gone.length;
}

/** Removes the vectors that other embedders than these once made of annotations that show something else now. */
export async function dropOthers(
  db: Db,
  grant: AppGrant,
  annotationKeys: readonly number[],
  modelVersionKeys: readonly number[],
): Promise<void> {
  await run(
    db,
    sql`delete from embeddings where app_key = ${grant.appKey} and annotation_key = any(${[...annotationKeys]}::bigint[])
          and model_version_key <> all(${[...modelVersionKeys]}::bigint[])`,
  );
}

/** Row keys of the input-level annotations of inputs. */
export function inputLevelKeys(db: Db, grant: AppGrant, inputKeys: readonly number[]) {
  return rows<{ inputKey: number; annotationKey: number }>(
    db,
    sql`select input_key as "inputKey", key as "annotationKey" from annotations
        where app_key = ${grant.appKey} and input_level and input_key = any(${[...inputKeys]}::bigint[])`,
  );
}

export interface ToIndex {
  readonly annotationKey: number;
  readonly inputKey: number;
  readonly inputLevel: boolean;
  readonly kind: 'image' | 'video';
  readonly data: Buffer;
}

/** Annotations of processed pictures and videos, by input; others of the keys are left out. */
export function annotationsToIndex(
  db: Db,
  grant: AppGrant,
  annotationKeys: readonly number[],
): Promise<ToIndex[]> {
  return rows<ToIndex>(
    db,
    sql`select a.key as "annotationKey", a.input_key as "inputKey", a.input_level as "inputLevel", i.kind, a.data
        from annotations a join inputs i on i.key = a.input_key
        where a.app_key = ${grant.appKey} and a.key = any(${[...annotationKeys]}::bigint[])
          and i.status_code = 30000 and i.kind in ('image', 'video') and i.media_sha is not null
        order by a.input_key, a.key`,
  );
}

/** Locks annotations against change and reads what they hold now; those that are gone are missing. */
export function lockAnnotations(db: Db, grant: AppGrant, annotationKeys: readonly number[]) {
  return rows<{ annotationKey: number; data: Buffer }>(
    db,
    sql`select key as "annotationKey", data from annotations
        where app_key = ${grant.appKey} and key = any(${[...annotationKeys]}::bigint[]) order by key for share`,
  );
}

const placedKinds = annotationKind.box | annotationKind.polygon;

/**
 * Whether annotation `a` of input `i` shows a picture or a part of one. In videos those that a model made are left
 * out: the frames that an embedder itself looks at come with the whole video.
 */
export const isEmbeddable = sql`(a.input_level and i.kind in ('image', 'video')
  or i.kind = 'image' and a.kinds & ${placedKinds} <> 0
  or i.kind = 'video' and a.kinds & ${annotationKind.frame} <> 0 and a.worker_model_version_key is null)`;

/** The next annotations of a processed picture or video that this model has no vector for, in key order. */
export async function annotationsWithout(
  db: Db,
  grant: AppGrant,
  wanted: {
    readonly modelVersionKey: number;
    readonly inputKey: number;
    readonly afterKey: number;
    readonly limit: number;
  },
): Promise<number[]> {
  const found = await rows<{ key: number }>(
    db,
    sql`select a.key from annotations a join inputs i on i.key = a.input_key
        where a.app_key = ${grant.appKey} and a.input_key = ${wanted.inputKey} and a.key > ${wanted.afterKey} and i.status_code = 30000
          and ${isEmbeddable} and not exists (
            select from embeddings e where e.annotation_key = a.key and e.model_version_key = ${wanted.modelVersionKey})
        order by a.key limit ${wanted.limit}`,
  );
  return found.map(({ key }) => key);
}

/** The vector of an input as a whole. */
export function wholeVector(db: Db, grant: AppGrant, inputKey: number, modelVersionKey: number) {
  return first<{ vector: Buffer }>(
    db,
    sql`select e.vector from annotations a join embeddings e on e.annotation_key = a.key
        where a.app_key = ${grant.appKey} and a.input_key = ${inputKey} and a.input_level
          and e.model_version_key = ${modelVersionKey}`,
  );
}

/** Whether the app's base workflow has any nodes. */
export async function hasBaseWorkflow(db: Db, grant: AppGrant): Promise<boolean> {
  const found = await first(
    db,
    sql`select from apps a join lateral (
          select model_version_keys as keys from workflow_versions
          where workflow_key = a.default_workflow_key order by key desc limit 1) v on cardinality(v.keys) > 0
        where a.key = ${grant.appKey}`,
  );
  return found !== undefined;
}
