import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { pageKeys } from '../common/paging.ts';
import { type Part, uploadStatus } from './upload.ts';

export interface UploadRow {
  readonly key: number;
  readonly id: string;
  readonly folder: string;
  readonly contentName: string;
  readonly contentLength: number;
  readonly receivedBytes: number;
  readonly statusCode: number;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
  readonly expiresAt: Date;
}

// One whose time is over reads as expired at once; the bytes go when the sweep comes by.
const columns = sql`u.key, u.id, u.folder, u.content_name as "contentName", u.content_length as "contentLength",
  u.received_bytes as "receivedBytes", u.created_at as "createdAt", u.modified_at as "modifiedAt", u.expires_at as "expiresAt",
  case when u.expires_at <= now() and u.status_code in (68000, 68001) then 68004 else u.status_code end as "statusCode"`;

export interface NewUpload {
  readonly id: string;
  readonly folder: string;
  readonly contentName: string;
  readonly contentLength: number;
}

/** Inserts in the order given. @returns those stored; one whose id was taken is missing from them */
export function insertUploads(db: Db, grant: AppGrant, uploads: readonly NewUpload[], lifetimeS: number) {
  return rows<UploadRow>(
    db,
    sql`insert into uploads as u (app_key, id, folder, content_name, content_length, expires_at)
        select ${grant.appKey}, n.id, n.folder, n.content_name, n.content_length, now() + ${lifetimeS} * interval '1 second'
        from unnest(
          ${uploads.map((n) => n.id)}::text[], ${uploads.map((n) => n.folder)}::text[],
          ${uploads.map((n) => n.contentName)}::text[], ${uploads.map((n) => n.contentLength)}::bigint[]
        ) with ordinality as n(id, folder, content_name, content_length, position)
        order by n.position
        on conflict (app_key, id) do nothing
        returning ${columns}`,
  );
}

/** Bytes that the uploads of the app take or are about to take. Others who ask wait until the transaction ends. */
export async function lockKeptBytes(db: Db, grant: AppGrant): Promise<number> {
  await run(db, sql`select pg_advisory_xact_lock(hashtextextended('uploads', ${grant.appKey}))`);
  const row = await first<{ n: number }>(
    db,
    sql`select coalesce(sum(content_length), 0)::bigint as n from uploads
        where app_key = ${grant.appKey} and status_code in (68000, 68001)`,
  );
  return row?.n ?? 0;
}

export function findUpload(db: Db, grant: AppGrant, id: string): Promise<UploadRow | undefined> {
  return first<UploadRow>(
    db,
    sql`select ${columns} from uploads u where u.app_key = ${grant.appKey} and u.id = ${id}`,
  );
}

export function uploadsByKeys(db: Db, grant: AppGrant, keys: readonly number[]): Promise<UploadRow[]> {
  return rows<UploadRow>(
    db,
    sql`select ${columns} from uploads u where u.app_key = ${grant.appKey} and u.key = any(${[...keys]}::bigint[]) order by u.key`,
  );
}

/** As `findUpload`, and nobody else changes it until the transaction ends. */
export function lockUpload(db: Db, grant: AppGrant, id: string): Promise<UploadRow | undefined> {
  return first<UploadRow>(
    db,
    sql`select ${columns} from uploads u where u.app_key = ${grant.appKey} and u.id = ${id} for no key update`,
  );
}

/** Locks in key order. @returns those that exist */
export function lockUploads(db: Db, grant: AppGrant, ids: readonly string[]): Promise<UploadRow[]> {
  return rows<UploadRow>(
    db,
    sql`select ${columns} from uploads u where u.app_key = ${grant.appKey} and u.id = any(${[...ids]}::text[])
        order by u.key for update`,
  );
}

/** Newest first. */
export function pageOfUploads(db: Db, grant: AppGrant, page: Page): Promise<UploadRow[]> {
  return rows<UploadRow>(
    db,
    sql`select ${columns} from ${pageKeys('uploads', sql`app_key = ${grant.appKey}`, sql`key desc`, page)} p
        join uploads u using (key) order by p.position`,
  );
}

const partColumns = sql`p.part_number as "partNumber", p.range_start as "rangeStart", p.size_bytes as "sizeBytes", p.sha, p.object`;

/** All parts of an upload in the order of their bytes. */
export function partsOf(db: Db, grant: AppGrant, uploadKey: number): Promise<Part[]> {
  return rows<Part>(
    db,
    sql`select ${partColumns} from upload_parts p join uploads u on u.key = p.upload_key
        where u.app_key = ${grant.appKey} and u.key = ${uploadKey} order by p.range_start`,
  );
}

/** Those parts of an upload that have the number, or bytes of the range, of one of these. */
export function partsLike(
  db: Db,
  grant: AppGrant,
  uploadKey: number,
  parts: readonly Part[],
): Promise<Part[]> {
  return rows<Part>(
    db,
    sql`select distinct ${partColumns} from uploads u, upload_parts p, unnest(
          ${parts.map((n) => n.partNumber)}::bigint[], ${parts.map((n) => n.rangeStart)}::bigint[],
          ${parts.map((n) => n.sizeBytes)}::bigint[]
        ) as n(number, start, size)
        where u.app_key = ${grant.appKey} and u.key = ${uploadKey} and p.upload_key = u.key
          and (p.part_number = n.number or (p.range_start < n.start + n.size and n.start < p.range_start + p.size_bytes))`,
  );
}

/** Adds parts to a locked upload, which is done when all its bytes are there. */
export async function addParts(
  db: Db,
  grant: AppGrant,
  uploadKey: number,
  parts: readonly Part[],
): Promise<UploadRow> {
  await run(
    db,
    sql`insert into upload_parts (upload_key, part_number, range_start, size_bytes, sha, object)
        select ${uploadKey}, n.number, n.start, n.size, n.sha, n.object from unnest(
          ${parts.map((n) => n.partNumber)}::bigint[], ${parts.map((n) => n.rangeStart)}::bigint[],
          ${parts.map((n) => n.sizeBytes)}::bigint[], ${parts.map((n) => n.sha)}::bytea[], ${parts.map((n) => n.object)}::text[]
        ) as n(number, start, size, sha, object)`,
  );
  const received = parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const row = await first<UploadRow>(
    db,
    sql`update uploads u set received_bytes = u.received_bytes + ${received}, modified_at = now(),
          status_code = case when u.received_bytes + ${received} = u.content_length then ${uploadStatus.done}::int else u.status_code end
        where u.app_key = ${grant.appKey} and u.key = ${uploadKey} returning ${columns}`,
  );
  return row as UploadRow;
}

/** Ends uploads, which forgets their parts. */
export async function endUploads(
  db: Db,
  grant: AppGrant,
  keys: readonly number[],
  statusCode: number,
): Promise<void> {
  await run(
    db,
    sql`with gone as (delete from upload_parts p using uploads u
          where p.upload_key = u.key and u.app_key = ${grant.appKey} and u.key = any(${[...keys]}::bigint[]))
        update uploads set status_code = ${statusCode}, modified_at = now()
        where app_key = ${grant.appKey} and key = any(${[...keys]}::bigint[])`,
  );
}

export async function deleteUploadRows(db: Db, grant: AppGrant, keys: readonly number[]): Promise<void> {
  await run(
    db,
    sql`delete from uploads where app_key = ${grant.appKey} and key = any(${[...keys]}::bigint[])`,
  );
}

/** Apps with uploads whose time is over. For the sweep, which then acts in each app with a grant of its own. */
export async function appsWithExpired(db: Db): Promise<number[]> {
  const found = await rows<{ appKey: number }>(
    db,
    sql`select distinct app_key as "appKey" from uploads where expires_at <= now() order by 1`,
  );
  return found.map(({ appKey }) => appKey);
}

/** Locks up to `limit` uploads whose time is over; those that a request holds just now are left for the next turn. */
export function lockExpired(db: Db, grant: AppGrant, limit: number): Promise<UploadRow[]> {
  return rows<UploadRow>(
    db,
    sql`select ${columns} from uploads u where u.app_key = ${grant.appKey} and u.expires_at <= now()
        and (u.status_code in (68000, 68001) or u.expires_at <= now() - interval '7 days')
        order by u.key limit ${limit} for update skip locked`,
  );
}

/** Which of these folders no upload has any more. */
export async function unknownFolders(db: Db, folders: readonly string[]): Promise<string[]> {
  const found = await rows<{ folder: string }>(
    db,
    sql`select folder from unnest(${[...folders]}::text[]) as folder
        where not exists (select from uploads u where u.folder = folder.folder and u.status_code in (68000, 68001))`,
  );
  return found.map(({ folder }) => folder);
}
