import type { AppGrant } from '#domain/grant.ts';
import { enqueue, type NewJob } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';

export const extractKind = 'extraction.extract';
export const freeKind = 'extraction.free';
export const sweepKind = 'extraction.sweep';
export const callBackKind = 'extraction.callBack';

/** Folder of archives that are being unpacked, and of nothing else. */
export const scratchPrefix = 'extraction/';

export interface KeyPayload {
  readonly jobKey: number;
}

/** Lets a job begin, or go on, when the transaction commits. */
export const startJob = (tx: Tx, grant: AppGrant, jobKey: number): Promise<void> =>
  enqueue(tx, {
    kind: extractKind,
    key: String(jobKey),
    payload: { jobKey } satisfies KeyPayload,
    appKey: grant.appKey,
    priority: -5,
    maxAttempts: 3,
  });

/** Deletes the copy of an archive that no row speaks of any more. */
export const freeingJob = (object: string): NewJob => ({
  kind: freeKind,
  payload: { object },
  priority: -10,
});

export const callBackJob = (grant: AppGrant, jobKey: number, runAt?: Date): NewJob => ({
  kind: callBackKind,
  key: String(jobKey),
  payload: { jobKey } satisfies KeyPayload,
  appKey: grant.appKey,
  ...(runAt ? { runAt } : {}),
});
