import { StatusCode } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import { encodeHead, textFeatureDims, textFeatures, textFeaturesId } from '#engine/training/index.ts';
import { packVersion } from '../translate.ts';
import type { TrainingResult } from '../version-store.ts';
import { labelsOf } from './data-store.ts';
import { judge } from './evaluate.ts';
import { checkTolerance, conceptsOf, type Frame, withConcepts } from './frame.ts';
import { keepPart } from './parts-store.ts';
import { evenly, readable } from './pictures.ts';
import { exclusiveLabels, independentLabels, samplesOf } from './problem.ts';
import { fitHeadOf } from './train-classifier.ts';
import { TrainingTrouble } from './trouble.ts';

/** A text takes 8 KB while it is learned from. */
const textsMax = 50_000;
const readAtOnce = 16;
const readShare = 0.5;

/** Trains a linear head on counts of words and letter groups. */
export async function trainTextClassifier(frame: Frame): Promise<TrainingResult> {
  const { deps, grant, body, settings, scope, progress } = frame;
  const concepts = await conceptsOf(deps, grant, body, scope, 'text');
  const ids = concepts.map((concept) => concept.id);
  const labels = await labelsOf(deps.db, grant, scope, ids, 'text');
  const found = samplesOf(labels, ids).filter((sample) => sample.regionKey === 0);
  const samples = evenly(found, textsMax);
  progress.note(
    `${ids.length} concepts, ${found.length} labelled texts, ${samples.length} of them learned from`,
  );
  if (samples.length === 0)
    throw new TrainingTrouble(
      StatusCode.MODEL_TRAINING_NO_DATA,
      'No processed text is labelled with any of the concepts.',
    );
  const features = new Float32Array(new SharedArrayBuffer(samples.length * textFeatureDims * 4));
  const read: typeof samples = [];
  for (let at = 0; at < samples.length; at += readAtOnce) {
    progress.signal.throwIfAborted();
    const batch = samples.slice(at, at + readAtOnce);
    const texts = await Promise.all(
      batch.map((one) => readable(() => deps.readImageBytes(grant, one.inputKey))),
    );
    texts.forEach((bytes, index) => {
      if (!bytes) return;
      features.set(textFeatures(bytes.toString('utf8')), read.length * textFeatureDims);
      read.push(batch[index] as (typeof samples)[number]);
    });
    await progress.reached((readShare * (at + batch.length)) / samples.length);
  }
  checkTolerance(samples.length - read.length, samples.length, settings);
  const request = {
    vectors: features.subarray(0, read.length * textFeatureDims),
    dims: textFeatureDims,
    classes: ids.length,
    exclusive: settings.exclusive,
    ...(settings.exclusive
      ? { classIndex: exclusiveLabels(read) }
      : { labels: independentLabels(read, ids.length, settings.enrich) }),
    classWeights: settings.classWeights,
    seed: settings.seed,
    l2: settings.l2,
    allowMissingPositives: !settings.failOnMissingPositives,
  };
  const head = await fitHeadOf(request, concepts, progress);
  mayDie('training-fitted');
  const metrics = await judge(request, concepts, progress.signal);
  const sha = await keepPart(deps, grant, encodeHead(head));
  mayDie('training-head-kept');
  return {
    code: StatusCode.MODEL_TRAINED,
    details: '',
    log: '',
    inputCount: read.length,
    ...(metrics ? { metrics } : {}),
    head: {
      sha,
      builtin: textFeaturesId,
      baseModelVersionKey: null,
      conceptIds: ids,
      body: packVersion(withConcepts(body, concepts)),
    },
  };
}
