import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import type { Database } from '#store/postgres/index.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { pageKeys } from '../common/paging.ts';

export interface UploadRow {
  readonly versionKey: number;
  readonly totalBytes: number;
  readonly receivedBytes: number;
  readonly isV3: boolean;
}

export interface PartRow {
  readonly number: number;
  readonly sha: Buffer;
  readonly sizeBytes: number;
  readonly objectKey: string;
}

const uploadColumns = sql`version_key as "versionKey", total_bytes as "totalBytes", received_bytes as "receivedBytes", is_v3 as "isV3"`;

export const insertUpload = (
  db: Db,
  grant: AppGrant,
  upload: { versionKey: number; modelKey: number; totalBytes: number; isV3: boolean },
) =>
  run(
    db,
    sql`insert into model_uploads (version_key, app_key, model_key, total_bytes, is_v3)
        values (${upload.versionKey}, ${grant.appKey}, ${upload.modelKey}, ${upload.totalBytes}, ${upload.isV3})`,
  );

/** With `lock` nobody else counts a part until the commit. */
export const findUpload = (
  db: Db,
  grant: AppGrant,
  versionKey: number,
  lock = false,
): Promise<UploadRow | undefined> =>
  first<UploadRow>(
    db,
    sql`select ${uploadColumns} from model_uploads
        where app_key = ${grant.appKey} and version_key = ${versionKey} ${lock ? sql`for update` : sql``}`,
  );

export const partsOf = (db: Db, _grant: AppGrant, versionKey: number): Promise<PartRow[]> =>
  rows<PartRow>(
    db,
    sql`select number, sha, size_bytes as "sizeBytes", object_key as "objectKey" from model_upload_parts
        where version_key = ${versionKey} order by number`,
  );

export async function addPart(db: Db, grant: AppGrant, versionKey: number, part: PartRow): Promise<void> {
  await run(
    db,
    sql`insert into model_upload_parts (version_key, number, sha, size_bytes, object_key)
        values (${versionKey}, ${part.number}, ${part.sha}, ${part.sizeBytes}, ${part.objectKey})`,
  );
  await run(
    db,
    sql`update model_uploads set received_bytes = received_bytes + ${part.sizeBytes}, modified_at = now()
        where app_key = ${grant.appKey} and version_key = ${versionKey}`,
  );
}

export const deleteUpload = (db: Db, grant: AppGrant, versionKey: number) =>
  run(db, sql`delete from model_uploads where app_key = ${grant.appKey} and version_key = ${versionKey}`);

/** Uploads that nobody went on with for so long. */
export const staleUploads = (db: Db, ageS: number): Promise<{ appKey: number; versionKey: number }[]> =>
  rows<{ appKey: number; versionKey: number }>(
    db,
    sql`select app_key as "appKey", version_key as "versionKey" from model_uploads
        where modified_at < now() - make_interval(secs => ${ageS}) order by modified_at limit 100`,
  );

/** Those of the objects that no part and no export refers to. */
export async function unusedObjects(db: Db, keys: readonly string[]): Promise<string[]> {
  const found = await rows<{ key: string }>(
    db,
    sql`select n.name as key from unnest(${[...keys]}::text[]) as n(name)
        where not exists (select from model_upload_parts p where p.object_key = n.name)
          and not exists (select from model_exports e where e.object_key = n.name)`,
  );
  return found.map(({ key }) => key);
}

export const addLog = (db: Db, versionKey: number, lines: readonly string[]) =>
  run(
    db,
    sql`insert into model_build_logs (version_key, line)
        select v.key, n.line from unnest(${[...lines]}::text[]) with ordinality as n(line, place)
        join model_versions v on v.key = ${versionKey} order by n.place`,
  );

/** What the building of a version said, oldest first. */
export const buildLinesOf = (db: Db, grant: AppGrant, versionKey: number) => {
  const own = sql`version_key = ${versionKey} and exists (
    select from model_versions v where v.key = ${versionKey} and v.app_key = ${grant.appKey})`;
  return {
    async count(): Promise<number> {
      const row = await first<{ n: number }>(
        db,
        sql`select count(*)::int as n from model_build_logs where ${own}`,
      );
      return row?.n ?? 0;
    },
    async page(page: Page): Promise<string[]> {
      const found = await rows<{ line: string }>(
        db,
        sql`select l.line from ${pageKeys('model_build_logs', own, sql`key`, page)} p
            join model_build_logs l using (key) order by p.position`,
      );
      return found.map(({ line }) => line);
    },
  };
};

/** Writes a package down before it is stored, so that what a crash leaves behind is found by the sweep. */
export const notePackage = (db: Database, sha: Buffer, sizeBytes: number) =>
  run(
    db,
    sql`insert into model_packages (sha, size_bytes) values (${sha}, ${sizeBytes})
        on conflict (sha) do update set kept_at = now()`,
  );

const unusedPackage = sql`p.kept_at < now() - interval '1 hour'
  and not exists (select 1 from model_versions v where v.builtin = 'package:' || encode(p.sha, 'hex'))`;

export const unusedPackages = (db: Db): Promise<{ sha: Buffer }[]> =>
  rows<{ sha: Buffer }>(
    db,
    sql`select p.sha from model_packages p where ${unusedPackage} order by p.sha limit 100`,
  );

/** Holds a package that is unused still. Whoever stores it again waits, and stores it anew. */
export const lockUnusedPackage = async (tx: Db, sha: Buffer): Promise<boolean> =>
  (await rows(tx, sql`select 1 from model_packages p where p.sha = ${sha} and ${unusedPackage} for update`))
    .length > 0;

export const forgetPackage = (tx: Db, sha: Buffer) =>
  run(tx, sql`delete from model_packages where sha = ${sha}`);

export interface ExportRow {
  readonly versionKey: number;
  readonly statusCode: number;
  readonly statusDetails: string;
  readonly objectKey: string;
  readonly sizeBytes: number;
}

const exportColumns = sql`version_key as "versionKey", status_code as "statusCode", status_details as "statusDetails",
  object_key as "objectKey", size_bytes as "sizeBytes"`;

export const findExport = (db: Db, grant: AppGrant, versionKey: number): Promise<ExportRow | undefined> =>
  first<ExportRow>(
    db,
    sql`select ${exportColumns} from model_exports where app_key = ${grant.appKey} and version_key = ${versionKey}`,
  );

/** Asks for an export; one that waits, runs or is done stays as it is. @returns undefined where it stayed */
export const putExport = (db: Db, grant: AppGrant, versionKey: number): Promise<ExportRow | undefined> =>
  first<ExportRow>(
    db,
    sql`insert into model_exports as e (version_key, app_key, status_code) values (${versionKey}, ${grant.appKey}, 21503)
        on conflict (version_key) do update set status_code = 21503, status_details = '', modified_at = now()
          where e.status_code = 21502
        returning ${exportColumns}`,
  );

/** @returns false when it is gone or done */
export async function setExport(
  db: Db,
  grant: AppGrant,
  versionKey: number,
  to: { code: number; details?: string; objectKey?: string; sizeBytes?: number },
): Promise<boolean> {
  const row = await first(
    db,
    sql`update model_exports set status_code = ${to.code}, status_details = ${to.details ?? ''},
          object_key = ${to.objectKey ?? ''}, size_bytes = ${to.sizeBytes ?? 0}, modified_at = now()
        where app_key = ${grant.appKey} and version_key = ${versionKey} and status_code in (21503, 21501)
        returning version_key`,
  );
  return row !== undefined;
}
