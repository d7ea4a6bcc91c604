import { create } from '@bufbuild/protobuf';
import { type StatusCode, type Upload, UploadSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { status } from '../common/status.ts';
import { showTime } from '../common/translate.ts';
import { contentPath } from './content-url.ts';
import { uploadFault } from './faults.ts';
import type { NewUpload, UploadRow } from './store.ts';
import { uploadStatus } from './upload.ts';

const nameLengthMax = 1024;

/** @throws Fault naming the field */
export function readUpload(wire: Upload, uploadBytesMax: number): NewUpload {
  const trouble = idTrouble(wire.id, 'upload');
  if (trouble) throw uploadFault.invalid(trouble);
  if (wire.contentName.length > nameLengthMax)
    throw uploadFault.invalid(`content_name is longer than ${nameLengthMax} characters.`);
  if (wire.contentLength === 0n)
    throw uploadFault.invalid('content_length is 0; say how many bytes the content has.');
  if (wire.contentLength > BigInt(uploadBytesMax))
    throw uploadFault.tooLarge(Number(wire.contentLength), uploadBytesMax);
  return {
    id: wire.id || newId(),
    folder: newId(),
    contentName: wire.contentName,
    contentLength: Number(wire.contentLength),
  };
}

export function showUpload(row: UploadRow, grant: AppGrant, publicUrl: string): Upload {
  return create(UploadSchema, {
    id: row.id,
    createdAt: showTime(row.createdAt),
    modifiedAt: showTime(row.modifiedAt),
    expiresAt: showTime(row.expiresAt),
    status: status(row.statusCode as StatusCode, progressOf(row)),
    contentName: row.contentName,
    contentLength: BigInt(row.contentLength),
    ...(row.statusCode === uploadStatus.done
      ? { contentUrl: `${publicUrl}${contentPath(grant, row.id)}` }
      : {}),
  });
}

/** The contract has no field for how far an upload is; the details say it. */
function progressOf({ statusCode, receivedBytes, contentLength }: UploadRow): string | undefined {
  if (statusCode !== uploadStatus.inProgress) return undefined;
  return `${receivedBytes} of ${contentLength} bytes have arrived.`;
}
