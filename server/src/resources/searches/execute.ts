import type { AppGrant } from '#domain/grant.ts';
import { firstPosition, type Page } from '#domain/page.ts';
import { allOf } from '../common/paging.ts';
import { searchFault, windowMax } from './faults.ts';
import { type Condition, hitCondition } from './filter-sql.ts';
import {
  countBySaid,
  countEmbedded,
  countHits,
  hitsBySaid,
  hitsInOrder,
  hitsPutInOrder,
} from './hit-store.ts';
import { type Found, keyOfHit, type SearchParts } from './parts.ts';
import { planSearch, readMax } from './plan.ts';
import {
  type HitKind,
  isSaid,
  isSimilar,
  type SaidRank,
  type SearchTree,
  type SimilarRank,
} from './query.ts';
import { wordsFound } from './said-score.ts';
import { hasTexts, openScene, type Scene } from './scene.ts';
import { estimateOf, hitsBySimilarity, openLook } from './similar.ts';
import { resolveTextRanks } from './text-ranks.ts';
import { newTrail, type Trail, timed } from './trail.ts';
import { hitsByBoth } from './two-signals.ts';

/** Scores are single precision on the wire; a hit at the threshold is not lost to rounding. */
const tolerance = 1e-6;

const minScoreOf = ({ minValue }: SearchTree) => (minValue > 0 ? minValue - tolerance : 0);

/** A search made ready: names resolved, filters turned into a condition. */
export interface Opened {
  readonly parts: SearchParts;
  readonly kind: HitKind;
  readonly tree: SearchTree;
  readonly scene: Scene;
  readonly condition: Condition;
  readonly said: readonly SaidRank[];
  readonly similar: readonly SimilarRank[];
  readonly trail: Trail;
}

export async function openSearch(
  parts: SearchParts,
  grant: AppGrant,
  kind: HitKind,
  asked: SearchTree,
  until?: number,
): Promise<Opened> {
  const trail = newTrail(until);
  const [tree, scene] = await timed(trail, 'names', async () => {
    const resolved = await resolveTextRanks(parts, grant, asked);
    const scene = await openScene(parts, grant, resolved);
    // What holds none of the words may be a hit then, where there are no texts, too.
    if (resolved.ranks.some((rank) => rank.kind === 'words' && rank.negate)) await expectTexts(parts, scene);
    return [resolved, scene] as const;
  });
  return {
    parts,
    kind,
    tree,
    scene,
    condition: hitCondition(scene, kind, tree.filters),
    said: tree.ranks.filter(isSaid),
    similar: tree.ranks.filter(isSimilar),
    trail,
  };
}

/** @throws Fault 40002 where an app has no texts that words could be looked for in */
async function expectTexts({ reads }: SearchParts, scene: Scene): Promise<void> {
  if (!(await hasTexts(reads, scene))) throw searchFault.textNeedsModel();
}

/** A word was looked for, and nothing was found: perhaps there was nothing to look in, which is to be said. */
async function whenNothing({ parts, tree, scene }: Opened): Promise<void> {
  if (tree.ranks.some(({ kind }) => kind === 'words')) await expectTexts(parts, scene);
}

/** How many hits a search has; of those ranked by similarity with a least value, 10,000 at most are counted. */
export async function countSearch(search: Opened): Promise<number> {
  const count = await countFound(search);
  if (count === 0) await whenNothing(search);
  return count;
}

async function countFound(search: Opened): Promise<number> {
  const { parts, kind, tree, scene, condition, said, similar, trail } = search;
  const db = parts.reads;
  const minScore = minScoreOf(tree);
  if (similar.length === 0)
    return timed(trail, 'matches', () =>
      said.length === 0
        ? countHits(db, scene, kind, condition)
        : countBySaid(db, scene, kind, condition, said, minScore),
    );
  if (minScore > 0 || said.length > 0) return (await runSearch(search, windowMax)).length;
  const look = await openLook(parts, scene, kind, tree, similar, condition, 0, 0, trail);
  if (!look) return 0;
  const { modelVersionKey } = look.direction.embedder;
  return timed(trail, 'matches', () => countEmbedded(db, scene, kind, condition, modelVersionKey));
}

/** The first `wanted` hits of a search, best first, less the first `from`. */
export async function runSearch(search: Opened, wanted: number, from = 0): Promise<Found[]> {
  const { asOf } = search.tree;
  const found = await findHits(search, wanted, from);
  if (found.length === 0) await whenNothing(search);
  return asOf ? found.map((hit) => ({ ...hit, asOf })) : found;
}

async function findHits(search: Opened, wanted: number, from: number): Promise<Found[]> {
  const { parts, kind, tree, scene, condition, said, similar, trail } = search;
  const minScore = minScoreOf(tree);
  if (tree.ranks.length === 0) return hitsUnranked(search, wanted, from);
  if (similar.length === 0) {
    trail.plan = { way: 'score_in_database', look: 0 };
    const best = () => hitsBySaid(parts.reads, scene, kind, condition, said, minScore, wanted);
    return (await timed(trail, 'matches', best)).slice(from);
  }
  // With a second signal, the score that counts is known only after both had their say.
  const ownMin = said.length === 0 ? minScore : 0;
  const meeting = allOf([condition, wordsFound(scene, kind, said)]);
  const look = await openLook(parts, scene, kind, tree, similar, meeting, wanted, ownMin, trail);
  if (!look) return [];
  const found = said.length === 0 ? await hitsBySimilarity(look) : await hitsByBoth(look, said, minScore);
  return found.slice(from);
}

async function hitsUnranked(
  { parts, kind, tree, scene, condition, trail }: Opened,
  wanted: number,
  from: number,
): Promise<Found[]> {
  const db = parts.reads;
  // What is counted is the present, and without filters the first inputs are the hits.
  const isFiltered = tree.filters.length > 0 && scene.asOf === undefined;
  const { share, inputs } = isFiltered
    ? await timed(trail, 'estimate', () => estimateOf(parts, scene, tree))
    : { share: 1, inputs: 0 };
  if (isFiltered) trail.share = share;
  trail.plan = planSearch({
    isFiltered,
    ranks: 'none',
    exact: tree.exact,
    size: inputs,
    matches: share * inputs,
    known: 'guessed',
    wanted,
  });
  if (trail.plan.way === 'read_then_order') {
    const found = await timed(trail, 'matches', () =>
      hitsPutInOrder(db, scene, kind, tree.filters, from, wanted, readMax),
    );
    if (found) return found;
    trail.plan = { way: 'in_order', look: 0 };
  }
  return timed(trail, 'matches', () => hitsInOrder(db, scene, kind, condition, from, wanted));
}

/** One page of several searches: each on its own, joined, best first, every hit once. */
export async function runSearches(searches: readonly Opened[], page: Page): Promise<Found[]> {
  const from = firstPosition(page);
  const until = from + page.size;
  const [only, ...others] = searches;
  if (!only) return [];
  if (others.length === 0) {
    return runSearch(only, until, from);
  }
  const best = new Map<number, Found>();
  for (const [n, search] of searches.entries()) {
    for (const hit of await runSearch(search, until)) {
      const key = keyOfHit(search.kind, hit);
      const known = best.get(key);
      if (known && known.score >= hit.score) continue;
      // A hit stands where the search that scored it best found it.
      best.delete(key);
      best.set(key, { ...hit, search: n });
    }
  }
  // Sorting is stable, so hits of equal score keep the order in which the searches found them.
  return [...best.values()].sort((a, b) => b.score - a.score).slice(from, until);
}
