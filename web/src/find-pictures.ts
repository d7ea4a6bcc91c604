import { call, inApp } from './api.ts';
import { base64Of } from './files.ts';
import type { Item } from './grid.ts';
import type { Input } from './wire.ts';

/** What is searched for: pictures with all these labels, nearest to one picture first. */
export interface Query {
  readonly concepts: readonly { id?: string; name?: string }[];
  readonly like: string;
  readonly picture?: Blob;
}

export const pageSize = 60;
/** The server refuses windows that reach further. */
const rankedMax = 10_000;

export const isSearch = ({ concepts, like, picture }: Query): boolean =>
  concepts.length > 0 || like !== '' || picture !== undefined;

interface SearchReply {
  readonly hits?: readonly { score?: number; input?: Input }[];
}

/** One page of the app's pictures, newest first, or of what was searched for, best first. */
export async function findPictures(
  query: Query,
  page: number,
  options: { signal: AbortSignal; quiet: boolean },
): Promise<Item[]> {
  if (!isSearch(query)) {
    const { inputs = [] } = await call<{ inputs?: Input[] }>(
      'GET',
      inApp(`inputs?page=${page}&per_page=${pageSize}`),
      undefined,
      { what: 'The pictures could not be listed.', ...options },
    );
    return inputs.map((input) => ({ input }));
  }
  if (page * pageSize > rankedMax) return [];
  const isRanked = query.like !== '' || query.picture !== undefined;
  const search = {
    query: {
      filters: query.concepts.map((concept) => ({
        annotation: { data: { concepts: [{ ...concept, value: 1 }] } },
      })),
      ranks: isRanked ? [{ annotation: await rankOf(query) }] : [],
    },
  };
  const { hits = [] } = await call<SearchReply>(
    'POST',
    inApp('inputs/searches'),
    { searches: [search], pagination: { page, per_page: pageSize } },
    { what: 'The search did not work.', ...options },
  );
  return hits.flatMap(({ input, score }) =>
    input ? [{ input, ...(isRanked ? { score: score ?? 0 } : {}) }] : [],
  );
}

async function rankOf({ like, picture }: Query): Promise<object> {
  if (picture) return { data: { image: { base64: await base64Of(picture) } } };
  return { input_id: like };
}

/** The inputs of these ids as they are now; deleted ones are left out. Up to 128. */
export async function readInputs(ids: readonly string[]): Promise<Input[]> {
  if (ids.length === 0) return [];
  const query = new URLSearchParams({ per_page: '128' });
  for (const id of ids.slice(0, 128)) query.append('ids', id);
  const { inputs = [] } = await call<{ inputs?: Input[] }>('GET', inApp(`inputs?${query}`), undefined, {
    quiet: true,
    what: 'The pictures could not be read.',
  });
  return inputs;
}

export interface Counts {
  readonly processed?: number;
  readonly to_process?: number;
  readonly processing?: number;
  readonly errors?: number;
}

export async function countInputs(): Promise<Counts> {
  const { counts = {} } = await call<{ counts?: Counts }>('GET', inApp('inputs/status'), undefined, {
    quiet: true,
    what: 'The pictures could not be counted.',
  });
  return counts;
}
