import { create, toBinary } from '@bufbuild/protobuf';
import { type Concept, EvalMetricsSchema, StatusCode } from '@fovea/contract';
import { newId } from '#domain/ids.ts';
import { type ClassificationMetrics, evaluateRows, stratifiedHoldOut } from '#engine/metrics/index.ts';
import { type Head, rowCountOf, scoreRows, type TrainRequest, trainHead } from '#engine/training/index.ts';
import { status } from '../../common/status.ts';
import { pickRows } from './vector-store.ts';

const holdOutShare = 0.2;
const rowsMin = 10;
/** More tell no more: at so many the figures are good to less than one in a hundred. */
const heldRowsMax = 20_000;

/** A head, and the rows it has not learned from. */
export interface Fitted {
  readonly head: Head;
  readonly unseen: Int32Array;
}

/**
 * How good a model of these data is. Of many rows a head leaves some to calibrate by: where its classes exclude each
 * other that is one temperature, which changes no order, so the head itself is judged by them. Else it is trained once
 * more on four fifths of the rows and judged by the rest.
 *
 * @returns the contract's EvalMetrics in bytes, or undefined where the data are too few to tell
 */
export async function judge(
  request: TrainRequest,
  fitted: Fitted,
  concepts: readonly Concept[],
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const rows = rowCountOf(request.vectors, request.dims);
  const isJudged = request.exclusive && fitted.unseen.length > 0;
  const judged = isJudged
    ? { head: fitted.head, test: [...fitted.unseen] }
    : await fittedAgain(request, rows, signal);
  if (!judged) return undefined;
  const { head, test } = judged;
  const vectors = await pickRows(request.vectors, request.dims, test);
  const probabilities = await scoreRows(head, vectors, { signal });
  if (!probabilities) return undefined;
  const metrics = await evaluateRows({
    conceptIds: concepts.map((concept) => concept.id),
    probabilities,
    truth: truthOf(request, test),
    decide: request.exclusive ? 'surest' : 'threshold',
  });
  return toBinary(EvalMetricsSchema, showMetrics(metrics, concepts, test.length / rows));
}

/** A head of four fifths of the rows, and the others; undefined where they are too few. */
async function fittedAgain(request: TrainRequest, rows: number, signal: AbortSignal) {
  const groups = groupsOf(request, rows);
  const share = Math.min(holdOutShare, heldRowsMax / rows);
  const held = stratifiedHoldOut(groups, share, request.seed);
  const test = [...held.keys()].filter((row) => held[row] === 1 && groups[row] !== -1);
  if (rows < rowsMin || test.length < 2) return undefined;
  const { onProgress: _silent, ...rest } = request;
  const outcome = await trainHead({
    ...rest,
    ...withoutHeld(request, held),
    allowMissingPositives: true,
    signal,
  });
  return outcome.kind === 'trained' ? { head: outcome.head, test } : undefined;
}

/** Rows alike are dealt alike: by class, or by the first concept that is present. */
function groupsOf({ exclusive, classIndex, labels, classes }: TrainRequest, rows: number): Int32Array {
  if (exclusive && classIndex) return classIndex;
  return Int32Array.from(
    { length: rows },
    (_, row) => labels?.subarray(row * classes, (row + 1) * classes).indexOf(1) ?? -1,
  );
}

/** The held-out rows are blanked out, not removed: they teach nothing. */
function withoutHeld(
  { exclusive, classIndex, labels, classes }: TrainRequest,
  held: Uint8Array,
): Partial<TrainRequest> {
  if (exclusive) return { classIndex: classIndex?.map((index, row) => (held[row] === 1 ? -1 : index)) };
  return { labels: labels?.map((label, at) => (held[Math.floor(at / classes)] === 1 ? -1 : label)) };
}

function truthOf(
  { exclusive, classIndex, labels, classes }: TrainRequest,
  test: readonly number[],
): Int8Array {
  const truth = new Int8Array(test.length * classes);
  test.forEach((row, at) => {
    for (let index = 0; index < classes; index += 1) {
      truth[at * classes + index] = exclusive
        ? Number(classIndex?.[row] === index)
        : (labels?.[row * classes + index] ?? -1);
    }
  });
  return truth;
}

function showMetrics(metrics: ClassificationMetrics, concepts: readonly Concept[], share: number) {
  const byId = new Map(concepts.map((concept) => [concept.id, concept]));
  const named = (id: string, value: number) => ({
    id,
    name: byId.get(id)?.name ?? id,
    value,
    appId: byId.get(id)?.appId ?? '',
  });
  return create(EvalMetricsSchema, {
    id: newId(),
    status: status(StatusCode.MODEL_EVALUATED),
    summary: metrics.summary,
    confusionMatrix: {
      conceptIds: metrics.confusionMatrix.conceptIds,
      matrix: metrics.confusionMatrix.matrix.map((cell) => ({
        ...cell,
        predictedConcept: named(cell.predicted, cell.value),
        actualConcept: named(cell.actual, 1),
      })),
    },
    cooccurrenceMatrix: metrics.cooccurrenceMatrix,
    labelCounts: {
      positiveLabelCounts: metrics.labelCounts.map(({ conceptId, count }) => ({
        conceptName: byId.get(conceptId)?.name ?? conceptId,
        count,
        concept: named(conceptId, 1),
      })),
    },
    binaryMetrics: metrics.binaryMetrics.map(({ conceptId, ...numbers }) => ({
      ...numbers,
      concept: named(conceptId, 1),
    })),
    evalInfo: { params: { holdout_fraction: share } },
  });
}
