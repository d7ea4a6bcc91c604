import { create } from '@bufbuild/protobuf';
import { ConceptSchema, StatusCode } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import { gridOf, type PatchBank } from '#engine/index.ts';
import { encodePart, randomFrom, shuffle, trainBank } from '#engine/training/index.ts';
import { settleConcepts } from '../concept-names.ts';
import { packVersion } from '../translate.ts';
import type { TrainingResult } from '../version-store.ts';
import { checkTolerance, type Frame, made, passOn, withConcepts } from './frame.ts';
import { keepPart } from './parts-store.ts';
import { allPictures, evenly, gatherCells, readable } from './pictures.ts';
import { exclusiveLabels } from './problem.ts';
import { TrainingTrouble } from './trouble.ts';
import { gatherSamples } from './vectors.ts';

const recipe = 'patches';
const cells = gridOf[recipe] ** 2;
const picturesMax = 1_000;
const rowsMax = 60_000;
const patchesMax = 1_000;
const usualMin = 2;
const held = { share: 0.2, min: 1, max: 60 };
const featureShare = 0.5;
const fitShare = 0.3;
const anomalyId = 'anomaly';

/**
 * Remembers what usual pictures look like, patch by patch. Where the version names concepts the pictures of the first
 * one are the usual ones, else all of the scope are.
 */
export async function trainAnomalies(frame: Frame): Promise<TrainingResult> {
  const { deps, grant, body, settings, progress } = frame;
  const keys = await usualPictures(frame);
  if (keys.length < usualMin)
    throw new TrainingTrouble(
      StatusCode.MODEL_TRAINING_NO_DATA,
      `At least ${usualMin} usual pictures are needed; there are ${keys.length}.`,
    );
  const random = randomFrom(settings.seed);
  const order = shuffle([...keys], random);
  const heldCount = Math.min(held.max, Math.max(held.min, Math.floor(order.length * held.share)));
  const judged = order.slice(0, heldCount);
  const learned = order.slice(heldCount);
  progress.note(`${learned.length} usual pictures are remembered, ${judged.length} set the scale`);
  const perPicture = Math.min(cells, Math.max(16, Math.floor(rowsMax / learned.length)));
  const { rows, dims, unusable } = await gatherCells(
    frame,
    learned,
    recipe,
    async (index) => {
      const chosen = shuffle(
        Int32Array.from({ length: cells }, (_, cell) => cell),
        randomFrom(settings.seed + index),
      );
      return chosen.slice(0, perPicture).sort();
    },
    { from: 0, to: featureShare },
  );
  checkTolerance(unusable, learned.length, settings);
  const watching = passOn(progress, featureShare, fitShare);
  const bank = await made(
    progress,
    watching,
    trainBank({ rows, dims, patchesMax, seed: settings.seed }, watching),
  );
  mayDie('training-fitted');
  const scale = await scaleOf(frame, bank, judged);
  progress.note(
    `${bank.bank.length / bank.width} patches kept; a usual picture differs by ${scale.middle.toFixed(3)} at its oddest spot`,
  );
  const { mean, scale: spread, projection, width } = bank;
  const part = {
    kind: 'anomalies',
    facts: { width, middle: scale.middle, spread: scale.spread },
    arrays: { mean, scale: spread, projection, bank: bank.bank },
  };
  const sha = await keepPart(deps, grant, encodePart(part));
  mayDie('training-head-kept');
  const named = body.outputInfo?.data?.concepts ?? [];
  const concept = named[1] ?? create(ConceptSchema, { id: anomalyId, name: anomalyId });
  await settleConcepts(deps.db, grant, [concept]);
  return {
    code: StatusCode.MODEL_TRAINED,
    details: '',
    log: '',
    inputCount: keys.length - unusable,
    head: {
      sha,
      builtin: recipe,
      baseModelVersionKey: null,
      conceptIds: [concept.id],
      body: packVersion(named.length > 0 ? body : withConcepts(body, [concept])),
    },
  };
}

async function usualPictures(frame: Frame): Promise<number[]> {
  const usual = frame.body.outputInfo?.data?.concepts[0];
  if (!usual) return allPictures(frame, picturesMax);
  const samples = await gatherSamples(frame, [usual.id]);
  const classes = exclusiveLabels(samples);
  const keys = samples.inputKeys.filter((_, at) => samples.regionKeys[at] === 0 && classes[at] === 0);
  return evenly([...keys], picturesMax);
}

/** How odd the oddest spot of usual pictures is that the bank does not hold: what is far above it is an anomaly. */
async function scaleOf(
  { deps, grant, progress }: Frame,
  bank: PatchBank,
  judged: readonly number[],
): Promise<{ middle: number; spread: number }> {
  const oddest: number[] = [];
  for (const [index, key] of judged.entries()) {
    const bytes = await readable(() => deps.readImageBytes(grant, key));
    const scores =
      bytes &&
      (await readable(() =>
        deps.engine.dense<Float32Array>(
          { bytes },
          recipe,
          { kind: 'unusual', id: `scale-${key}`, bank },
          { background: true, signal: progress.signal },
        ),
      ));
    if (scores) oddest.push(scores.reduce((a, b) => Math.max(a, b), 0));
    await progress.reached(featureShare + fitShare + (0.18 * (index + 1)) / judged.length);
  }
  if (oddest.length === 0)
    throw new TrainingTrouble(StatusCode.MODEL_TRAINING_NO_DATA, 'None of the usual pictures could be read.');
  const middle = oddest.reduce((sum, score) => sum + score, 0) / oddest.length;
  const variance = oddest.reduce((sum, score) => sum + (score - middle) ** 2, 0) / oddest.length;
  // Few pictures say little about how much they differ among themselves.
  return { middle, spread: Math.max(Math.sqrt(variance), 0.08 * middle, 1e-6) };
}
