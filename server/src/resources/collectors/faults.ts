import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

export const collectorFault = {
  invalid: (details: string) => new Fault('bad_request', StatusCode.CONN_INVALID_REQUEST, details),
  missing: (id: string) =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, `There is no collector '${id}' in this app.`),
  duplicate: (id: string) =>
    new Fault(
      'bad_request',
      StatusCode.DATABASE_DUPLICATE_KEY,
      `duplicate: a collector with the id '${id}' exists already.`,
    ),
} as const;
