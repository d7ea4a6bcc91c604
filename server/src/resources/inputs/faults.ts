import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

export const inputFault = {
  missing: (id: string) =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, `There is no input '${id}' in this app.`),
  missingCursor: (id: string) =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      `last_id: there is no input '${id}' any more; go on from the one before, or order by id.`,
    ),
  noSuchTask: (id: string) =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      `There is no task '${id}' that anything was labeled for in this app.`,
    ),
  noSuchLabeler: (id: string) =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, `user_ids: there is no user '${id}'.`),
  missingJob: (id: string) =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, `There is no inputs add job '${id}' in this app.`),
  invalid: (details: string) => new Fault('bad_request', StatusCode.INPUT_INVALID_ARGUMENT, details),
  invalidRequest: (details: string) => new Fault('bad_request', StatusCode.CONN_INVALID_REQUEST, details),
  /** Compared word for word by official clients (SEMANTICS 1.6). */
  duplicateId: () => new Fault('bad_request', StatusCode.DATABASE_DUPLICATE_KEY, 'Input has a duplicate ID.'),
  duplicateUrl: (url: string) =>
    new Fault(
      'bad_request',
      StatusCode.INPUT_DUPLICATE,
      `An input with the URL ${shortened(url)} is in this app already; set allow_duplicate_url to add it again.`,
    ),
  badUrl: (url: string, why: string) =>
    new Fault('bad_request', StatusCode.INPUT_INVALID_URL, `The URL ${shortened(url)} ${why}.`),
  invalidUrl: (details: string) => new Fault('bad_request', StatusCode.INPUT_INVALID_URL, details),
  overLimit: (details: string) => new Fault('too_large', StatusCode.INPUT_OVER_LIMIT, details),
  /** The host answered, but not with the file. */
  notDelivered: (details: string) =>
    new Fault('bad_request', StatusCode.INPUT_FAILED, `The download failed: ${details} Check the URL.`),
  unreachable: (details: string, cause?: unknown) =>
    new Fault('bad_request', StatusCode.INPUT_CONNECTION_FAILED, details, { cause }),
  tooManyBytes: (what: string, bytesMax: number) =>
    new Fault(
      'too_large',
      StatusCode.INPUT_OVER_LIMIT,
      `The ${what} is larger than ${Math.floor(bytesMax / 1e6)} MB, the most that is accepted.`,
    ),
  notText: () =>
    new Fault(
      'bad_request',
      StatusCode.ALL_INPUT_INVALID_BYTES,
      'The bytes are no text in any encoding that this server knows; UTF-8 is best.',
    ),
  /** Ours to look after: worth another try and a line in the log. */
  broken: (details: string) => new Fault('internal', StatusCode.INPUT_FAILED, details),
  noSuchDataset: (id: string) =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      `dataset_ids: there is no dataset '${id}' in this app.`,
    ),
} as const;

function shortened(url: string): string {
  return url.length > 200 ? `${url.slice(0, 200)}…` : url;
}
