import { create, fromBinary, fromJson, type JsonValue, toJson, toJsonString } from '@bufbuild/protobuf';
import {
  type DatasetVersion,
  type DatasetVersionMetricsGroupType,
  DatasetVersionMetricsSchema,
  DatasetVersionSchema,
  type ServicePart,
  ValueSchema,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { type AppGrant, visibility } from '#domain/grant.ts';
import { readPage } from '#domain/page.ts';
import { enqueue } from '#jobs/index.ts';
import { commonFault } from '../common/faults.ts';
import { readVisibility, unpackBody } from '../common/translate.ts';
import type { DatasetParts } from './deps.ts';
import { freeArchivesJobs } from './export/job.ts';
import { archivesOf } from './export/store.ts';
import { datasetFault } from './faults.ts';
import { freeChunksJob } from './free-chunks.ts';
import { defaultsOf, requestOrigin, resolveVersion, startVersion } from './start-version.ts';
import { deletionTimeoutMs, findDataset } from './store.ts';
import { type NewVersion, overwrittenBody, readVersion, type VersionRow } from './version.ts';
import { showVersions } from './version-show.ts';
import {
  deleteVersionRows,
  findVersion,
  lockVersions,
  pageOfGroups,
  pageOfVersions,
  updateVersion,
  versionsByKey,
} from './version-store.ts';

type Rpc =
  | 'postDatasetVersions'
  | 'getDatasetVersion'
  | 'listDatasetVersions'
  | 'patchDatasetVersions'
  | 'deleteDatasetVersions'
  | 'listDatasetVersionMetricsGroups';

export function versionHandlers(parts: DatasetParts): ServicePart<Call, Rpc> {
  const { db } = parts;
  return {
    /** Makes versions, all or none; what is in them is copied in the background (64005, then 64015). */
    async postDatasetVersions(req, call) {
      const dataset = await readDatasetRow(call.app, req.datasetId);
      if (req.datasetVersions.length === 0)
        throw commonFault.invalid('dataset_versions is empty; send at least one.');
      const defaults = defaultsOf(dataset);
      const wanted: NewVersion[] = [];
      for (const wire of req.datasetVersions)
        wanted.push(await resolveVersion(parts, call, readVersion(wire, defaults)));
      for (const version of wanted) await checkPublic(call.app, version.visibility);
      const rows = await db.transaction(async (tx) => {
        const keys: number[] = [];
        for (const version of wanted)
          keys.push(await startVersion(tx, call.app, dataset.key, version, requestOrigin.manual));
        return versionsByKey(tx, call.app, keys);
      });
      return { datasetVersions: await showVersions(parts, call.app, rows) };
    },

    async getDatasetVersion(req, call) {
      const [datasetVersion] = await showVersions(parts, call.app, [await readVersionRow(call.app, req)]);
      return { datasetVersion: datasetVersion as DatasetVersion };
    },

    async listDatasetVersions(req, call) {
      const dataset = await readDatasetRow(call.app, req.datasetId);
      const rows = await pageOfVersions(db, call.app, dataset.key, req.requestOrigins, readPage(req));
      return { datasetVersions: await showVersions(parts, call.app, rows) };
    },

    async patchDatasetVersions(req, call) {
      if (req.action !== '' && req.action !== 'overwrite')
        throw commonFault.unknownAction(req.action, ['overwrite']);
      const dataset = await readDatasetRow(call.app, req.datasetId);
      const raws = (call.sent?.dataset_versions as Record<string, unknown>[] | undefined) ?? [];
      const rows = await db.transaction(async (tx) => {
        const locked = await lockVersions(
          tx,
          call.app,
          dataset.key,
          req.datasetVersions.map(({ id }) => id),
        );
        const keys: number[] = [];
        for (const [i, sent] of req.datasetVersions.entries()) {
          const row = locked.find(({ id }) => id === sent.id);
          if (!row) throw datasetFault.missingVersion(sent.id, req.datasetId);
          checkUnaltered(row, sent);
          const wanted = sent.visibility && readVisibility(sent.visibility);
          await checkPublic(call.app, wanted ?? 0);
          await updateVersion(tx, call.app, row.key, {
            body: overwrittenBody(row, sent, raws[i]),
            visibility: wanted,
          });
          keys.push(row.key);
        }
        return versionsByKey(tx, call.app, keys);
      });
      return { datasetVersions: await showVersions(parts, call.app, rows) };
    },

    async deleteDatasetVersions(req, call) {
      const dataset = await readDatasetRow(call.app, req.datasetId);
      await db.transaction(
        async (tx) => {
          const rows = await lockVersions(tx, call.app, dataset.key, req.datasetVersionIds);
          const unknown = req.datasetVersionIds.find((id) => !rows.some((row) => row.id === id));
          if (unknown !== undefined) throw datasetFault.missingVersion(unknown, req.datasetId);
          const keys = rows.map(({ key }) => key);
          await enqueue(tx, freeArchivesJobs(await archivesOf(tx, keys)));
          await deleteVersionRows(tx, call.app, keys);
          if (rows.length > 0) await enqueue(tx, freeChunksJob(call.app));
        },
        { timeoutMs: deletionTimeoutMs },
      );
      return {};
    },

    /** Empty until the version is ready; then there is always a group. */
    async listDatasetVersionMetricsGroups(req, call) {
      const version = await readVersionRow(call.app, req);
      const filter = {
        parentPaths: req.parentPaths,
        types: req.types,
        values: req.values.map((value) => toJson(ValueSchema, value)),
      };
      const rows = await pageOfGroups(db, call.app, version.key, filter, readPage(req));
      return {
        datasetVersionMetricsGroups: rows.map((row) => ({
          parentPath: row.parentPath,
          type: row.type as DatasetVersionMetricsGroupType,
          value: fromJson(ValueSchema, row.value as JsonValue),
          metrics: fromBinary(DatasetVersionMetricsSchema, row.metrics),
        })),
      };
    },
  };

  async function readDatasetRow(grant: AppGrant, id: string) {
    const dataset = await findDataset(db, grant, id);
    if (!dataset) throw datasetFault.missing(id);
    return dataset;
  }

  async function readVersionRow(grant: AppGrant, named: { datasetId: string; datasetVersionId: string }) {
    const row = await findVersion(db, grant, named.datasetId, named.datasetVersionId);
    if (!row) throw datasetFault.missingVersion(named.datasetVersionId, named.datasetId);
    return row;
  }

  async function checkPublic(grant: AppGrant, wanted: number): Promise<void> {
    if (wanted >= visibility.public && !(await parts.isProfilePublic(grant)))
      throw commonFault.profilePrivate();
  }
}

/** What a version holds was settled when it was made. @throws Fault 64030 for a patch that would say otherwise */
function checkUnaltered({ id, body }: VersionRow, sent: DatasetVersion): void {
  const kept = unpackBody(DatasetVersionSchema, body);
  const shown = ({ dataConfig, processingInfo, embedModelVersionIds }: DatasetVersion) =>
    toJsonString(
      DatasetVersionSchema,
      create(DatasetVersionSchema, { dataConfig, processingInfo, embedModelVersionIds } as never),
    );
  const isNamed =
    sent.dataConfig.case !== undefined || sent.processingInfo || sent.embedModelVersionIds.length > 0;
  if (!isNamed) return;
  const asKept = create(DatasetVersionSchema, {
    dataConfig: sent.dataConfig.case === undefined ? kept.dataConfig : sent.dataConfig,
    processingInfo: sent.processingInfo ?? kept.processingInfo,
    embedModelVersionIds:
      sent.embedModelVersionIds.length > 0 ? sent.embedModelVersionIds : kept.embedModelVersionIds,
  } as never);
  if (shown(asKept) !== shown(kept)) throw datasetFault.settled(id);
}
