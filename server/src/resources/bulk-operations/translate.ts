import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type BulkOperation, BulkOperationSchema, type StatusCode, StatusSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { status } from '../common/status.ts';
import { showTime } from '../common/translate.ts';
import type { OperationRow } from './store.ts';

export const packOperation = (operation: BulkOperation): Buffer =>
  Buffer.from(toBinary(BulkOperationSchema, operation));

export const unpackOperation = (body: Uint8Array): BulkOperation => fromBinary(BulkOperationSchema, body);

/** `progress` is there from the start: readers look for its zeros (SEMANTICS trap 40). */
export function showOperation(row: OperationRow, grant: AppGrant): BulkOperation {
  return {
    ...unpackOperation(row.body),
    id: row.id,
    appId: grant.appId,
    status: create(StatusSchema, status(row.statusCode as StatusCode, row.statusDetails)),
    progress: {
      $typeName: 'clarifai.api.Progress',
      processed: row.processed,
      lastProcessedId: row.lastProcessedId,
    },
    createdBy: row.createdBy,
    createdAt: showTime(row.createdAt),
    lastModifiedAt: showTime(row.modifiedAt),
  };
}
