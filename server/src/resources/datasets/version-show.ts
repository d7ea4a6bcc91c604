import { create, fromBinary } from '@bufbuild/protobuf';
import {
  type DatasetVersion,
  DatasetVersionMetricsSchema,
  type DatasetVersionRequestOrigin,
  DatasetVersionSchema,
  type StatusCode,
  StatusSchema,
} from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import { status } from '../common/status.ts';
import { showTime, showVisibility, unpackBody } from '../common/translate.ts';
import type { VersionRow } from './version.ts';
import { latestVersions, versionStatus } from './version-store.ts';

export const showVersion = (row: VersionRow, grant: AppGrant): DatasetVersion =>
  create(DatasetVersionSchema, {
    ...unpackBody(DatasetVersionSchema, row.body),
    id: row.id,
    createdAt: showTime(row.createdAt),
    modifiedAt: showTime(row.modifiedAt),
    appId: grant.appId,
    userId: grant.userId,
    datasetId: row.datasetId,
    status: create(StatusSchema, {
      ...status(row.statusCode as StatusCode, row.statusDetails),
      ...(row.statusCode === versionStatus.inProgress ? { percentCompleted: row.percentCompleted } : {}),
    }),
    visibility: showVisibility(row.visibility),
    requestOrigin: row.requestOrigin as DatasetVersionRequestOrigin,
    metrics: metricsOf(row),
  });

function metricsOf(row: VersionRow): DatasetVersion['metrics'] {
  if (row.metricsBySplit) return fromBinary(DatasetVersionSchema, row.metricsBySplit).metrics;
  return row.metrics ? { '': fromBinary(DatasetVersionMetricsSchema, row.metrics) } : {};
}

/** The latest version of each dataset, by dataset row key. */
export async function showVersionsOf(
  db: Db,
  grant: AppGrant,
  datasets: readonly { key: number }[],
): Promise<Map<number, DatasetVersion>> {
  if (datasets.length === 0) return new Map();
  const rows = await latestVersions(
    db,
    grant,
    datasets.map(({ key }) => key),
  );
  return new Map(rows.map((row) => [row.datasetKey, showVersion(row, grant)]));
}
