import { create } from '@bufbuild/protobuf';
import { type Dataset, DatasetSchema, type DatasetVersion } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { showTime, showVisibility, unpackBody } from '../common/translate.ts';
import type { DatasetRow } from './dataset.ts';

export const showDataset = (row: DatasetRow, grant: AppGrant, version?: DatasetVersion): Dataset =>
  create(DatasetSchema, {
    ...unpackBody(DatasetSchema, row.body),
    id: row.id,
    createdAt: showTime(row.createdAt),
    modifiedAt: showTime(row.modifiedAt),
    appId: grant.appId,
    userId: grant.userId,
    visibility: showVisibility(row.visibility),
    version,
  });
