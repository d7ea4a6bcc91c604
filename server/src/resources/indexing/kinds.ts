import type { AppGrant } from '#domain/grant.ts';
import type { NewJob } from '#jobs/index.ts';

export const annotationsKind = 'index.annotations';
export const appKind = 'index.app';
export const workflowKind = 'index.workflow';

export interface AnnotationsPayload {
  readonly annotationKeys: readonly number[];
}

export interface AppPayload {
  readonly afterKey: number;
  /** The embedder that the walk is for; undefined at its start. */
  readonly modelVersionKey?: number;
}

export interface WorkflowPayload {
  readonly inputKeys: readonly number[];
}

const annotationsPerJob = 32;

export function annotationJobs(grant: AppGrant, annotationKeys: readonly number[]): NewJob[] {
  return Array.from({ length: Math.ceil(annotationKeys.length / annotationsPerJob) }, (_, i) => ({
    kind: annotationsKind,
    payload: {
      annotationKeys: annotationKeys.slice(i * annotationsPerJob, (i + 1) * annotationsPerJob),
    } satisfies AnnotationsPayload,
    appKey: grant.appKey,
    priority: -1,
  }));
}

/** The start of a walk over an app: one waits at a time. */
export const appJob = (grant: AppGrant): NewJob => ({
  kind: appKind,
  key: `${grant.appKey}`,
  payload: { afterKey: 0 } satisfies AppPayload,
  appKey: grant.appKey,
  priority: -2,
});

/**
 * The next step of a walk. Its key is not that of a start: a step would put its place into a start that waits, and
 * the new walk would leave out all that the old one has passed.
 */
export const appStepJob = (grant: AppGrant, modelVersionKey: number, afterKey: number): NewJob => ({
  ...appJob(grant),
  key: `${grant.appKey}/${modelVersionKey}`,
  payload: { afterKey, modelVersionKey } satisfies AppPayload,
});
