import { cropped, letterboxed, letterboxOf } from '../model-pixels.ts';
import { type Box, boxInPicture, inPixels, squareAround } from './boxes.ts';
import { bodyPointNames, cocoLabels, type Label, personLabel } from './labels.ts';
import { type ObjectHeads, objectEdge } from './object-heads.ts';
import {
  floatsOf,
  imageFeed,
  type ModelRun,
  type PredictedPoint,
  type PredictedRegion,
  type Prediction,
  withValues,
} from './prediction.ts';

const grey = 114;
/** Objects below this are never read out of the heat map, whatever the caller asks for. */
const confidenceFloor = 0.05;
const objectConfidenceMin = 0.3;

const poseEdge = 192;
const poseMargin = 1.25;
/** Below this mean score the "skeleton" is usually a background figure or no person. */
const poseScoreMin = 0.25;
const personsMax = 20;

export async function detectObjects(run: ModelRun): Promise<Prediction> {
  const { objects } = await objectHeads(run);
  const confidenceMin = run.options.confidenceMin ?? objectConfidenceMin;
  const frame = letterboxOf(run.picture, objectEdge);
  const regions = objects
    .filter((one) => one.score >= confidenceMin)
    .map((one): PredictedRegion => {
      const label = cocoLabels[one.label] as Label;
      return {
        box: boxInPicture(one.box, frame),
        value: one.score,
        concepts: [{ ...label, value: one.score }],
      };
    });
  return { regions: regions.filter((region) => hasArea(region.box)) };
}

/** The largest score that each of the 80 classes reaches anywhere in the picture. */
export async function recogniseObjects(run: ModelRun): Promise<Prediction> {
  const { classScores } = await objectHeads(run);
  return { concepts: withValues(cocoLabels, classScores) };
}

/** Finds persons, then the points of each person's body on a square cut around the person. */
export async function findBodies(run: ModelRun): Promise<Prediction> {
  const found = await detectObjects({
    ...run,
    options: { ...run.options, confidenceMin: objectConfidenceMin },
  });
  const persons = (found.regions ?? []).filter((region) => region.concepts[0]?.id === personLabel.id);
  const bodies = await Promise.all(persons.slice(0, personsMax).map((person) => findBody(run, person)));
  const scoreMin = run.options.confidenceMin ?? poseScoreMin;
  return { regions: bodies.filter(({ keypoints = [] }) => meanValue(keypoints) >= scoreMin) };
}

async function findBody(run: ModelRun, person: PredictedRegion): Promise<PredictedRegion> {
  const { picture } = run;
  const square = squareAround(inPixels(person.box, picture), poseMargin);
  const pixels = await cropped(picture, square, poseEdge);
  const points = floatsOf(await run.network('body-points', imageFeed(pixels, poseEdge)), 'points');
  const keypoints = bodyPointNames.map((name, index): PredictedPoint => {
    const [y = 0, x = 0, value = 0] = points.subarray(index * 3, index * 3 + 3);
    const row = (square.top + y * square.height) / picture.height;
    const col = (square.left + x * square.width) / picture.width;
    return { name, row, col, value: Math.min(1, value) };
  });
  return { ...person, keypoints };
}

function objectHeads(run: ModelRun): Promise<ObjectHeads> {
  return run.once('objects', async () => {
    const feed = imageFeed(await letterboxed(run.picture, objectEdge, grey), objectEdge);
    const reduction = { kind: 'objects', confidenceMin: confidenceFloor } as const;
    return (await run.reduced('object-heads', feed, reduction)) as ObjectHeads;
  });
}

function hasArea(box: Box): boolean {
  return box.bottom > box.top && box.right > box.left;
}

function meanValue(points: readonly PredictedPoint[]): number {
  return points.reduce((sum, point) => sum + point.value, 0) / Math.max(1, points.length);
}
