import { create } from '@bufbuild/protobuf';
import {
  type FoveaExplain,
  FoveaExplainSchema,
  type FoveaSignal,
  FoveaSignalSchema,
  type FoveaWhy,
  FoveaWhySchema,
} from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue } from '#jobs/index.ts';
import type { Database } from '#store/postgres/index.ts';
import { showTime } from '../common/translate.ts';
import { isStale, sampleMin } from './calibration.ts';
import { type CalibrationRow, findCalibration, takeCalibration, versionIdOf } from './calibration-store.ts';
import type { Opened } from './execute.ts';
import { signalsOf } from './hit-store.ts';
import { calibrationJob } from './job-kinds.ts';
import { type Found, keyOfHit } from './parts.ts';
import { conceptsAsked, isSimilar, type SimilarRank } from './query.ts';
import { estimateOf } from './similar.ts';

/** How each search went. */
export const explainSearches = (searches: readonly Opened[]): Promise<FoveaExplain[]> =>
  Promise.all(searches.map(explainSearch));

/** Why each hit is one, in the order of the hits. */
export async function whyHits(searches: readonly Opened[], found: readonly Found[]): Promise<FoveaWhy[]> {
  for (const { trail, ...search } of searches) trail.calibration = await calibrationOf({ trail, ...search });
  const signals = await Promise.all(
    searches.map((search, n) =>
      signalsOfHits(
        search,
        found.filter((hit) => (hit.search ?? 0) === n),
      ),
    ),
  );
  return found.map((hit) => {
    const n = hit.search ?? 0;
    const search = searches[n] as Opened;
    const [rank, ...others] = search.tree.ranks;
    const isComparable = others.length === 0 && rank?.kind === 'similar' && !rank.negate;
    return create(FoveaWhySchema, {
      search: n,
      signals: signals[n]?.get(keyOfHit(search.kind, hit)) ?? [],
      isGoodMatch:
        isComparable && hit.score >= (search.trail.calibration?.cutoff ?? Number.POSITIVE_INFINITY),
    });
  });
}

async function explainSearch({ parts, scene, tree, trail }: Opened): Promise<FoveaExplain> {
  const { calibration } = trail;
  const embedder = trail.direction?.embedder;
  const { base, serving } = await parts.embeddersOf(parts.db, scene.grant);
  const coming = base?.modelVersionKey === serving?.modelVersionKey ? undefined : base;
  const versionId = embedder && (await versionIdOf(parts.reads, embedder.modelVersionKey));
  return create(FoveaExplainSchema, {
    way: trail.plan?.way ?? 'nothing',
    estimatedShare: trail.share ?? (await estimateOf(parts, scene, tree)).share,
    countedMatches: BigInt(trail.matches ?? 0),
    vectors: BigInt(trail.index?.size ?? 0),
    approximate: trail.usedGraph ?? false,
    looked: BigInt(trail.looked ?? 0),
    stages: [...trail.stages].map(([name, milliseconds]) => ({ name, milliseconds })),
    unknownConcepts: conceptsAsked(tree).flatMap((term) => (scene.idsOf(term).length === 0 ? term.name : [])),
    ...(embedder ? { embedderVersionId: versionId } : {}),
    ...(embedder && coming
      ? { comingEmbedderVersionId: await versionIdOf(parts.reads, coming.modelVersionKey) }
      : {}),
    ...(calibration && embedder
      ? {
          cutoff: {
            score: calibration.cutoff,
            median: calibration.median,
            spread: calibration.spread,
            sampleSize: calibration.sampleSize,
            computedAt: showTime(calibration.computedAt),
            modelVersionId: versionId,
          },
        }
      : {}),
  } as never) as FoveaExplain;
}

/** Vectors of which a first, small sample is taken at once, for whoever asks first; larger apps wait for the job. */
const atOnceMax = 20_000;
const firstSampleMax = 120;

const askForCalibration = (db: Database, grant: AppGrant, modelVersionKey: number) =>
  db.transaction((tx) => enqueue(tx, calibrationJob(grant, modelVersionKey)));

/** What is known of chance in this app; where that is nothing, or old, a job goes to find out. */
async function calibrationOf({ parts, scene, trail }: Opened): Promise<CalibrationRow | undefined> {
  const { direction, index } = trail;
  if (!direction || !index) return undefined;
  const { modelVersionKey } = direction.embedder;
  const known = await findCalibration(parts.reads, scene.grant, modelVersionKey);
  if (known ? !isStale(known, index.size, new Date()) : index.size < sampleMin) return known;
  if (!known && index.size <= atOnceMax) {
    await takeCalibration(parts.db, scene.grant, modelVersionKey, index, firstSampleMax);
    if (index.size > firstSampleMax) await askForCalibration(parts.db, scene.grant, modelVersionKey);
    return findCalibration(parts.reads, scene.grant, modelVersionKey);
  }
  await askForCalibration(parts.db, scene.grant, modelVersionKey);
  return known;
}

/** By the key of the hit, what each rank says of it. */
async function signalsOfHits(search: Opened, hits: readonly Found[]): Promise<Map<number, FoveaSignal[]>> {
  const { parts, kind, scene, tree } = search;
  const keys = hits.map((hit) => keyOfHit(kind, hit));
  const signals = new Map(keys.map((key): [number, FoveaSignal[]] => [key, []]));
  if (keys.length === 0) return signals;
  let unit = 0;
  for (const rank of tree.ranks) {
    const common = { rank: rank.at, kind: rank.kind, negated: rank.negate };
    if (isSimilar(rank)) {
      const scores = await cosinesOf(search, hits, unit++, rank);
      for (const [i, hit] of hits.entries()) {
        const annotationId = hit.inputLevel === false ? (hit.annotationId ?? '') : '';
        signals
          .get(keys[i] as number)
          ?.push(create(FoveaSignalSchema, { ...common, score: scores[i] as number, annotationId }));
      }
      continue;
    }
    const said = await signalsOf(parts.reads, scene, kind, keys, rank);
    for (const key of keys)
      signals
        .get(key)
        ?.push(create(FoveaSignalSchema, { ...common, ...said.get(key) } as never) as FoveaSignal);
  }
  return signals;
}

async function cosinesOf(
  { trail }: Opened,
  hits: readonly Found[],
  unit: number,
  { negate }: SimilarRank,
): Promise<number[]> {
  const vector = trail.direction?.units[unit];
  if (!vector || !trail.index) return hits.map(() => 0);
  const keys = Float64Array.from(hits, ({ embeddingKey }) => embeddingKey ?? -1);
  const cosines = await trail.index.scoreAll(vector, keys);
  return [...cosines].map((cosine) => {
    const score = Number.isNaN(cosine) ? 0 : Math.min(1, Math.max(0, (1 + cosine) / 2));
    return negate ? 1 - score : score;
  });
}
