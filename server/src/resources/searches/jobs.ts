import type { AppGrant } from '#domain/grant.ts';
import type { VectorIndex } from '#engine/vector/index.ts';
import type { Job, JobHandler } from '#jobs/index.ts';
import type { Log } from '#store/log.ts';
import { calibrate, sampleMax, sampleMin } from './calibration.ts';
import { putCalibration } from './calibration-store.ts';
import { compareSearches, failComparison } from './compare.ts';
import { type CalibratePayload, calibrateKind, type MetricsPayload, metricsKind } from './job-kinds.ts';
import type { SearchParts } from './parts.ts';

export interface SearchJobDeps extends SearchParts {
  readonly log: Log;
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
}

/** Jobs of this family by kind, for the worker. */
export function searchJobs(deps: SearchJobDeps): Record<string, JobHandler> {
  return {
    [calibrateKind]: {
      async run([job], { signal }) {
        const { appKey, payload } = job as Job<CalibratePayload>;
        const grant = appKey === null ? undefined : await deps.jobGrant(appKey);
        const index = grant && (await deps.vectors.open(grant, payload.modelVersionKey));
        if (!grant || !index || index.size < sampleMin) return;
        const { scores, sampleSize } = await scoresOfPairs(index, signal);
        if (scores.length === 0) return;
        const found = calibrate(scores);
        await putCalibration(deps.db, grant, payload.modelVersionKey, {
          ...found,
          sampleSize,
          vectors: index.size,
        });
      },
    },
    [metricsKind]: {
      async run([job], { signal }) {
        const { appKey, payload } = job as Job<MetricsPayload>;
        const grant = appKey === null ? undefined : await deps.jobGrant(appKey);
        if (grant) await compareSearches(deps, grant, payload.id, signal);
      },
      async onDead({ appKey, payload }, error) {
        const grant = appKey === null ? undefined : await deps.jobGrant(appKey);
        deps.log.error({ error }, 'two searches could not be compared');
        const words = 'The searches could not be compared after several tries; the log says why.';
        if (grant) await failComparison(deps, grant, payload.id, words);
      },
    },
  };
}

/** Scores of all pairs of a sample spread evenly over the index, which is as good as chance: keys say when, not what. */
async function scoresOfPairs(
  index: VectorIndex,
  signal: AbortSignal,
): Promise<{ scores: number[]; sampleSize: number }> {
  const keys = index.keys();
  const size = Math.min(sampleMax, keys.length);
  const sample = Float64Array.from(
    { length: size },
    (_, i) => keys[Math.floor((i * keys.length) / size)] as number,
  );
  const scores: number[] = [];
  for (const [i, key] of sample.entries()) {
    signal.throwIfAborted();
    const vector = index.vectorOf(key);
    if (!vector || i + 1 === size) continue;
    const cosines = await index.scoreAll(vector, sample.slice(i + 1));
    for (const cosine of cosines) if (!Number.isNaN(cosine)) scores.push((1 + cosine) / 2);
  }
  return { scores, sampleSize: size };
}
