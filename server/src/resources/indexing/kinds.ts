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

/** One walk per app waits at a time; asking again starts it over. */
export const appJob = (grant: AppGrant, afterKey: number): NewJob => ({
  kind: appKind,
  key: `${grant.appKey}`,
  payload: { afterKey } satisfies AppPayload,
  appKey: grant.appKey,
  priority: -2,
});
