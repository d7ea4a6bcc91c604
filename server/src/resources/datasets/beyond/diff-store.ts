import { type Db, rows, type Sql, sql } from '#store/sql.ts';
import { bucketOf } from '../../common/buckets.ts';

/** What differs between two versions of a dataset. Chunks that both share are passed over without a look inside. */

export type Change = 'added' | 'removed' | 'changed';

export interface DiffRow {
  readonly inputKey: number;
  readonly id: string;
  readonly change: Change;
  readonly conceptsAdded: readonly string[];
  readonly conceptsRemoved: readonly string[];
  readonly annotationsBefore: number;
  readonly annotationsAfter: number;
  readonly mediumChanged: boolean;
}

interface Pair {
  readonly bucket: number;
  readonly before: number | null;
  readonly after: number | null;
}

/** The next buckets that are not the same chunk in both. */
function pairsAfter(db: Db, from: number, to: number, bucket: number, limit: number): Promise<Pair[]> {
  const links = (versionKey: number) =>
    sql`(select bucket, chunk_key from dataset_version_chunks where version_key = ${versionKey} and bucket >= ${bucket})`;
  return rows<Pair>(
    db,
    sql`select bucket, b.chunk_key as before, a.chunk_key as after
        from ${links(from)} b full join ${links(to)} a using (bucket)
        where b.chunk_key is distinct from a.chunk_key order by bucket limit ${limit}`,
  );
}

/** What a chunk holds, an input a row, with a digest of all that is said of it. */
const side = (chunkKey: number | null): Sql<unknown> => sql`
  select i.input_key, i.input_id, i.media_sha, n.n, n.digest, n.concepts
  from dataset_chunk_inputs i cross join lateral (
    select count(*) as n, md5(string_agg(a.annotation_id || ' ' || md5(a.data), ',' order by a.annotation_id)) as digest,
      coalesce((select array_agg(distinct c) from dataset_chunk_annotations s, unnest(s.positive) c
        where s.chunk_key = i.chunk_key and s.input_key = i.input_key), '{}') as concepts
    from dataset_chunk_annotations a where a.chunk_key = i.chunk_key and a.input_key = i.input_key) n
  where i.chunk_key = ${chunkKey}`;

function rowsOfPair(db: Db, pair: Pair, afterKey: number): Promise<DiffRow[]> {
  return rows<DiffRow>(
    db,
    sql`select coalesce(a.input_key, b.input_key) as "inputKey", coalesce(a.input_id, b.input_id) as id,
          case when b.input_key is null then 'added' when a.input_key is null then 'removed' else 'changed' end as change,
          array(select unnest(a.concepts) except select unnest(b.concepts) order by 1) as "conceptsAdded",
          array(select unnest(b.concepts) except select unnest(a.concepts) order by 1) as "conceptsRemoved",
          coalesce(b.n, 0) as "annotationsBefore", coalesce(a.n, 0) as "annotationsAfter",
          a.media_sha is distinct from b.media_sha as "mediumChanged"
        from (${side(pair.before)}) b full join (${side(pair.after)}) a using (input_key)
        where coalesce(a.input_key, b.input_key) > ${afterKey}
          and (a.input_key is null or b.input_key is null
            or (a.digest, a.media_sha) is distinct from (b.digest, b.media_sha))
        order by 1`,
  );
}

const pairsPerLook = 50;

/** Differences in the order of the inputs' keys, behind `afterKey` (-1: all), a bucket at a time. */
export async function* diffSteps(
  db: Db,
  from: number,
  to: number,
  afterKey: number,
): AsyncGenerator<DiffRow[]> {
  for (let bucket = bucketOf(Math.max(0, afterKey)); ; ) {
    const pairs = await pairsAfter(db, from, to, bucket, pairsPerLook);
    for (const pair of pairs) yield rowsOfPair(db, pair, afterKey);
    const last = pairs.at(-1);
    if (!last || pairs.length < pairsPerLook) return;
    bucket = last.bucket + 1;
  }
}
