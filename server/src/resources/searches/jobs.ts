import type { AppGrant } from '#domain/grant.ts';
import type { VectorCollection, VectorPage } from '#domain/vector-store.ts';
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
  index: VectorCollection,
  signal: AbortSignal,
): Promise<{ scores: number[]; sampleSize: number }> {
  const sample = await sampleOf(index, signal);
  const size = sample.keys.length;
  const scores: number[] = [];
  for (let i = 0; i + 1 < size; i++) {
    signal.throwIfAborted();
    const vector = sample.vectors.slice(i * index.dims, (i + 1) * index.dims);
    const cosines = await index.scoreAll(vector, sample.keys.slice(i + 1));
    for (const cosine of cosines) if (!Number.isNaN(cosine)) scores.push((1 + cosine) / 2);
  }
  return { scores, sampleSize: size };
}

/** Vectors spread evenly over the index, in the order of their keys. */
async function sampleOf(index: VectorCollection, signal: AbortSignal): Promise<VectorPage> {
  const step = Math.max(1, index.size / sampleMax);
  const keys: number[] = [];
  const rows: Float32Array[] = [];
  for (let after = -1, seen = 0; ; ) {
    signal.throwIfAborted();
    const page = await index.page(after, pageRows);
    for (const [i, key] of page.keys.entries()) {
      if (seen + i < keys.length * step || keys.length === sampleMax) continue;
      keys.push(key);
      rows.push(page.vectors.subarray(i * index.dims, (i + 1) * index.dims));
    }
    seen += page.keys.length;
    if (page.keys.length < pageRows) break;
    after = page.keys.at(-1) as number;
  }
  const vectors = new Float32Array(keys.length * index.dims);
  for (const [i, row] of rows.entries()) vectors.set(row, i * index.dims);
  return { keys: Float64Array.from(keys), vectors };
}

const pageRows = 4_096;
