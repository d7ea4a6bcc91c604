import { create } from '@bufbuild/protobuf';
import {
  type Concept,
  ConceptSchema,
  DataSchema,
  type ModelVersion,
  OutputInfoSchema,
  StatusCode,
} from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { encodeHead, type TrainRequest, trainHead } from '#engine/training/index.ts';
import { settleConcepts } from '../concept-names.ts';
import type { ModelRow, VersionRow } from '../model.ts';
import { findModel } from '../store.ts';
import { bodyOfVersion, packVersion } from '../translate.ts';
import { findVersion, type TrainingResult } from '../version-store.ts';
import {
  type DataScope,
  findDataset,
  findDatasetVersion,
  labelledConcepts,
  labelsOf,
  unlabelledVectors,
} from './data-store.ts';
import type { Embedder, TrainingDeps } from './deps.ts';
import { judge } from './evaluate.ts';
import { exclusiveLabels, independentLabels, lacksNegatives, type Sample, samplesOf } from './problem.ts';
import { type NamedModel, readTrainingSettings, type TrainingSettings } from './settings.ts';
import { TrainingTrouble } from './trouble.ts';
import { floatsOf, type GatheredVectors, gatherVectors } from './vectors.ts';

export interface Progress {
  /** Adds a line to the training log. */
  note(line: string): void;
  /** 0..1 of the whole training; throws when the version is gone. */
  reached(fraction: number): Promise<void>;
  readonly signal: AbortSignal;
}

const generalEmbedder = 'general-image-embedding';
const fillerRowsMax = 2_000;
const fillerRowsMin = 100;
/** Parts of the progress bar: vectors, head, and the judgement of it. */
const vectorShare = 0.5;
const headShare = 0.35;

/**
 * Trains one version from what is in the database now. A function of its data: run twice, it gives the same head.
 *
 * @throws TrainingTrouble when the data or the settings allow no model
 */
export async function trainVersion(
  deps: TrainingDeps,
  grant: AppGrant,
  version: VersionRow,
  progress: Progress,
): Promise<TrainingResult & { head: NonNullable<TrainingResult['head']> }> {
  const body = bodyOfVersion(version);
  const settings = settingsOf(body);
  const scope = await scopeOf(deps, grant, settings, progress);
  const embedder = await embedderOf(deps, grant, settings.embedder);
  progress.note(`embeddings by ${embedder.builtin}`);
  const concepts = await conceptsOf(deps, grant, body, scope);
  const conceptIds = concepts.map((concept) => concept.id);
  const samples = samplesOf(await labelsOf(deps.db, grant, scope, conceptIds), conceptIds);
  progress.note(`${concepts.length} concepts, ${samples.length} labelled images and regions`);
  if (samples.length === 0) {
    throw new TrainingTrouble(
      StatusCode.MODEL_TRAINING_NO_DATA,
      'No processed image is labelled with any of the concepts.',
    );
  }
  const gathered = await gatherVectors(deps, grant, embedder, samples, {
    signal: progress.signal,
    progress: (fraction) => progress.reached(fraction * vectorShare),
  });
  progress.note(
    `${gathered.samples.length} vectors of ${gathered.dims} numbers, ${gathered.computed} of them computed now`,
  );
  checkTolerance(gathered, samples.length, settings);
  await progress.reached(vectorShare);
  const request = await requestOf(deps, grant, { settings, gathered, embedder, conceptIds });
  const head = await fit(request, concepts, progress);
  mayDie('training-fitted');
  const metrics = await judge(request, concepts, progress.signal);
  const { sha256 } = await deps.objects.putContent(encodeHead(head));
  mayDie('training-head-kept');
  return {
    code: StatusCode.MODEL_TRAINED,
    details: '',
    log: '',
    inputCount: new Set(gathered.samples.map((sample) => sample.inputKey)).size,
    ...(metrics ? { metrics } : {}),
    head: {
      sha: Buffer.from(sha256, 'hex'),
      builtin: embedder.builtin,
      baseModelVersionKey: embedder.modelVersionKey,
      conceptIds,
      body: packVersion(withConcepts(body, concepts)),
    },
  };
}

function settingsOf(body: ModelVersion): TrainingSettings {
  try {
    return readTrainingSettings(body);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TrainingTrouble(StatusCode.MODEL_TRAINING_INVALID_PARAMS, error.message);
  }
}

async function scopeOf(
  { db }: TrainingDeps,
  grant: AppGrant,
  settings: TrainingSettings,
  progress: Progress,
): Promise<DataScope> {
  const { datasetId, datasetAppId, datasetVersionId } = settings;
  if (datasetId === '') {
    progress.note(`data: all labelled images of app ${grant.appId}`);
    return { kind: 'app' };
  }
  if (datasetAppId !== '' && datasetAppId !== grant.appId) {
    throw new TrainingTrouble(
      StatusCode.MODEL_TRAINING_INVALID_PARAMS,
      `train_info.dataset is in app '${datasetAppId}'; a model is trained on datasets of its own app.`,
    );
  }
  const dataset = await findDataset(db, grant, datasetId);
  if (!dataset) {
    throw new TrainingTrouble(
      StatusCode.MODEL_TRAINING_INVALID_PARAMS,
      `There is no dataset '${datasetId}' in this app.`,
    );
  }
  progress.note(`data: dataset ${datasetId}${datasetVersionId && `, version ${datasetVersionId}`}`);
  if (datasetVersionId === '') return { kind: 'dataset', key: dataset.key };
  const version = await findDatasetVersion(db, grant, dataset.key, datasetVersionId);
  if (!version) {
    throw new TrainingTrouble(
      StatusCode.MODEL_TRAINING_INVALID_PARAMS,
      `The dataset '${datasetId}' has no version '${datasetVersionId}'.`,
    );
  }
  if (version.statusCode !== StatusCode.DATASET_VERSION_READY) {
    throw new TrainingTrouble(
      StatusCode.MODEL_TRAINING_INVALID_PARAMS,
      `The version '${datasetVersionId}' of dataset '${datasetId}' is not ready yet.`,
    );
  }
  return { kind: 'version', key: version.key };
}

/** The embedder named, else that of the app's base workflow, else the general one. */
async function embedderOf(
  deps: TrainingDeps,
  grant: AppGrant,
  named: NamedModel | undefined,
): Promise<Embedder> {
  const main = await deps.mainGrant();
  if (!named) {
    const base = await deps.baseEmbedderOf(deps.db, grant);
    const general = base ?? (main && (await embedderIn(deps, main, { id: generalEmbedder, versionId: '' })));
    if (!general)
      throw new TrainingTrouble(
        StatusCode.MODEL_TRAINING_FAILED,
        'This server has no model that makes embeddings.',
      );
    return general;
  }
  // Only built-in networks make embeddings, so the app itself and the platform's are all there is to look in.
  const own = await embedderIn(deps, grant, named);
  const found = own ?? (main && (await embedderIn(deps, main, named)));
  if (found) return found;
  throw new TrainingTrouble(
    StatusCode.MODEL_TRAINING_INVALID_PARAMS,
    `base_embed_model: there is no embedding model '${named.id}'.`,
  );
}

async function embedderIn(
  { db }: TrainingDeps,
  grant: AppGrant,
  named: Pick<NamedModel, 'id' | 'versionId'>,
): Promise<Embedder | undefined> {
  const model: ModelRow | undefined = await findModel(db, grant, named.id);
  if (model?.typeId !== 'visual-embedder') return undefined;
  const version = await findVersion(
    db,
    grant,
    model.key,
    named.versionId ? { id: named.versionId } : { trainedOnly: true },
  );
  return version?.builtin && !version.headSha
    ? { modelVersionKey: version.key, builtin: version.builtin }
    : undefined;
}

/** Concepts of the version; where it names none, everything that the data are labelled with. */
async function conceptsOf(
  { db }: TrainingDeps,
  grant: AppGrant,
  body: ModelVersion,
  scope: DataScope,
): Promise<Concept[]> {
  const named = body.outputInfo?.data?.concepts ?? [];
  if (named.length > 0) return named;
  const ids = await labelledConcepts(db, grant, scope);
  if (ids.length === 0)
    throw new TrainingTrouble(StatusCode.MODEL_TRAINING_NO_DATA, 'Nothing is labelled yet.');
  const concepts = ids.map((id) => create(ConceptSchema, { id, name: id }));
  await settleConcepts(db, grant, concepts);
  return concepts;
}

function checkTolerance(
  { unusable }: GatheredVectors,
  total: number,
  { tolerancePercent }: TrainingSettings,
): void {
  const percent = (unusable / total) * 100;
  if (percent <= tolerancePercent && unusable < total) return;
  throw new TrainingTrouble(
    StatusCode.MODEL_TRAINING_INVALID_DATA_TOLERANCE_EXCEEDED,
    `${unusable} of ${total} labelled images cannot be read; ${tolerancePercent} % are tolerated.`,
  );
}

async function requestOf(
  { db }: TrainingDeps,
  grant: AppGrant,
  {
    settings,
    gathered,
    embedder,
    conceptIds,
  }: { settings: TrainingSettings; gathered: GatheredVectors; embedder: Embedder; conceptIds: string[] },
): Promise<TrainRequest> {
  const { samples, vectors, dims } = gathered;
  const common = {
    dims,
    classes: conceptIds.length,
    exclusive: settings.exclusive,
    classWeights: settings.classWeights,
    seed: settings.seed,
    l2: settings.l2,
    allowMissingPositives: !settings.failOnMissingPositives,
  };
  if (settings.exclusive) return { ...common, vectors, classIndex: exclusiveLabels(samples) };
  const labels = independentLabels(samples, conceptIds.length, settings.enrich);
  if (!settings.enrich || !lacksNegatives(labels, conceptIds.length)) return { ...common, vectors, labels };
  const wanted = Math.min(fillerRowsMax, Math.max(fillerRowsMin, samples.length * 2));
  const fillers = await unlabelledVectors(db, grant, embedder.modelVersionKey, conceptIds, wanted);
  return { ...common, ...withFillers(samples, vectors, labels, fillers, dims, conceptIds.length) };
}

/** Adds rows that have none of the concepts. */
function withFillers(
  samples: readonly Sample[],
  vectors: Float32Array,
  labels: Int8Array,
  fillers: readonly Buffer[],
  dims: number,
  classes: number,
) {
  const rows = samples.length + fillers.length;
  const allVectors = new Float32Array(rows * dims);
  allVectors.set(vectors);
  fillers.forEach((filler, index) => {
    allVectors.set(floatsOf(filler), (samples.length + index) * dims);
  });
  const allLabels = new Int8Array(rows * classes);
  allLabels.set(labels);
  return { vectors: allVectors, labels: allLabels };
}

async function fit(request: TrainRequest, concepts: readonly Concept[], progress: Progress) {
  let reported: Promise<void> = Promise.resolve();
  const outcome = await trainHead({
    ...request,
    signal: progress.signal,
    onProgress: (fraction) => {
      reported = reported.then(() => progress.reached(vectorShare + fraction * headShare));
      // The failure is met when awaited below; here it must only not be unhandled.
      reported.catch(() => {});
    },
  });
  await reported;
  const namesOf = (indices: readonly number[]) =>
    indices.map((index) => `'${concepts[index]?.id}'`).join(', ');
  switch (outcome.kind) {
    case 'trained': {
      const { heldOut, epochsRun, l2 } = outcome.head;
      progress.note(`trained in ${epochsRun} passes, l2 ${l2}, head ${outcome.hash.slice(0, 12)}`);
      if (heldOut) progress.note(`${heldOut.rows} held-out rows: accuracy ${heldOut.accuracy.toFixed(4)}`);
      return outcome.head;
    }
    case 'no_data':
      throw new TrainingTrouble(StatusCode.MODEL_TRAINING_NO_DATA, 'No labelled image can be learned from.');
    case 'no_positives':
      throw new TrainingTrouble(
        StatusCode.MODEL_TRAINING_NO_POSITIVES,
        `No image is labelled with ${namesOf(outcome.classes)}; label some, or leave the concept out.`,
      );
    case 'one_class':
      throw new TrainingTrouble(
        StatusCode.MODEL_TRAINING_ONE_VS_N_SINGLE_CLASS,
        'Concepts that exclude each other are at least two; this model has one.',
      );
    case 'cancelled':
      progress.signal.throwIfAborted();
      throw new Error('the training was cancelled');
  }
}

/** The concepts that were trained, so that the version says what it knows. */
function withConcepts(body: ModelVersion, concepts: readonly Concept[]): ModelVersion {
  body.outputInfo ??= create(OutputInfoSchema);
  body.outputInfo.data ??= create(DataSchema);
  body.outputInfo.data.concepts = [...concepts];
  return body;
}
