import type { AppGrant } from '#domain/grant.ts';
import type { VectorStoreKind } from '#domain/vector-store.ts';
import type { NewJob } from '#jobs/index.ts';

export const buildKind = 'vectors.build';
export const checkKind = 'vectors.check';
export const sweepKind = 'vectors.sweep';

export interface BuildPayload {
  readonly modelVersionKey: number;
  readonly store: VectorStoreKind;
}

export interface CheckPayload {
  readonly checkKey: number;
}

export const buildJob = (grant: AppGrant, modelVersionKey: number, store: VectorStoreKind): NewJob => ({
  kind: buildKind,
  key: `${grant.appKey}/${modelVersionKey}/${store}`,
  payload: { modelVersionKey, store } satisfies BuildPayload,
  appKey: grant.appKey,
  priority: -2,
});

export const checkJob = (grant: AppGrant, checkKey: number): NewJob => ({
  kind: checkKind,
  key: String(checkKey),
  payload: { checkKey } satisfies CheckPayload,
  appKey: grant.appKey,
});
