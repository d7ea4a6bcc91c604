import type { Input } from '@fovea/contract/rest';
import { rpc } from '../../api/client.ts';
import type { AppName } from '../../api/queries.ts';
import { type Item, pageSize, type Source } from '../../gallery/source.ts';
import { pictureOf } from './pictures.ts';
import { isEverything, isRanked, type Query, searchOf } from './query.ts';

/** How far a ranked search may be paged; past it the server refuses. */
const rankedMax = 10_000;

/** The list that a query stands for: all inputs, or what a search finds. */
export function sourceOf(app: AppName, query: Query): Source {
  const key = JSON.stringify([app, { ...query }]);
  return isEverything(query) ? allInputs(app, key) : found(app, query, key);
}

const allInputs = (app: AppName, key: string): Source => ({
  key,
  async count(signal) {
    const { counts = {} } = await rpc('GetInputCount', { user_app_id: app }, { signal, quiet: true });
    const { processed = 0, to_process = 0, errors = 0, processing = 0 } = counts;
    return processed + to_process + errors + processing;
  },
  async read(page, signal) {
    const { inputs = [] } = await rpc(
      'ListInputs',
      { user_app_id: app, page: page + 1, per_page: pageSize },
      { signal, quiet: page > 0 },
    );
    return inputs.map((input): Item => ({ input }));
  },
});

const found = (app: AppName, query: Query, key: string): Source => ({
  key,
  async count(signal) {
    const searches = [searchOf(query, await pictureOf(query))];
    const reply = await rpc(
      'PostInputsSearches',
      { user_app_id: app, searches, only_count: true },
      { signal, quiet: true },
    );
    const total = Number(reply.hit_counts?.[0]?.estimated_total ?? 0);
    return isRanked(query) ? Math.min(total, rankedMax) : total;
  },
  async read(page, signal) {
    const searches = [searchOf(query, await pictureOf(query))];
    const reply = await rpc(
      'PostInputsSearches',
      {
        user_app_id: app,
        searches,
        pagination: { page: page + 1, per_page: pageSize },
        ...(isRanked(query) ? { fovea_explain: true } : {}),
      },
      { signal, quiet: page > 0 },
    );
    return (reply.hits ?? []).flatMap(({ input, score, fovea_why }) =>
      input ? [{ input, ...(isRanked(query) ? { score: score ?? 0, why: fovea_why } : {}) }] : [],
    );
  },
});

/** The inputs of these ids as they are now; deleted ones are left out. */
export async function readInputs(app: AppName, ids: readonly string[]): Promise<Input[]> {
  const found: Input[] = [];
  for (let from = 0; from < ids.length; from += pageSize) {
    const some = ids.slice(from, from + pageSize);
    const { inputs = [] } = await rpc(
      'ListInputs',
      { user_app_id: app, ids: some, per_page: pageSize },
      { quiet: true },
    );
    found.push(...inputs);
  }
  return found;
}
