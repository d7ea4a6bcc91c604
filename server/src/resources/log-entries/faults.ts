import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

const invalid = (details: string) => new Fault('bad_request', StatusCode.CONN_INVALID_REQUEST, details);

export const logFault = {
  unknownType: (type: string, known: readonly string[]) =>
    invalid(`log_type is '${type}'; use one of: ${known.join(', ')}.`),
  nothingNamed: () =>
    invalid(
      'Name what the logs are of: model_id and model_version_id, or ids of a compute cluster, pipeline or pipeline step.',
    ),
  noEntries: () => invalid('log_entries is empty; send at least one.'),
  tooLong: (index: number, length: number, max: number) =>
    invalid(`log_entries[${index}].message has ${length} characters; at most ${max} are kept.`),
  notYours: (index: number, userId: string) =>
    new Fault(
      'forbidden',
      StatusCode.CONN_INSUFFICIENT_SCOPES,
      `log_entries[${index}].meta names the user '${userId}'; lines are posted about one's own.`,
    ),
} as const;
