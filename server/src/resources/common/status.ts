import { StatusCode, statusCodeRules } from '@fovea/contract';
import type { Fault } from '#domain/fault.ts';

export interface StatusInit {
  code: StatusCode;
  description: string;
  details?: string;
}

/** A nested status: the code's fixed description, and words for this occasion. */
export const status = (code: StatusCode, details?: string): StatusInit => ({
  code,
  description: statusCodeRules.get(code)?.description ?? '',
  ...(details ? { details } : {}),
});

export const statusOfFault = (fault: Fault): StatusInit => status(fault.code as StatusCode, fault.details);

/**
 * Top status of a batch whose items carry their own: all good, some good, none good (SEMANTICS 1.5).
 * An empty batch is a success.
 */
export function batchStatus(outcomes: readonly boolean[]): StatusInit {
  if (outcomes.every(Boolean)) return status(StatusCode.SUCCESS);
  return status(outcomes.some(Boolean) ? StatusCode.MIXED_STATUS : StatusCode.FAILURE);
}
