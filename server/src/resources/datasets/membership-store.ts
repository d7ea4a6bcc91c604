import type { AppGrant } from '#domain/grant.ts';
import { type Db, rows, sql } from '#store/sql.ts';

/** Row keys of datasets by id; unknown ids are missing from the map. */
export async function findDatasetKeys(db: Db, grant: AppGrant, ids: readonly string[]): Promise<Map<string, number>> {
  const found = await rows<{ id: string; key: number }>(
    db,
    sql`select id, key from datasets where app_key = ${grant.appKey} and id = any(${[...new Set(ids)]})`,
  );
  return new Map(found.map(({ id, key }) => [id, key]));
}

/** Adds inputs to datasets. @returns the pairs that are new; those that were there already are missing from it. */
export function insertMemberships(
  db: Db,
  grant: AppGrant,
  pairs: readonly { datasetKey: number; inputKey: number }[],
): Promise<{ datasetKey: number; inputKey: number; createdAt: Date }[]> {
  return rows(
    db,
    sql`insert into dataset_inputs (app_key, dataset_key, input_key)
        select ${grant.appKey}, n.dataset_key, n.input_key from unnest(
          ${pairs.map((p) => p.datasetKey)}::bigint[], ${pairs.map((p) => p.inputKey)}::bigint[])
          as n(dataset_key, input_key)
        order by 1, 2, 3
        on conflict (dataset_key, input_key) do nothing
        returning dataset_key as "datasetKey", input_key as "inputKey", created_at as "createdAt"`,
  );
}
