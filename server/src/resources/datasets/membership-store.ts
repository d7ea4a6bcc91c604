import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, sql } from '#store/sql.ts';
import { actingAs } from '../common/acting.ts';
import { pageKeys } from '../common/paging.ts';

/** Row keys of datasets by id; unknown ids are missing from the map. */
export async function findDatasetKeys(
  db: Db,
  grant: AppGrant,
  ids: readonly string[],
): Promise<Map<string, number>> {
  const found = await rows<{ id: string; key: number }>(
    db,
    sql`select id, key from datasets where app_key = ${grant.appKey} and id = any(${[...new Set(ids)]})`,
  );
  return new Map(found.map(({ id, key }) => [id, key]));
}

/** As `findDatasetKeys`, and keeps the datasets from being deleted until the commit. */
export async function holdDatasets(
  db: Db,
  grant: AppGrant,
  ids: readonly string[],
): Promise<Map<string, number>> {
  const held = await rows<{ id: string; key: number }>(
    db,
    sql`select id, key from datasets where app_key = ${grant.appKey} and id = any(${[...new Set(ids)]})
        order by key for key share`,
  );
  return new Map(held.map(({ id, key }) => [id, key]));
}

/** Adds inputs to datasets. @returns the pairs that are new; those that were there already are missing from it. */
export function insertMemberships(
  db: Db,
  grant: AppGrant,
  pairs: readonly { datasetKey: number; inputKey: number }[],
): Promise<(MembershipRow & { datasetKey: number })[]> {
  return rows(
    db,
    sql`with added as (insert into dataset_inputs (app_key, dataset_key, input_key, changed_by)
        select ${grant.appKey}, n.dataset_key, n.input_key, ${grant.caller.userKey} from unnest(
          ${pairs.map((p) => p.datasetKey)}::bigint[], ${pairs.map((p) => p.inputKey)}::bigint[])
          as n(dataset_key, input_key)
        order by n.dataset_key, n.input_key
        on conflict (dataset_key, input_key) do nothing
        returning dataset_key, input_key, created_at)
        select a.dataset_key as "datasetKey", a.input_key as "inputKey", i.id as "inputId", a.created_at as "createdAt"
        from added a join inputs i on i.key = a.input_key`,
  );
}

export interface MembershipRow {
  readonly inputKey: number;
  readonly inputId: string;
  readonly createdAt: Date;
}

/** A page of a dataset's inputs, the last added first. */
export function pageOfMembers(
  db: Db,
  grant: AppGrant,
  datasetKey: number,
  page: Page,
): Promise<MembershipRow[]> {
  const where = sql`dataset_key = ${datasetKey} and app_key = ${grant.appKey}`;
  return rows<MembershipRow>(
    db,
    sql`select m.input_key as "inputKey", i.id as "inputId", m.created_at as "createdAt"
        from ${pageKeys('dataset_inputs', where, sql`key desc`, page)} p join dataset_inputs m using (key)
        join inputs i on i.key = m.input_key
        order by p.position`,
  );
}

export function findMembership(db: Db, grant: AppGrant, datasetKey: number, inputKey: number) {
  return first<MembershipRow>(
    db,
    sql`select m.input_key as "inputKey", i.id as "inputId", m.created_at as "createdAt"
        from dataset_inputs m join inputs i on i.key = m.input_key
        where m.app_key = ${grant.appKey} and m.dataset_key = ${datasetKey} and m.input_key = ${inputKey}`,
  );
}

/** Takes inputs out of a dataset; those that are not in it are ignored. The inputs themselves stay. @returns how many went */
export async function deleteMemberships(
  db: Db,
  grant: AppGrant,
  datasetKey: number,
  inputKeys: readonly number[],
): Promise<number> {
  const gone = await rows(
    db,
    sql`delete from dataset_inputs
        where app_key = ${grant.appKey} and dataset_key = ${datasetKey} and input_key = any(${[...inputKeys]}::bigint[])
          and ${actingAs(grant)}
        returning key`,
  );
  return gone.length;
}

/** Keeps inputs from being deleted until the commit. @returns those that exist. */
export async function holdMembers(
  db: Db,
  grant: AppGrant,
  inputKeys: readonly number[],
): Promise<Set<number>> {
  const held = await rows<{ key: number }>(
    db,
    sql`select key from inputs where app_key = ${grant.appKey} and key = any(${[...inputKeys]}) order by key for key share`,
  );
  return new Set(held.map(({ key }) => key));
}
