import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, rows, sql } from '#store/sql.ts';

/** 64201 waits, 64203 is being made, 64200 is there, 64202 cannot be made, 64204 was given up. */
export const exportStatus = {
  success: 64200,
  pending: 64201,
  failed: 64202,
  inProgress: 64203,
  unexpected: 64204,
} as const;

export interface ExportRow {
  readonly key: number;
  readonly versionKey: number;
  readonly format: number;
  readonly includeEmbeddings: boolean;
  readonly statusCode: number;
  readonly statusDetails: string;
  readonly baseUrl: string;
  readonly objectKey: string;
  readonly sizeBytes: number;
}

const columns = sql`e.key, e.version_key as "versionKey", e.format, e.include_embeddings as "includeEmbeddings",
  e.status_code as "statusCode", e.status_details as "statusDetails", e.base_url as "baseUrl",
  e.object_key as "objectKey", e.size_bytes as "sizeBytes"`;

export interface WantedExport {
  readonly format: number;
  readonly includeEmbeddings: boolean;
  readonly baseUrl: string;
  readonly objectKey: string;
}

/** Keeps a version's state and exports as they are until the commit. */
export const lockForExport = (db: Db, grant: AppGrant, versionKey: number) =>
  first<{ statusCode: number; statusDetails: string }>(
    db,
    sql`select status_code as "statusCode", status_details as "statusDetails" from dataset_versions
        where key = ${versionKey} and app_key = ${grant.appKey} for no key update`,
  );

/** Exports of versions, in the order of their making. */
export const exportsOf = (db: Db, grant: AppGrant, versionKeys: readonly number[]): Promise<ExportRow[]> =>
  rows<ExportRow>(
    db,
    sql`select ${columns} from dataset_exports e
        where e.app_key = ${grant.appKey} and e.version_key = any(${[...versionKeys]}::bigint[]) order by e.key`,
  );

/** Asks for an export anew, in the place of an earlier one of its format. */
export async function putExport(
  db: Db,
  grant: AppGrant,
  versionKey: number,
  wanted: WantedExport & { statusCode: number; statusDetails: string },
): Promise<ExportRow> {
  const row = await first<ExportRow>(
    db,
    sql`insert into dataset_exports as e
          (app_key, version_key, format, include_embeddings, status_code, status_details, base_url, object_key)
        values (${grant.appKey}, ${versionKey}, ${wanted.format}, ${wanted.includeEmbeddings}, ${wanted.statusCode},
                ${wanted.statusDetails}, ${wanted.baseUrl}, ${wanted.objectKey})
        on conflict (version_key, format) do update set include_embeddings = excluded.include_embeddings,
          status_code = excluded.status_code, status_details = excluded.status_details, base_url = excluded.base_url,
          object_key = excluded.object_key, size_bytes = 0, modified_at = now()
        returning ${columns}`,
  );
  return row as ExportRow;
}

/** Exports that wait for their version, by row key of the version. */
export const waitingExports = (db: Db, versionKey: number): Promise<ExportRow[]> =>
  rows<ExportRow>(
    db,
    sql`select ${columns} from dataset_exports e
        where e.version_key = ${versionKey} and e.status_code = ${exportStatus.pending} order by e.key`,
  );

const open = [exportStatus.pending, exportStatus.inProgress];

export interface ExportWork extends ExportRow {
  readonly versionBody: Buffer;
}

/** Says that an export is being made; undefined when it is gone, done or asked for anew. */
export function beginExport(db: Db, appKey: number, objectKey: string): Promise<ExportWork | undefined> {
  return first<ExportWork>(
    db,
    sql`update dataset_exports e set status_code = ${exportStatus.inProgress} from dataset_versions v
        where e.object_key = ${objectKey} and e.app_key = ${appKey} and e.status_code = any(${open}::int[]) and v.key = e.version_key
        returning ${columns}, v.body as "versionBody"`,
  );
}

/** @returns false when it is gone or asked for anew */
export async function finishExport(
  db: Db,
  objectKey: string,
  outcome: { statusCode: number; details?: string; sizeBytes?: number },
): Promise<boolean> {
  const row = await first(
    db,
    sql`update dataset_exports set status_code = ${outcome.statusCode}, status_details = ${outcome.details ?? ''},
          size_bytes = ${outcome.sizeBytes ?? 0}, modified_at = now()
        where object_key = ${objectKey} and status_code = any(${open}::int[]) returning key`,
  );
  return row !== undefined;
}

/** Those of the archives that no export refers to. */
export async function unusedArchives(db: Db, objectKeys: readonly string[]): Promise<string[]> {
  const found = await rows<{ key: string }>(
    db,
    sql`select n.name as key from unnest(${[...objectKeys]}::text[]) as n(name)
        where not exists (select from dataset_exports e where e.object_key = n.name)`,
  );
  return found.map(({ key }) => key);
}

/** Names under which versions' archives lie in the object store. */
export async function archivesOf(db: Db, versionKeys: readonly number[]): Promise<string[]> {
  const found = await rows<{ key: string }>(
    db,
    sql`select object_key as key from dataset_exports where version_key = any(${[...versionKeys]}::bigint[])`,
  );
  return found.map(({ key }) => key);
}

export async function archivesOfDatasets(db: Db, datasetKeys: readonly number[]): Promise<string[]> {
  const found = await rows<{ key: string }>(
    db,
    sql`select e.object_key as key from dataset_exports e join dataset_versions v on v.key = e.version_key
        where v.dataset_key = any(${[...datasetKeys]}::bigint[])`,
  );
  return found.map(({ key }) => key);
}

export async function archivesOfApp(db: Db, appKey: number): Promise<string[]> {
  const found = await rows<{ key: string }>(
    db,
    sql`select object_key as key from dataset_exports where app_key = ${appKey}`,
  );
  return found.map(({ key }) => key);
}
