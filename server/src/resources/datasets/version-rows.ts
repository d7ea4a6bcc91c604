import { type Db, rows, sql } from '#store/sql.ts';
import { bucketOf } from '../common/buckets.ts';

/** Reading what a version holds, row by row in a walk that needs no more memory than a step. */

/** An input as a version keeps it. */
export interface KeptInput {
  readonly chunkKey: number;
  readonly inputKey: number;
  readonly id: string;
  readonly kind: string;
  readonly split: string;
  readonly url: string;
  readonly mediaSha: Buffer | null;
  readonly media: Buffer;
  /** Of all its annotations. */
  readonly dataBytes: number;
}

export interface KeptAnnotation {
  readonly inputKey: number;
  readonly annotationKey: number;
  readonly id: string;
  readonly inputLevel: boolean;
  readonly trusted: boolean;
  /** Its `annotation_info`. */
  readonly info: object | null;
  readonly data: Buffer;
}

/** Names of the splits of a version, '' for inputs that name none. */
export async function splitsOf(db: Db, versionKey: number): Promise<string[]> {
  const found = await rows<{ split: string }>(
    db,
    sql`select distinct i.split from dataset_version_chunks l join dataset_chunk_inputs i on i.chunk_key = l.chunk_key
        where l.version_key = ${versionKey} order by 1`,
  );
  return found.map(({ split }) => split);
}

/**
 * The next inputs of one split in the order of their keys; all splits where `split` is undefined. Deleted ones are left
 * out unless they are asked for; of an erased one nobody has anything.
 */
export function inputsAfter(
  db: Db,
  versionKey: number,
  split: string | undefined,
  afterKey: number,
  limit: number,
  withDeleted = false,
): Promise<KeptInput[]> {
  // Chunks are of 1,024 neighbouring keys, so walking them in order walks the inputs in order.
  return rows<KeptInput>(
    db,
    sql`select i.chunk_key as "chunkKey", i.input_key as "inputKey", i.input_id as id, i.kind, i.split, i.url,
          i.media_sha as "mediaSha", i.media, coalesce((select sum(octet_length(a.data)) from dataset_chunk_annotations a
            where a.chunk_key = i.chunk_key and a.input_key = i.input_key), 0)::bigint as "dataBytes"
        from (
          select l.chunk_key, c.input_key from dataset_version_chunks l
          join dataset_chunk_inputs c on c.chunk_key = l.chunk_key
          where l.version_key = ${versionKey} and l.bucket >= ${bucketOf(Math.max(0, afterKey))}
            and c.input_key > ${afterKey} ${split === undefined ? sql`` : sql`and c.split = ${split}`}
            ${withDeleted ? sql`and not c.erased` : sql`and c.deleted_at is null`}
          order by l.bucket, c.input_key limit ${limit}) n
        join dataset_chunk_inputs i on i.chunk_key = n.chunk_key and i.input_key = n.input_key
        order by i.input_key`,
  );
}

/** What is said of inputs, the annotation of the whole input first. */
export function annotationsOf(db: Db, inputs: readonly KeptInput[]): Promise<KeptAnnotation[]> {
  return rows<KeptAnnotation>(
    db,
    sql`select a.input_key as "inputKey", a.annotation_key as "annotationKey", a.annotation_id as id,
          a.input_level as "inputLevel", a.trusted, a.annotation_info as info, a.data
        from unnest(${inputs.map((i) => i.chunkKey)}::bigint[], ${inputs.map((i) => i.inputKey)}::bigint[]) as n(chunk_key, input_key)
        join dataset_chunk_annotations a on a.chunk_key = n.chunk_key and a.input_key = n.input_key
        order by a.input_key, a.input_level desc, a.annotation_key, a.annotation_id`,
  );
}

/** Concepts that a version names anywhere, in the order in which the app came to know them. */
export function conceptsOfVersion(db: Db, versionKey: number): Promise<{ id: string; name: string }[]> {
  return rows(
    db,
    sql`select c.id, c.name from (
          select distinct concept from dataset_version_annotations a, unnest(a.positive || a.negative) concept
          where a.version_key = ${versionKey}) n
        join dataset_versions v on v.key = ${versionKey} join concepts c on c.app_key = v.app_key and c.id = n.concept
        order by c.key`,
  );
}

/** Vectors of annotations made by some embedders; those that are gone since are left out. */
export function vectorsOf(
  db: Db,
  annotationKeys: readonly number[],
  embedModelVersionIds: readonly string[],
): Promise<{ annotationKey: number; vector: Buffer }[]> {
  return rows(
    db,
    sql`select e.annotation_key as "annotationKey", e.vector from embeddings e join model_versions m on m.key = e.model_version_key
        where e.annotation_key = any(${[...annotationKeys]}::bigint[]) and m.id = any(${[...embedModelVersionIds]}::text[])
        order by e.annotation_key, e.model_version_key`,
  );
}

/** A version's rows, some inputs at a time: never more of them, nor of what is said of them, than fit into a step. */
export async function* inputSteps(
  db: Db,
  versionKey: number,
  split: string | undefined,
  inputsPerStep: number,
): AsyncGenerator<{ input: KeptInput; annotations: KeptAnnotation[] }[]> {
  for (let after = -1; ; ) {
    const found = await inputsAfter(db, versionKey, split, after, inputsPerStep);
    for (const some of bySize(found)) {
      const annotations = await annotationsOf(db, some);
      yield some.map((input) => ({
        input,
        annotations: annotations.filter(({ inputKey }) => inputKey === input.inputKey),
      }));
    }
    const last = found.at(-1);
    if (!last || found.length < inputsPerStep) return;
    after = last.inputKey;
  }
}

const bytesPerStep = 4 * 1024 * 1024;

function bySize(inputs: readonly KeptInput[]): KeptInput[][] {
  const steps: KeptInput[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const input of inputs) {
    if (bytes + input.dataBytes > bytesPerStep) {
      steps.push([]);
      bytes = 0;
    }
    steps.at(-1)?.push(input);
    bytes += input.dataBytes;
  }
  return steps;
}
