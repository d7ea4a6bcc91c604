import type { AppGrant } from '#domain/grant.ts';
import { canonicalTypeId } from '../catalogue/index.ts';
import type { VersionRow } from '../model.ts';
import { bodyOfVersion } from '../translate.ts';
import { type TrainingResult, typeOfModel } from '../version-store.ts';
import type { TrainingDeps } from './deps.ts';
import { type Frame, type Progress, scopeOf, settingsOf } from './frame.ts';
import { trainAnomalies } from './train-anomalies.ts';
import { trainClassifier } from './train-classifier.ts';
import { trainClusterer } from './train-clusterer.ts';
import { trainDetector } from './train-detector.ts';
import { trainEmbedder } from './train-embedder.ts';
import { trainSegmenter } from './train-segmenter.ts';
import { trainTextClassifier } from './train-text-classifier.ts';

/** How each type is trained; `catalogue/trainable.ts` says that it can be. */
const trainers: Readonly<Record<string, (frame: Frame) => Promise<TrainingResult>>> = {
  'embedding-classifier': trainClassifier,
  'visual-classifier': trainClassifier,
  'visual-embedder': trainEmbedder,
  'visual-detector': trainDetector,
  'visual-segmenter': trainSegmenter,
  'visual-anomaly-heatmap': trainAnomalies,
  'text-classifier': trainTextClassifier,
  clusterer: trainClusterer,
};

/**
 * Trains one version from what is in the database now. A function of its data: run twice, it makes the same part.
 *
 * @throws TrainingTrouble when the data or the settings allow no model
 */
export async function trainVersion(
  deps: TrainingDeps,
  grant: AppGrant,
  version: VersionRow,
  progress: Progress,
): Promise<TrainingResult> {
  const typeId = canonicalTypeId(await typeOfModel(deps.db, grant, version.modelKey));
  const train = trainers[typeId];
  if (!train) throw new Error(`models of type ${typeId} are not trained here`);
  const body = bodyOfVersion(version);
  const settings = settingsOf(body);
  const scope = await scopeOf(deps, grant, settings, progress);
  return train({ deps, grant, version, body, settings, scope, progress });
}
