import type { Dataset, RequestOf, ServicePart } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { type AppGrant, visibility } from '#domain/grant.ts';
import { readPage } from '#domain/page.ts';
import { enqueue } from '#jobs/index.ts';
import { commonFault } from '../common/faults.ts';
import { mediaOfDatasets } from './chunk-store.ts';
import { type DatasetPatch, type DatasetRow, patchedDataset, readDataset } from './dataset.ts';
import type { DatasetParts } from './deps.ts';
import { exportHandlers } from './export/handlers.ts';
import { freeArchivesJobs } from './export/job.ts';
import { archivesOfDatasets } from './export/store.ts';
import { datasetFault } from './faults.ts';
import { memberHandlers } from './member-handlers.ts';
import {
  type DatasetSort,
  deleteDatasetRows,
  deletionTimeoutMs,
  findDataset,
  insertDataset,
  lockDatasets,
  pageOfDatasets,
  updateDataset,
} from './store.ts';
import { showDataset } from './translate.ts';
import { versionHandlers } from './version-handlers.ts';
import { showVersionsOf } from './version-show.ts';

type Rpc = 'postDatasets' | 'getDataset' | 'listDatasets' | 'patchDatasets' | 'deleteDatasets';

const actions = ['overwrite', 'merge', 'remove'] as const;

export const datasetHandlers = (parts: DatasetParts) => ({
  ...ownHandlers(parts),
  ...memberHandlers(parts),
  ...versionHandlers(parts),
  ...exportHandlers(parts),
});

function ownHandlers(parts: DatasetParts): ServicePart<Call, Rpc> {
  const { db } = parts;
  return {
    /** All or none: the first that cannot be made takes back the others. */
    async postDatasets(req, call) {
      if (req.datasets.length === 0) throw commonFault.invalid('datasets is empty; send at least one.');
      const wanted = req.datasets.map(readDataset);
      await checkPublic(call.app, wanted);
      const rows = await db.transaction(async (tx) => {
        const made: DatasetRow[] = [];
        for (const dataset of wanted) {
          const row = await insertDataset(tx, call.app, dataset);
          if (!row) throw commonFault.duplicateId('dataset', dataset.id);
          made.push(row);
        }
        return made;
      });
      return { datasets: rows.map((row) => showDataset(row, call.app)) };
    },

    async getDataset(req, call) {
      const row = await findDataset(db, call.app, req.datasetId);
      if (!row) throw datasetFault.missing(req.datasetId);
      const versions = await showVersionsOf(parts, call.app, [row]);
      return { dataset: showDataset(row, call.app, versions.get(row.key)) };
    },

    async listDatasets(req, call) {
      // Nobody can star anything, so nothing is starred.
      if (req.starredOnly) return { datasets: [] };
      const filter = {
        search: req.search,
        idPart: req.id,
        bookmarks: req.bookmark,
        sort: readSort(req),
        ascending: req.sortAscending,
      };
      const rows = await pageOfDatasets(db, call.app, filter, readPage(req));
      const versions = await showVersionsOf(parts, call.app, rows);
      return { datasets: rows.map((row) => showDataset(row, call.app, versions.get(row.key))) };
    },

    /** All or none. An empty action means merge, which clients send by default (SEMANTICS trap 47). */
    async patchDatasets(req, call) {
      const action = actions.find((name) => name === (req.action || 'merge'));
      if (!action) throw commonFault.unknownAction(req.action, actions);
      const raws = (call.sent?.datasets as Record<string, unknown>[] | undefined) ?? [];
      const rows = await db.transaction(async (tx) => {
        const before = await lockDatasets(
          tx,
          call.app,
          req.datasets.map(({ id }) => id),
        );
        const current = new Map(before.map((row) => [row.id, row]));
        for (const [i, sent] of req.datasets.entries()) {
          const row = current.get(sent.id);
          if (!row) throw datasetFault.missing(sent.id);
          const patch = patchedDataset(action, row, sent, raws[i]);
          await checkPublic(call.app, [patch]);
          const after = await updateDataset(tx, call.app, patch);
          if (after) current.set(sent.id, after);
        }
        return req.datasets.map((sent: Dataset) => current.get(sent.id) as DatasetRow);
      });
      return { datasets: rows.map((row) => showDataset(row, call.app)) };
    },

    /** The inputs stay. An id that does not exist refuses the whole request; no ids at all is a success. */
    async deleteDatasets(req, call) {
      const ids = [...new Set(req.datasetIds)];
      await db.transaction(
        async (tx) => {
          const rows = await lockDatasets(tx, call.app, ids);
          const unknown = ids.find((id) => !rows.some((row) => row.id === id));
          if (unknown !== undefined) throw datasetFault.missing(unknown);
          const keys = rows.map(({ key }) => key);
          await enqueue(tx, freeArchivesJobs(await archivesOfDatasets(tx, keys)));
          await enqueue(tx, parts.freeingJobs(await mediaOfDatasets(tx, keys)));
          await deleteDatasetRows(tx, call.app, keys);
        },
        { timeoutMs: deletionTimeoutMs },
      );
      return {};
    },
  };

  async function checkPublic(
    grant: AppGrant,
    wanted: readonly Pick<DatasetPatch, 'visibility'>[],
  ): Promise<void> {
    if (!wanted.some((dataset) => (dataset.visibility ?? 0) >= visibility.public)) return;
    if (!(await parts.isProfilePublic(grant))) throw commonFault.profilePrivate();
  }
}

const sorts: Record<string, DatasetSort> = {
  sortByCreatedAt: 'created_at',
  sortByStarCount: 'star_count',
  sortByModifiedAt: 'modified_at',
  sortById: 'id',
  sortByRelevance: 'relevance',
};

/** @throws Fault 11102 for relevance without a search. */
function readSort({ sortBy, search }: RequestOf<'listDatasets'>): DatasetSort {
  if (sortBy.case === undefined || !sortBy.value) return 'modified_at';
  if (sortBy.case === 'sortByRelevance' && search === '') {
    throw commonFault.invalid('sort_by_relevance needs a search to be relevant to.');
  }
  return sorts[sortBy.case] ?? 'modified_at';
}
