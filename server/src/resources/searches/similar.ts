import type { AppGrant } from '#domain/grant.ts';
import type { VectorIndex } from '#engine/vector/index.ts';
import { FetchFault } from '#store/fetcher/index.ts';
import type { Sql } from '#store/sql.ts';
import { searchFault } from './faults.ts';
import { storedEmbedder, vectorOfInput } from './hit-store.ts';
import { candidateKeys, ownersOf } from './near-store.ts';
import type { Embedder, Found, SearchParts } from './parts.ts';
import { candidatesMax, fewMax, lookSize, planSearch } from './plan.ts';
import type { HitKind, Rank, VectorSource } from './query.ts';

type SimilarRank = Extract<Rank, { kind: 'similar' }>;

/**
 * All similarity ranks of a search as one direction: the mean of their unit vectors, turned round where negated.
 * A hit's score is (1 + mean cosine) / 2: 1 for the same picture, 0.5 for nothing in common. For unit vectors this is
 * also 1 - d²/4 of the euclidean distance d, so that both metrics of the contract order alike.
 */
export interface Direction {
  readonly embedder: Embedder;
  readonly vector: Float32Array;
  /** Length of `vector`, 0..1: how far the ranks agree. */
  readonly length: number;
}

export async function directionOf(
  parts: SearchParts,
  grant: AppGrant,
  ranks: readonly SimilarRank[],
): Promise<Direction> {
  const embedder = await embedderOf(parts, grant, ranks);
  const units = await Promise.all(ranks.map((rank) => unitVectorOf(parts, grant, embedder, rank.source)));
  const mean = new Float32Array(units[0]?.length ?? 0);
  for (const [r, unit] of units.entries()) {
    if (unit.length !== mean.length) throw searchFault.wrongDimensions(unit.length, mean.length);
    const weight = (ranks[r]?.negate ? -1 : 1) / ranks.length;
    for (let d = 0; d < mean.length; d++) mean[d] = (mean[d] as number) + weight * (unit[d] as number);
  }
  const length = lengthOf(mean);
  if (length < 1e-6)
    throw searchFault.invalid('The ranks cancel each other out; nothing is left to rank by.');
  return { embedder, vector: mean, length };
}

async function embedderOf(
  parts: SearchParts,
  grant: AppGrant,
  ranks: readonly SimilarRank[],
): Promise<Embedder> {
  const asked = new Set(ranks.map((rank) => rank.modelVersionId).filter((id) => id !== ''));
  if (asked.size > 1) throw searchFault.mixedEmbedders();
  const [id] = asked;
  if (id !== undefined) {
    const stored = await storedEmbedder(parts.db, grant, id);
    if (!stored) throw searchFault.unknownEmbedder(id);
    return stored;
  }
  const embedder = await parts.baseEmbedderOf(parts.db, grant);
  if (!embedder) throw searchFault.nothingIndexes();
  return embedder;
}

async function unitVectorOf(
  parts: SearchParts,
  grant: AppGrant,
  embedder: Embedder,
  source: VectorSource,
): Promise<Float32Array> {
  switch (source.kind) {
    case 'vector':
      return unit(source.vector);
    case 'image_url':
      return unit(await reached(source.url, parts.embedImage(embedder.builtin, { url: source.url })));
    case 'image_bytes':
      return unit(await parts.embedImage(embedder.builtin, { bytes: source.bytes }));
    case 'input': {
      const [input] = await parts.findInputs(parts.db, grant, [source.inputId]);
      const stored = input && (await vectorOfInput(parts.db, grant, input.key, embedder.modelVersionKey));
      if (!stored) throw searchFault.notIndexed(source.inputId);
      return unit(Float32Array.from({ length: stored.length / 4 }, (_, d) => stored.readFloatLE(d * 4)));
    }
  }
}

/** What the fetcher could not get is the caller's to mend. */
async function reached<T>(url: string, wanted: Promise<T>): Promise<T> {
  try {
    return await wanted;
  } catch (thrown) {
    throw thrown instanceof FetchFault ? searchFault.unreachable(url, thrown.message) : thrown;
  }
}

const lengthOf = (vector: Float32Array): number => Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));

function unit(vector: Float32Array): Float32Array {
  const length = lengthOf(vector);
  return vector.map((x) => x / length);
}

/** What a similarity search looks for, and where. */
interface Look {
  readonly parts: SearchParts;
  readonly grant: AppGrant;
  readonly kind: HitKind;
  /** Undefined where nothing narrows the search. */
  readonly condition: Sql<unknown> | undefined;
  readonly index: VectorIndex;
  readonly direction: Direction;
  readonly wanted: number;
}

/** The `wanted` hits nearest to a direction, best first; an input counts once, by its best annotation. */
export async function hitsBySimilarity(
  parts: SearchParts,
  grant: AppGrant,
  kind: HitKind,
  condition: Sql<unknown>,
  hasFilters: boolean,
  direction: Direction,
  wanted: number,
): Promise<Found[]> {
  const { modelVersionKey } = direction.embedder;
  const index = await parts.vectors.open(grant, modelVersionKey);
  if (!index) return [];
  if (index.dims !== direction.vector.length)
    throw searchFault.wrongDimensions(direction.vector.length, index.dims);
  const look: Look = {
    parts,
    grant,
    kind,
    condition: hasFilters ? condition : undefined,
    index,
    direction,
    wanted,
  };
  const matching = (limit: number) => candidateKeys(parts.db, grant, modelVersionKey, kind, condition, limit);
  if (planSearch(hasFilters, 0) === 'nearest') return walk(look);
  const few = await matching(fewMax + 1);
  if (planSearch(hasFilters, few.length) === 'filter_first') return few.length === 0 ? [] : walk(look, few);
  const size = lookSize(wanted);
  if (size > 0) {
    const { found } = await nearest(look, size);
    if (found.length >= wanted) return found.slice(0, wanted);
  }
  const all = await matching(candidatesMax + 1);
  return walk(look, planSearch(hasFilters, all.length, true) === 'filter_first' ? all : undefined);
}

/** Takes ever more of the nearest until enough of them are hits, or none are left. */
async function walk(look: Look, candidates?: Float64Array): Promise<Found[]> {
  for (let k = Math.max(look.wanted + 32, 64); ; k *= 4) {
    const { found, isAll } = await nearest(look, k, candidates);
    if (found.length >= look.wanted || isAll) return found.slice(0, look.wanted);
  }
}

/** The hits among the `k` nearest vectors. `isAll` when there are no more vectors. */
async function nearest(
  look: Look,
  k: number,
  candidates?: Float64Array,
): Promise<{ found: Found[]; isAll: boolean }> {
  const { parts, grant, kind, condition, index, direction } = look;
  const near = await index.search(direction.vector, k, { metric: 'cosine', candidates });
  const owners = new Map(
    (await ownersOf(parts.db, grant, near.keys, condition)).map((owner) => [owner.key, owner]),
  );
  // Without a condition, what has no owner was deleted; with one it may only be no hit.
  if (!condition && owners.size < near.keys.length) index.remove(near.keys.filter((key) => !owners.has(key)));
  const found: Found[] = [];
  const seen = new Set<number>();
  for (const [n, embeddingKey] of near.keys.entries()) {
    const owner = owners.get(embeddingKey);
    if (!owner) continue;
    const hitKey = kind === 'input' ? owner.inputKey : owner.annotationKey;
    if (seen.has(hitKey)) continue;
    seen.add(hitKey);
    found.push({ ...owner, score: scoreOf(near.scores[n] as number, direction.length) });
  }
  return { found, isAll: near.keys.length < k };
}

const scoreOf = (cosine: number, length: number): number =>
  Math.min(1, Math.max(0, (1 + length * cosine) / 2));
