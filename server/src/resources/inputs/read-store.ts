import type { AppGrant } from '#domain/grant.ts';
import { firstPosition, type Page } from '#domain/page.ts';
import { RawColumns, type RawReads, type RawRow } from '#store/postgres/index.ts';

/**
 * The reads that clients make all the time. Each is one prepared statement whose rows come as bytes, in the order that
 * `packed.ts` reads: what an input says lies there in the form in which it goes out.
 */

// Looked up for each row. As a join it may be merged: that reads the labels of all inputs before the page.
const columns = (
  appKey: 'a.app_key' | '$1::bigint',
) => `(select a.data from annotations a where a.input_key = i.key and a.input_level) as label,
  coalesce((select r.revision from concept_revisions r where r.app_key = ${appKey}), 0) as concept_revision,
  i.id, i.kind, i.status_code, i.status_details, i.url, i.allow_duplicate_url, i.media_sha, i.media, i.settings,
  i.created_at, i.modified_at`;

// Each pair is looked up by itself, so that no plan reads more of the table than was asked for.
const byId = {
  name: 'input-by-id',
  text: `select a.n, i.* from unnest($1::bigint[], $2::text[]) with ordinality as a(app_key, id, n)
    cross join lateral (
      select ${columns('a.app_key')} from inputs i where i.app_key = a.app_key and i.id = a.id limit 1
    ) i`,
};

/** A row with a number before the columns of an input. */
export const inputById = (db: RawReads, grant: AppGrant, id: string): Promise<RawRow | undefined> =>
  db.rawTogether(byId, grant.appKey, id);

const byKeys = {
  name: 'inputs-by-keys',
  text: `select a.n, i.* from unnest($2::bigint[]) with ordinality as a(key, n)
    cross join lateral (
      select ${columns('$1::bigint')} from inputs i where i.key = a.key and i.app_key = $1::bigint limit 1
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
  text: `select i.key as n, ${columns('$1::bigint')} from inputs i where i.app_key = $1::bigint order by i.key desc limit $2::bigint`,
};

/**
 * A page of all inputs of an app, or of one status (`$4`), newest first: `$2` of them skipped, `$3` of them shown.
 *
 * The tallies of 32,768 keys each tell in which group the page begins, those of 1,024 keys in which bucket of it; only
 * that bucket is walked, however far the page lies.
 */
const pageText = (ofStatus: '' | 'and status_code = $4::bigint') => `with groups as (
    select -2 - bucket as number, sum(n::int) as n from input_tallies
    where app_key = $1::bigint and bucket < -1 ${ofStatus} group by bucket
  ), group_places as (
    select number, n, sum(n::int) over (order by number desc) - n as before from groups
  ), in_group as materialized (
    select number, $2::bigint - before as skipped from group_places
    where before <= $2::bigint and before + n > $2::bigint
  ), buckets as (
    select t.bucket, sum(t.n::int) as n from in_group g, input_tallies t
    where t.app_key = $1::bigint and t.bucket >= g.number << 5 and t.bucket < (g.number + 1) << 5 ${ofStatus}
    group by t.bucket
  ), bucket_places as (
    select bucket, n, sum(n::int) over (order by bucket desc) - n as before from buckets
  ), start as materialized (
    select b.bucket, g.skipped - b.before as skipped from bucket_places b, in_group g
    where b.before <= g.skipped and b.before + b.n > g.skipped
  )
  select walked.position, i.* from start, lateral (
    select key, row_number() over (order by key desc) as position from inputs
    where app_key = $1::bigint ${ofStatus} and key < (start.bucket + 1) << 10
    order by key desc limit (start.skipped + $3::bigint)::bigint
  ) walked, lateral (
    select ${columns('$1::bigint')} from inputs i where i.key = walked.key and i.app_key = $1::bigint limit 1
  ) i
  where walked.position > start.skipped order by walked.position`;

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
  text: `select i.key as n, ${columns('$1::bigint')} from inputs i where i.app_key = $1::bigint and i.key > $2::bigint
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
