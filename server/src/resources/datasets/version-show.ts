import { fromBinary } from '@bufbuild/protobuf';
import {
  type DatasetVersion,
  DatasetVersionMetricsSchema,
  type DatasetVersionRequestOrigin,
  DatasetVersionSchema,
  type StatusCode,
} from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { status } from '../common/status.ts';
import { completed, showTime, showVisibility } from '../common/translate.ts';
import type { DatasetParts } from './deps.ts';
import { exportInfosOf, type ShownExportInfo } from './export/handlers.ts';
import type { VersionRow } from './version.ts';
import { latestVersions, versionStatus } from './version-store.ts';

/** Versions as the contract shows them, with their exports. */
export async function showVersions(
  means: Pick<DatasetParts, 'db' | 'publicUrl'>,
  grant: AppGrant,
  rows: readonly VersionRow[],
): Promise<DatasetVersion[]> {
  // Archives hold inputs, and those are for members alone.
  const infos = grant.isMember ? await exportInfosOf(means, grant, rows) : undefined;
  return rows.map((row) => showVersion(row, grant, infos?.get(row.key)));
}

const showVersion = (
  row: VersionRow,
  grant: AppGrant,
  exportInfo: ShownExportInfo | undefined,
): DatasetVersion =>
  completed(DatasetVersionSchema, row.body, {
    id: row.id,
    createdAt: showTime(row.createdAt),
    modifiedAt: showTime(row.modifiedAt),
    appId: grant.appId,
    userId: grant.userId,
    datasetId: row.datasetId,
    status: {
      ...status(row.statusCode as StatusCode, row.statusDetails),
      ...(row.statusCode === versionStatus.inProgress ? { percentCompleted: row.percentCompleted } : {}),
    },
    visibility: showVisibility(row.visibility),
    requestOrigin: row.requestOrigin as DatasetVersionRequestOrigin,
    metrics: metricsOf(row),
    ...(exportInfo ? { exportInfo } : {}),
  });

function metricsOf(row: VersionRow): DatasetVersion['metrics'] {
  if (row.metricsBySplit) return fromBinary(DatasetVersionSchema, row.metricsBySplit).metrics;
  return row.metrics ? { '': fromBinary(DatasetVersionMetricsSchema, row.metrics) } : {};
}

/** The latest version of each dataset, by dataset row key. */
export async function showVersionsOf(
  means: Pick<DatasetParts, 'db' | 'publicUrl'>,
  grant: AppGrant,
  datasets: readonly { key: number }[],
): Promise<Map<number, DatasetVersion>> {
  if (datasets.length === 0) return new Map();
  const rows = await latestVersions(
    means.db,
    grant,
    datasets.map(({ key }) => key),
  );
  const shown = await showVersions(means, grant, rows);
  return new Map(rows.map((row, i) => [row.datasetKey, shown[i] as DatasetVersion]));
}
