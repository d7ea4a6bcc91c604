import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { allOf, pageKeys } from '../common/paging.ts';
import type { NewVersion, VersionRow } from './version.ts';

export const versionStatus = {
  pending: 64005,
  inProgress: 64010,
  ready: 64015,
  failed: 64020,
  unexpected: 64025,
} as const;

/** Of versions that are still to be filled. */
export const openStatuses: readonly number[] = [versionStatus.pending, versionStatus.inProgress];

const columns = sql`v.key, v.dataset_key as "datasetKey", d.id as "datasetId", v.id, v.status_code as "statusCode",
  v.status_details as "statusDetails", v.percent_completed as "percentCompleted", v.request_origin as "requestOrigin",
  v.visibility, v.body, v.metrics, v.metrics_by_split as "metricsBySplit", v.created_at as "createdAt", v.modified_at as "modifiedAt"`;

/** @returns undefined when the dataset has a version of that id. */
export async function insertVersion(
  db: Db,
  grant: AppGrant,
  datasetKey: number,
  version: NewVersion,
  requestOrigin: number,
): Promise<number | undefined> {
  const row = await first<{ key: number }>(
    db,
    sql`insert into dataset_versions (app_key, dataset_key, id, status_code, body, visibility, request_origin, predict_model_version_key)
        values (${grant.appKey}, ${datasetKey}, ${version.id}, ${versionStatus.pending}, ${version.body},
                ${version.visibility}, ${requestOrigin}, ${version.predictModelVersionKey ?? null})
        on conflict (dataset_key, id) do nothing returning key`,
  );
  return row?.key;
}

/** Versions by row key, in the order of the keys. */
export function versionsByKey(db: Db, grant: AppGrant, keys: readonly number[]): Promise<VersionRow[]> {
  return rows<VersionRow>(
    db,
    sql`select ${columns} from dataset_versions v join datasets d on d.key = v.dataset_key
        where v.app_key = ${grant.appKey} and v.key = any(${[...keys]})
        order by array_position(${[...keys]}::bigint[], v.key)`,
  );
}

export function findVersion(
  db: Db,
  grant: AppGrant,
  datasetId: string,
  id: string,
): Promise<VersionRow | undefined> {
  return first<VersionRow>(
    db,
    sql`select ${columns} from dataset_versions v join datasets d on d.key = v.dataset_key
        where v.app_key = ${grant.appKey} and d.id = ${datasetId} and v.id = ${id}
          and v.visibility >= ${grant.visibleFrom} and d.visibility >= ${grant.visibleFrom}`,
  );
}

/** A page of a dataset's versions, the latest first: clients take the first one for the latest. */
export function pageOfVersions(
  db: Db,
  grant: AppGrant,
  datasetKey: number,
  origins: readonly number[],
  page: Page,
): Promise<VersionRow[]> {
  const where = allOf([
    sql`dataset_key = ${datasetKey} and app_key = ${grant.appKey} and visibility >= ${grant.visibleFrom}`,
    origins.length > 0 ? sql`request_origin = any(${[...origins]}::smallint[])` : undefined,
  ]);
  return rows<VersionRow>(
    db,
    sql`select ${columns} from ${pageKeys('dataset_versions', where, sql`key desc`, page)} p
        join dataset_versions v using (key) join datasets d on d.key = v.dataset_key order by p.position`,
  );
}

/** The latest version of each dataset. */
export function latestVersions(
  db: Db,
  grant: AppGrant,
  datasetKeys: readonly number[],
): Promise<VersionRow[]> {
  return rows<VersionRow>(
    db,
    sql`select ${columns} from datasets d join lateral (
          select * from dataset_versions v where v.dataset_key = d.key and v.visibility >= ${grant.visibleFrom}
          order by v.key desc limit 1) v on true
        where d.app_key = ${grant.appKey} and d.key = any(${[...datasetKeys]})`,
  );
}

/** Versions of one dataset, locked in key order until the commit. */
export function lockVersions(
  db: Db,
  grant: AppGrant,
  datasetKey: number,
  ids: readonly string[],
): Promise<VersionRow[]> {
  return rows<VersionRow>(
    db,
    sql`select ${columns} from dataset_versions v join datasets d on d.key = v.dataset_key
        where v.app_key = ${grant.appKey} and v.dataset_key = ${datasetKey} and v.id = any(${[...ids]})
        order by v.key for no key update of v`,
  );
}

export async function updateVersion(
  db: Db,
  grant: AppGrant,
  key: number,
  patch: { body: Buffer; visibility: number | undefined },
): Promise<void> {
  await run(
    db,
    sql`update dataset_versions set body = ${patch.body},
          visibility = coalesce(${patch.visibility ?? null}::smallint, visibility), modified_at = now()
        where app_key = ${grant.appKey} and key = ${key}`,
  );
}

export async function deleteVersionRows(db: Db, grant: AppGrant, keys: readonly number[]): Promise<void> {
  await run(
    db,
    sql`delete from dataset_versions where app_key = ${grant.appKey} and key = any(${[...keys]})`,
  );
}

export interface GroupRow {
  readonly parentPath: string;
  readonly type: number;
  readonly value: string | number;
  readonly metrics: Buffer;
}

export function pageOfGroups(
  db: Db,
  grant: AppGrant,
  versionKey: number,
  filter: { parentPaths: readonly string[]; types: readonly number[]; values: readonly unknown[] },
  page: Page,
): Promise<GroupRow[]> {
  const where = allOf([
    sql`version_key = ${versionKey} and exists (
      select 1 from dataset_versions where key = ${versionKey} and app_key = ${grant.appKey})`,
    filter.parentPaths.length > 0 ? sql`parent_path = any(${[...filter.parentPaths]}::text[])` : undefined,
    filter.types.length > 0 ? sql`type = any(${[...filter.types]}::smallint[])` : undefined,
    filter.values.length > 0
      ? sql`value = any(${filter.values.map((value) => JSON.stringify(value))}::jsonb[])`
      : undefined,
  ]);
  const first = (page.number - 1) * page.size;
  return rows<GroupRow>(
    db,
    sql`select parent_path as "parentPath", type, value, metrics from (
          select parent_path, type, value, metrics, row_number() over (order by position) as place
          from dataset_version_groups where ${where} order by position limit ${first + page.size}) walked
        where place > ${first} order by place`,
  );
}
