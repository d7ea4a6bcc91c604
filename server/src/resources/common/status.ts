import { type Status, StatusCode, statusCodeRules } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

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

/** How an item of a batch ended: true, or what is wrong with it. */
export type ItemOutcome = true | Pick<StatusInit, 'description' | 'details'>;

/**
 * Top status of a batch whose items carry their own: all good, some good, none good (SEMANTICS 1.5). It says of the
 * first item in trouble what is wrong, for those who read no further. An empty batch is a success.
 */
export function batchStatus(outcomes: readonly ItemOutcome[]): StatusInit {
  const trouble = outcomes.find((outcome) => outcome !== true);
  if (!trouble) return status(StatusCode.SUCCESS);
  const { description, details } = trouble;
  const words = [description, details].filter(Boolean).join(': ');
  return status(outcomes.includes(true) ? StatusCode.MIXED_STATUS : StatusCode.FAILURE, words);
}

/** How an item ended that is a fault, or whatever came of it. */
export const unlessFault = (made: unknown): ItemOutcome =>
  made instanceof Fault ? statusOfFault(made) : true;

/** The same of a status that an item came back with. */
export const outcomeOf = (status: Status | undefined): ItemOutcome =>
  status?.code === StatusCode.SUCCESS ? true : { description: '', ...status };
