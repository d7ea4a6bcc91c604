import type { Embedder } from '#domain/app-embedders.ts';
import type { AppGrant } from '#domain/grant.ts';
import { FetchFault } from '#store/fetcher/index.ts';
import type { RawReads } from '#store/postgres/index.ts';
import { searchFault } from './faults.ts';
import { storedEmbedder, vectorOfInput, vectorsLabelled } from './hit-store.ts';
import type { SearchParts } from './parts.ts';
import type { SimilarRank, VectorSource } from './query.ts';
import type { Scene } from './scene.ts';

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
  /** The unit vector of each rank. */
  readonly units: readonly Float32Array[];
}

export async function directionOf(
  parts: SearchParts,
  scene: Scene,
  ranks: readonly SimilarRank[],
  raw: RawReads['raw'] = parts.db.raw,
): Promise<Direction> {
  const embedder = await embedderOf(parts, scene.grant, ranks, raw);
  const units = await Promise.all(ranks.map((rank) => unitVectorOf(parts, scene, embedder, rank.source)));
  const mean = new Float32Array(units[0]?.length ?? 0);
  for (const [r, unit] of units.entries()) {
    if (unit.length !== mean.length) throw searchFault.wrongDimensions(unit.length, mean.length);
    const weight = (ranks[r]?.negate ? -1 : 1) / ranks.length;
    for (let d = 0; d < mean.length; d++) mean[d] = (mean[d] as number) + weight * (unit[d] as number);
  }
  const length = lengthOf(mean);
  if (length < 1e-6)
    throw searchFault.invalid('The ranks cancel each other out; nothing is left to rank by.');
  return { embedder, vector: mean, length, units };
}

async function embedderOf(
  parts: SearchParts,
  grant: AppGrant,
  ranks: readonly SimilarRank[],
  raw: RawReads['raw'],
): Promise<Embedder> {
  const asked = new Set(ranks.map((rank) => rank.modelVersionId).filter((id) => id !== ''));
  if (asked.size > 1) throw searchFault.mixedEmbedders();
  const [id] = asked;
  if (id !== undefined) {
    const stored = await storedEmbedder(parts.reads, grant, id);
    if (!stored) throw searchFault.unknownEmbedder(id);
    return stored;
  }
  const { serving } = await parts.embeddersOf({ ...parts.reads, raw }, grant);
  if (!serving) throw searchFault.nothingIndexes();
  return serving;
}

async function unitVectorOf(
  parts: SearchParts,
  scene: Scene,
  embedder: Embedder,
  source: VectorSource,
): Promise<Float32Array> {
  const db = parts.reads;
  const { grant } = scene;
  switch (source.kind) {
    case 'vector':
      return unit(source.vector);
    case 'image_url':
      return unit(await reached(source.url, parts.embedImage(grant, embedder.builtin, { url: source.url })));
    case 'image_bytes':
      return unit(await parts.embedImage(grant, embedder.builtin, { bytes: source.bytes }));
    case 'input': {
      const { inputId, annotationId } = source;
      const [input] = await parts.findInputs(db, grant, [inputId]);
      const stored =
        input && (await vectorOfInput(db, grant, input.key, annotationId, embedder.modelVersionKey));
      if (!stored) throw searchFault.notIndexed(inputId, annotationId);
      return unit(floatsOf(stored));
    }
    case 'labelled': {
      const ids = source.concepts.flatMap(scene.idsOf);
      const examples = await vectorsLabelled(db, scene, ids, embedder.modelVersionKey);
      if (examples.length === 0)
        throw searchFault.noExamples(source.concepts.map(({ id, name }) => id || name));
      return unit(meanOf(examples.map(floatsOf)));
    }
  }
}

const floatsOf = (stored: Buffer): Float32Array =>
  Float32Array.from({ length: stored.length / 4 }, (_, d) => stored.readFloatLE(d * 4));

function meanOf(vectors: readonly Float32Array[]): Float32Array {
  const mean = new Float32Array(vectors[0]?.length ?? 0);
  for (const vector of vectors)
    for (let d = 0; d < mean.length; d++)
      mean[d] = (mean[d] as number) + (vector[d] as number) / vectors.length;
  return mean;
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
