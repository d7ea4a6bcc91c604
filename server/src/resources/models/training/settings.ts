import type { ModelVersion } from '@fovea/contract';
import type { JsonMap } from '#domain/patch.ts';
import { trainParams } from '../translate.ts';

/** How a head is to be trained, read from wherever clients put it. */
export interface TrainingSettings {
  readonly exclusive: boolean;
  /** Unlabelled counts as "has it not" for inputs labelled with another concept of the model. */
  readonly enrich: boolean;
  readonly classWeights: 'balanced' | 'none';
  readonly seed: number;
  readonly l2: number | undefined;
  /** A concept without any positive example stops the training. */
  readonly failOnMissingPositives: boolean;
  /** Percent of the labelled inputs that may be unusable. */
  readonly tolerancePercent: number;
  readonly datasetId: string;
  /** App that the dataset is said to be in; empty means the model's own. */
  readonly datasetAppId: string;
  readonly datasetVersionId: string;
  readonly embedder: NamedModel | undefined;
}

export interface NamedModel {
  readonly id: string;
  readonly userId: string;
  readonly appId: string;
  readonly versionId: string;
}

const seedDefault = 1;
const toleranceDefault = 5;

/** @throws RangeError naming the parameter, in words for the owner of the model */
export function readTrainingSettings(version: ModelVersion): TrainingSettings {
  const params = trainParams(version);
  const config = version.outputInfo?.outputConfig;
  const dataset = datasetOf(version);
  const seed = numberIn(params, 'seed', seedDefault);
  const l2 = numberIn(params, 'l2', -1);
  return {
    exclusive: flagIn(params, 'concepts_mutually_exclusive') ?? config?.conceptsMutuallyExclusive ?? false,
    enrich: textIn(params, 'enrich_dataset').toLowerCase() !== 'disabled',
    classWeights: textIn(params, 'class_weights') === 'balanced' ? 'balanced' : 'none',
    // -1 is the contract's word for "any": the same training then gives the same model, too.
    seed: Number.isSafeInteger(seed) && seed >= 0 ? seed : seedDefault,
    l2: l2 >= 0 ? l2 : undefined,
    failOnMissingPositives: config?.failOnMissingPositiveExamples ?? false,
    tolerancePercent: numberIn(params, 'invalid_data_tolerance_percent', toleranceDefault),
    datasetId: dataset.id,
    datasetAppId: dataset.appId,
    datasetVersionId: dataset.versionId,
    embedder: readEmbedder(version, params),
  };
}

/** The dataset that a version is to be trained on, from wherever clients put it; all empty where none is named. */
export function datasetOf(version: ModelVersion): { id: string; appId: string; versionId: string } {
  const params = trainParams(version);
  const named = version.trainInfo?.dataset;
  return {
    id: named?.id || textIn(params, 'dataset_id'),
    appId: named?.appId ?? '',
    versionId: named?.version?.id || textIn(params, 'dataset_version_id'),
  };
}

function readEmbedder(version: ModelVersion, params: JsonMap): NamedModel | undefined {
  const named = version.inputInfo?.baseEmbedModel;
  if (named?.id) {
    return {
      id: named.id,
      userId: named.userId,
      appId: named.appId,
      versionId: named.modelVersion?.id ?? '',
    };
  }
  const param = params.base_embed_model;
  if (typeof param === 'string' && param !== '') return { id: param, userId: '', appId: '', versionId: '' };
  if (typeof param !== 'object' || param === null || Array.isArray(param)) return undefined;
  const inner =
    typeof param.model_version === 'object' && param.model_version !== null
      ? (param.model_version as JsonMap)
      : {};
  const id = textIn(param, 'model_id') || textIn(param, 'id');
  if (id === '') return undefined;
  return {
    id,
    userId: textIn(param, 'user_id'),
    appId: textIn(param, 'app_id'),
    versionId: textIn(param, 'model_version_id') || textIn(inner, 'id'),
  };
}

const textIn = (params: JsonMap, name: string): string =>
  typeof params[name] === 'string' ? params[name] : '';

function numberIn(params: JsonMap, name: string, fallback: number): number {
  const value = params[name];
  if (value === undefined || value === null || value === '') return fallback;
  const number = Number(value);
  if (!Number.isFinite(number))
    throw new RangeError(`train_info.params.${name} is a number, not ${JSON.stringify(value)}.`);
  return number;
}

function flagIn(params: JsonMap, name: string): boolean | undefined {
  const value = params[name];
  if (typeof value === 'boolean') return value;
  return typeof value === 'number' ? value !== 0 : undefined;
}
