import { type DatasetVersion, type DatasetVersionMetrics, DatasetVersionSchema } from '@fovea/contract';
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
  readonly requestOrigin: number;
  readonly visibility: number;
  readonly body: Buffer;
  readonly metrics: Buffer | null;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

export interface NewVersion {
  readonly id: string;
  readonly body: Buffer;
  readonly visibility: number;
}

/**
 * Reads a version to be made; the dataset's processing settings are copied where it brings none of its own.
 *
 * @throws Fault 11102 for what this server cannot make a version of yet, or a bad id
 */
export function readVersion(wire: DatasetVersion, defaults: DatasetVersion['processingInfo']): NewVersion {
  const id = wire.id || newId();
  const trouble = idTrouble(id, 'dataset version');
  if (trouble) throw commonFault.invalid(trouble);
  const config = wire.dataConfig;
  if (config.case === 'modelPredictConfig') {
    throw commonFault.invalid(
      'model_predict_config: versions of predictions are not built yet on this server.',
    );
  }
  const filter = config.value?.annotationFilter;
  if (filter && (filter.id !== '' || filter.search)) {
    throw commonFault.invalid(
      'annotation_filter_config.annotation_filter: annotation filters are not built yet on this server.',
    );
  }
  const body = packBody(
    DatasetVersionSchema,
    { ...wire, processingInfo: wire.processingInfo ?? defaults },
    columns,
  );
  return { id, body, visibility: readVisibility(wire.visibility) };
}

/** True when the version leaves out inputs that nothing is said of. */
export function leavesOutEmpty(body: Buffer): boolean {
  const { dataConfig } = unpackBody(DatasetVersionSchema, body);
  return dataConfig.case === 'annotationFilterConfig' && dataConfig.value.ignoreEmptyInputs;
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

export type Metrics = Omit<DatasetVersionMetrics, '$typeName' | '$unknown' | 'regionLocationMatrix'>;
