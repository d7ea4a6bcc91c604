import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

/** Faults that read the same in every family. */
export const commonFault = {
  /** The contract answers 11101 for anything missing but models (SEMANTICS 1.2). */
  missing: (what: string, id: string) =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, `There is no ${what} '${id}' here.`),
  invalid: (details: string, code: StatusCode = StatusCode.CONN_INVALID_REQUEST) =>
    new Fault('bad_request', code, details),
  duplicateId: (what: string, id: string, code: StatusCode = StatusCode.DATABASE_DUPLICATE_KEY) =>
    new Fault('bad_request', code, `duplicate: a ${what} with the id '${id}' exists already.`),
  unknownAction: (action: string, known: readonly string[]) =>
    new Fault(
      'bad_request',
      StatusCode.CONN_INVALID_REQUEST,
      `Invalid action: Unrecognized action '${action}'. Use one of: ${known.join(', ')}.`,
    ),
  tooMany: (field: string, n: number, max: number) =>
    new Fault(
      'bad_request',
      StatusCode.CONN_INVALID_REQUEST,
      `${field} holds ${n} items; at most ${max} go into one request.`,
    ),
  membersOnly: (what: string) =>
    new Fault(
      'forbidden',
      StatusCode.CONN_INSUFFICIENT_SCOPES,
      `Only the owner and collaborators of this app may ${what}.`,
    ),
  scopeNeeded: (scope: string, why: string) =>
    new Fault(
      'forbidden',
      StatusCode.CONN_INSUFFICIENT_SCOPES,
      `This key lacks the scope ${scope}, needed ${why}.`,
    ),
  profilePrivate: () =>
    new Fault(
      'bad_request',
      StatusCode.CONN_INVALID_REQUEST,
      'To make this public, the user profile has to be set public first.',
    ),
} as const;
