import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { bools, byteas, int4s, int8s, texts } from '#store/columns.ts';
import { type Db, first, preparedRows, rows, run, type Sql, sql } from '#store/sql.ts';
import { allOf, pageKeys } from '../common/paging.ts';
import { type InputKind, inputStatus } from './input.ts';
import type { InputRow } from './rows.ts';
import { unpackMediaData } from './translate.ts';

const columns = sql`i.key, i.id, i.kind, i.status_code as "statusCode", i.status_details as "statusDetails", i.url,
  i.allow_duplicate_url as "allowDuplicateUrl", i.media_sha as "mediaSha", i.media, i.settings,
  i.created_at as "createdAt", i.modified_at as "modifiedAt"`;

export interface NewInput {
  readonly id: string;
  readonly kind: InputKind;
  readonly url: string;
  readonly allowDuplicateUrl: boolean;
  readonly mediaSha: Buffer | null;
  readonly mediaSize: number | null;
  readonly media: Buffer;
  readonly settings: Buffer;
}

/**
 * Inserts pending inputs in the order given. Counts them in the app's tallies, which locks those until the end.
 *
 * @returns those stored; one whose id was taken is missing from them
 */
export async function insertInputs(
  db: Db,
  grant: AppGrant,
  addJobKey: number | null,
  inputs: readonly NewInput[],
): Promise<InputRow[]> {
  const stored = await preparedRows<Pick<InputRow, 'key' | 'id' | 'createdAt'>>(
    db,
    'inputs-insert',
    sql`insert into inputs (app_key, add_job_key, status_code, id, kind, url, allow_duplicate_url, media_sha, media_size, media, settings)
        select ${grant.appKey}, ${addJobKey}::bigint, ${sql.lit(inputStatus.pending)}, n.id, n.kind, n.url, n.allow_duplicate_url, n.media_sha, n.media_size, n.media, n.settings
        from unnest(
          ${texts(inputs.map((n) => n.id))}::text[], ${texts(inputs.map((n) => n.kind))}::text[],
          ${texts(inputs.map((n) => n.url))}::text[], ${bools(inputs.map((n) => n.allowDuplicateUrl))}::boolean[],
          ${byteas(inputs.map((n) => n.mediaSha))}::bytea[], ${int8s(inputs.map((n) => n.mediaSize))}::bigint[],
          ${byteas(inputs.map((n) => n.media))}::bytea[], ${byteas(inputs.map((n) => n.settings))}::bytea[]
        ) with ordinality as n(id, kind, url, allow_duplicate_url, media_sha, media_size, media, settings, position)
        order by n.position
        on conflict (app_key, id) do nothing
        returning key, id, created_at as "createdAt"`,
  );
  const given = new Map(inputs.map((input) => [input.id, input]));
  return stored.map(({ key, id, createdAt }) => {
    const { kind, url, allowDuplicateUrl, mediaSha, media, settings } = given.get(id) as NewInput;
    return {
      key,
      id,
      kind,
      statusCode: inputStatus.pending,
      statusDetails: '',
      url,
      allowDuplicateUrl,
      mediaSha,
      media,
      settings,
      createdAt,
      modifiedAt: createdAt,
    };
  });
}

/**
 * Inputs by id, as `i`: one look for each. The planner, while it knows little of the table, as before its first look at
 * what a new server took in, would rather read all inputs of the app.
 */
const foundById = (grant: AppGrant, ids: readonly string[], wanted: Sql<unknown>) =>
  sql`unnest(${[...new Set(ids)]}::text[]) as asked(id)
      cross join lateral (select ${wanted} from inputs where app_key = ${grant.appKey} and id = asked.id limit 1) i`;

/** Which of these ids are taken. */
export async function takenIds(db: Db, grant: AppGrant, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const found = await rows<{ id: string }>(db, sql`select i.id from ${foundById(grant, ids, sql`id`)}`);
  return new Set(found.map(({ id }) => id));
}

/** Which of these URLs are in the app already, whatever became of their inputs. */
export async function takenUrls(db: Db, grant: AppGrant, urls: readonly string[]): Promise<Set<string>> {
  if (urls.length === 0) return new Set();
  const found = await rows<{ url: string }>(
    db,
    sql`select i.url from unnest(${[...urls]}::text[]) as asked(url)
        cross join lateral (select url from inputs where app_key = ${grant.appKey} and url <> ''
          and md5(url) = md5(asked.url) and url = asked.url limit 1) i`,
  );
  return new Set(found.map(({ url }) => url));
}

/** Makes uploads of the same URL to the same app follow each other. Locks in ascending order of the number. */
export async function lockUrls(db: Db, grant: AppGrant, urls: readonly string[]): Promise<void> {
  if (urls.length === 0) return;
  await preparedRows(
    db,
    'inputs-lock-urls',
    sql`select pg_advisory_xact_lock(n) from (
          select distinct hashtextextended(url, ${grant.appKey}) as n from unnest(${[...urls]}::text[]) as url order by 1
        ) as ordered`,
  );
}

export function findInputRow(db: Db, grant: AppGrant, id: string): Promise<InputRow | undefined> {
  return first<InputRow>(
    db,
    sql`select ${columns} from inputs i where i.app_key = ${grant.appKey} and i.id = ${id}`,
  );
}

export function inputRows(db: Db, grant: AppGrant, keys: readonly number[]): Promise<InputRow[]> {
  return rows<InputRow>(
    db,
    sql`select ${columns} from inputs i where i.app_key = ${grant.appKey} and i.key = any(${[...keys]}::bigint[])`,
  );
}

export interface FoundInput {
  readonly key: number;
  readonly id: string;
  readonly statusCode: number;
  readonly kind: InputKind;
}

/** Those of the ids that exist, in no order. */
export function findInputs(db: Db, grant: AppGrant, ids: readonly string[]): Promise<FoundInput[]> {
  return rows<FoundInput>(
    db,
    sql`select i.key, i.id, i.status_code as "statusCode", i.kind
        from ${foundById(grant, ids, sql`key, id, status_code, kind`)}`,
  );
}

/** Sizes of pictures and videos in pixels, by row key; inputs without one are left out. */
export async function pictureSizes(
  db: Db,
  grant: AppGrant,
  keys: readonly number[],
): Promise<
  Map<number, { width: number; height: number; fps?: number; frameCount?: number; durationSeconds?: number }>
> {
  const found = await mediaOf(db, grant, keys);
  return new Map(
    found.flatMap(({ key, media: { image, video } }) => {
      const size = image?.imageInfo ?? video?.videoInfo;
      return size && size.width > 0 && size.height > 0 ? [[key, size] as const] : [];
    }),
  );
}

/** Characters of texts, also of those beside pictures, by row key; inputs without one are left out. */
export async function textLengths(
  db: Db,
  grant: AppGrant,
  keys: readonly number[],
): Promise<Map<number, number>> {
  const found = await mediaOf(db, grant, keys);
  return new Map(
    found.flatMap(({ key, media: { text } }) => {
      const length = text?.textInfo?.charCount || [...(text?.raw ?? '')].length;
      return length > 0 ? [[key, length] as const] : [];
    }),
  );
}

async function mediaOf(db: Db, grant: AppGrant, keys: readonly number[]) {
  const found = await rows<{ key: number; media: Buffer }>(
    db,
    sql`select key, media from inputs where app_key = ${grant.appKey} and key = any(${[...keys]}::bigint[])`,
  );
  return found.map(({ key, media }) => ({ key, media: unpackMediaData(media) }));
}

/** Row keys of a page of the inputs with these ids, newest first. */
export async function pageOfIds(
  db: Db,
  grant: AppGrant,
  filter: { ids: readonly string[]; statusCode?: number },
  page: Page,
): Promise<number[]> {
  const where = allOf([
    sql`app_key = ${grant.appKey} and id = any(${[...filter.ids]}::text[])`,
    filter.statusCode ? sql`status_code = ${filter.statusCode}` : undefined,
  ]);
  const found = await rows<{ key: number }>(
    db,
    sql`select key from ${pageKeys('inputs', where, sql`key desc`, page)} p order by position`,
  );
  return found.map(({ key }) => key);
}

export interface StreamPosition {
  readonly after: { readonly key: number; readonly id: string } | undefined;
  readonly byId: boolean;
  readonly descending: boolean;
  readonly size: number;
}

/** Row keys of the inputs behind a cursor. */
export async function keysBehind(db: Db, grant: AppGrant, at: StreamPosition): Promise<number[]> {
  const column = at.byId ? sql`id` : sql`key`;
  const value = at.byId ? sql`${at.after?.id}::text` : sql`${at.after?.key}::bigint`;
  const behind =
    at.after === undefined
      ? sql``
      : at.descending
        ? sql`and ${column} < ${value}`
        : sql`and ${column} > ${value}`;
  const found = await rows<{ key: number }>(
    db,
    sql`select key from inputs where app_key = ${grant.appKey} ${behind}
        order by ${column} ${at.descending ? sql`desc` : sql`asc`} limit ${at.size}`,
  );
  return found.map(({ key }) => key);
}

/** Inputs of the app by status. */
export function countsByStatus(db: Db, grant: AppGrant): Promise<{ statusCode: number; n: number }[]> {
  return rows(
    db,
    sql`select status_code as "statusCode", n from input_tallies where app_key = ${grant.appKey} and bucket = -1 and n <> 0`,
  );
}

/** An input under work, with what its add job has to know. */
export interface LockedInput {
  readonly key: number;
  readonly statusCode: number;
  readonly addJobKey: number | null;
  readonly mediaSha: Buffer | null;
}

/** Locks inputs in key order. @returns those that still exist */
export function lockInputs(db: Db, grant: AppGrant, keys: readonly number[]): Promise<LockedInput[]> {
  return rows<LockedInput>(
    db,
    sql`select key, status_code as "statusCode", add_job_key as "addJobKey", media_sha as "mediaSha" from inputs
        where app_key = ${grant.appKey} and key = any(${[...keys]}::bigint[]) order by key for no key update`,
  );
}

export interface Outcome {
  readonly key: number;
  readonly statusCode: number;
  readonly details: string;
  /** Undefined leaves what is known of the medium as it is. */
  readonly media?: Buffer | undefined;
  readonly mediaSha?: Buffer | undefined;
  readonly mediaSize?: number | undefined;
}

/** Writes what became of inputs; the tallies follow by trigger. Lock the inputs before. */
export async function settleInputs(db: Db, grant: AppGrant, outcomes: readonly Outcome[]): Promise<void> {
  if (outcomes.length === 0) return;
  await run(
    db,
    sql`update inputs i set status_code = o.status_code, status_details = o.details, modified_at = now(),
          media = coalesce(o.media, i.media), media_sha = coalesce(o.sha, i.media_sha), media_size = coalesce(o.size, i.media_size)
        from unnest(
          ${int8s(outcomes.map((o) => o.key))}::bigint[], ${int4s(outcomes.map((o) => o.statusCode))}::int[],
          ${texts(outcomes.map((o) => o.details))}::text[], ${byteas(outcomes.map((o) => o.media ?? null))}::bytea[],
          ${byteas(outcomes.map((o) => o.mediaSha ?? null))}::bytea[], ${int8s(outcomes.map((o) => o.mediaSize ?? null))}::bigint[]
        ) as o(key, status_code, details, media, sha, size)
        where i.app_key = ${grant.appKey} and i.key = o.key`,
  );
}

/** Marks locked inputs as modified. */
export async function touchInputs(db: Db, grant: AppGrant, keys: readonly number[]): Promise<void> {
  await run(
    db,
    sql`update inputs set modified_at = now() where app_key = ${grant.appKey} and key = any(${[...keys]}::bigint[])`,
  );
}

/**
 * Deletes inputs and, by cascade, all that hangs on them. Lock them before. The app's tallies are locked first:
 * an insertion takes them before the counts of concepts, a cascade would take them after.
 */
export async function deleteInputRows(db: Db, grant: AppGrant, keys: readonly number[]): Promise<void> {
  await run(
    db,
    sql`select from input_tallies where app_key = ${grant.appKey} and bucket = -1 order by status_code for no key update`,
  );
  await run(
    db,
    sql`delete from inputs where app_key = ${grant.appKey} and key = any(${[...keys]}::bigint[])`,
  );
}

/** Which of these media nothing refers to any more, in any app. Read under `seizeMedia`. */
export async function unusedMedia(db: Db, shas: readonly Buffer[]): Promise<Buffer[]> {
  const found = await rows<{ sha: Buffer }>(
    db,
    sql`select sha from unnest(${[...shas]}::bytea[]) as sha
        where not exists (select from inputs i where i.media_sha = sha)
          and not exists (select from dataset_chunk_inputs c where c.media_sha = sha)`,
  );
  return found.map(({ sha }) => sha);
}

/**
 * An input that shows this medium, a processed one before others; undefined when the app has none. Dataset versions
 * show theirs where a model made them of inputs that are there still.
 */
export function inputOfMedium(db: Db, grant: AppGrant, kind: InputKind, sha: Buffer) {
  return first<Pick<InputRow, 'kind' | 'statusCode' | 'media'>>(
    db,
    sql`select kind, status_code as "statusCode", media from inputs
        where app_key = ${grant.appKey} and media_sha = ${sha} and kind = ${kind}
        union all
        select i.kind, 30002, i.media from dataset_chunk_inputs i join dataset_chunks c on c.key = i.chunk_key
        where c.app_key = ${grant.appKey} and i.media_sha = ${sha} and i.kind = ${kind} and i.deleted_at is null
        order by 2 limit 1`,
  );
}
