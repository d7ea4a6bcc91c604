import type { MessageInitShape } from '@bufbuild/protobuf';
import { DataSchema, type EvalMetricsSchema, StatusCode } from '@fovea/contract';
import { annotationKind } from '#domain/annotation-kinds.ts';
import { Fault } from '#domain/fault.ts';
import { measure } from '#engine/metrics/index.ts';
import type { Db } from '#store/sql.ts';
import { unpackBody } from '../common/translate.ts';
import type { Opened } from './execute.ts';
import { labelsFound, type RegionFound, regionsFound, type SaidOfInput } from './metrics-store.ts';

export interface Figures {
  readonly conceptIds: readonly string[];
  readonly shown: MessageInitShape<typeof EvalMetricsSchema>;
}

export interface Comparison {
  readonly db: Db;
  /** What is true: its inputs are the test set. */
  readonly truth: Opened;
  readonly judged: Opened;
  /** The concepts that count; empty: all that the ground truth names. */
  readonly asked: readonly string[];
  readonly signal: AbortSignal;
}

/** Labels of either side that are read; more do not fit into memory. */
const labelsMax = 2_000_000;
const regionsMax = 200_000;
const cellsMax = 2 ** 25;
const testSetMax = 1_000;

const tooMuch = (what: string) =>
  new Fault(
    'bad_request',
    StatusCode.MODEL_EVALUATION_FAILED,
    `${what} are more than fit into memory; narrow the searches down.`,
  );

const nothing = () =>
  new Fault(
    'bad_request',
    StatusCode.MODEL_EVALUATION_FAILED,
    'The ground truth finds no annotation with a concept that counts, so there is nothing to compare with.',
  );

const concept = (id: string, value = 1) => ({ id, name: id, value });

/** Whether the judged search says of each input what the ground truth says: labels of inputs that this one finds. */
export async function classificationFigures({
  db,
  truth,
  judged,
  asked,
  signal,
}: Comparison): Promise<Figures> {
  const [isTrue, isSaid] = [await readLabels(db, truth), await readLabels(db, judged)];
  const conceptIds =
    asked.length > 0 ? [...asked] : [...new Set(isTrue.map(({ conceptId }) => conceptId))].sort();
  const column = new Map(conceptIds.map((id, c) => [id, c]));
  const inputs = new Map<number, { row: number; id: string }>();
  for (const { inputKey, inputId, conceptId } of isTrue)
    if (column.has(conceptId) && !inputs.has(inputKey))
      inputs.set(inputKey, { row: inputs.size, id: inputId });
  const classes = conceptIds.length;
  if (inputs.size === 0 || classes === 0) throw nothing();
  if (inputs.size * classes > cellsMax) throw tooMuch(`${inputs.size} inputs with ${classes} concepts`);
  const truths = new Int8Array(new SharedArrayBuffer(inputs.size * classes));
  const probabilities = new Float32Array(new SharedArrayBuffer(inputs.size * classes * 4));
  const fill = (labels: readonly SaidOfInput[], put: (at: number, value: number) => void) => {
    for (const { inputKey, conceptId, value } of labels) {
      const [row, c] = [inputs.get(inputKey)?.row, column.get(conceptId)];
      if (row !== undefined && c !== undefined) put(row * classes + c, value);
    }
  };
  fill(isTrue, (at, value) => {
    truths[at] = value >= 0.5 ? 1 : 0;
  });
  fill(isSaid, (at, value) => {
    probabilities[at] = value;
  });
  const found = await measure('classification', { conceptIds, probabilities, truth: truths }, signal);
  const conceptsOf = (row: number, values: Int8Array | Float32Array) =>
    conceptIds.flatMap((id, c) => {
      const value = values[row * classes + c] as number;
      return value > 0 ? [concept(id, value)] : [];
    });
  return {
    conceptIds,
    shown: {
      summary: found.summary,
      confusionMatrix: {
        conceptIds: found.confusionMatrix.conceptIds,
        matrix: found.confusionMatrix.matrix.map((cell) => ({
          ...cell,
          predictedConcept: concept(cell.predicted, cell.value),
          actualConcept: concept(cell.actual),
        })),
      },
      cooccurrenceMatrix: found.cooccurrenceMatrix,
      labelCounts: {
        positiveLabelCounts: found.labelCounts.map(({ conceptId, count }) => ({
          conceptName: conceptId,
          count,
          concept: concept(conceptId),
        })),
      },
      binaryMetrics: found.binaryMetrics.map(({ conceptId, ...numbers }) => ({
        ...numbers,
        concept: concept(conceptId),
      })),
      testSet: [...inputs.values()].slice(0, testSetMax).map(({ row, id }) => ({
        input: { id },
        groundTruthConcepts: conceptsOf(row, truths),
        predictedConcepts: conceptsOf(row, probabilities),
      })),
    },
  };
}

async function readLabels(db: Db, search: Opened): Promise<SaidOfInput[]> {
  const labels = await labelsFound(db, search, labelsMax + 1);
  if (labels.length > labelsMax) throw tooMuch(`${labelsMax} labels`);
  return labels;
}

interface OneBox {
  readonly inputKey: number;
  readonly conceptId: string;
  readonly box: readonly number[];
  readonly score: number;
}

/** Whether the judged search has boxes where the ground truth has them, as COCO compares them. */
export async function detectionFigures({ db, truth, judged, asked, signal }: Comparison): Promise<Figures> {
  const [isTrue, isSaid] = [await readBoxes(db, truth), await readBoxes(db, judged)];
  const conceptIds =
    asked.length > 0 ? [...asked] : [...new Set(isTrue.map(({ conceptId }) => conceptId))].sort();
  const classOf = new Map(conceptIds.map((id, c) => [id, c]));
  const images = new Map<number, number>();
  for (const { inputKey, conceptId } of isTrue)
    if (classOf.has(conceptId) && !images.has(inputKey)) images.set(inputKey, images.size);
  if (images.size === 0) throw nothing();
  const columns = (boxes: readonly OneBox[]) => {
    const kept = boxes.filter(({ inputKey, conceptId }) => images.has(inputKey) && classOf.has(conceptId));
    return {
      image: Int32Array.from(kept, ({ inputKey }) => images.get(inputKey) as number),
      classIndex: Int32Array.from(kept, ({ conceptId }) => classOf.get(conceptId) as number),
      boxes: Float64Array.from(kept.flatMap(({ box }) => box)),
      scores: Float64Array.from(kept, ({ score }) => score),
    };
  };
  const { scores: _, ...trueColumns } = columns(isTrue);
  const { summary, byClass } = await measure(
    'detection',
    { classes: conceptIds.length, truth: trueColumns, found: columns(isSaid) },
    signal,
  );
  const shownClass = ({ classIndex, numPos, area, ap50, curves }: (typeof byClass)[number]) => {
    const curve = curves.find(({ overlap }) => overlap === 0.5);
    return {
      concept: concept(conceptIds[classIndex] as string),
      numPos,
      numTot: numPos,
      avgPrecision: Math.max(0, ap50),
      areaName: area,
      iou: 0.5,
      ...(curve
        ? {
            precisionRecallCurve: {
              precision: curve.precision,
              recall: curve.recall,
              thresholds: curve.precision.map((_, step) => step / (curve.precision.length - 1)),
            },
          }
        : {}),
    };
  };
  return {
    conceptIds,
    shown: {
      summary: {
        meanAvgPrecisionIou50: Math.max(0, summary.ap50),
        meanAvgPrecisionIouRange: Math.max(0, summary.ap),
      },
      metricsByClass: byClass.filter(({ area }) => area === 'all').map(shownClass),
      metricsByArea: byClass.filter(({ area, numPos }) => area !== 'all' && numPos > 0).map(shownClass),
    },
  };
}

async function readBoxes(db: Db, search: Opened): Promise<OneBox[]> {
  const found = await regionsFound(db, search, annotationKind.box | annotationKind.polygon, regionsMax + 1);
  if (found.length > regionsMax) throw tooMuch(`${regionsMax} regions`);
  return found.flatMap(boxesOf);
}

/** Boxes in pixels, so that sizes mean what they mean elsewhere; a picture of unknown size counts as 1,000 square. */
function boxesOf({ inputKey, data, media }: RegionFound): OneBox[] {
  const { width = 1_000, height = 1_000 } = unpackBody(DataSchema, media).image?.imageInfo ?? {};
  return unpackBody(DataSchema, data).regions.flatMap(({ regionInfo, data: said }) => {
    const box = regionInfo?.boundingBox;
    const points = regionInfo?.polygon?.points ?? [];
    const rows = box ? [box.topRow, box.bottomRow] : points.map(({ row }) => row);
    const cols = box ? [box.leftCol, box.rightCol] : points.map(({ col }) => col);
    if (rows.length === 0) return [];
    const [top, left] = [Math.min(...rows), Math.min(...cols)];
    const size = [(Math.max(...cols) - left) * width, (Math.max(...rows) - top) * height];
    return (said?.concepts ?? [])
      .filter(({ value }) => value > 0)
      .map(({ id, value }) => ({
        inputKey,
        conceptId: id,
        box: [left * width, top * height, ...size],
        score: value,
      }));
  });
}
