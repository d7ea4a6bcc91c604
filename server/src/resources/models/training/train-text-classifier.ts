import { StatusCode } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import { encodeHead, textFeatureDims, textFeatures, textFeaturesId } from '#engine/training/index.ts';
import { packVersion } from '../translate.ts';
import type { TrainingResult } from '../version-store.ts';
import { judge } from './evaluate.ts';
import { checkTolerance, conceptsOf, type Frame, withConcepts } from './frame.ts';
import { keepPart } from './parts-store.ts';
import { evenly, readable } from './pictures.ts';
import { exclusiveLabels, independentLabels, samplesWhere } from './problem.ts';
import { fitHeadOf } from './train-classifier.ts';
import { TrainingTrouble } from './trouble.ts';
import { gatherSamples } from './vectors.ts';

/** A text takes 8 KB while it is learned from. */
const textsMax = 50_000;
const readAtOnce = 16;
const readShare = 0.5;

/** Trains a linear head on counts of words and letter groups. */
export async function trainTextClassifier(frame: Frame): Promise<TrainingResult> {
  const { deps, grant, body, settings, scope, progress } = frame;
  const concepts = await conceptsOf(deps, grant, body, scope, 'text');
  const ids = concepts.map((concept) => concept.id);
  const all = await gatherSamples(frame, ids, 'text');
  const whole = [...all.regionKeys.keys()].filter((at) => all.regionKeys[at] === 0);
  const chosen = new Set(evenly(whole, textsMax));
  const samples = samplesWhere(all, (at) => chosen.has(at));
  progress.note(
    `${ids.length} concepts, ${whole.length} labelled texts, ${samples.count} of them learned from`,
  );
  if (samples.count === 0)
    throw new TrainingTrouble(
      StatusCode.MODEL_TRAINING_NO_DATA,
      'No processed text is labelled with any of the concepts.',
    );
  const features = new Float32Array(new SharedArrayBuffer(samples.count * textFeatureDims * 4));
  const isRead = new Uint8Array(samples.count);
  let rows = 0;
  for (let at = 0; at < samples.count; at += readAtOnce) {
    progress.signal.throwIfAborted();
    const batch = [...samples.inputKeys.subarray(at, at + readAtOnce)];
    const texts = await Promise.all(batch.map((key) => readable(() => deps.readImageBytes(grant, key))));
    texts.forEach((bytes, index) => {
      if (!bytes) return;
      features.set(textFeatures(bytes.toString('utf8')), rows * textFeatureDims);
      isRead[at + index] = 1;
      rows += 1;
    });
    await progress.reached((readShare * (at + batch.length)) / samples.count);
  }
  checkTolerance(samples.count - rows, samples.count, settings);
  const read = samplesWhere(samples, (at) => isRead[at] === 1);
  const request = {
    vectors: features.subarray(0, rows * textFeatureDims),
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
  const fitted = await fitHeadOf(request, concepts, progress);
  const { head } = fitted;
  mayDie('training-fitted');
  const metrics = await judge(request, fitted, concepts, progress.signal);
  const sha = await keepPart(deps, grant, encodeHead(head));
  mayDie('training-head-kept');
  return {
    code: StatusCode.MODEL_TRAINED,
    details: '',
    log: '',
    inputCount: rows,
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
