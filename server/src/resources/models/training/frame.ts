import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import {
  type Concept,
  ConceptSchema,
  DataSchema,
  type ModelVersion,
  OutputInfoSchema,
  StatusCode,
} from '@fovea/contract';
import type { Embedder } from '#domain/app-embedders.ts';
import { embedderName } from '#domain/embedder-name.ts';
import type { AppGrant } from '#domain/grant.ts';
import { settleConcepts } from '../concept-names.ts';
import type { ModelRow, VersionRow } from '../model.ts';
import { findModel } from '../store.ts';
import { findVersion } from '../version-store.ts';
import {
  type DataScope,
  findDataset,
  findDatasetVersion,
  type InputKind,
  labelledConcepts,
} from './data-store.ts';
import type { TrainingDeps } from './deps.ts';
import { type NamedModel, readTrainingSettings, type TrainingSettings } from './settings.ts';
import { TrainingTrouble } from './trouble.ts';

export interface Progress {
  /** Adds a line to the training log. */
  note(line: string): void;
  /** 0..1 of the whole training; throws when the version is gone. */
  reached(fraction: number): Promise<void>;
  readonly signal: AbortSignal;
}

/** Everything that a training begins with. */
export interface Frame {
  readonly deps: TrainingDeps;
  readonly grant: AppGrant;
  readonly version: VersionRow;
  /** The version's message; training completes it. */
  readonly body: ModelVersion;
  readonly settings: TrainingSettings;
  readonly scope: DataScope;
  readonly progress: Progress;
}

/** Versions are made in the background; one made for this very training mostly is not ready when it begins. */
const beingMade: ReadonlySet<number> = new Set([
  StatusCode.DATASET_VERSION_PENDING,
  StatusCode.DATASET_VERSION_IN_PROGRESS,
]);
const versionLookMs = 100;
const versionWaitMs = 15 * 60_000;

const generalEmbedder = 'general-image-embedding';

export function settingsOf(body: ModelVersion): TrainingSettings {
  try {
    return readTrainingSettings(body);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TrainingTrouble(StatusCode.MODEL_TRAINING_INVALID_PARAMS, error.message);
  }
}

export async function scopeOf(
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
  let { statusCode } = version;
  for (let waited = 0; beingMade.has(statusCode) && waited < versionWaitMs; waited += versionLookMs) {
    if (waited === 0) progress.note(`waiting for version ${datasetVersionId} of the dataset`);
    await sleep(versionLookMs, undefined, { signal: progress.signal });
    await progress.reached(0);
    statusCode = (await findDatasetVersion(db, grant, dataset.key, datasetVersionId))?.statusCode ?? 0;
  }
  if (statusCode !== StatusCode.DATASET_VERSION_READY) {
    throw new TrainingTrouble(
      StatusCode.MODEL_TRAINING_INVALID_PARAMS,
      `The version '${datasetVersionId}' of dataset '${datasetId}' is not ready, and could not be waited for.`,
    );
  }
  return { kind: 'version', key: version.key };
}

/** The embedder named, else that of the app's base workflow, else the general one. */
export async function embedderOf(
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
  return version?.builtin
    ? { modelVersionKey: version.key, builtin: embedderName(version.builtin, version.headSha) }
    : undefined;
}

/** Concepts of the version; where it names none, everything that the data are labelled with. */
export async function conceptsOf(
  { db }: TrainingDeps,
  grant: AppGrant,
  body: ModelVersion,
  scope: DataScope,
  kind: InputKind = 'image',
): Promise<Concept[]> {
  const named = body.outputInfo?.data?.concepts ?? [];
  if (named.length > 0) return named;
  const ids = await labelledConcepts(db, grant, scope, kind);
  if (ids.length === 0)
    throw new TrainingTrouble(StatusCode.MODEL_TRAINING_NO_DATA, 'Nothing is labelled yet.');
  const concepts = ids.map((id) => create(ConceptSchema, { id, name: id }));
  await settleConcepts(db, grant, concepts);
  return concepts;
}

/** @throws TrainingTrouble 21119 when too many inputs cannot be read */
export function checkTolerance(
  unusable: number,
  total: number,
  { tolerancePercent }: TrainingSettings,
): void {
  const percent = (unusable / total) * 100;
  if (percent <= tolerancePercent && unusable < total) return;
  throw new TrainingTrouble(
    StatusCode.MODEL_TRAINING_INVALID_DATA_TOLERANCE_EXCEEDED,
    `${unusable} of ${total} labelled inputs cannot be read; ${tolerancePercent} % are tolerated.`,
  );
}

/** The concepts that were trained, so that the version says what it knows. */
export function withConcepts(body: ModelVersion, concepts: readonly Concept[]): ModelVersion {
  body.outputInfo ??= create(OutputInfoSchema);
  body.outputInfo.data ??= create(DataSchema);
  body.outputInfo.data.concepts = [...concepts];
  return body;
}

/** Tells a thread's progress on, as a part of the whole. `settled` waits until the last word of it is written. */
export function passOn(progress: Progress, from: number, share: number) {
  let reported: Promise<void> = Promise.resolve();
  return {
    signal: progress.signal,
    onProgress(fraction: number) {
      reported = reported.then(() => progress.reached(from + fraction * share));
      // The failure is met when awaited; here it must only not be unhandled.
      reported.catch(() => {});
    },
    settled: () => reported,
  };
}

/** What a thread made. @throws where it was told to stop */
export async function made<Fit>(
  progress: Progress,
  watching: ReturnType<typeof passOn>,
  fit: Promise<Fit | undefined>,
): Promise<Fit> {
  const done = await fit;
  await watching.settled();
  if (done !== undefined) return done;
  progress.signal.throwIfAborted();
  throw new Error('the training was cancelled');
}
