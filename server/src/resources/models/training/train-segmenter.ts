import { type Region, StatusCode } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import { cellsInMask, cellsInPolygon, gridOf } from '#engine/index.ts';
import { encodePart, randomFrom, shuffle, trainCells } from '#engine/training/index.ts';
import { packVersion } from '../translate.ts';
import type { TrainingResult } from '../version-store.ts';
import { checkTolerance, conceptsOf, type Frame, made, passOn, withConcepts } from './frame.ts';
import { keepPart } from './parts-store.ts';
import { checkExamples, gatherCells, type MarkedPicture, markedPictures, readable } from './pictures.ts';

const recipe = 'cells-4';
const grid = gridOf[recipe];
const rowsMax = 80_000;
const cellsPerPictureMax = 600;
const cellsPerPictureMin = 20;
const featureShare = 0.6;
const fitShare = 0.38;

const isArea = (region: Region): boolean =>
  (region.regionInfo?.polygon?.points.length ?? 0) >= 3 || region.regionInfo?.mask?.image !== undefined;

/** Trains a segmenter: a small network that says of each cell of a frozen network's finest maps what it is. */
export async function trainSegmenter(frame: Frame): Promise<TrainingResult> {
  const { deps, grant, body, settings, scope, progress } = frame;
  const concepts = await conceptsOf(deps, grant, body, scope);
  const ids = concepts.map((concept) => concept.id);
  const pictures = await markedPictures(frame, ids, isArea);
  checkExamples(frame, ids, pictures, 'a mask or polygon');
  progress.note(`${ids.length} concepts and the background, ${pictures.length} pictures`);
  const perPicture = Math.max(
    cellsPerPictureMin,
    Math.min(cellsPerPictureMax, Math.floor(rowsMax / pictures.length)),
  );
  const chosen = new Map<number, { cells: Int32Array; kinds: Uint8Array }>();
  const { rows, dims, unusable } = await gatherCells(
    frame,
    pictures.map((one) => one.inputKey),
    recipe,
    async (index) => {
      const kinds = await kindsOf(pictures[index] as MarkedPicture, ids);
      const cells = chooseCells(kinds, perPicture, settings.seed + index);
      chosen.set(index, { cells, kinds });
      return cells;
    },
    { from: 0, to: featureShare },
  );
  checkTolerance(unusable, pictures.length, settings);
  const classOf = [...chosen.keys()]
    .sort((a, b) => a - b)
    .flatMap((index) => {
      const { cells, kinds } = chosen.get(index) as { cells: Int32Array; kinds: Uint8Array };
      return [...cells].map((cell) => kinds[cell] as number);
    });
  if (classOf.length * dims !== rows.length) throw new Error('cells and their kinds do not match');
  const watching = passOn(progress, featureShare, fitShare);
  const classes = ids.length + 1;
  const fit = await made(
    progress,
    watching,
    trainCells(
      { task: 'kinds', rows, dims, classes, classOf: Int32Array.from(classOf), seed: settings.seed },
      watching,
    ),
  );
  mayDie('training-fitted');
  progress.note(
    `${classOf.length} cells; trained in ${fit.epochs} passes, loss ${fit.loss.toFixed(4)} per cell`,
  );
  const { net } = fit;
  const sha = await keepPart(deps, grant, encodePart({ kind: 'segmenter', facts: {}, arrays: { ...net } }));
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

/** What each cell is: 0 the background, else one more than the concept's index. Later regions lie on earlier ones. */
async function kindsOf({ regions }: MarkedPicture, ids: readonly string[]): Promise<Uint8Array> {
  const kinds = new Uint8Array(grid * grid);
  for (const { region, conceptIds } of regions) {
    const kind = ids.indexOf(conceptIds[0] ?? '') + 1;
    for (const cell of await cellsOf(region)) kinds[cell] = kind;
  }
  return kinds;
}

async function cellsOf(region: Region): Promise<number[]> {
  const points = region.regionInfo?.polygon?.points ?? [];
  if (points.length >= 3) return cellsInPolygon(points, grid);
  const mask = region.regionInfo?.mask?.image?.base64;
  if (!mask || mask.length === 0) return [];
  return (await readable(() => cellsInMask(Buffer.from(mask), grid))) ?? [];
}

/** Each kind has its fair part, so that small things are learned too. */
function chooseCells(kinds: Uint8Array, most: number, seed: number): Int32Array {
  const random = randomFrom(seed);
  const present = [...new Set(kinds)].sort((a, b) => a - b);
  const fair = Math.ceil(most / present.length);
  return Int32Array.from(
    present
      .flatMap((kind) =>
        shuffle(
          [...kinds.keys()].filter((cell) => kinds[cell] === kind),
          random,
        ).slice(0, fair),
      )
      .sort((a, b) => a - b),
  );
}
