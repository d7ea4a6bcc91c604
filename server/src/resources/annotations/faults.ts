import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

export const annotationFault = {
  invalid: (details: string) => new Fault('bad_request', StatusCode.ANNOTATION_INVALID_ARGUMENT, details),
  missing: (id: string, inputId: string) =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      inputId === ''
        ? `There is no annotation '${id}' in this app.`
        : `The input '${inputId}' has no annotation '${id}'.`,
    ),
  missingInput: (id: string) =>
    new Fault(
      'bad_request',
      StatusCode.ANNOTATION_INVALID_ARGUMENT,
      `input_id: there is no input '${id}' in this app.`,
    ),
  duplicate: (id: string, inputId: string) =>
    new Fault(
      'bad_request',
      StatusCode.DATABASE_DUPLICATE_KEY,
      `duplicate: the input '${inputId}' has an annotation with the id '${id}' already.`,
    ),
  pageTooLarge: (n: number, bytes: number) =>
    new Fault(
      'bad_request',
      StatusCode.RPC_MAX_MESSAGE_SIZE_EXCEEDED,
      `These ${n} annotations hold ${Math.round(bytes / 1024 / 1024)} MiB, mostly masks; ask for fewer with per_page.`,
    ),
  tooLargeAtOnce: (n: number, bytes: number) =>
    new Fault(
      'bad_request',
      StatusCode.RPC_MAX_MESSAGE_SIZE_EXCEEDED,
      `These ${n} annotations hold ${Math.round(bytes / 1024 / 1024)} MiB, mostly masks; patch fewer at once.`,
    ),
  othersName: () =>
    new Fault(
      'forbidden',
      StatusCode.ANNOTATION_PERMISSION_DENIED,
      'worker: only the owner of the app may make annotations in the name of another user.',
    ),
  ambiguousWorker: (kind: 'model' | 'workflow', id: string) =>
    new Fault(
      'bad_request',
      StatusCode.ANNOTATION_INVALID_ARGUMENT,
      `worker.${kind}: there are several ${kind} versions '${id}'; name worker.${kind}.id, and its app_id and user_id where that is not enough.`,
    ),
  unknownWorker: (kind: 'user' | 'model' | 'workflow', id: string) =>
    new Fault(
      'bad_request',
      StatusCode.ANNOTATION_INVALID_ARGUMENT,
      kind === 'user'
        ? `worker.user.id: there is no user '${id}'.`
        : `worker.${kind}: there is no ${kind} version '${id}' that you may use.`,
    ),
} as const;
