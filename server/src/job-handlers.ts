import { join } from 'node:path';
import type { VectorStore } from '#domain/vector-store.ts';
import { termBackfillJobs, termBackfillPeriodic } from '#resources/annotations/index.ts';
import { appJobs } from '#resources/apps/index.ts';
import { bulkOperationJobs } from '#resources/bulk-operations/index.ts';
import { collectorJobs } from '#resources/collectors/index.ts';
import { conceptJobs } from '#resources/concepts/index.ts';
import { datasetJobs, datasetPeriodicJobs, freeArchivesOfApp } from '#resources/datasets/index.ts';
import { duplicateJobs } from '#resources/duplicates/index.ts';
import { evaluationJobs } from '#resources/evaluations/index.ts';
import { extractionJobs, extractionPeriodicJobs } from '#resources/extraction/index.ts';
import type { RememberedDirectory } from '#resources/identity/index.ts';
import { type IndexingDeps, indexingJobs } from '#resources/indexing/index.ts';
import {
  inputJobs,
  inputPeriodicJobs,
  putPrints,
  readImageBytes,
  readInputText,
} from '#resources/inputs/index.ts';
import {
  modelFileJobs,
  modelFilePeriodicJobs,
  type openPackageFolders,
} from '#resources/model-files/index.ts';
import { trainingJobs, trainingPeriodicJobs } from '#resources/models/index.ts';
import { searchJobs, searchPeriodicJobs } from '#resources/searches/index.ts';
import { freeTransfersOfApp, transferJobs } from '#resources/transfers/index.ts';
import { uploadJobs, uploadPeriodicJobs } from '#resources/uploads/index.ts';
import { type MemoryIndexes, vectorJobs, vectorPeriodicJobs } from '#resources/vector-indexes/index.ts';
import {
  bulkParts,
  collectorJobParts,
  datasetParts,
  evaluationParts,
  modelFileParts,
  type openService,
  type ServiceDeps,
  searchParts,
  transferParts,
} from '#service.ts';
import type { Tx } from '#store/postgres/index.ts';

interface JobParts {
  readonly deps: ServiceDeps;
  readonly indexing: IndexingDeps;
  readonly directory: RememberedDirectory;
  readonly service: ReturnType<typeof openService>;
  readonly mainGrant: Parameters<typeof collectorJobParts>[2];
  readonly packageFolders: ReturnType<typeof openPackageFolders>;
  readonly memory: MemoryIndexes;
  readonly stores: readonly VectorStore[];
  /** Folder of what jobs write while they run. */
  readonly workDir: string;
}

/** Every kind of job and what runs it. */
export function jobHandlers(parts: JobParts) {
  const { deps, indexing, directory, service, mainGrant, packageFolders, memory, stores, workDir } = parts;
  const { embeddersOf } = deps;
  const pictures = {
    ...deps,
    readImageBytes: (grant: Parameters<typeof readImageBytes>[1], inputKey: number) =>
      readImageBytes(deps, grant, inputKey),
  };
  return {
    ...appJobs({ ...deps, onPurge: (tx, appKey) => freeFilesOfApp(tx, appKey, memory) }),
    ...termBackfillJobs({
      ...deps,
      readInputText: (grant, inputKey) => readInputText(deps, grant, inputKey),
    }),
    ...conceptJobs(deps),
    ...bulkOperationJobs({ ...bulkParts(deps), jobGrant: deps.jobGrant }),
    ...collectorJobs(collectorJobParts(deps, directory, mainGrant)),
    ...datasetJobs(datasetParts(deps, directory)),
    ...inputJobs(deps),
    ...transferJobs(transferParts(deps, service, join(workDir, 'transfers'))),
    ...uploadJobs(deps),
    ...modelFileJobs({ ...modelFileParts(deps), packageFolders }),
    ...extractionJobs(deps),
    ...indexingJobs(indexing),
    ...duplicateJobs({
      ...pictures,
      servingEmbedderOf: async (reads, grant) => (await embeddersOf(reads, grant)).serving,
      putPrints,
    }),
    ...vectorJobs({ ...deps, stores }),
    ...searchJobs({ ...searchParts(deps), log: deps.log, jobGrant: deps.jobGrant }),
    ...evaluationJobs(evaluationParts(deps, directory)),
    ...trainingJobs({
      ...pictures,
      trainingWorkDir: join(workDir, 'training'),
      mainGrant,
      baseEmbedderOf: async (reads, grant) => (await embeddersOf(reads, grant)).base,
    }),
  };
}

async function freeFilesOfApp(tx: Tx, appKey: number, memory: MemoryIndexes): Promise<void> {
  await memory.forgetApp(tx, appKey);
  await freeArchivesOfApp(tx, appKey);
  await freeTransfersOfApp(tx, appKey);
}

/** What runs by the clock. */
export const periodicJobs = [
  ...termBackfillPeriodic,
  ...inputPeriodicJobs,
  ...uploadPeriodicJobs,
  ...datasetPeriodicJobs,
  ...extractionPeriodicJobs,
  ...trainingPeriodicJobs,
  ...searchPeriodicJobs,
  ...vectorPeriodicJobs,
  ...modelFilePeriodicJobs,
];
