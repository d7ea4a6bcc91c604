import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

export const conceptFault = {
  invalid: (details: string) => new Fault('bad_request', StatusCode.CONCEPTS_INVALID_REQUEST, details),
  /** Official tests look for the word `duplicate` in the details. */
  duplicate: (id: string) =>
    new Fault(
      'bad_request',
      StatusCode.CONCEPTS_INVALID_REQUEST,
      `duplicate concept: the id '${id}' exists already in this app; use PatchConcepts to change it.`,
    ),
  missing: (id: string) =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, `There is no concept '${id}' in this app.`),
  missingLanguage: (conceptId: string, id: string) =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      `The concept '${conceptId}' has no language '${id}'.`,
    ),
} as const;
