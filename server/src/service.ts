import type { Service } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { Deps } from '#resources/common/deps.ts';
import { conceptHandlers } from '#resources/concepts/index.ts';
import { notYet } from '#resources/not-yet.ts';
import { statusCodeHandlers } from '#resources/status-codes/index.ts';

/** The whole service in one expression: an RPC that nobody answers, and that is not listed as missing, does not compile. */
export function openService(deps: Deps): Service<Call> {
  return {
    ...notYet,
    ...statusCodeHandlers(),
    ...conceptHandlers(deps),
  } satisfies Service<Call>;
}
