import type { Rpcs } from '@fovea/contract/rest';
import { useSyncExternalStore } from 'react';

/** A call that this screen made, as the code dialog shows it. */
export interface CallRecord {
  readonly rpc: keyof Rpcs | undefined;
  readonly request: object | undefined;
  readonly verb: string;
  readonly path: string;
  readonly body: object | undefined;
  readonly durationMs: number;
  readonly http: number;
  readonly requestId: string;
}

const recordsMax = 20;
let records: readonly CallRecord[] = [];
const listeners = new Set<() => void>();

export function recordCall(record: CallRecord): void {
  const short = { ...record, request: shortened(record.request), body: shortened(record.body) };
  records = [short, ...records].slice(0, recordsMax);
  for (const listener of listeners) listener();
}

/** Newest first. */
export function useCallRecords(): readonly CallRecord[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => records,
  );
}

/** A body as it is remembered and shown: long texts, such as pictures, are cut. */
function shortened(body: object | undefined): object | undefined {
  if (body === undefined) return undefined;
  const cut = (_key: string, value: unknown) =>
    typeof value === 'string' && value.length > 400 ? `${value.slice(0, 24)}…` : value;
  return JSON.parse(JSON.stringify(body, cut)) as object;
}
