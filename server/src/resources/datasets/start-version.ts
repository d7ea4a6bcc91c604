import { DatasetSchema, type DatasetVersion } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { Queryable } from '#store/postgres/index.ts';
import { commonFault } from '../common/faults.ts';
import { unpackBody } from '../common/translate.ts';
import type { DatasetRow } from './dataset.ts';
import type { DatasetParts } from './deps.ts';
import { enqueueSnapshot } from './snapshot.ts';
import { type NewVersion, packVersion, type VersionDefaults } from './version.ts';
import { insertVersion } from './version-store.ts';

/** DatasetVersionRequestOrigin: what a version is made for. */
export const requestOrigin = { manual: 1, training: 2, evalGroundTruth: 3, evalPredictions: 4 } as const;

export function defaultsOf(dataset: Pick<DatasetRow, 'body'>): VersionDefaults {
  const { defaultProcessingInfo, defaultAnnotationFilter } = unpackBody(DatasetSchema, dataset.body);
  return { processingInfo: defaultProcessingInfo, annotationFilter: defaultAnnotationFilter };
}

/**
 * Pins what a version names to what it means now: the search of its filter, the version of its model.
 *
 * @throws Fault for a filter that is not there or cannot be run, or a model that cannot predict
 */
export async function resolveVersion(
  parts: DatasetParts,
  call: Call,
  version: DatasetVersion,
): Promise<NewVersion> {
  const config = version.dataConfig;
  if (config.case === 'modelPredictConfig') {
    if (!config.value.model?.id)
      throw commonFault.invalid(
        'model_predict_config.model.id is empty; name the model whose predictions to keep.',
      );
    const found = await parts.findPredictor(call, config.value.model);
    config.value.model = found.model;
    return packVersion(version, found.modelVersionKey);
  }
  const filter = config.value?.annotationFilter;
  if (filter) {
    if (!filter.search && filter.id !== '') {
      const search = await parts.findAnnotationFilter(call.app, filter.id);
      if (!search) throw commonFault.missing('annotation filter', filter.id);
      filter.search = search;
    }
    if (filter.search) await parts.searches.annotationCondition(call.app, filter.search);
  }
  return packVersion(version);
}

/**
 * Makes a version that a job will fill.
 *
 * @returns its row key
 * @throws Fault 40010 when the dataset has a version of this id
 */
export async function startVersion(
  tx: Queryable,
  grant: AppGrant,
  datasetKey: number,
  version: NewVersion,
  origin: number,
): Promise<number> {
  const key = await insertVersion(tx, grant, datasetKey, version, origin);
  if (key === undefined) throw commonFault.duplicateId('dataset version', version.id);
  await enqueueSnapshot(tx, grant, key);
  return key;
}
