import { StatusCode } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import { gridOf, type LabelledBox, type ThingTargets, thingTargets } from '#engine/index.ts';
import { edgeOutputs, encodePart, randomFrom, shuffle, trainCells } from '#engine/training/index.ts';
import { packVersion } from '../translate.ts';
import type { TrainingResult } from '../version-store.ts';
import { checkTolerance, conceptsOf, type Frame, made, passOn, withConcepts } from './frame.ts';
import { keepPart } from './parts-store.ts';
import { checkExamples, gatherCells, type MarkedPicture, markedPictures } from './pictures.ts';

const recipe = 'cells-8';
const grid = gridOf[recipe];
/** Cells learned from, over all pictures; each has 440 numbers. */
const rowsMax = 60_000;
const cellsPerPictureMax = 320;
const cellsPerPictureMin = 15;
const featureShare = 0.6;
const fitShare = 0.38;

/** Trains a detector: a small network that says of each cell of a frozen network's maps what thing it is the middle of. */
export async function trainDetector(frame: Frame): Promise<TrainingResult> {
  const { deps, grant, body, settings, scope, progress } = frame;
  const concepts = await conceptsOf(deps, grant, body, scope);
  const ids = concepts.map((concept) => concept.id);
  const pictures = await markedPictures(frame, ids, (region) => region.regionInfo?.boundingBox !== undefined);
  checkExamples(frame, ids, pictures, 'a box');
  progress.note(
    `${ids.length} concepts, ${pictures.length} pictures, ${pictures.reduce((sum, one) => sum + one.regions.length, 0)} boxes`,
  );
  const perPicture = Math.max(
    cellsPerPictureMin,
    Math.min(cellsPerPictureMax, Math.floor(rowsMax / pictures.length)),
  );
  const classOf: number[] = [];
  const edges: number[] = [];
  const chosen = new Map<number, { cells: Int32Array; targets: ThingTargets }>();
  const { rows, dims, unusable } = await gatherCells(
    frame,
    pictures.map((one) => one.inputKey),
    recipe,
    async (index) => {
      const targets = thingTargets(boxesOf(pictures[index] as MarkedPicture, ids), grid);
      const cells = chooseCells(targets, perPicture, settings.seed + index);
      chosen.set(index, { cells, targets });
      return cells;
    },
    { from: 0, to: featureShare },
  );
  checkTolerance(unusable, pictures.length, settings);
  for (const index of [...chosen.keys()].sort((a, b) => a - b)) {
    const { cells, targets } = chosen.get(index) as { cells: Int32Array; targets: ThingTargets };
    for (const cell of cells) {
      classOf.push(targets.classOf[cell] as number);
      for (let edge = 0; edge < edgeOutputs; edge += 1)
        edges.push(targets.edges[cell * edgeOutputs + edge] as number);
    }
  }
  progress.note(
    `${classOf.length} cells of ${dims} numbers, ${classOf.filter((label) => label >= 0).length} of them inside of things`,
  );
  const watching = passOn(progress, featureShare, fitShare);
  const fit = await made(
    progress,
    watching,
    trainCells(
      {
        task: 'things',
        rows,
        dims,
        classes: ids.length,
        classOf: Int32Array.from(classOf),
        edges: Float32Array.from(edges),
        seed: settings.seed,
      },
      watching,
    ),
  );
  mayDie('training-fitted');
  progress.note(`trained in ${fit.epochs} passes, loss ${fit.loss.toFixed(4)} per cell`);
  const { net } = fit;
  const sha = await keepPart(deps, grant, encodePart({ kind: 'detector', facts: {}, arrays: { ...net } }));
  mayDie('training-head-kept');
  return {
    code: StatusCode.MODEL_TRAINED,
    details: '',
    log: '',
    inputCount: pictures.length - unusable,
    head: {
      sha,
      builtin: recipe,
      baseModelVersionKey: null,
      conceptIds: ids,
      body: packVersion(withConcepts(body, concepts)),
    },
  };
}

/** A region that shows several concepts is a box of each. */
const boxesOf = ({ regions }: MarkedPicture, ids: readonly string[]): LabelledBox[] =>
  regions.flatMap(({ region, conceptIds }) => {
    const box = region.regionInfo?.boundingBox;
    if (!box) return [];
    const edges = { top: box.topRow, left: box.leftCol, bottom: box.bottomRow, right: box.rightCol };
    return conceptIds.map((id) => ({ box: edges, label: ids.indexOf(id) }));
  });

/** Up to half are cells of things, the rest background; cells that are neither teach nothing. */
function chooseCells({ classOf }: ThingTargets, most: number, seed: number): Int32Array {
  const random = randomFrom(seed);
  const all = [...classOf.keys()];
  const inside = shuffle(
    all.filter((cell) => (classOf[cell] as number) >= 0),
    random,
  ).slice(0, Math.ceil(most / 2));
  const outside = shuffle(
    all.filter((cell) => classOf[cell] === -1),
    random,
  ).slice(0, most - inside.length);
  return Int32Array.from([...inside, ...outside].sort((a, b) => a - b));
}
