import type { AppGrant } from '#domain/grant.ts';
import type { NewJob } from '#jobs/index.ts';

export const annotationsKind = 'index.annotations';
export const appKind = 'index.app';
export const embedderKind = 'index.embedder';
export const workflowKind = 'index.workflow';

export interface AnnotationsPayload {
  readonly annotationKeys: readonly number[];
}

export interface AppPayload {
  /** Of the reindexing that it is a step of. */
  readonly generation: number;
}

export interface WorkflowPayload {
  readonly inputKeys: readonly number[];
}

const annotationsPerJob = 512;

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

/** The next step of a change of the embedder, if there is one: a single one waits at a time. */
export const embedderJob = (grant: AppGrant, runAt?: Date): NewJob => ({
  kind: embedderKind,
  key: String(grant.appKey),
  appKey: grant.appKey,
  priority: -2,
  ...(runAt && { runAt }),
});

/** The next step of a reindexing: one waits at a time, and those of an older generation never stand for it. */
export const reindexStepJob = (grant: AppGrant, generation: number): NewJob => ({
  kind: appKind,
  key: `${grant.appKey}/${generation}`,
  payload: { generation } satisfies AppPayload,
  appKey: grant.appKey,
  priority: -2,
});
