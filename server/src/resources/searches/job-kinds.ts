import type { AppGrant } from '#domain/grant.ts';
import type { NewJob } from '#jobs/index.ts';

export const calibrateKind = 'searches.calibrate';

export interface CalibratePayload {
  readonly modelVersionKey: number;
}

/** One waits at a time for each app and embedder. */
export const calibrationJob = (grant: AppGrant, modelVersionKey: number): NewJob => ({
  kind: calibrateKind,
  key: `${grant.appKey}/${modelVersionKey}`,
  payload: { modelVersionKey } satisfies CalibratePayload,
  appKey: grant.appKey,
  priority: -3,
});

/** Changes that no process asks for any more are forgotten. */
export const sweepKind = 'searches.sweep';

export const metricsKind = 'searches.compare';

export interface MetricsPayload {
  readonly id: string;
}

export const metricsJob = (grant: AppGrant, id: string): NewJob => ({
  kind: metricsKind,
  payload: { id } satisfies MetricsPayload,
  appKey: grant.appKey,
  priority: -1,
});
