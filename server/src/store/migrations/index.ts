import type { Migration } from '../postgres/index.ts';
import { foundation } from './0001-foundation.ts';
import { data } from './0002-data.ts';
import { models } from './0003-models.ts';
import { datasetVersions } from './0004-dataset-versions.ts';
import { uploads } from './0013-uploads.ts';
import { extraction } from './0014-extraction.ts';
import { history } from './0017-history.ts';
import { bulkOperations } from './0018-bulk-operations.ts';
import { annotationFilters } from './0019-annotation-filters.ts';
import { annotationTracks } from './0020-annotation-tracks.ts';
import { collectors } from './0021-collectors.ts';
import { conceptGraphs } from './0023-concept-graphs.ts';
import { datasetChunks } from './0024-dataset-chunks.ts';
import { datasetExports } from './0025-dataset-exports.ts';
import { statValues } from './0026-stat-values.ts';
import { appDuplications } from './0027-app-duplications.ts';
import { datasetWorks } from './0028-dataset-works.ts';
import { transfers } from './0029-transfers.ts';
import { searchTerms } from './0032-search-terms.ts';
import { searchCalibrations } from './0033-search-calibrations.ts';
import { annotationSearchMetrics } from './0034-annotation-search-metrics.ts';
import { searchTermHistory } from './0035-search-term-history.ts';
import { training } from './0037-training.ts';
import { evaluations } from './0041-evaluations.ts';
import { workflowEvaluations } from './0042-workflow-evaluations.ts';
import { workflowStates } from './0043-workflow-states.ts';
import { modelFiles } from './0045-model-files.ts';
import { modelBackends } from './0046-model-backends.ts';
import { vectorIndexes } from './0049-vector-indexes.ts';
import { duplicates } from './0050-duplicates.ts';
import { appReindexes } from './0052-app-reindexes.ts';
import { appData } from './0055-app-data.ts';
import { appEmbedders } from './0061-app-embedders.ts';
import { vectorFiles } from './0062-vector-files.ts';
import { erasure } from './0070-erasure.ts';
import { batchedReferences } from './0071-batched-references.ts';
import { tallyGroups } from './0072-tally-groups.ts';
import { logEntries } from './0075-log-entries.ts';
import { versionTransfers } from './0076-version-transfers.ts';
import { conceptRevisions } from './0080-concept-revisions.ts';
import { appChanges } from './0081-app-changes.ts';
import { erasedVectors } from './0082-erased-vectors.ts';
import { lighterReferences } from './0083-lighter-references.ts';
import { fixedWorkers } from './0084-fixed-workers.ts';
import { versionBuckets } from './0085-version-buckets.ts';

/** All migrations, in order. Forward only: a change of the schema is a new file. */
export const migrations: readonly Migration[] = [
  foundation,
  data,
  models,
  datasetVersions,
  uploads,
  extraction,
  history,
  bulkOperations,
  annotationFilters,
  annotationTracks,
  collectors,
  conceptGraphs,
  datasetChunks,
  datasetExports,
  statValues,
  appDuplications,
  datasetWorks,
  transfers,
  searchTerms,
  searchCalibrations,
  annotationSearchMetrics,
  searchTermHistory,
  training,
  evaluations,
  workflowEvaluations,
  workflowStates,
  modelFiles,
  modelBackends,
  vectorIndexes,
  duplicates,
  appReindexes,
  appData,
  appEmbedders,
  vectorFiles,
  erasure,
  batchedReferences,
  tallyGroups,
  logEntries,
  versionTransfers,
  conceptRevisions,
  appChanges,
  erasedVectors,
  lighterReferences,
  fixedWorkers,
  versionBuckets,
];
