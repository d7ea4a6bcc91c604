import { sql } from '#store/sql.ts';
import { allOf } from '../common/paging.ts';
import { hitKey } from './filter-sql.ts';
import { hitsBySaid, saidScores } from './hit-store.ts';
import { candidateKeys } from './near-store.ts';
import { type Found, keyOfHit } from './parts.ts';
import { candidatesMax, type Plan } from './plan.ts';
import type { SaidRank } from './query.ts';
import { type Joined, rankJoin } from './rank-join.ts';
import { canBeAboveZero } from './said-score.ts';
import {
  type Look,
  matching,
  nearest,
  nearestVectors,
  ownersAmong,
  planOf,
  remembered,
  scoreOf,
} from './similar.ts';
import { timed } from './trail.ts';

/** Hits that are looked up, or scored by what is said of them, at a time. */
const blockMax = 10_000;
/** Those that most is said of, where an index finds them. */
const saidFirstMax = 20_000;
/** Vectors of those. */
const vectorsMax = 500_000;
const firstLook = 1_000;

/**
 * The best hits by likeness and by what is said of them together. Up to 200,000 matches are all scored by both; of more,
 * those are that may be among the best: nearest first, and those that most is said of.
 */
export async function hitsByBoth(look: Look, said: readonly SaidRank[], minScore: number): Promise<Found[]> {
  const { kind, tree, wanted } = look;
  const memory = await remembered(look);
  const plan = await planOf(look, 'both', memory);
  if (plan.way === 'nothing') return [];
  const candidates = memory?.keys ?? (await matching(look, candidatesMax + 1));
  if (candidates.length === 0) return [];
  const isAll = candidates.length <= candidatesMax;
  const best = await rankJoin<Found>({
    wanted,
    minScore,
    keyOf: (hit) => keyOfHit(kind, hit),
    together: (near, words) =>
      (near * (tree.ranks.length - said.length) + words * said.length) / tree.ranks.length,
    ...(isAll ? { saidFirst: [], saidElsewhere: 1 } : await mostSaid(look, said, plan)),
    nextNear: isAll ? () => allOfThem(look, candidates) : nearestFirst(look),
    saidOf: (hits) => saidInBlocks(look, said, hits),
  });
  return best.map(({ hit, score }) => ({ ...hit, score }));
}

async function allOfThem(look: Look, candidates: Float64Array) {
  const plan: Plan = { way: 'filter_then_score', look: 0 };
  look.trail.plan = plan;
  look.trail.matches = candidates.length;
  const { found } = await nearest(look, candidates.length + 1, plan, { candidates });
  return { hits: found.map((hit) => ({ hit, near: hit.score })), floor: undefined };
}

/** Ever more of the nearest, exactly; each vector is looked up once. */
function nearestFirst(look: Look) {
  const { kind, direction } = look;
  const plan: Plan = { way: 'scan', look: 0 };
  look.trail.plan = plan;
  const seen = new Set<number>();
  let k = Math.max(firstLook, look.wanted) / 4;
  return async () => {
    k *= 4;
    const near = await nearestVectors(look, k, plan);
    const fresh = near.keys.flatMap((key, n) => (seen.has(key) ? [] : [{ key, n }]));
    const found = new Map<number, { hit: Found; near: number }>();
    for (let from = 0; from < fresh.length; from += blockMax) {
      const block = fresh.slice(from, from + blockMax);
      const owners = await ownersAmong(
        look,
        block.map(({ key }) => key),
      );
      for (const { key, n } of block) {
        seen.add(key);
        const owner = owners.get(key);
        if (!owner) continue;
        const score = scoreOf(near.scores[n] as number, direction.length);
        const hit: Found = { ...owner, embeddingKey: key, score };
        if (!found.has(keyOfHit(kind, hit))) found.set(keyOfHit(kind, hit), { hit, near: score });
      }
    }
    const last = near.keys.length < k ? undefined : (near.scores.at(-1) as number);
    const floor = last === undefined ? undefined : scoreOf(last, direction.length);
    return { hits: [...found.values()], floor };
  };
}

/** Those that most is said of, where the index of labels finds them; what is said of any other is no more. */
async function mostSaid(
  look: Look,
  said: readonly SaidRank[],
  plan: Plan,
): Promise<{ saidFirst: Joined<Found>[]; saidElsewhere: number }> {
  const { parts, scene, kind, condition, direction, trail } = look;
  if (!canBeAboveZero(scene, kind, said)) return { saidFirst: [], saidElsewhere: 1 };
  const above = await timed(trail, 'matches', () =>
    hitsBySaid(parts.reads, scene, kind, condition, said, Number.EPSILON, saidFirstMax + 1),
  );
  const scores = new Map(above.map((hit) => [keyOfHit(kind, hit), hit.score]));
  const among = allOf([condition, sql`${hitKey(kind)} = any(${[...scores.keys()]}::bigint[])`]);
  const { modelVersionKey } = direction.embedder;
  const { keys } = await timed(trail, 'matches', () =>
    candidateKeys(parts.reads, scene, modelVersionKey, kind, among, vectorsMax),
  );
  // So many vectors of so few hits that not all were read: then nothing is known beforehand.
  if (keys.length === vectorsMax) return { saidFirst: [], saidElsewhere: 1 };
  const near =
    keys.length === 0 ? [] : (await nearest(look, keys.length + 1, plan, { candidates: keys })).found;
  return {
    saidFirst: near.map((hit) => ({ hit, near: hit.score, said: scores.get(keyOfHit(kind, hit)) ?? 0 })),
    saidElsewhere: above.length > saidFirstMax ? (above.at(-1)?.score ?? 0) : 0,
  };
}

async function saidInBlocks(
  { parts, scene, kind, trail }: Look,
  said: readonly SaidRank[],
  hits: readonly Found[],
): Promise<Map<number, number>> {
  const all = new Map<number, number>();
  for (let from = 0; from < hits.length; from += blockMax) {
    const keys = hits.slice(from, from + blockMax).map((hit) => keyOfHit(kind, hit));
    const some = await timed(trail, 'matches', () => saidScores(parts.reads, scene, kind, keys, said));
    for (const [key, score] of some) all.set(key, score);
  }
  return all;
}
