import { type ServicePart, StatusCode } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import { commonFault } from '../common/faults.ts';
import { status } from '../common/status.ts';
import { isTrained, modelFault, readModelAndVersion } from '../models/index.ts';
import type { ModelFileDeps } from './deps.ts';
import { enqueueExport } from './export-job.ts';
import { modelFileFault } from './faults.ts';
import { exportUrl } from './routes.ts';
import { type ExportRow, findExport, putExport } from './store.ts';

export function exportHandlers(
  deps: ModelFileDeps,
): ServicePart<Call, 'putModelVersionExports' | 'getModelVersionExport'> {
  const { db } = deps;

  async function versionOf(call: Call, req: { modelId: string; versionId: string }) {
    if (!call.app.isMember) throw commonFault.membersOnly('export its models');
    const { model, version } = await readModelAndVersion(db, call.app, req.modelId, req.versionId);
    if (!version) throw modelFault.missingVersion(req.modelId, req.versionId);
    return { model, version };
  }

  const shown = (grant: AppGrant, modelId: string, versionId: string, row: ExportRow) => {
    const isThere = row.statusCode === StatusCode.MODEL_EXPORTED;
    return {
      export: {
        status: status(row.statusCode as StatusCode, row.statusDetails),
        ...(isThere
          ? { url: exportUrl(deps.publicUrl(grant), grant, modelId, versionId), size: BigInt(row.sizeBytes) }
          : {}),
      },
    };
  };

  return {
    /** Asks for an export; asking again changes nothing, unless the last try failed. */
    async putModelVersionExports(req, call) {
      const { model, version } = await versionOf(call, req);
      if (!isTrained(version)) throw modelFault.untrained(model.id, version.statusCode as StatusCode);
      const row = await db.transaction(async (tx) => {
        const asked = await putExport(tx, call.app, version.key);
        if (asked) await enqueueExport(tx, call.app, version.key);
        return asked ?? (await findExport(tx, call.app, version.key));
      });
      return shown(call.app, model.id, version.id, row as ExportRow);
    },

    async getModelVersionExport(req, call) {
      const { model, version } = await versionOf(call, req);
      const row = await findExport(db, call.app, version.key);
      if (!row) throw modelFileFault.noExport();
      return shown(call.app, model.id, version.id, row);
    },
  };
}
