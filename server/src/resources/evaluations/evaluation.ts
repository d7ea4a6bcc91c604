import { EvaluationType, type ModelVersion } from '@fovea/contract';
import { canonicalTypeId, findModelType } from '../models/index.ts';
import type { Runnable } from '../predictions/index.ts';

/** What sort of figures a model is judged by. */
export type EvaluationKind = 'classification' | 'detection' | 'segmentation' | 'clustering' | 'tracking';

/** Clusterers and trackers know no concepts and are judged by all labels; the others by the labels that they know. */
export const knowsNoConcepts = (kind: EvaluationKind): boolean =>
  kind === 'clustering' || kind === 'tracking';

const kinds: Partial<Record<EvaluationType, EvaluationKind>> = {
  [EvaluationType.Classification]: 'classification',
  [EvaluationType.Detection]: 'detection',
  [EvaluationType.Segmentation]: 'segmentation',
  [EvaluationType.Clustering]: 'clustering',
  [EvaluationType.Tracker]: 'tracking',
};

/** @returns undefined for models that are not judged by labels, such as those that make text */
export function kindOfType(typeId: string): EvaluationKind | undefined {
  const type = findModelType(typeId);
  const kind = kinds[type?.evaluationType ?? EvaluationType.Undefined];
  // Embedders learn from concepts, and say none.
  return kind === 'classification' && !type?.outputFields.includes('concepts') ? undefined : kind;
}

const headTypes = new Set(['embedding-classifier', 'visual-classifier']);

/** Whether a version is a linear head on embeddings of pictures: then it can be trained anew for each fold. */
export const isHead = ({ model, version }: Runnable): boolean =>
  headTypes.has(canonicalTypeId(model.typeId)) && version.headSha !== null && version.builtin !== null;

/** Whether a stored embedding stands for the picture. */
export const takesVectors = (runnable: Runnable): boolean =>
  isHead(runnable) ||
  (canonicalTypeId(runnable.model.typeId) === 'clusterer' && runnable.version.headSha !== null);

/** An evaluation as it is kept. */
export interface EvaluationRow {
  readonly key: number;
  readonly appKey: number;
  readonly id: string;
  readonly modelAppKey: number;
  readonly modelVersionKey: number;
  readonly modelId: string;
  readonly modelTypeId: string;
  readonly dataAppKey: number;
  readonly datasetId: string;
  readonly truthVersionKey: number | null;
  readonly predictionsVersionKey: number | null;
  readonly conceptIds: readonly string[];
  readonly statusCode: number;
  readonly statusDetails: string;
  readonly percentCompleted: number;
  readonly body: Buffer;
  readonly result: Buffer | null;
  readonly numbers: Record<string, unknown> | null;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
  readonly userId: string;
  readonly appId: string;
}

/** One input of an evaluation. Messages are the contract's Data in bytes. */
export interface EvaluatedInput {
  readonly position: number;
  readonly inputKey: number;
  readonly inputId: string;
  readonly width: number;
  readonly height: number;
  readonly truth: Buffer;
  readonly positive: readonly string[];
  readonly predicted: Buffer | null;
  readonly scores: readonly number[] | null;
  readonly trouble: string;
}

export interface KnownConcept {
  readonly id: string;
  readonly name: string;
  readonly appId: string;
}

/**
 * Which of the model's concepts a label speaks of: the one with its id, else the one that is called so. Built-in
 * models have ids of their own, and people label with words.
 */
export function conceptMatcher(known: readonly KnownConcept[]): (labelId: string) => string | undefined {
  const byId = new Map(known.map((concept) => [concept.id, concept.id]));
  const byName = new Map(known.map((concept) => [concept.name.toLowerCase(), concept.id]));
  return (labelId) => byId.get(labelId) ?? byName.get(labelId.toLowerCase());
}

export const conceptsOfVersion = (
  version: { conceptIds: readonly string[] },
  body: ModelVersion,
): KnownConcept[] => {
  const shown = new Map(body.outputInfo?.data?.concepts.map((concept) => [concept.id, concept]));
  return version.conceptIds.map((id) => ({
    id,
    name: shown.get(id)?.name || id,
    appId: shown.get(id)?.appId ?? '',
  }));
};

export const conceptsMin = 2;
export const inputsPerConceptMin = 5;

/**
 * Whether the ground truth is enough to judge a classifier by: two concepts or more, each on five inputs
 * (SEMANTICS 5.9).
 *
 * @param counts inputs that have the concept, for those of the model that are labelled at all
 */
export function enoughToJudge(
  counts: ReadonlyMap<string, number>,
): { kind: 'enough' } | { kind: 'labels' | 'inputs'; why: string } {
  if (counts.size < conceptsMin) {
    const found = [...counts.keys()].map((id) => `'${id}'`).join(', ') || 'none';
    return {
      kind: 'labels',
      why: `Inputs are labelled with ${counts.size} of the model's concepts (${found}); at least ${conceptsMin} are needed.`,
    };
  }
  const scarce = [...counts].filter(([, inputs]) => inputs < inputsPerConceptMin);
  if (scarce.length === 0) return { kind: 'enough' };
  const shown = scarce.slice(0, 10).map(([id, inputs]) => `'${id}' has ${inputs}`);
  return {
    kind: 'inputs',
    why: `Each concept needs at least ${inputsPerConceptMin} labelled inputs; ${shown.join(', ')}${scarce.length > 10 ? ' …' : ''}.`,
  };
}

/** Settings of an evaluation, from `eval_info.params`. */
export interface EvaluationSettings {
  /** Folds of a cross-validation; 0 judges the version as it is. */
  readonly folds: number;
  readonly seed: number;
}

/**
 * @param params `use_kfold` (true, false, or left out), `num_folds` 2..20, `seed`
 * @param byDefault what counts where nobody says: heads judged on their app's labels would be judged on what they learnt
 * @throws RangeError for what cannot be
 */
export function readSettings(params: Record<string, unknown>, byDefault: boolean): EvaluationSettings {
  const { use_kfold: asked = byDefault, num_folds: folds = 5, seed = 1 } = params;
  if (typeof asked !== 'boolean')
    throw new RangeError(`eval_info.params.use_kfold is ${JSON.stringify(asked)}; use true or false.`);
  if (typeof folds !== 'number' || !Number.isInteger(folds) || folds < 2 || folds > 20)
    throw new RangeError(`eval_info.params.num_folds is ${JSON.stringify(folds)}; use 2 to 20.`);
  if (typeof seed !== 'number' || !Number.isInteger(seed))
    throw new RangeError(`eval_info.params.seed is ${JSON.stringify(seed)}; use a whole number.`);
  return { folds: asked ? folds : 0, seed };
}
