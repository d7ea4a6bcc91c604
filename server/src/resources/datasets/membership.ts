import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import { datasetFault } from './faults.ts';
import { holdDatasets, insertMemberships } from './membership-store.ts';

/**
 * Adds inputs to datasets; those that are in already stay.
 *
 * @throws Fault 11101 naming a dataset that does not exist; look with `findDatasetKeys` first to judge items one by one
 */
export async function addInputsToDatasets(
  tx: Db,
  grant: AppGrant,
  pairs: readonly { datasetId: string; inputKey: number }[],
): Promise<void> {
  if (pairs.length === 0) return;
  const keys = await holdDatasets(
    tx,
    grant,
    pairs.map(({ datasetId }) => datasetId),
  );
  const known = pairs.map(({ datasetId, inputKey }) => {
    const datasetKey = keys.get(datasetId);
    if (datasetKey === undefined) throw datasetFault.missing(datasetId);
    return { datasetKey, inputKey };
  });
  await insertMemberships(tx, grant, known);
}
