import { type Concept, StatusCode } from '@fovea/contract';
import type { Embedder } from '#domain/app-embedders.ts';
import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { encodeHead, type TrainRequest, trainHead } from '#engine/training/index.ts';
import { packVersion } from '../translate.ts';
import type { TrainingResult } from '../version-store.ts';
import { unlabelledVectors } from './data-store.ts';
import type { TrainingDeps } from './deps.ts';
import { judge } from './evaluate.ts';
import {
  checkTolerance,
  conceptsOf,
  embedderOf,
  type Frame,
  type Progress,
  passOn,
  withConcepts,
} from './frame.ts';
import { keepPart } from './parts-store.ts';
import { exclusiveLabels, independentLabels, inputsOf, lacksNegatives } from './problem.ts';
import type { TrainingSettings } from './settings.ts';
import { TrainingTrouble } from './trouble.ts';
import { VectorSpill } from './vector-store.ts';
import { type GatheredVectors, gatherSamples, gatherVectors } from './vectors.ts';

const fillerRowsMax = 2_000;
const fillerRowsMin = 100;
/** Parts of the progress bar: vectors, head, and the judgement of it. */
const vectorShare = 0.5;
const headShare = 0.35;

/** Trains a linear head on the embeddings of a frozen network. */
export async function trainClassifier(frame: Frame): Promise<TrainingResult> {
  const store = new VectorSpill(frame.deps.trainingWorkDir);
  try {
    return await trainFrom(frame, store);
  } finally {
    await store.remove();
  }
}

async function trainFrom(frame: Frame, store: VectorSpill): Promise<TrainingResult> {
  const { deps, grant, body, settings, scope, progress } = frame;
  const embedder = await embedderOf(deps, grant, settings.embedder);
  progress.note(`embeddings by ${embedder.builtin}`);
  const concepts = await conceptsOf(deps, grant, body, scope);
  const conceptIds = concepts.map((concept) => concept.id);
  const samples = await gatherSamples(frame, conceptIds);
  progress.note(`${concepts.length} concepts, ${samples.count} labelled images and regions`);
  if (samples.count === 0) {
    throw new TrainingTrouble(
      StatusCode.MODEL_TRAINING_NO_DATA,
      'No processed image is labelled with any of the concepts.',
    );
  }
  const gathered = await gatherVectors(deps, grant, embedder, samples, {
    store,
    signal: progress.signal,
    spareRows: fillerRowsMax,
    progress: (fraction) => progress.reached(fraction * vectorShare),
  });
  progress.note(
    `${gathered.samples.count} vectors of ${gathered.dims} numbers, ${gathered.computed} of them computed now`,
  );
  checkTolerance(gathered.unusable, samples.count, settings);
  await progress.reached(vectorShare);
  const request = await requestOf(deps, grant, { settings, gathered, store, embedder, conceptIds });
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
    inputCount: inputsOf(gathered.samples),
    ...(metrics ? { metrics } : {}),
    head: {
      sha,
      builtin: embedder.builtin,
      baseModelVersionKey: embedder.modelVersionKey,
      conceptIds,
      body: packVersion(withConcepts(body, concepts)),
    },
  };
}

async function requestOf(
  { db }: TrainingDeps,
  grant: AppGrant,
  {
    settings,
    gathered,
    store,
    embedder,
    conceptIds,
  }: {
    settings: TrainingSettings;
    gathered: GatheredVectors;
    store: VectorSpill;
    embedder: Embedder;
    conceptIds: string[];
  },
): Promise<TrainRequest> {
  const { samples, vectors, dims } = gathered;
  const common = {
    dims,
    classes: conceptIds.length,
    exclusive: settings.exclusive,
    classWeights: settings.classWeights,
    seed: settings.seed,
    l2: settings.l2,
    allowMissingPositives: !settings.failOnMissingPositives,
  };
  if (settings.exclusive) return { ...common, vectors, classIndex: exclusiveLabels(samples) };
  const labels = independentLabels(samples, conceptIds.length, settings.enrich);
  if (!settings.enrich || !lacksNegatives(labels, conceptIds.length)) return { ...common, vectors, labels };
  const wanted = Math.min(fillerRowsMax, Math.max(fillerRowsMin, samples.count * 2));
  const fillers = await unlabelledVectors(db, grant, embedder.modelVersionKey, conceptIds, wanted);
  return { ...common, ...(await withFillers(gathered, store, labels, fillers, conceptIds.length)) };
}

/** Adds rows that have none of the concepts behind the vectors. */
async function withFillers(
  { samples }: GatheredVectors,
  store: VectorSpill,
  labels: Int8Array,
  fillers: readonly Float32Array[],
  classes: number,
) {
  await store.add(fillers);
  const allLabels = new Int8Array((samples.count + fillers.length) * classes);
  allLabels.set(labels);
  return { vectors: store.vectors, labels: allLabels };
}

export async function fitHeadOf(request: TrainRequest, concepts: readonly Concept[], progress: Progress) {
  const watching = passOn(progress, vectorShare, headShare);
  const outcome = await trainHead({
    ...request,
    signal: watching.signal,
    onProgress: watching.onProgress,
  });
  await watching.settled();
  const namesOf = (indices: readonly number[]) =>
    indices.map((index) => `'${concepts[index]?.id}'`).join(', ');
  switch (outcome.kind) {
    case 'trained': {
      const { heldOut, epochsRun, l2 } = outcome.head;
      progress.note(`trained in ${epochsRun} passes, l2 ${l2}, head ${outcome.hash.slice(0, 12)}`);
      if (heldOut) progress.note(`${heldOut.rows} held-out rows: accuracy ${heldOut.accuracy.toFixed(4)}`);
      return outcome;
    }
    case 'no_data':
      throw new TrainingTrouble(StatusCode.MODEL_TRAINING_NO_DATA, 'No labelled image can be learned from.');
    case 'no_positives':
      throw new TrainingTrouble(
        StatusCode.MODEL_TRAINING_NO_POSITIVES,
        `No image is labelled with ${namesOf(outcome.classes)}; label some, or leave the concept out.`,
      );
    case 'one_class':
      throw new TrainingTrouble(
        StatusCode.MODEL_TRAINING_ONE_VS_N_SINGLE_CLASS,
        'Concepts that exclude each other are at least two; this model has one.',
      );
    case 'cancelled':
      progress.signal.throwIfAborted();
      throw new Error('the training was cancelled');
  }
}
