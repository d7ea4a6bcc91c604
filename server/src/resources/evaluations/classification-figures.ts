import { StatusCode } from '@fovea/contract';
import { measure } from '#engine/metrics/index.ts';
import { EvaluationTrouble } from './faults.ts';
import { type FigureParts, type Figures, named } from './figure.ts';
import { countInputs, inputsFrom } from './store.ts';

const chunk = 2_000;
/** Probabilities and truths of so many rows times concepts take 640 MB. */
const cellsMax = 2 ** 27;

export async function classificationFigures(parts: FigureParts): Promise<Figures> {
  const { db, evaluation, concepts, isExclusive, signal } = parts;
  const classes = concepts.length;
  const { total, failed } = await countInputs(db, evaluation);
  const rows = total - failed;
  if (rows * classes > cellsMax)
    throw new EvaluationTrouble(
      StatusCode.MODEL_EVALUATION_FAILED,
      `${rows} inputs with ${classes} concepts are more than fit into memory; evaluate a smaller dataset.`,
    );
  const probabilities = new Float32Array(new SharedArrayBuffer(rows * classes * 4));
  const truth = new Int8Array(new SharedArrayBuffer(rows * classes));
  let row = 0;
  for (let next = 0; ; ) {
    const inputs = await inputsFrom(db, evaluation, next, chunk, 'answered');
    if (inputs.length === 0) break;
    next = (inputs.at(-1)?.position ?? next) + 1;
    for (const { scores, positive } of inputs) {
      probabilities.set(scores ?? [], row * classes);
      concepts.forEach(({ id }, c) => {
        truth[row * classes + c] = positive.includes(id) ? 1 : 0;
      });
      row += 1;
    }
  }
  const found = await measure(
    'classification',
    {
      conceptIds: concepts.map(({ id }) => id),
      probabilities,
      truth,
      decide: isExclusive ? 'surest' : 'threshold',
    },
    signal,
  );
  const byId = new Map(concepts.map((concept) => [concept.id, concept]));
  const of = (id: string, value = 1) => named(byId.get(id) ?? { id, name: id, appId: '' }, value);
  const { summary } = found;
  return {
    shown: {
      summary,
      confusionMatrix: {
        conceptIds: found.confusionMatrix.conceptIds,
        matrix: found.confusionMatrix.matrix.map((cell) => ({
          ...cell,
          predictedConcept: of(cell.predicted, cell.value),
          actualConcept: of(cell.actual),
        })),
      },
      cooccurrenceMatrix: found.cooccurrenceMatrix,
      labelCounts: {
        positiveLabelCounts: found.labelCounts.map(({ conceptId, count }) => ({
          conceptName: byId.get(conceptId)?.name ?? conceptId,
          count,
          concept: of(conceptId),
        })),
      },
      binaryMetrics: found.binaryMetrics.map(({ conceptId, ...numbers }) => ({
        ...numbers,
        concept: of(conceptId),
      })),
    },
    summary: {
      rocAuc: summary.macroAvgRocAuc,
      f1: summary.macroAvgF1Score,
      precision: summary.macroAvgPrecision,
      recall: summary.macroAvgRecall,
    },
    numbers: {
      inputs: rows,
      inputs_failed: failed,
      top1_accuracy: summary.top1Accuracy,
      top5_accuracy: summary.top5Accuracy,
    },
  };
}
