import { StatusCode } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import { encodePart, trainClusters } from '#engine/training/index.ts';
import { packVersion, trainParams } from '../translate.ts';
import type { TrainingResult } from '../version-store.ts';
import { type InputRow, picturesAfter } from './data-store.ts';
import { checkTolerance, embedderOf, type Frame, made, passOn } from './frame.ts';
import { keepPart } from './parts-store.ts';
import { evenly } from './pictures.ts';
import { unlabelledSamples } from './problem.ts';
import { TrainingTrouble } from './trouble.ts';
import { VectorMemory } from './vector-store.ts';
import { gatherVectors } from './vectors.ts';

const coarseUsual = 32;
const coarseMax = 1_024;
const fineUsual = 8;
/** Groups are found on so many pictures; all others are sorted into them. */
const picturesMax = 200_000;
const vectorShare = 0.5;

/** Sorts the pictures of the scope into groups on two levels; labels play no part. */
export async function trainClusterer(frame: Frame): Promise<TrainingResult> {
  const { deps, grant, body, settings, progress } = frame;
  const wanted = coarseWanted(body);
  const embedder = await embedderOf(deps, grant, settings.embedder);
  const pictures = await picturesOf(frame);
  if (pictures.length === 0)
    throw new TrainingTrouble(StatusCode.MODEL_TRAINING_NO_DATA, 'There is no processed picture to sort.');
  const samples = unlabelledSamples(pictures);
  const gathered = await gatherVectors(deps, grant, embedder, samples, {
    store: new VectorMemory(),
    signal: progress.signal,
    progress: (fraction) => progress.reached(fraction * vectorShare),
  });
  checkTolerance(gathered.unusable, samples.count, settings);
  progress.note(`${gathered.samples.count} pictures, embeddings by ${embedder.builtin}`);
  const watching = passOn(progress, vectorShare, 0.45);
  const clusters = await made(
    progress,
    watching,
    trainClusters(
      {
        vectors: gathered.vectors,
        dims: gathered.dims,
        coarse: wanted,
        fine: fineUsual,
        seed: settings.seed,
      },
      watching,
    ),
  );
  mayDie('training-fitted');
  const { dims, fineCounts, ...arrays } = clusters;
  progress.note(`${fineCounts.length} coarse groups, ${fineCounts.reduce((sum, n) => sum + n, 0)} fine ones`);
  const sha = await keepPart(
    deps,
    grant,
    encodePart({ kind: 'clusters', facts: { dims, fineCounts }, arrays }),
  );
  mayDie('training-head-kept');
  return {
    code: StatusCode.MODEL_TRAINED,
    details: '',
    log: '',
    inputCount: gathered.samples.count,
    head: {
      sha,
      builtin: embedder.builtin,
      baseModelVersionKey: embedder.modelVersionKey,
      conceptIds: [],
      body: packVersion(body),
    },
  };
}

function coarseWanted(body: Frame['body']): number {
  const { coarse_clusters: given } = trainParams(body);
  if (given === undefined || given === null || given === '') return coarseUsual;
  const count = Number(given);
  if (Number.isSafeInteger(count) && count >= 1 && count <= coarseMax) return count;
  throw new TrainingTrouble(
    StatusCode.MODEL_TRAINING_INVALID_PARAMS,
    `train_info.params.coarse_clusters is a whole number from 1 to ${coarseMax}, not ${JSON.stringify(given)}.`,
  );
}

async function picturesOf({ deps, grant, scope, progress }: Frame): Promise<InputRow[]> {
  const found: InputRow[] = [];
  for (let afterKey = 0; ; ) {
    progress.signal.throwIfAborted();
    const rows = await picturesAfter(deps.db, grant, scope, { afterKey, limit: 5_000 });
    for (const row of rows) found.push(row);
    if (rows.length < 5_000) break;
    afterKey = rows.at(-1)?.inputKey ?? afterKey;
  }
  return evenly(found, picturesMax);
}
