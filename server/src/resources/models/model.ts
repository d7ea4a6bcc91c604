import { StatusCode } from '@fovea/contract';
import { canonicalTypeId, findModelType, trainedHere } from './catalogue/index.ts';

/** Who a row belongs to, as the contract shows it. */
export interface Owner {
  readonly userId: string;
  readonly appId: string;
}

export interface ModelRow extends Owner {
  readonly key: number;
  readonly appKey: number;
  readonly id: string;
  readonly name: string;
  readonly typeId: string;
  readonly visibility: number;
  readonly toolkits: readonly string[];
  readonly useCases: readonly string[];
  readonly languages: readonly string[];
  readonly creator: string;
  readonly licenseType: number;
  readonly source: number;
  /** Has a featured_order. */
  readonly featured: boolean;
  readonly body: Buffer;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

export interface VersionRow {
  readonly key: number;
  readonly appKey: number;
  readonly modelKey: number;
  readonly id: string;
  readonly statusCode: number;
  readonly statusDetails: string;
  readonly visibility: number;
  /** Id of the network of the engine that answers for this version. */
  readonly builtin: string | null;
  /** SHA-256 of the trained head in the object store. */
  readonly headSha: Buffer | null;
  /** Version of the embedder that the head was trained on. */
  readonly baseModelVersionKey: number | null;
  readonly conceptIds: readonly string[];
  readonly license: string;
  readonly description: string;
  readonly inputCount: number;
  readonly percentCompleted: number;
  readonly body: Buffer;
  readonly trainLogToken: string;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
  readonly completedAt: Date | null;
}

/** A model with one of its versions: the latest, or the one asked for. */
export interface ModelWithVersion {
  readonly model: ModelRow;
  readonly version: VersionRow | undefined;
}

/** A model with a version that is certainly there. */
export interface PinnedModel {
  readonly model: ModelRow;
  readonly version: VersionRow;
}

export type NewModel = Pick<
  ModelRow,
  | 'id'
  | 'name'
  | 'typeId'
  | 'visibility'
  | 'toolkits'
  | 'useCases'
  | 'languages'
  | 'creator'
  | 'licenseType'
  | 'source'
  | 'featured'
  | 'body'
>;

export type NewVersion = Pick<
  VersionRow,
  'id' | 'statusCode' | 'statusDetails' | 'visibility' | 'conceptIds' | 'license' | 'description' | 'body'
> &
  Partial<Pick<VersionRow, 'builtin' | 'headSha' | 'baseModelVersionKey' | 'inputCount' | 'trainLogToken'>>;

/** The type of a model that names none, as the live service chooses. */
export const defaultTypeId = 'embedding-classifier';

export const isTrainable = (typeId: string): boolean => findModelType(typeId)?.trainable ?? false;
export const canTrain = (typeId: string): boolean => trainedHere.has(canonicalTypeId(typeId));

/**
 * Status of a version that is made, not trained: what must learn first is untrained, everything else is ready
 * (SEMANTICS 5.9).
 */
export const madeStatus = (typeId: string, isPretrained: boolean): StatusCode =>
  isTrainable(typeId) && !isPretrained ? StatusCode.MODEL_UNTRAINED : StatusCode.MODEL_TRAINED;

export const isTrained = (version: { statusCode: number }): boolean =>
  version.statusCode === StatusCode.MODEL_TRAINED;
