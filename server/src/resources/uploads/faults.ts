import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import { commonFault } from '../common/faults.ts';

export const uploadFault = {
  missing: (id: string) => commonFault.missing('upload', id),
  duplicateId: (id: string) => commonFault.duplicateId('upload', id),
  invalid: (details: string) => commonFault.invalid(details),
  tooLarge: (contentLength: number, bytesMax: number) =>
    new Fault(
      'too_large',
      StatusCode.CONN_INVALID_REQUEST,
      `content_length is ${contentLength}; an upload may have up to ${bytesMax} bytes.`,
    ),
  quota: (bytesMax: number) =>
    new Fault(
      'too_large',
      StatusCode.CONN_INVALID_REQUEST,
      `With this, the uploads of the app would have more than ${bytesMax} bytes; delete some, or let them expire.`,
    ),
  conflict: (details: string) => new Fault('bad_request', StatusCode.UPLOAD_CONFLICT, details),
  expired: (id: string) =>
    new Fault('bad_request', StatusCode.UPLOAD_EXPIRED, `The upload '${id}' has expired; begin a new one.`),
  canceled: (id: string) =>
    new Fault('bad_request', StatusCode.UPLOAD_CANCELED, `The upload '${id}' was canceled; begin a new one.`),
  damaged: (details: string) => new Fault('internal', StatusCode.UPLOAD_UNEXPECTED_ERROR, details),
} as const;
