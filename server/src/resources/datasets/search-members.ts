import type { Filter, Search } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import { commonFault } from '../common/faults.ts';
import type { DatasetParts } from './deps.ts';
import { datasetFault } from './faults.ts';
import { findDatasetKeys, membersAfter } from './membership-store.ts';

const chunk = 10_000;

/** The filters we can evaluate ourselves: inputs by dataset or id. Anything else in a filter needs a search engine. */
function isSimple({ negate, annotation, input, lastUpdatedTimeRange }: Filter): boolean {
  if (negate || lastUpdatedTimeRange || !input) return false;
  const asksAnnotation =
    annotation && (annotation.data || annotation.worker || annotation.status || annotation.userId);
  return !asksAnnotation && !input.data && !input.status && (input.datasetIds.length > 0 || input.id !== '');
}

/**
 * Refuses a search that cannot be run, before the caller is told that it will be.
 *
 * @throws Fault 11102 for a search without a query; 11101 for a dataset that does not exist
 */
export async function checkSearch(parts: DatasetParts, grant: AppGrant, search: Search): Promise<void> {
  const filters = search.query?.filters ?? [];
  const ids = filters.flatMap(({ input }) => input?.datasetIds ?? []);
  const keys = await findDatasetKeys(parts.db, grant, ids);
  const unknown = ids.find((id) => !keys.has(id));
  if (unknown !== undefined) throw datasetFault.missing(unknown);
  if (parts.searchInputKeys) return;
  if (filters.length > 0 && filters.every(isSimple) && (search.query?.ranks.length ?? 0) === 0) return;
  throw commonFault.invalid(
    'search.query.filters: only input.dataset_ids and input.id can be searched by here.',
  );
}

/** Row keys of all inputs a search hits. */
export async function searchedInputKeys(
  parts: DatasetParts,
  db: Db,
  grant: AppGrant,
  search: Search,
): Promise<readonly number[]> {
  if (parts.searchInputKeys) return parts.searchInputKeys(grant, search);
  let hits: Set<number> | undefined;
  for (const filter of search.query?.filters ?? []) {
    const found = await keysOf(parts, db, grant, filter);
    hits = hits ? new Set([...found].filter((key) => hits?.has(key))) : found;
  }
  return [...(hits ?? [])];
}

/** OR inside a filter (SEMANTICS trap 4). */
async function keysOf(parts: DatasetParts, db: Db, grant: AppGrant, { input }: Filter): Promise<Set<number>> {
  const datasets = [...(await findDatasetKeys(db, grant, input?.datasetIds ?? [])).values()];
  const found = new Set<number>();
  for (let after = 0; datasets.length > 0; ) {
    const keys = await membersAfter(db, grant, datasets, after, chunk);
    for (const key of keys) found.add(key);
    if (keys.length < chunk) break;
    after = keys.at(-1) as number;
  }
  if (input?.id) for (const { key } of await parts.findInputs(db, grant, [input.id])) found.add(key);
  return found;
}
