import type { StatusCode } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import { readPage } from '#domain/page.ts';
import { enqueue } from '#jobs/index.ts';
import type { Database } from '#store/postgres/index.ts';
import type { Db } from '#store/sql.ts';
import { type AppRouteParts, appRoutes } from '../common/app-routes.ts';
import { commonFault } from '../common/faults.ts';
import { status } from '../common/status.ts';
import { findJob } from './jobs.ts';
import { type DuplicateSearch, findSearch, groupsAfter, insertSearch, searchStatus, tier } from './store.ts';

export interface DuplicateRouteParts extends AppRouteParts {
  readonly db: Database;
  readonly findDatasetKeys: (
    db: Db,
    grant: AppGrant,
    ids: readonly string[],
  ) => Promise<ReadonlyMap<string, number>>;
}

const scoreMinDefault = 0.95;

/** Pictures that an app holds more than once (docs/EXTENSIONS.md). */
export function duplicateRoutes(parts: DuplicateRouteParts) {
  const { db } = parts;
  const rpcs = ['ListInputs', 'PostInputsSearches'];
  const read = async (grant: AppGrant, id: string): Promise<DuplicateSearch> => {
    const search = await findSearch(db, grant, id);
    if (!search) throw commonFault.missing('search for duplicates', id);
    return search;
  };
  return appRoutes(parts, 'look for duplicates', [
    {
      verb: 'POST',
      tail: '/duplicates',
      rpcs,
      async work({ grant, body }) {
        const { dataset_id: datasetId, score_min: scoreMin = scoreMinDefault } = body;
        if (typeof scoreMin !== 'number' || scoreMin < 0.5 || scoreMin > 1)
          throw commonFault.invalid('score_min is a number from 0.5 to 1.');
        if (datasetId !== undefined && typeof datasetId !== 'string')
          throw commonFault.invalid('dataset_id is the id of a dataset.');
        const datasetKey =
          datasetId === undefined
            ? null
            : (await parts.findDatasetKeys(db, grant, [datasetId])).get(datasetId);
        if (datasetKey === undefined) throw commonFault.missing('dataset', datasetId as string);
        const id = newId();
        await db.transaction(async (tx) => {
          const key = await insertSearch(tx, grant, { id, datasetKey, scoreMin });
          await enqueue(tx, findJob(grant, key));
        });
        return { search: shown(await read(grant, id)) };
      },
    },
    {
      verb: 'GET',
      tail: '/duplicates/([^/]+)',
      rpcs,
      work: async ({ grant, id }) => ({ search: shown(await read(grant, id)) }),
    },
    {
      verb: 'GET',
      tail: '/duplicates/([^/]+)/groups',
      rpcs,
      async work({ grant, id, query }) {
        const search = await read(grant, id);
        const asked = query.get('tier') ?? 'same';
        if (asked !== 'same' && asked !== 'similar')
          throw commonFault.invalid(`tier is '${asked}'; send same or similar.`);
        const { size } = readPage({ perPage: wholeIn(query, 'per_page', 0) });
        const after = wholeIn(query, 'after', -1);
        const found = await groupsAfter(db, grant, search, { tier: tier[asked], after, limit: size + 1 });
        const page = found.slice(0, size);
        return {
          // Of what was deleted since nothing is shown, and one alone is no group.
          groups: page
            .map(({ ids }) => ({ input_ids: ids.filter((one) => one !== null) }))
            .filter((group) => group.input_ids.length > 1),
          ...(found.length > size ? { next_after: page.at(-1)?.group } : {}),
        };
      },
    },
  ]);
}

const shown = (search: DuplicateSearch) => ({
  id: search.id,
  ...(search.datasetId === null ? {} : { dataset_id: search.datasetId }),
  score_min: Math.round(search.scoreMin * 1e6) / 1e6,
  status: status(search.statusCode as StatusCode, search.statusDetails),
  progress: { done: Math.min(search.done, search.total), total: search.total },
  ...(search.statusCode === searchStatus.completed
    ? { same_groups: search.sameGroups, similar_groups: search.similarGroups }
    : {}),
});

function wholeIn(query: URLSearchParams, name: string, whenAbsent: number): number {
  const text = query.get(name);
  if (text === null || text === '') return whenAbsent;
  if (!/^-?\d{1,15}$/.test(text)) throw commonFault.invalid(`${name} is '${text}'; send a whole number.`);
  return Number(text);
}
