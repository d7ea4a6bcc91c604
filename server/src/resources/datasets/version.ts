import { create } from '@bufbuild/protobuf';
import {
  type AnnotationFilter,
  AnnotationFilterConfigSchema,
  type DatasetVersion,
  DatasetVersionSchema,
  type Search,
} from '@fovea/contract';
import { idTrouble, newId } from '#domain/ids.ts';
import { commonFault } from '../common/faults.ts';
import { packBody, readVisibility, unpackBody } from '../common/translate.ts';

const columns = [
  'id',
  'createdAt',
  'modifiedAt',
  'appId',
  'userId',
  'datasetId',
  'status',
  'metrics',
  'exportInfo',
  'visibility',
  'requestOrigin',
] as const;

export interface VersionRow {
  readonly key: number;
  readonly datasetKey: number;
  readonly datasetId: string;
  readonly id: string;
  readonly statusCode: number;
  readonly statusDetails: string;
  readonly percentCompleted: number;
  readonly requestOrigin: number;
  readonly visibility: number;
  readonly body: Buffer;
  /** DatasetVersionMetrics of the whole; what versions of earlier servers have instead of `metricsBySplit`. */
  readonly metrics: Buffer | null;
  /** DatasetVersion with nothing but its metrics. */
  readonly metricsBySplit: Buffer | null;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

export interface NewVersion {
  readonly id: string;
  readonly body: Buffer;
  readonly visibility: number;
  /** Set for a version of what a model says. */
  readonly predictModelVersionKey: number | undefined;
}

/** What a dataset gives to versions that bring none of their own. */
export interface VersionDefaults {
  readonly processingInfo: DatasetVersion['processingInfo'];
  readonly annotationFilter: AnnotationFilter | undefined;
}

/**
 * Reads a version to be made; the dataset's processing settings and filter are copied where it brings none.
 *
 * @throws Fault 11102 for a bad id
 */
export function readVersion(wire: DatasetVersion, defaults: VersionDefaults): DatasetVersion {
  const id = wire.id || newId();
  const trouble = idTrouble(id, 'dataset version');
  if (trouble) throw commonFault.invalid(trouble);
  const version = create(DatasetVersionSchema);
  Object.assign(version, wire, { id, processingInfo: processingOf(wire, defaults) });
  const config = version.dataConfig;
  const usesDefault =
    defaults.annotationFilter &&
    (config.case === undefined ||
      (config.case === 'annotationFilterConfig' && !config.value.annotationFilter));
  if (usesDefault) {
    version.dataConfig = {
      case: 'annotationFilterConfig',
      value: create(AnnotationFilterConfigSchema, {
        annotationFilter: defaults.annotationFilter as AnnotationFilter,
        ignoreEmptyInputs: config.case === 'annotationFilterConfig' && config.value.ignoreEmptyInputs,
      }),
    };
  }
  return version;
}

/** The dataset's where the version brings none; its rate where the version's is zero. */
function processingOf({ processingInfo: own }: DatasetVersion, defaults: VersionDefaults) {
  if (!own) return defaults.processingInfo;
  const rate = defaults.processingInfo?.frameInterpolationInfo?.sampleMs;
  if (own.frameInterpolationInfo && own.frameInterpolationInfo.sampleMs === 0 && rate)
    own.frameInterpolationInfo.sampleMs = rate;
  return own;
}

export const packVersion = (version: DatasetVersion, predictModelVersionKey?: number): NewVersion => ({
  id: version.id,
  body: packBody(DatasetVersionSchema, version, columns),
  visibility: readVisibility(version.visibility),
  predictModelVersionKey,
});

export interface SnapshotConfig {
  /** Finds the annotations that belong to it; undefined for all trusted, finished ones. */
  readonly search: Search | undefined;
  /** True when the version leaves out inputs that nothing is said of. */
  readonly ignoreEmptyInputs: boolean;
  /** True when it holds what a model says. */
  readonly isPredicted: boolean;
  readonly embedModelVersionIds: readonly string[];
  /** Milliseconds between what is worked out on tracks; 0 for the app's rate, undefined for nothing. */
  readonly interpolationMs: number | undefined;
  /** Of everything above but that. */
  readonly digest: string;
}

/** How a version is to be filled. */
export function configOf(body: Buffer): SnapshotConfig {
  const { dataConfig, embedModelVersionIds, processingInfo } = unpackBody(DatasetVersionSchema, body);
  const bare = create(DatasetVersionSchema, { dataConfig, embedModelVersionIds });
  const filter = dataConfig.case === 'annotationFilterConfig' ? dataConfig.value : undefined;
  return {
    search: filter?.annotationFilter?.search,
    ignoreEmptyInputs: filter?.ignoreEmptyInputs ?? false,
    isPredicted: dataConfig.case === 'modelPredictConfig',
    embedModelVersionIds: [...embedModelVersionIds].sort(),
    interpolationMs: processingInfo?.frameInterpolationInfo?.sampleMs,
    digest: packBody(DatasetVersionSchema, bare, columns).toString('base64'),
  };
}

/** The body after an overwrite: only description and metadata are for people to change. */
export function overwrittenBody(
  row: VersionRow,
  sent: DatasetVersion,
  raw: Record<string, unknown> | undefined,
): Buffer {
  const body = unpackBody(DatasetVersionSchema, row.body);
  if (raw ? 'description' in raw : sent.description) body.description = sent.description;
  if (raw ? 'metadata' in raw : sent.metadata) body.metadata = sent.metadata;
  return packBody(DatasetVersionSchema, body, columns);
}
