import { StatusCode } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import { encodePart, trainMetric } from '#engine/training/index.ts';
import { packVersion, trainParams } from '../translate.ts';
import type { TrainingResult } from '../version-store.ts';
import { checkTolerance, conceptsOf, embedderOf, type Frame, made, passOn, withConcepts } from './frame.ts';
import { keepPart } from './parts-store.ts';
import { exclusiveLabels, inputsOf, samplesWhere } from './problem.ts';
import { TrainingTrouble } from './trouble.ts';
import { VectorMemory } from './vector-store.ts';
import { gatherSamples, gatherVectors } from './vectors.ts';

const width = 128;
const marginUsual = 0.3;
const vectorShare = 0.5;

/** Trains a map of a frozen network's embeddings in which pictures of one concept lie closer together. */
export async function trainEmbedder(frame: Frame): Promise<TrainingResult> {
  const { deps, grant, body, settings, scope, progress } = frame;
  const embedder = await embedderOf(deps, grant, settings.embedder);
  const concepts = await conceptsOf(deps, grant, body, scope);
  const ids = concepts.map((concept) => concept.id);
  const labelled = await gatherSamples(frame, ids);
  if (labelled.count === 0)
    throw new TrainingTrouble(
      StatusCode.MODEL_TRAINING_NO_DATA,
      'No processed picture is labelled with any of the concepts.',
    );
  const only = exclusiveLabels(labelled);
  const samples = samplesWhere(labelled, (at) => (only[at] as number) >= 0);
  const present = new Set(exclusiveLabels(samples));
  if (present.size < 2)
    throw new TrainingTrouble(
      StatusCode.MODEL_TRAINING_ONE_VS_N_SINGLE_CLASS,
      'An embedder learns what differs between concepts: at least two need pictures that show exactly one of them.',
    );
  const gathered = await gatherVectors(deps, grant, embedder, samples, {
    store: new VectorMemory(),
    signal: progress.signal,
    progress: (fraction) => progress.reached(fraction * vectorShare),
  });
  checkTolerance(gathered.unusable, samples.count, settings);
  const { dims, vectors } = gathered;
  progress.note(
    `${present.size} concepts, ${gathered.samples.count} pictures, embeddings by ${embedder.builtin}`,
  );
  const watching = passOn(progress, vectorShare, 0.45);
  const given = Number(trainParams(body).margin);
  const fit = await made(
    progress,
    watching,
    trainMetric(
      {
        vectors,
        dims,
        classes: ids.length,
        classOf: exclusiveLabels(gathered.samples),
        width: Math.min(width, dims),
        margin: given > 0 && given <= 1.5 ? given : marginUsual,
        seed: settings.seed,
      },
      watching,
    ),
  );
  mayDie('training-fitted');
  progress.note(`trained in ${fit.epochs} passes, loss ${fit.loss.toFixed(4)}`);
  const { projection, mean } = fit;
  const sha = await keepPart(
    deps,
    grant,
    encodePart({ kind: 'embedder', facts: {}, arrays: { mean, projection } }),
  );
  mayDie('training-head-kept');
  return {
    code: StatusCode.MODEL_TRAINED,
    details: '',
    log: '',
    inputCount: inputsOf(gathered.samples),
    head: {
      sha,
      builtin: embedder.builtin,
      baseModelVersionKey: embedder.modelVersionKey,
      conceptIds: ids,
      body: packVersion(withConcepts(body, concepts)),
    },
  };
}
