import { DataSchema, type Region, StatusCode } from '@fovea/contract';
import { readMask } from '#engine/masks/index.ts';
import {
  areaOf,
  areaRanges,
  type DetectionMetrics,
  type DetectionRows,
  measure,
  type Runs,
  runsOfPolygon,
} from '#engine/metrics/index.ts';
import { unpackBody } from '../common/translate.ts';
import { EvaluationTrouble } from './faults.ts';
import { type FigureParts, type Figures, named, type ShownMetrics } from './figure.ts';
import { countInputs, inputsFrom, keepMatches } from './store.ts';

const chunk = 500;
const objectsMax = 5_000_000;
/** Longer edges are scaled down before masks are compared. */
const maskEdgeMax = 1024;

/** A true or found object, with where it came from. */
interface OneObject {
  readonly position: number;
  readonly classIndex: number;
  readonly box: readonly [left: number, top: number, width: number, height: number];
  readonly score: number;
  readonly regionId: string;
  readonly runs: Runs | undefined;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Average precision of boxes or of masks, by class and by size, and which object stands for which. */
export async function objectFigures(
  kind: 'detection' | 'segmentation',
  parts: FigureParts,
): Promise<Figures> {
  const { db, evaluation, concepts, signal } = parts;
  const classOf = new Map(concepts.map(({ id }, index) => [id, index]));
  const truth: OneObject[] = [];
  const found: OneObject[] = [];
  for (let next = 0; ; ) {
    signal.throwIfAborted();
    const inputs = await inputsFrom(db, evaluation, next, chunk, 'answered');
    if (inputs.length === 0) break;
    next = (inputs.at(-1)?.position ?? next) + 1;
    for (const input of inputs) {
      const read = (bytes: Buffer) =>
        objectsOf(kind, input.position, unpackBody(DataSchema, bytes).regions, input, classOf);
      truth.push(...(await read(input.truth)));
      found.push(...(await read(input.predicted ?? Buffer.alloc(0))));
    }
    if (truth.length + found.length > objectsMax)
      throw new EvaluationTrouble(
        StatusCode.MODEL_EVALUATION_FAILED,
        `More than ${objectsMax} objects do not fit into memory; evaluate a smaller dataset.`,
      );
  }
  const rows = rowsOf(kind, truth, found, concepts.length);
  const metrics = await measure('detection', rows, signal);
  await keepOutcomes(parts, truth, found, metrics);
  return shownFigures(kind, parts, metrics, truth, found);
}

async function objectsOf(
  kind: 'detection' | 'segmentation',
  position: number,
  regions: readonly Region[],
  size: Size,
  classOf: ReadonlyMap<string, number>,
): Promise<OneObject[]> {
  const made: OneObject[] = [];
  for (const region of regions) {
    const shape = await shapeOf(kind, region, size);
    if (!shape) continue;
    for (const { id, value } of region.data?.concepts ?? []) {
      const classIndex = classOf.get(id);
      if (classIndex === undefined) continue;
      made.push({ position, classIndex, score: value, regionId: region.id, ...shape });
    }
  }
  return made;
}

/** Where a region lies, in pixels; undefined for one without a place. */
async function shapeOf(
  kind: 'detection' | 'segmentation',
  { regionInfo }: Region,
  size: Size,
): Promise<Pick<OneObject, 'box' | 'runs'> | undefined> {
  const box = regionInfo?.boundingBox;
  const corners = box && [box.leftCol, box.topRow, box.rightCol, box.bottomRow];
  if (kind === 'detection') {
    const bounds = corners ?? boundsOf(regionInfo?.polygon?.points);
    return bounds && { box: inPixels(bounds, size), runs: undefined };
  }
  const scale = Math.min(1, maskEdgeMax / Math.max(size.width, size.height));
  const [width, height] = [
    Math.max(1, Math.round(size.width * scale)),
    Math.max(1, Math.round(size.height * scale)),
  ];
  const bytes = regionInfo?.mask?.image?.base64;
  const points = regionInfo?.polygon?.points ?? (corners ? rectangle(corners) : []);
  const runs = bytes?.length
    ? await readMask(bytes, width, height)
    : points.length > 2
      ? runsOfPolygon(
          points.flatMap(({ row, col }) => [col * width, row * height]),
          width,
          height,
        )
      : undefined;
  return runs && { box: inPixels(corners ?? boundsOf(points) ?? [0, 0, 1, 1], size), runs };
}

const rectangle = ([left = 0, top = 0, right = 0, bottom = 0]: readonly number[]) => [
  { row: top, col: left },
  { row: top, col: right },
  { row: bottom, col: right },
  { row: bottom, col: left },
];

function boundsOf(points: readonly { row: number; col: number }[] | undefined): number[] | undefined {
  if (!points || points.length === 0) return undefined;
  const rows = points.map(({ row }) => row);
  const cols = points.map(({ col }) => col);
  return [Math.min(...cols), Math.min(...rows), Math.max(...cols), Math.max(...rows)];
}

const inPixels = (
  [left = 0, top = 0, right = 0, bottom = 0]: readonly number[],
  { width, height }: Size,
): OneObject['box'] => [left * width, top * height, (right - left) * width, (bottom - top) * height];

function rowsOf(
  kind: 'detection' | 'segmentation',
  truth: readonly OneObject[],
  found: readonly OneObject[],
  classes: number,
): DetectionRows {
  const columns = (objects: readonly OneObject[]) => ({
    image: Int32Array.from(objects, ({ position }) => position),
    classIndex: Int32Array.from(objects, ({ classIndex }) => classIndex),
    boxes: Float64Array.from(objects.flatMap(({ box }) => box)),
    ...(kind === 'segmentation'
      ? {
          masks: objects.map(({ runs }) => runs ?? new Uint32Array()),
          areas: Float64Array.from(objects, ({ runs }) => (runs ? areaOf(runs) : 0)),
        }
      : {}),
  });
  return {
    classes,
    truth: columns(truth),
    found: { ...columns(found), scores: Float64Array.from(found, ({ score }) => score) },
  };
}

/** Writes down, input by input, what was found rightly, wrongly, and missed. */
async function keepOutcomes(
  { db, evaluation, concepts }: FigureParts,
  truth: readonly OneObject[],
  found: readonly OneObject[],
  { foundMatches, trueMatches }: DetectionMetrics,
): Promise<void> {
  const byInput = new Map<number, object[]>();
  const add = (object: OneObject, outcome: 'tp' | 'fp' | 'fn', score: number | undefined) => {
    const list = byInput.get(object.position) ?? [];
    byInput.set(object.position, list);
    const concept = concepts[object.classIndex]?.id;
    list.push({
      concept,
      outcome,
      ...(score === undefined ? {} : { score }),
      box: object.box,
      region: object.regionId,
    });
  };
  found.forEach((object, row) => {
    const match = foundMatches[row] as number;
    if (match !== -2) add(object, match >= 0 ? 'tp' : 'fp', object.score);
  });
  truth.forEach((object, row) => {
    if (trueMatches[row] === -1) add(object, 'fn', undefined);
  });
  const all = [...byInput].map(([position, matches]) => ({ position, matches }));
  for (let from = 0; from < all.length; from += chunk)
    await keepMatches(db, evaluation, all.slice(from, from + chunk));
}

async function shownFigures(
  kind: 'detection' | 'segmentation',
  { db, evaluation, concepts }: FigureParts,
  { summary, byClass }: DetectionMetrics,
  truth: readonly OneObject[],
  found: readonly OneObject[],
): Promise<Figures> {
  const thresholds = Array.from({ length: 101 }, (_, i) => i / 100);
  // Where on the curves the single figures are read. A box counts from a value of 0.5 on, and every mask counts: a
  // segmenter's value is the share of the picture, not how sure it is (SEMANTICS 5.11).
  const point = kind === 'segmentation' ? 0 : 50;
  const ranges = new Map(areaRanges.map((range) => [range.name as string, range]));
  const place = (area: string) => ({
    areaName: area,
    areaMin: ranges.get(area)?.min ?? 0,
    areaMax: ranges.get(area)?.max ?? 0,
  });
  const metricsByClass = byClass.flatMap((one) =>
    one.curves.map((curve) => {
      const [precision, recall] = [curve.precision[point] ?? 0, curve.recall[point] ?? 0];
      return {
        ...place(one.area),
        numPos: one.numPos,
        numTot: one.numPos,
        avgPrecision: curve.ap,
        iou: curve.overlap,
        f1: recall === 0 ? 0 : (2 * precision * recall) / (precision + recall),
        concept: named(concepts[one.classIndex] ?? { id: '', name: '', appId: '' }),
        precisionRecallCurve: { precision: curve.precision, recall: curve.recall, thresholds },
      };
    }),
  );
  const metricsByArea = areaRanges.flatMap(({ name }) => {
    const present = byClass.filter(({ area, numPos }) => area === name && numPos > 0);
    const [first] = present;
    return (first?.curves ?? []).map(({ overlap }, at) => ({
      ...place(name),
      iou: overlap,
      numPos: present.reduce((sum, { numPos }) => sum + numPos, 0),
      numTot: present.reduce((sum, { numPos }) => sum + numPos, 0),
      avgPrecision: mean(present.map(({ curves }) => curves[at]?.ap ?? 0)),
    }));
  });
  const whole = byClass.filter(({ area, numPos }) => area === 'all' && numPos > 0);
  const atHalf = metricsByClass.filter(({ areaName, iou }) => areaName === 'all' && iou === 0.5);
  const macro = {
    f1: mean(atHalf.map(({ f1 }) => f1)),
    precision: mean(whole.map(({ curves }) => curves[0]?.precision[point] ?? 0)),
    recall: mean(whole.map(({ curves }) => curves[0]?.recall[point] ?? 0)),
    meanAp: Math.max(0, summary.ap50),
  };
  const counts = new Map<number, number>();
  for (const { classIndex } of truth) counts.set(classIndex, (counts.get(classIndex) ?? 0) + 1);
  const { total, failed } = await countInputs(db, evaluation);
  const shown: ShownMetrics = {
    summary: {
      meanAvgPrecisionIou50: Math.max(0, summary.ap50),
      meanAvgPrecisionIouRange: Math.max(0, summary.ap),
      macroAvgF1Score: macro.f1,
      macroAvgPrecision: macro.precision,
      macroAvgRecall: macro.recall,
    },
    labelCounts: {
      positiveLabelCounts: [...counts].map(([index, count]) => {
        const concept = concepts[index] ?? { id: '', name: '', appId: '' };
        return { conceptName: concept.name, count, concept: named(concept) };
      }),
    },
    metricsByClass,
    metricsByArea,
  };
  return {
    shown,
    summary: macro,
    numbers: {
      inputs: total - failed,
      inputs_failed: failed,
      true_objects: truth.length,
      found_objects: found.length,
      coco: snakeKeys(summary),
      ...(kind === 'segmentation' ? { pixel_iou: pixelOverlaps(concepts, truth, found) } : {}),
    },
  };
}

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

const snakeKeys = (numbers: object) =>
  Object.fromEntries(
    Object.entries(numbers).map(([name, value]) => [
      name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`),
      value,
    ]),
  );

/** Per concept: pixels of it in truth and in what is found, shared over either; and their mean. Every mask counts. */
function pixelOverlaps(
  concepts: FigureParts['concepts'],
  truth: readonly OneObject[],
  found: readonly OneObject[],
): Record<string, number> {
  const overlaps = concepts.map((concept, classIndex) => {
    const pixels = new Map<number, { length: number; ours: Runs[]; theirs: Runs[] }>();
    const add = (object: OneObject, side: 'ours' | 'theirs') => {
      if (object.classIndex !== classIndex || !object.runs) return;
      const entry = pixels.get(object.position) ?? { length: sum(object.runs), ours: [], theirs: [] };
      entry[side].push(object.runs);
      pixels.set(object.position, entry);
    };
    for (const object of truth) add(object, 'theirs');
    for (const object of found) add(object, 'ours');
    let [shared, either] = [0, 0];
    for (const { length, ours, theirs } of pixels.values()) {
      const [mine, real] = [painted(ours, length), painted(theirs, length)];
      for (let i = 0; i < length; i += 1) {
        const both = (mine[i] as number) + (real[i] as number);
        if (both > 0) either += 1;
        if (both === 2) shared += 1;
      }
    }
    return [concept.id, either === 0 ? 0 : shared / either] as const;
  });
  return { ...Object.fromEntries(overlaps), mean: mean(overlaps.map(([, value]) => value)) };
}

const sum = (runs: Runs): number => runs.reduce((total, run) => total + run, 0);

function painted(masks: readonly Runs[], length: number): Uint8Array {
  const pixels = new Uint8Array(length);
  for (const runs of masks) {
    let at = 0;
    runs.forEach((run, i) => {
      if (i % 2 === 1) pixels.fill(1, at, at + run);
      at += run;
    });
  }
  return pixels;
}
