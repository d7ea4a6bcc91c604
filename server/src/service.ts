import { create } from '@bufbuild/protobuf';
import {
  DataSchema,
  InputSchema,
  PackedReply,
  PostInputsRequestSchema,
  SearchSchema,
  type Service,
  StatusCode,
} from '@fovea/contract';
import { type Call, jobCall } from '#domain/call.ts';
import { Fault } from '#domain/fault.ts';
import { type AppGrant, visibility } from '#domain/grant.ts';
import type { Engine } from '#engine/index.ts';
import { encodeFrame } from '#engine/media/index.ts';
import {
  addAnnotations,
  addBoxes,
  annotationFilterHandlers,
  annotationHandlers,
  findAnnotationFilter,
  type SeenFrame,
  showAnnotations,
  type TrackSearchParts,
  trackHandlers,
  trackSearchHandlers,
  withMaskUrls,
} from '#resources/annotations/index.ts';
import { appHandlers } from '#resources/apps/index.ts';
import {
  addSearchToDataset,
  type BulkParts,
  bulkOperationHandlers,
} from '#resources/bulk-operations/index.ts';
import {
  type CollectorJobParts,
  type CollectorParts,
  collectorHandlers,
  openCollecting,
} from '#resources/collectors/index.ts';
import { conceptHandlers, relatedConcepts } from '#resources/concepts/index.ts';
import {
  addTrainingVersion,
  type DatasetParts,
  datasetHandlers,
  exampleInputs,
} from '#resources/datasets/index.ts';
import {
  type EvaluationDeps,
  evaluateAfterTraining,
  evaluationHandlers,
} from '#resources/evaluations/index.ts';
import { type ExtractionDeps, extractionHandlers } from '#resources/extraction/index.ts';
import { identityHandlers, type RememberedDirectory } from '#resources/identity/index.ts';
import { type IndexingDeps, onAnnotated, onWorkflowChanged, reindexApp } from '#resources/indexing/index.ts';
import {
  findInputs,
  freeingJobs,
  inputHandlers,
  ownOriginal,
  pictureSizes,
  readHosted,
  readImageBytes,
  readInputsInto,
  showInputs,
  showKeptMedium,
  streamKeptMedium,
  streamMedium,
  textLengths,
} from '#resources/inputs/index.ts';
import { logEntryHandlers } from '#resources/log-entries/index.ts';
import { type ModelFileDeps, modelFileHandlers } from '#resources/model-files/index.ts';
import {
  bodyOfVersion,
  canonicalTypeId,
  enqueueTraining,
  modelConceptHandlers,
  modelFault,
  modelHandlers,
  modelTypeHandlers,
  modelVersionHandlers,
  pinnedModels,
  readTrainedVersion,
  showModel,
} from '#resources/models/index.ts';
import { notYet } from '#resources/not-yet.ts';
import {
  mediaOf,
  openHeads,
  openMedia,
  openPredictCache,
  predictionHandlers,
  predictWith,
  readSettings,
} from '#resources/predictions/index.ts';
import {
  openInputSearch,
  type SearchParts,
  searchHandlers,
  searchMetricsHandlers,
} from '#resources/searches/index.ts';
import { statValueHandlers } from '#resources/stat-values/index.ts';
import { statusCodeHandlers } from '#resources/status-codes/index.ts';
import type { TransferParts } from '#resources/transfers/index.ts';
import { uploadHandlers } from '#resources/uploads/index.ts';
import type { VectorCatalog } from '#resources/vector-indexes/index.ts';
import {
  conceptsOfWorkflow,
  copyWorkflowIntoApp,
  type RunTimes,
  readWorkflowAnywhere,
  runWorkflowNamed,
  type WorkflowDeps,
  workflowHandlers,
} from '#resources/workflows/index.ts';

/** What the datasets family needs of those that stand after it; its handlers and its jobs take the same. */
export const datasetParts = (deps: ServiceDeps, directory: RememberedDirectory): DatasetParts => ({
  ...deps,
  findInputs,
  showInputs: (grant, inputKeys) => showInputs(deps, grant, inputKeys),
  isProfilePublic: isProfilePublic(directory),
  searches: openInputSearch(searchParts(deps)),
  findAnnotationFilter: (grant, id) => findAnnotationFilter(deps.db, grant, id),
  addSearch: (grant, datasetId, search) => addSearchToDataset(bulkParts(deps), grant, datasetId, search),
  showMedium: showKeptMedium,
  openOriginal: (grant, input) => streamKeptMedium(deps, grant, input),
  workDir: deps.exportWorkDir,
  freeingJobs,
  ...predictorsOf(deps, directory),
});

export const bulkParts = (deps: ServiceDeps): BulkParts => ({
  ...deps,
  findInputs,
  searches: openInputSearch(searchParts(deps)),
});

/** Predictions for those who keep what a model says of stored inputs. */
const predictorsOf = (
  deps: ServiceDeps,
  directory: RememberedDirectory,
): Pick<DatasetParts, 'findPredictor' | 'predictor'> => ({
  async findPredictor(call, { id, userId, appId, modelVersion }) {
    const owner = appId ? await call.appGrant(userId || call.app.userId, appId) : call.app;
    const found = await readTrainedVersion(deps.db, owner, id, modelVersion?.id ?? '');
    return { modelVersionKey: found.version.key, model: showModel(found.model, found.version) };
  },
  async predictor(grant, modelVersionKey) {
    const pinned = (await pinnedModels(deps.db, grant, [modelVersionKey])).get(modelVersionKey);
    if (!pinned) throw modelFault.missing(`of version ${modelVersionKey}`);
    const parts = workflowParts(deps, directory);
    const settings = readSettings([], bodyOfVersion(pinned.version).outputInfo);
    return async (inputId) => {
      const signal = AbortSignal.timeout(predictionTimeoutMs);
      const media = await openMedia(parts, grant, create(InputSchema, { id: inputId }), signal);
      return predictWith(parts, pinned, media, settings, { signal, background: true });
    };
  },
});

const predictionTimeoutMs = 120_000;

const isProfilePublic =
  (directory: RememberedDirectory) =>
  async ({ userId }: { userId: string }) =>
    ((await directory.userOf(userId))?.visibility ?? 0) >= visibility.public;

/** What predictions, workflows and models need of the others. */
export const workflowParts = (deps: ServiceDeps, directory: RememberedDirectory): WorkflowDeps => ({
  ...deps,
  isProfilePublic: isProfilePublic(directory),
  onWorkflowChanged,
  heads: openHeads(deps.objects),
  predictCache: openPredictCache(),
  onPredicted: openCollecting({
    ...deps,
    async readStored(grant, id, bytesMax) {
      const [found] = grant.isMember ? await findInputs(deps.db, grant, [id]) : [];
      if (found?.kind !== 'image' && found?.kind !== 'text') return undefined;
      const bytes = await readImageBytes(deps, grant, found.key);
      if (bytes.length > bytesMax) return undefined;
      const medium =
        found.kind === 'image' ? { image: { base64: bytes } } : { text: { raw: bytes.toString('utf8') } };
      return create(DataSchema, medium);
    },
  }),
  async synonymsOf(grant, conceptIds, knowledgeGraphId) {
    const asked = {
      conceptIds,
      predicate: 'synonym' as const,
      ...(knowledgeGraphId ? { knowledgeGraphId } : {}),
    };
    const found = await relatedConcepts(deps.db, grant, asked);
    return new Map(
      conceptIds.map((id) => [
        id,
        found
          .filter((one) => one.conceptId === id)
          .map(({ relatedId, relatedName }) => ({ id: relatedId, name: relatedName })),
      ]),
    );
  },
  findTexts: (grant, text, limits) => findTexts(deps, grant, text, limits),
  readHosted: (...wanted) => readHosted(deps, ...wanted),
  async findStoredInput(grant, id) {
    const [found] = await findInputs(deps.db, grant, [id]);
    const [input] = found ? await showInputs(deps, grant, [found.key]) : [];
    if (!found || !input) return undefined;
    const bytes = () => readImageBytes(deps, grant, found.key);
    return { input, kind: found.kind, bytes, stream: () => streamMedium(deps, grant, found.key) };
  },
});

/** Pictures may be found by their words too, and are no texts. */
const hitsWithoutText = 5;

/** Texts of inputs that a search for the words finds, the best first. */
async function findTexts(
  deps: ServiceDeps,
  grant: AppGrant,
  raw: string,
  { scoreMin, hitsMax }: { scoreMin: number; hitsMax: number },
) {
  const search = create(SearchSchema, {
    query: { ranks: [{ annotation: { data: { text: { raw } } } }] },
    minValue: scoreMin,
  });
  const hits = await openInputSearch(searchParts(deps)).bestInputs(grant, search, hitsMax * hitsWithoutText);
  const found = [];
  for (const { inputId, inputKey, score } of hits) {
    const [row] = await findInputs(deps.db, grant, [inputId]);
    if (row?.kind !== 'text') continue;
    found.push({ text: (await readImageBytes(deps, grant, inputKey)).toString('utf8'), score });
    if (found.length === hitsMax) break;
  }
  return found;
}

/** Detectors that look at frames of stored videos, for those who follow tracks. */
const frameDetectorOf =
  (parts: WorkflowDeps): TrackSearchParts['frameDetector'] =>
  async (grant, modelVersionKey) => {
    const pinned = (await pinnedModels(parts.db, grant, [modelVersionKey])).get(modelVersionKey);
    if (!pinned) throw modelFault.missing(`of version ${modelVersionKey}`);
    if (canonicalTypeId(pinned.model.typeId) !== 'visual-detector') return undefined;
    const settings = readSettings([], bodyOfVersion(pinned.version).outputInfo);
    return (inputKey, choose, signal) =>
      parts.media.withVideo(
        () => streamMedium(parts, grant, inputKey),
        async (video) => {
          const seen: SeenFrame[] = [];
          const numbers = choose(video.times);
          for await (const frame of video.frames(numbers, { edgeMax: frameEdgeMax, signal })) {
            const number = numbers[seen.length] ?? 0;
            const picture = create(DataSchema, { image: { base64: await encodeFrame(frame) } });
            const data = await predictWith(parts, pinned, mediaOf(parts, picture, signal), settings, {
              signal,
            });
            seen.push({ number, timeMs: video.times.timeMsOf(number), data });
          }
          return seen;
        },
        { signal },
      );
  };

/** What a detector needs to see of a frame. */
const frameEdgeMax = 1024;

/** What evaluations need of the others; their handlers and their jobs take the same. */
export const evaluationParts = (deps: ServiceDeps, directory: RememberedDirectory): EvaluationDeps => ({
  ...workflowParts(deps, directory),
  showInputs: (grant, inputKeys) => showInputs(deps, grant, inputKeys),
  searches: openInputSearch(searchParts(deps)),
  jobGrant: deps.jobGrant,
});

export interface ServiceDeps
  extends ExtractionDeps,
    Pick<WorkflowDeps, 'backendFetcher'>,
    Pick<ModelFileDeps, 'modelFileLimits'> {
  /** Scratch folder of the models that are brought. */
  readonly modelWorkDir: string;
  /** Scratch folder of the archives of dataset versions. */
  readonly exportWorkDir: string;
  readonly runTimes: RunTimes;
  /** What a key may do in an app, by PostInputs. */
  readonly keyGrant: CollectorParts['keyGrant'];
  readonly engine: Engine;
  readonly vectors: VectorCatalog;
  readonly searchTimeoutMs: SearchParts['searchTimeoutMs'];
  readonly onSearched: SearchParts['onSearched'];
  readonly embeddersOf: IndexingDeps['embeddersOf'];
}

export const modelFileParts = (deps: ServiceDeps): ModelFileDeps => ({ ...deps, workDir: deps.modelWorkDir });

const annotationParts = (deps: ServiceDeps) => ({
  ...deps,
  findInputs,
  pictureSizes,
  textLengths,
  onAnnotated,
});

/** What imports and exports go through: the service itself, so that what they write is written as anybody's. */
export const transferParts = (
  deps: ServiceDeps,
  service: TransferParts['calls'],
  workDir: string,
): TransferParts => ({
  ...deps,
  workDir,
  calls: service,
  addAnnotations: (grant, sent) => addAnnotations(annotationParts(deps), grant, sent),
  addBoxes: (grant, boxes) => addBoxes(annotationParts(deps), grant, boxes),
  findInputs,
  pictureSizes,
  showInputs: (grant, inputKeys) => showInputs(deps, grant, inputKeys),
  openMedium: (grant, inputKey) => streamMedium(deps, grant, inputKey),
  showMedium: showKeptMedium,
  openOriginal: (grant, input) => streamKeptMedium(deps, grant, input),
});

const collectorParts = (deps: ServiceDeps): CollectorParts => ({
  ...deps,
  checkWorkflow: async (call, id) => void (await readWorkflowAnywhere(deps.db, call, id)),
  async findModelVersion(call, { userId, appId, modelId, versionId }) {
    const owner = appId ? await call.appGrant(userId || call.app.userId, appId) : call.app;
    const { version } = await readTrainedVersion(deps.db, owner, modelId, versionId);
    return { key: version.key, ownerKey: owner.userKey };
  },
});

/** What the jobs of collectors need of the others. */
export const collectorJobParts = (
  deps: ServiceDeps,
  directory: RememberedDirectory,
  mainGrant: () => Promise<AppGrant | undefined>,
): CollectorJobParts => ({
  ...collectorParts(deps),
  jobGrant: deps.jobGrant,
  findInput: async (grant, id) => (await findInputs(deps.db, grant, [id]))[0],
  runWorkflow: async (grant, id, data, signal) =>
    runWorkflowNamed(workflowParts(deps, directory), grant, await mainGrant(), id, data, signal),
  async postInput(grant, id, data) {
    for (const medium of [data.image, data.video, data.audio, data.text])
      if (medium) medium.allowDuplicateUrl = true;
    const request = create(PostInputsRequestSchema, { inputs: [{ id, data }] });
    const reply = await inputHandlers(deps).postInputs(
      request,
      jobCall('PostInputs', grant, AbortSignal.timeout(predictionTimeoutMs)),
    );
    if (reply instanceof PackedReply) return;
    const { code = 0, details = '' } = reply.inputs?.[0]?.status ?? {};
    if (isAdded.has(code)) return;
    throw new Fault('bad_request', code || StatusCode.FAILURE, details);
  },
});

/** Waiting, done, or there already from a run that was cut off. */
const isAdded = new Set<number>([
  StatusCode.INPUT_DOWNLOAD_PENDING,
  StatusCode.INPUT_DOWNLOAD_SUCCESS,
  StatusCode.DATABASE_DUPLICATE_KEY,
]);

/** What the searches family needs of the others. */
export const searchParts = (deps: ServiceDeps): SearchParts => ({
  ...deps,
  reads: deps.db,
  findInputs,
  showAnnotations: async (...asked) =>
    withMaskUrls(deps.publicUrl(asked[1]), asked[1], await showAnnotations(...asked)),
  readInputs: (...wanted) => readInputsInto(deps, ...wanted),
  async embedImage(grant, builtin, image) {
    const bytes =
      'bytes' in image
        ? Buffer.from(image.bytes)
        : ((await readHosted(deps, grant, 'image', image.url)) ??
          (await deps.fetcher.fetch(image.url)).bytes);
    return deps.engine.embed(builtin, { bytes });
  },
  hostedAt: (grant, url) => ownOriginal(deps.publicUrl(grant), grant, url),
  // The built-in embedders read pictures only; models that were brought may read both.
  embedText: async ({ builtin }, text) =>
    (await deps.engine.readsTexts(builtin)) ? deps.engine.embedText(builtin, text) : undefined,
});

/** The whole service in one expression: an RPC that nobody answers, and that is not listed as missing, does not compile. */
export function openService(deps: ServiceDeps, directory: RememberedDirectory): Service<Call> {
  const { db } = deps;
  const parts = workflowParts(deps, directory);
  const models = {
    ...parts,
    enqueueTraining,
    conceptsOfWorkflow: (call: Call, grant: AppGrant, workflow: Parameters<typeof conceptsOfWorkflow>[3]) =>
      conceptsOfWorkflow(db, call, grant, workflow),
    evaluateAfterTraining,
    addTrainingVersion,
    async examplesIn(grant: AppGrant, datasetId: string, versionId: string) {
      const found = await exampleInputs(db, grant, datasetId, versionId);
      const inputs = await showInputs(
        deps,
        grant,
        found.map(({ inputKey }) => inputKey),
      );
      const said = new Map(found.map(({ inputId, conceptIds }) => [inputId, conceptIds]));
      return inputs.map((input) => ({ input, conceptIds: said.get(input.id) ?? [] }));
    },
  };
  const annotations = annotationParts(deps);
  return {
    ...notYet,
    ...statusCodeHandlers(),
    ...statValueHandlers(deps),
    ...logEntryHandlers(deps),
    ...identityHandlers(deps, directory),
    ...conceptHandlers(deps),
    ...annotationHandlers(annotations),
    ...trackHandlers(annotations),
    ...trackSearchHandlers({ ...annotations, frameDetector: frameDetectorOf(parts) }),
    ...annotationFilterHandlers({
      db,
      checkFilter: async (grant, search) =>
        void (await openInputSearch(searchParts(deps)).annotationCondition(grant, search)),
    }),
    ...collectorHandlers(collectorParts(deps)),
    ...bulkOperationHandlers(bulkParts(deps)),
    ...datasetHandlers(datasetParts(deps, directory)),
    ...inputHandlers(deps),
    ...uploadHandlers(deps),
    ...extractionHandlers(deps),
    ...modelTypeHandlers(),
    ...modelHandlers(models),
    ...modelVersionHandlers(models),
    ...modelConceptHandlers(models),
    ...modelFileHandlers(modelFileParts(deps)),
    ...evaluationHandlers(evaluationParts(deps, directory)),
    ...predictionHandlers(parts),
    ...workflowHandlers(parts),
    ...searchHandlers(searchParts(deps)),
    ...searchMetricsHandlers(searchParts(deps)),
    ...appHandlers({ db, directory, copyWorkflowIntoApp, onWorkflowChanged, reindexApp }),
  } satisfies Service<Call>;
}
