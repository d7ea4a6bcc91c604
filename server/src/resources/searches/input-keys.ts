import type { Search } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { Sql } from '#store/sql.ts';
import { openSearch, runSearch } from './execute.ts';
import { searchFault, windowMax } from './faults.ts';
import type { Found, SearchParts } from './parts.ts';
import type { HitKind } from './query.ts';
import { readSearch } from './read-query.ts';

/** No search has more hits than this; a limit has to be a number all the same. */
const everything = 2 ** 31;

/** Searches for families that want the inputs themselves and no page of hits. */
export interface InputSearch {
  /** @throws Fault 40002 for a search that cannot be run */
  check(search: Search): void;
  /** Row keys of all inputs that match; with ranks, of the best 10,000. */
  inputKeys(grant: AppGrant, search: Search): Promise<number[]>;
  /** The best inputs and their scores, at most `limit`. */
  bestInputs(grant: AppGrant, search: Search, limit: number): Promise<Found[]>;
  /** Row keys of all annotations that match; with ranks, of the best 10,000. */
  annotationKeys(grant: AppGrant, search: Search): Promise<number[]>;
  /**
   * The condition that annotation hits meet, over `i` (inputs) and `a` (annotations), for families that filter rows
   * of their own.
   *
   * @throws Fault 40002 for a search that cannot be run, or that ranks instead of filtering
   */
  annotationCondition(grant: AppGrant, search: Search): Promise<Sql<unknown>>;
}

export function openInputSearch(parts: SearchParts): InputSearch {
  async function hits(grant: AppGrant, kind: HitKind, search: Search): Promise<Found[]> {
    const tree = readSearch(search);
    const wanted = tree.ranks.length > 0 ? windowMax : everything;
    return runSearch(await openSearch(parts, grant, kind, tree), wanted);
  }
  return {
    check: (search) => void readSearch(search),
    inputKeys: async (grant, search) => (await hits(grant, 'input', search)).map(({ inputKey }) => inputKey),
    annotationKeys: async (grant, search) =>
      (await hits(grant, 'annotation', search)).map(({ annotationKey }) => annotationKey as number),
    bestInputs: async (grant, search, limit) =>
      runSearch(await openSearch(parts, grant, 'input', readSearch(search)), limit),
    async annotationCondition(grant, search) {
      const tree = readSearch(search);
      if (tree.ranks.length > 0)
        throw searchFault.invalid('A filter of annotations cannot rank; leave query.ranks empty.');
      return (await openSearch(parts, grant, 'annotation', tree)).condition;
    },
  };
}
