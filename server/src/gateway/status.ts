import { StatusCode, statusCodeRules } from '@fovea/contract';
import { isDatabaseAway } from '#domain/database-away.ts';
import { Fault, type FaultKind } from '#domain/fault.ts';

/** The contract's Status, as a plain init object. */
export interface StatusInit {
  code: StatusCode;
  description: string;
  details?: string;
  reqId?: string;
}

/** The fixed description of a code (SEMANTICS 1.7) with the details of this occasion. */
export const statusOf = (code: StatusCode, details?: string): StatusInit => ({
  code,
  description: statusCodeRules.get(code)?.description ?? '',
  ...(details ? { details } : {}),
});

const httpOfKind: Record<FaultKind, number> = {
  bad_request: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  too_large: 413,
  throttled: 429,
  busy: 503,
  unavailable: 503,
  not_implemented: 501,
  moved: 307,
  internal: 500,
};

/** HTTP number of a reply. Codes set by handlers themselves are successes, mixtures or whole-batch failures. */
export function httpStatusOf(code: StatusCode, kind?: FaultKind): number {
  if (kind) return httpOfKind[kind];
  if (code === StatusCode.MIXED_STATUS) return 207;
  if (code === StatusCode.FAILURE) return 400;
  return 200;
}

/** Turns anything thrown into a fault; what is not one of ours is an internal error with the words kept for the log. */
export function asFault(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown;
  if (isStatementTimeout(thrown)) {
    return new Fault(
      'unavailable',
      StatusCode.INTERNAL_UNCATEGORIZED,
      'The request took too long and was stopped; narrow it down.',
      {
        cause: thrown,
      },
    );
  }
  if (isStoreAway(thrown)) {
    return new Fault(
      'unavailable',
      StatusCode.RPC_SERVER_UNAVAILABLE,
      'The object store does not answer, or refuses; the request may have been done or not. Try again.',
      { cause: thrown },
    );
  }
  if (isDatabaseAway(thrown)) {
    return new Fault(
      'unavailable',
      StatusCode.RPC_SERVER_UNAVAILABLE,
      'The database is away for a moment; the request may have been done or not. Try again.',
      { cause: thrown },
    );
  }
  if (isDiskFull(thrown)) {
    return new Fault(
      'busy',
      StatusCode.INTERNAL_RESOURCE_EXHAUSTED,
      'The server has no room left to store this, and stored nothing of it. Its operator has to make room.',
      { cause: thrown, log: 'the disk is full' },
    );
  }
  return new Fault(
    'internal',
    StatusCode.INTERNAL_UNCATEGORIZED,
    'Something went wrong on the server; the request id helps to find it in the log.',
    {
      log: thrown instanceof Error ? thrown.message : String(thrown),
      cause: thrown,
    },
  );
}

/** The S3 client marks what it throws, whether the store refused or was not reached, when it has tried often enough. */
const isStoreAway = (thrown: unknown): boolean =>
  typeof thrown === 'object' && thrown !== null && '$metadata' in thrown;

/** Of the file system, a quota, or PostgreSQL. */
const isDiskFull = (thrown: unknown): boolean =>
  ['ENOSPC', 'EDQUOT', '53100'].includes(String((thrown as { code?: unknown } | null)?.code));

const isStatementTimeout = (thrown: unknown): boolean =>
  typeof thrown === 'object' && thrown !== null && (thrown as { code?: unknown }).code === '57014';
