import { randomBytes } from 'node:crypto';
import type { DatasetVersionExportFormat, ServicePart, StatusCode } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue } from '#jobs/index.ts';
import { commonFault } from '../../common/faults.ts';
import { status } from '../../common/status.ts';
import type { DatasetParts } from '../deps.ts';
import { datasetFault } from '../faults.ts';
import type { VersionRow } from '../version.ts';
import { findVersion, versionStatus } from '../version-store.ts';
import { exportFormat } from './archive.ts';
import { archiveFolder, exportJob, freeArchivesJobs } from './job.ts';
import { exportUrl } from './route.ts';
import { type ExportRow, exportStatus, exportsOf, lockForExport, putExport } from './store.ts';

const formats: readonly number[] = Object.values(exportFormat);

export function exportHandlers(parts: DatasetParts): ServicePart<Call, 'putDatasetVersionExports'> {
  const { db, publicUrl } = parts;
  return {
    /**
     * Asks for archives, or how far they are: asking again changes nothing (clients poll so), unless it asks for
     * other contents or the last try failed.
     */
    async putDatasetVersionExports(req, call) {
      if (!call.app.isMember) throw commonFault.membersOnly('export its datasets');
      const version = await findVersion(db, call.app, req.datasetId, req.datasetVersionId);
      if (!version) throw datasetFault.missingVersion(req.datasetVersionId, req.datasetId);
      if (req.exports.length === 0) throw commonFault.invalid('exports is empty; name at least one format.');
      for (const { format } of req.exports)
        if (!formats.includes(format))
          throw commonFault.invalid(
            `exports[].format is ${format}; use 1 (CLARIFAI_DATA_PROTOBUF), 2 (COCO) or 3 (CLARIFAI_DATA_JSON).`,
          );
      const baseUrl = publicUrl(call.app);
      const rows = await db.transaction(async (tx) => {
        const state = await lockForExport(tx, call.app, version.key);
        if (!state) throw datasetFault.missingVersion(req.datasetVersionId, req.datasetId);
        const known = new Map((await exportsOf(tx, call.app, [version.key])).map((row) => [row.format, row]));
        for (const { format, includeEmbeddings } of req.exports) {
          const before = known.get(format);
          if (before && before.includeEmbeddings === includeEmbeddings && !hasFailed(before)) continue;
          const objectKey = `${archiveFolder}${version.key}-${format}-${randomBytes(8).toString('hex')}.zip`;
          const outcome = startOf(state);
          const row = await putExport(tx, call.app, version.key, {
            format,
            includeEmbeddings,
            baseUrl,
            objectKey,
            ...outcome,
          });
          if (before) await enqueue(tx, freeArchivesJobs([before.objectKey]));
          if (state.statusCode === versionStatus.ready)
            await enqueue(tx, exportJob(call.app.appKey, objectKey));
          known.set(format, row);
        }
        return req.exports.map(({ format }) => known.get(format) as ExportRow);
      });
      return { exports: rows.map((row) => showExport(row, version, call.app, baseUrl)) };
    },
  };
}

const hasFailed = ({ statusCode }: ExportRow): boolean =>
  statusCode === exportStatus.failed || statusCode === exportStatus.unexpected;

/** A version that is not ready is waited for; one that never will be cannot be exported. */
function startOf(version: { statusCode: number; statusDetails: string }) {
  const isHopeless =
    version.statusCode === versionStatus.failed || version.statusCode === versionStatus.unexpected;
  return isHopeless
    ? {
        statusCode: exportStatus.failed,
        statusDetails: `The dataset version failed: ${version.statusDetails}`,
      }
    : { statusCode: exportStatus.pending, statusDetails: '' };
}

function showExport(
  row: ExportRow,
  version: Pick<VersionRow, 'id' | 'datasetId'>,
  grant: AppGrant,
  base: string,
) {
  const isThere = row.statusCode === exportStatus.success;
  return {
    format: row.format as DatasetVersionExportFormat,
    status: status(row.statusCode as StatusCode, row.statusDetails),
    includeEmbeddings: row.includeEmbeddings,
    ...(isThere ? { url: exportUrl(base, grant, version, row.format), size: BigInt(row.sizeBytes) } : {}),
  };
}

const fieldOf: Record<number, 'clarifaiDataProtobuf' | 'coco' | 'clarifaiDataJson'> = {
  [exportFormat.protobuf]: 'clarifaiDataProtobuf',
  [exportFormat.coco]: 'coco',
  [exportFormat.json]: 'clarifaiDataJson',
};

export type ShownExportInfo = Partial<Record<(typeof fieldOf)[number], ReturnType<typeof showExport>>>;

/** `export_info` of versions by row key; those without exports are missing. */
export async function exportInfosOf(
  { db, publicUrl }: Pick<DatasetParts, 'db' | 'publicUrl'>,
  grant: AppGrant,
  versions: readonly VersionRow[],
): Promise<Map<number, ShownExportInfo>> {
  const infos = new Map<number, ShownExportInfo>();
  if (versions.length === 0) return infos;
  const byKey = new Map(versions.map((version) => [version.key, version]));
  for (const row of await exportsOf(db, grant, [...byKey.keys()])) {
    const field = fieldOf[row.format];
    const version = byKey.get(row.versionKey);
    if (!field || !version) continue;
    infos.set(row.versionKey, {
      ...infos.get(row.versionKey),
      [field]: showExport(row, version, grant, publicUrl(grant)),
    });
  }
  return infos;
}
