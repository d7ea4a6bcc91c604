import type { AppGrant } from '#domain/grant.ts';
import { firstPosition, type Page } from '#domain/page.ts';
import { RawColumns, type RawReads, type RawRow } from '#store/postgres/index.ts';

/**
 * The reads that clients make all the time. Each is one prepared statement whose rows come as bytes, in the order that
 * `packed.ts` reads: what an input says lies there in the form in which it goes out.
 */

/**
 * What `InputWriter` reads of an input `i`, behind a number. The label is looked up for each row: as a join it may be
 * merged, and that reads the labels of all inputs before the page.
 */
export const inputColumns = (
  appKey: 'a.app_key' | '$1::bigint' | '$2::bigint',
) => `(select a.data from annotations a where a.input_key = i.key and a.input_level) as label,
  coalesce((select r.revision from concept_revisions r where r.app_key = ${appKey}), 0) as concept_revision,
  i.id, i.kind, i.status_code, i.status_details, i.url, i.allow_duplicate_url, i.media_sha, i.media, i.settings,
  i.created_at, i.modified_at`;

// Each pair is looked up by itself, so that no plan reads more of the table than was asked for.
const byId = {
  name: 'input-by-id',
  text: `select a.n, i.* from unnest($1::bigint[], $2::text[]) with ordinality as a(app_key, id, n)
    cross join lateral (
      select ${inputColumns('a.app_key')} from inputs i where i.app_key = a.app_key and i.id = a.id limit 1
    ) i`,
};

/** A row with a number before the columns of an input. */
export const inputById = (db: RawReads, grant: AppGrant, id: string): Promise<RawRow | undefined> =>
  db.rawTogether(byId, grant.appKey, id);

const byKeys = {
  name: 'inputs-by-keys',
  text: `select a.n, i.* from unnest($2::bigint[]) with ordinality as a(key, n)
    cross join lateral (
      select ${inputColumns('$1::bigint')} from inputs i where i.key = a.key and i.app_key = $1::bigint limit 1
    ) i order by a.n`,
};

/** In the order of the keys; what is gone meanwhile is left out. */
export const inputsByKeys = async (
  db: RawReads,
  grant: AppGrant,
  keys: readonly number[],
): Promise<RawRow[]> => (keys.length === 0 ? [] : db.raw(byKeys, [grant.appKey, keys]));

const newest = {
  name: 'inputs-newest',
  text: `select i.key as n, ${inputColumns('$1::bigint')} from inputs i where i.app_key = $1::bigint order by i.key desc limit $2::bigint`,
};

/**
 * A page of all inputs of an app, or of one status (`$4`), newest first: `$2` of them skipped, `$3` of them shown.
 *
 * The tallies of 32,768 keys each tell in which group the page begins, those of 1,024 keys in which bucket of it. Of that
 * bucket keys alone are walked, newest first, to where the page begins; its rows are then read as those of the first
 * page are. `through`: so many inputs there are up to the end of a group, or of a bucket within its group.
 *
 * The rows are asked for by pairs, so that only the index that holds the app's own keys in order can serve them: by
 * `app_key = $1` alone the primary key looks as cheap where one app has most rows, and leads through those of all others.
 */
const pageText = (ofStatus: '' | 'and status_code = $4::bigint') => {
  const [columnsInOrder, start] =
    ofStatus === ''
      ? [['i.app_key', 'i.key'], '$1::bigint']
      : [['i.app_key', 'i.status_code', 'i.key'], '$1::bigint, $4::bigint'];
  const sameStart = columnsInOrder.slice(0, -1).join(', ');
  return `with in_group as materialized (
    select -2 - bucket as number, through - $2::bigint as behind from (
      select bucket, sum(n::int) over (order by bucket) as through from input_tallies
      where app_key = $1::bigint and bucket < -1 ${ofStatus}
    ) t where through > $2::bigint order by bucket limit 1
  ), in_bucket as materialized (
    select b.bucket, b.through - g.behind as skipped from in_group g, lateral (
      select bucket, through from (
        select bucket, sum(n::int) over (order by bucket) as through from input_tallies
        where app_key = $1::bigint and bucket >= g.number << 5 and bucket < (g.number + 1) << 5 ${ofStatus}
      ) t where through >= g.behind order by bucket limit 1
    ) b
  ), first as materialized (
    select min(walked.key) as key from in_bucket b, lateral (
      select key from inputs where app_key = $1::bigint ${ofStatus} and key < (b.bucket + 1) << 10
      order by key desc limit (b.skipped + 1)::bigint
    ) walked
  )
  select i.key as n, ${inputColumns('$1::bigint')} from inputs i
  where (${sameStart}) >= (${start}) and (${columnsInOrder.join(', ')}) <= (${start}, (select key from first))
  order by ${columnsInOrder.map((column) => `${column} desc`).join(', ')} limit $3::bigint`;
};

const page = { name: 'inputs-page', text: pageText('') };
const pageOfStatus = { name: 'inputs-page-of-status', text: pageText('and status_code = $4::bigint') };

/** A page of the inputs of an app (of one status), newest first. */
export function inputsOfPage(
  db: RawReads,
  grant: AppGrant,
  statusCode: number | undefined,
  wanted: Page,
): Promise<RawRow[]> {
  const { size } = wanted;
  const skipped = firstPosition(wanted);
  if (statusCode !== undefined) return db.raw(pageOfStatus, [grant.appKey, skipped, size, statusCode]);
  // The first page needs no tallies.
  if (skipped === 0) return db.raw(newest, [grant.appKey, size]);
  return db.raw(page, [grant.appKey, skipped, size]);
}

const behind = {
  name: 'inputs-behind',
  text: `select i.key as n, ${inputColumns('$1::bigint')} from inputs i where i.app_key = $1::bigint and i.key > $2::bigint
    order by i.key limit $3::bigint`,
};

/** Inputs behind a row key, oldest first. */
export const inputsBehind = (
  db: RawReads,
  grant: AppGrant,
  afterKey: number,
  size: number,
): Promise<RawRow[]> => db.raw(behind, [grant.appKey, afterKey, size]);

const keyOf = {
  name: 'input-key-of',
  text: `select a.n, i.key from unnest($1::bigint[], $2::text[]) with ordinality as a(app_key, id, n)
    cross join lateral (
      select i.key from inputs i where i.app_key = a.app_key and i.id = a.id limit 1
    ) i`,
};

export async function findInputKey(db: RawReads, grant: AppGrant, id: string): Promise<number | undefined> {
  const row = await db.rawTogether(keyOf, grant.appKey, id);
  if (!row) return undefined;
  const found = new RawColumns().read(row);
  found.next();
  return found.int8();
}
