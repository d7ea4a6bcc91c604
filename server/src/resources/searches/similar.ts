import type { AppGrant } from '#domain/grant.ts';
import type { VectorCollection } from '#domain/vector-store.ts';
import type { RawReads } from '#store/postgres/index.ts';
import { nameOf } from '#store/sql.ts';
import { type Direction, directionOf } from './direction.ts';
import { searchFault } from './faults.ts';
import { type FilterMemory, hasChanged, holds, isTold } from './filter-keys.ts';
import type { Condition } from './filter-sql.ts';
import { candidateKeys, matchingOwnersOf, type Owner, ownersOf, statisticsOf } from './near-store.ts';
import type { Found, SearchParts } from './parts.ts';
import { candidatesMax, fewMax, type Plan, planSearch } from './plan.ts';
import { conceptsAsked, type HitKind, type SearchTree, type SimilarRank } from './query.ts';
import type { Scene } from './scene.ts';
import { estimateShare, isCounted } from './selectivity.ts';
import { type Trail, timed } from './trail.ts';

/** What a similarity search looks for, and where. */
export interface Look {
  readonly parts: SearchParts;
  readonly scene: Scene;
  readonly kind: HitKind;
  readonly tree: SearchTree;
  readonly condition: Condition;
  readonly index: VectorCollection;
  readonly direction: Direction;
  readonly wanted: number;
  /** Cosines below this are of no use. */
  readonly minCosine: number | undefined;
  readonly trail: Trail;
}

/** Opens the index that similarity ranks look into. @returns undefined where the app has no vectors of the embedder */
export async function openLook(
  parts: SearchParts,
  scene: Scene,
  kind: HitKind,
  tree: SearchTree,
  ranks: readonly SimilarRank[],
  condition: Condition,
  wanted: number,
  minScore: number,
  trail: Trail,
): Promise<Look | undefined> {
  const { grant } = scene;
  const raw = parts.db.oneTrip();
  const [direction, ahead] = await timed(trail, 'direction', () =>
    Promise.all([directionOf(parts, scene, ranks, raw), openAhead(parts, grant, ranks, raw, trail)]),
  );
  trail.direction = direction;
  const { modelVersionKey } = direction.embedder;
  parts.lookedInto?.set(grant.appKey, modelVersionKey);
  const index =
    ahead?.modelVersionKey === modelVersionKey
      ? ahead.index
      : await timed(trail, 'index', () => parts.vectors.open(grant, modelVersionKey));
  if (!index) return undefined;
  if (index.dims !== direction.vector.length)
    throw searchFault.wrongDimensions(direction.vector.length, index.dims);
  trail.index = index;
  const minCosine = minScore > 0 ? (2 * minScore - 1) / direction.length : undefined;
  return { parts, scene, kind, tree, condition, index, direction, wanted, minCosine, trail };
}

/**
 * Opens what the last search of the app looked into while it is read what this one has to look into: mostly that is the
 * same, and both are asked of the database in one go.
 */
async function openAhead(
  { lookedInto, vectors }: SearchParts,
  grant: AppGrant,
  ranks: readonly SimilarRank[],
  raw: RawReads['raw'],
  trail: Trail,
) {
  const modelVersionKey = lookedInto?.get(grant.appKey);
  // What has to be fetched and embedded first takes long: others may have changed the index until then.
  const isNow = ranks.every(
    ({ modelVersionId, source }) => modelVersionId === '' && source.kind === 'vector',
  );
  if (modelVersionKey === undefined || !isNow) return undefined;
  const index = await timed(trail, 'index', () => vectors.open(grant, modelVersionKey, raw));
  return { modelVersionKey, index };
}

const isFiltered = ({ tree, scene }: Look) => tree.filters.length > 0 || scene.asOf !== undefined;

/** The `wanted` hits nearest to a direction, best first; an input counts once, by its best annotation. */
export async function hitsBySimilarity(look: Look): Promise<Found[]> {
  const memory = await remembered(look);
  const keys = memory?.keys;
  const plan = await planOf(look, 'vectors', memory);
  if (plan.way === 'nothing') return [];
  const score = (readMax: number) => (keys ? scoreKeys(look, keys) : scoreMatches(look, readMax));
  if (plan.way === 'filter_then_score')
    return score(memory && memory.count > fewMax ? candidatesMax : fewMax);
  const { found, isAll } = await nearest(look, plan.look || firstLook(look.wanted), plan, {
    among: keys,
    wanted: look.wanted,
  });
  if (enough(look, found, isAll)) return found.slice(0, look.wanted);
  return isFiltered(look) && plan.way === 'walk_and_filter' ? score(candidatesMax) : walk(look, plan);
}

export async function planOf(
  look: Look,
  ranks: 'vectors' | 'both',
  memory: FilterMemory | undefined,
): Promise<Plan> {
  const { parts, scene, tree, index, wanted, trail } = look;
  const filtered = isFiltered(look);
  const size = Math.max(1, index.size);
  const share = memory
    ? Math.min(1, memory.count / size)
    : filtered
      ? (await timed(trail, 'estimate', () => estimateOf(parts, scene, tree))).share
      : 1;
  const plan = planSearch({
    isFiltered: filtered,
    ranks,
    exact: tree.exact,
    size: index.size,
    matches: memory?.count ?? share * index.size,
    known: memory?.keys ? 'keys' : memory || isCounted(tree.filters) ? 'counted' : 'guessed',
    wanted,
  });
  if (memory?.keys) trail.matches = memory.count;
  trail.plan = plan;
  trail.share = share;
  trail.size = index.size;
  return plan;
}

/** How many inputs the app has, and the share of them that is expected to meet the filters. */
export async function estimateOf(
  parts: SearchParts,
  { grant, idsOf }: Scene,
  tree: SearchTree,
): Promise<{ inputs: number; share: number }> {
  const conceptIds = conceptsAsked({ ...tree, ranks: [] }).flatMap(idsOf);
  const datasetIds = tree.filters.flatMap(({ input }) => input.datasetIds ?? []);
  const statistics = await statisticsOf(parts.reads, grant, conceptIds, datasetIds);
  return { inputs: statistics.inputs, share: estimateShare(tree.filters, statistics, idsOf) };
}

/** One name for each set of vectors that may be asked for; undefined where it could change unnoticed. */
function memoryNameOf({ parts, scene, kind, condition, direction, tree }: Look): string | undefined {
  if (!parts.filterKeys || !isTold(tree)) return undefined;
  return [scene.grant.appKey, direction.embedder.modelVersionKey, kind, nameOf(condition)].join(' ');
}

/**
 * What is remembered of the filters: their keys where nothing has changed in the app since they were read. That they
 * were too many to be read is believed a while longer: it only says which way is tried first.
 */
export async function remembered(look: Look): Promise<FilterMemory | undefined> {
  const { parts, scene, trail } = look;
  const name = memoryNameOf(look);
  const memory = name === undefined ? undefined : parts.filterKeys?.get(name);
  if (!memory) return undefined;
  const isOld = await timed(trail, 'estimate', () =>
    hasChanged(parts.reads, scene.grant.appKey, memory.mark),
  );
  if (!isOld) return memory;
  return memory.count > fewMax ? { ...memory, keys: undefined } : undefined;
}

/** Reads the keys of the matches, `limit` at most, and remembers them where that is all. */
export async function matching(look: Look, limit: number): Promise<Float64Array> {
  const { parts, scene, kind, condition, direction, trail } = look;
  const name = memoryNameOf(look);
  const { keys, mark } = await timed(trail, 'matches', () =>
    candidateKeys(parts.reads, scene, direction.embedder.modelVersionKey, kind, condition, limit),
  );
  const isAll = keys.length < limit;
  if (name !== undefined)
    parts.filterKeys?.put(name, { keys: isAll ? keys : undefined, count: keys.length, mark });
  return keys;
}

function scoreKeys(look: Look, keys: Float64Array): Promise<Found[]> | Found[] {
  const { trail } = look;
  if (keys.length === 0) return [];
  trail.plan = { way: 'filter_then_score', look: 0 };
  trail.matches = keys.length;
  return walk(look, trail.plan, keys);
}

/** Reads the matches and scores them all. Where they are more than thought, plans again with what is known now. */
async function scoreMatches(look: Look, readMax: number): Promise<Found[]> {
  const { index, wanted, tree, trail } = look;
  const keys = await matching(look, readMax + 1);
  if (keys.length <= readMax) return scoreKeys(look, keys);
  const plan = planSearch({
    isFiltered: true,
    ranks: 'vectors',
    exact: tree.exact,
    size: index.size,
    // At least so many, and not yet known how many more.
    matches: Math.max(keys.length, (trail.share ?? 0) * index.size),
    known: 'counted',
    wanted,
  });
  if (readMax < candidatesMax) {
    trail.plan = plan;
    if (plan.way === 'walk_and_filter') {
      const { found, isAll } = await nearest(look, plan.look, plan, { wanted });
      if (enough(look, found, isAll)) return found.slice(0, wanted);
    }
    return scoreMatches(look, candidatesMax);
  }
  trail.plan = tree.exact ? { way: 'scan', look: 0 } : { way: 'walk_and_filter', look: 0 };
  return walk(look, trail.plan);
}

/** So many more than are wanted are looked up first: some were deleted meanwhile, or belong to an input that has a nearer one. */
const spare = 8;

const firstLook = (wanted: number) => Math.max(wanted + 32, 64);

const enough = ({ wanted }: Look, found: readonly Found[], isAll: boolean) => isAll || found.length >= wanted;

/** Takes ever more of the nearest until enough of them are hits, or none are left. */
async function walk(look: Look, plan: Plan, candidates?: Float64Array): Promise<Found[]> {
  for (let k = firstLook(look.wanted); ; k *= 4) {
    const { found, isAll } = await nearest(look, k, plan, { candidates, wanted: look.wanted });
    if (enough(look, found, isAll)) return found.slice(0, look.wanted);
  }
}

interface NearestOptions {
  /** Only these vectors are scored. */
  readonly candidates?: Float64Array | undefined;
  /** Ascending; of the nearest only these may be hits. */
  readonly among?: Float64Array | undefined;
  /** So many hits are enough; all of them where it is left out. */
  readonly wanted?: number;
}

/**
 * The hits that the `k` nearest vectors make certain, best first, equal ones in the order of their making. `isAll`
 * when there are no more vectors; before that, hits as near as the last one looked at may have equals behind it, and
 * are left out.
 */
export async function nearest(
  look: Look,
  k: number,
  plan: Plan,
  { candidates, among, wanted = Number.POSITIVE_INFINITY }: NearestOptions = {},
): Promise<{ found: Found[]; isAll: boolean }> {
  const { kind, direction } = look;
  const near = await nearestVectors(look, k, plan, candidates);
  const isAll = near.keys.length < k;
  const possible = near.keys.flatMap((key, n) =>
    among && !holds(among, key) ? [] : { key, cosine: near.scores[n] as number },
  );
  const areMatches = candidates !== undefined || among !== undefined;
  const owners = new Map<number, Owner>();
  /** Whatever is nearer than `floor` was looked at. */
  const hitsAbove = (floor: number): Found[] => {
    const found = new Map<number, Found>();
    for (const { key: embeddingKey, cosine } of possible) {
      if (cosine <= floor) break;
      const owner = owners.get(embeddingKey);
      const key = owner && (kind === 'input' ? owner.inputKey : owner.annotationKey);
      if (key !== undefined && !found.has(key))
        found.set(key, { ...(owner as Owner), embeddingKey, score: scoreOf(cosine, direction.length) });
    }
    const hits = [...found].sort(([a, one], [b, other]) => other.score - one.score || a - b);
    return hits.map(([, hit]) => hit);
  };
  // Nearly all of the nearest are hits where no filter has to be asked: a few more than are wanted will do.
  let until = asksFilters(look, areMatches) ? possible.length : Math.min(possible.length, wanted + spare);
  let from = 0;
  for (;;) {
    const keys = possible.slice(from, until).map(({ key }) => key);
    for (const [key, owner] of await ownersAmong(look, keys, areMatches)) owners.set(key, owner);
    const next = possible[until];
    if (!next) break;
    const found = hitsAbove(next.cosine);
    if (found.length >= wanted) return { found, isAll };
    [from, until] = [until, possible.length];
  }
  return { found: hitsAbove(isAll ? Number.NEGATIVE_INFINITY : (near.scores.at(-1) as number)), isAll };
}

/** The `k` nearest vectors, hits or not, nearest first. */
export async function nearestVectors(look: Look, k: number, plan: Plan, candidates?: Float64Array) {
  const { index, direction, minCosine, trail } = look;
  const near = await timed(trail, 'vectors', () =>
    index.search(direction.vector, k, {
      metric: 'cosine',
      candidates,
      minScore: minCosine,
      exact: plan.way === 'scan' || plan.way === 'filter_then_score',
    }),
  );
  trail.usedGraph ||= near.way === 'graph';
  trail.looked = near.keys.length;
  return near;
}

/** Whether the database has to be asked if vectors belong to hits: not where that is known. */
const asksFilters = (look: Look, areMatches: boolean): boolean =>
  // At another time the owner of a match is another row.
  isFiltered(look) && (!areMatches || look.scene.asOf !== undefined);

/** Of these vectors, whose those of hits are. */
export async function ownersAmong(
  look: Look,
  keys: readonly number[],
  areMatches = false,
): Promise<Map<number, Owner>> {
  const { parts, scene, condition, index, trail } = look;
  const isAsked = asksFilters(look, areMatches);
  const known = await timed(trail, 'owners', () =>
    isAsked ? matchingOwnersOf(parts.reads, scene, keys, condition) : ownersOf(parts.db, scene, keys),
  );
  const owners = new Map(known.map((owner) => [owner.key, owner]));
  // Without a condition, what has no owner was deleted; with one it may only be no hit.
  if (!isAsked && owners.size < keys.length) await index.remove(keys.filter((key) => !owners.has(key)));
  return owners;
}

export const scoreOf = (cosine: number, length: number): number =>
  Math.min(1, Math.max(0, (1 + length * cosine) / 2));
