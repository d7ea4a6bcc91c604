import type { AppGrant } from '#domain/grant.ts';
import { firstPosition, type Page } from '#domain/page.ts';
import { windowMax } from './faults.ts';
import { hitCondition } from './filter-sql.ts';
import { conceptScores, countHits, hitsByConcepts, hitsInOrder } from './hit-store.ts';
import type { Found, SearchParts } from './parts.ts';
import type { HitKind, Rank, SearchTree } from './query.ts';
import { directionOf, hitsBySimilarity } from './similar.ts';

/** Scores are single precision on the wire; a hit at the threshold is not lost to rounding. */
const tolerance = 1e-6;

const isConcepts = (rank: Rank) => rank.kind === 'concepts';
const isSimilar = (rank: Rank) => rank.kind === 'similar';

export const countSearch = (
  parts: SearchParts,
  grant: AppGrant,
  kind: HitKind,
  tree: SearchTree,
): Promise<number> => countHits(parts.db, kind, hitCondition(grant, kind, tree.filters, tree.language));

/** The first `wanted` hits of a search, best first. */
export async function runSearch(
  parts: SearchParts,
  grant: AppGrant,
  kind: HitKind,
  tree: SearchTree,
  wanted: number,
): Promise<Found[]> {
  const { filters, ranks, language, minValue } = tree;
  const condition = hitCondition(grant, kind, filters, language);
  const concepts = ranks.filter(isConcepts);
  const similar = ranks.filter(isSimilar);
  if (ranks.length === 0) return hitsInOrder(parts.db, kind, condition, 0, wanted);
  const keep = (found: Found[]) =>
    minValue > 0 ? found.filter((hit) => hit.score >= minValue - tolerance) : found;
  if (similar.length === 0)
    return keep(await hitsByConcepts(parts.db, grant, kind, condition, concepts, language, wanted));
  const direction = await directionOf(parts, grant, similar);
  const hasFilters = filters.length > 0;
  if (concepts.length === 0) {
    return keep(await hitsBySimilarity(parts, grant, kind, condition, hasFilters, direction, wanted));
  }
  // Both signals: similarity proposes as many as the window holds, concepts then have their say.
  const near = await hitsBySimilarity(parts, grant, kind, condition, hasFilters, direction, windowMax);
  const keyOf = (hit: Found) => (kind === 'input' ? hit.inputKey : (hit.annotationKey as number));
  const said = new Map(
    (await conceptScores(parts.db, grant, kind, near.map(keyOf), concepts, language)).map((s) => [
      s.key,
      s.score,
    ]),
  );
  const joined = near.map((hit) => {
    const sum = hit.score * similar.length + (said.get(keyOf(hit)) ?? 0) * concepts.length;
    return { ...hit, score: sum / ranks.length };
  });
  return keep(joined.sort((a, b) => b.score - a.score || keyOf(a) - keyOf(b))).slice(0, wanted);
}

/** One page of several searches: each on its own, joined, best first, every hit once. */
export async function runSearches(
  parts: SearchParts,
  grant: AppGrant,
  kind: HitKind,
  trees: readonly SearchTree[],
  page: Page,
): Promise<Found[]> {
  const from = firstPosition(page);
  const until = from + page.size;
  const [only, ...others] = trees;
  if (!only) return [];
  if (others.length === 0 && only.ranks.length === 0) {
    return hitsInOrder(parts.db, kind, hitCondition(grant, kind, only.filters, only.language), from, until);
  }
  const found: Found[] = [];
  for (const tree of trees) found.push(...(await runSearch(parts, grant, kind, tree, until)));
  if (others.length === 0) return found.slice(from, until);
  const best = new Map<number, Found>();
  for (const hit of found) {
    const key = kind === 'input' ? hit.inputKey : (hit.annotationKey as number);
    const known = best.get(key);
    if (!known || known.score < hit.score) best.set(key, hit);
  }
  // Sorting is stable, so hits of equal score keep the order in which the searches found them.
  return [...best.values()].sort((a, b) => b.score - a.score).slice(from, until);
}
