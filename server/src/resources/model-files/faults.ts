import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

export const modelFileFault = {
  noConfig: () =>
    new Fault(
      'bad_request',
      StatusCode.CONN_INVALID_REQUEST,
      'The first message must be upload_config; content_part messages follow it.',
    ),
  badSize: (bytesMax: number) =>
    new Fault(
      'too_large',
      StatusCode.CONN_INVALID_REQUEST,
      `upload_config.total_size must be between 1 and ${bytesMax} bytes.`,
    ),
  otherSize: (total: number) =>
    new Fault(
      'bad_request',
      StatusCode.UPLOAD_FAILED,
      `upload_config.total_size differs from the ${total} bytes that this upload was begun with.`,
    ),
  notUploading: (id: string) =>
    new Fault(
      'bad_request',
      StatusCode.DATABASE_DUPLICATE_KEY,
      `duplicate: the model has a version '${id}', which waits for no upload. Choose another id, or leave it out.`,
    ),
  tooMuch: (total: number) =>
    new Fault(
      'bad_request',
      StatusCode.UPLOAD_FAILED,
      `The parts hold more than the ${total} bytes that were announced. The last part was not taken; what came before is kept.`,
    ),
  emptyPart: () => new Fault('bad_request', StatusCode.UPLOAD_FAILED, 'content_part.data is empty.'),
  noExport: () =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      'This model version was not exported yet; ask for it with PutModelVersionExports.',
    ),
} as const;

/** What is wrong with an upload, in words for its owner. */
export class BuildTrouble extends Error {}
