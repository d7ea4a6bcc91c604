import type { AppGrant } from '#domain/grant.ts';
import type { Job, JobHandler, Periodic } from '#jobs/index.ts';
import type { Log } from '#store/log.ts';
import { sampleMax, sampleMin } from './calibration.ts';
import { takeCalibration } from './calibration-store.ts';
import { compareSearches, failComparison } from './compare.ts';
import { forgetOldChanges } from './filter-keys.ts';
import {
  type CalibratePayload,
  calibrateKind,
  type MetricsPayload,
  metricsKind,
  sweepKind,
} from './job-kinds.ts';
import type { SearchParts } from './parts.ts';

export interface SearchJobDeps extends SearchParts {
  readonly log: Log;
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
}

export const searchPeriodicJobs: readonly Periodic[] = [{ kind: sweepKind, everyMs: 900_000 }];

/** Jobs of this family by kind, for the worker. */
export function searchJobs(deps: SearchJobDeps): Record<string, JobHandler> {
  return {
    [calibrateKind]: {
      async run([job], { signal }) {
        const { appKey, payload } = job as Job<CalibratePayload>;
        const grant = appKey === null ? undefined : await deps.jobGrant(appKey);
        const index = grant && (await deps.vectors.open(grant, payload.modelVersionKey));
        if (!grant || !index || index.size < sampleMin) return;
        await takeCalibration(deps.db, grant, payload.modelVersionKey, index, sampleMax, signal);
      },
    },
    [sweepKind]: {
      run: () => forgetOldChanges(deps.db),
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
