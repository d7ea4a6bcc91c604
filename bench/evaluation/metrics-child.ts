import { readFileSync } from 'node:fs';
import { evaluateClassification } from '../../server/src/engine/metrics/classification.ts';
import { type DetectionRows, evaluateDetection } from '../../server/src/engine/metrics/detection.ts';

/** Our metrics in a process of their own, so that their CPU time and memory stand alone. Speaks with its parent only. */
export type MetricsQuestion =
  | {
      kind: 'objects';
      truthFile: string;
      foundFile: string;
      classes: number;
      broken?: 'no-crowd' | 'twelve times' | 'hoard';
    }
  | { kind: 'rows'; scoresFile: string; truthFile: string; classes: number; broken?: 'twelve times' };

const doubles = (file: string): Float64Array => {
  const bytes = readFileSync(file);
  return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
};

/** Rows of picture, class, left, top, width, height, and crowd or score. */
function columnsOf(table: Float64Array) {
  const rows = table.length / 7;
  const column = (at: number) =>
    Float64Array.from({ length: rows }, (_, row) => table[row * 7 + at] as number);
  const boxes = new Float64Array(rows * 4);
  for (let row = 0; row < rows; row++) boxes.set(table.subarray(row * 7 + 2, row * 7 + 6), row * 4);
  return {
    image: Int32Array.from(column(0)),
    classIndex: Int32Array.from(column(1)),
    boxes,
    last: column(6),
  };
}

const hoard: DetectionRows[] = [];

function answer(question: MetricsQuestion): object {
  const times = question.broken === 'twelve times' ? 12 : 1;
  if (question.kind === 'objects') {
    const { last: crowd, ...truth } = columnsOf(doubles(question.truthFile));
    const { last: scores, ...found } = columnsOf(doubles(question.foundFile));
    const isCrowd = question.broken === 'no-crowd' ? new Uint8Array(crowd.length) : Uint8Array.from(crowd);
    const rows: DetectionRows = {
      classes: question.classes,
      truth: { ...truth, crowd: isCrowd },
      found: { ...found, scores },
    };
    if (question.broken === 'hoard') for (let n = 0; n < 100; n++) hoard.push(structuredClone(rows));
    let result = evaluateDetection(rows);
    for (let n = 1; n < times; n++) result = evaluateDetection(rows);
    return {
      summary: Object.values(result.summary),
      byClass: result.byClass.filter(({ area }) => area === 'all').map(({ ap }) => ap),
      residentMb: process.resourceUsage().maxRSS / 1024,
    };
  }
  const scores = readFileSync(question.scoresFile);
  const truth = readFileSync(question.truthFile);
  const rows = {
    conceptIds: Array.from({ length: question.classes }, (_, n) => `c${n}`),
    probabilities: new Float32Array(scores.buffer, scores.byteOffset, scores.length / 4),
    truth: new Int8Array(truth.buffer, truth.byteOffset, truth.length),
  };
  let result = evaluateClassification(rows);
  for (let n = 1; n < times; n++) result = evaluateClassification(rows);
  return {
    perClass: result.binaryMetrics.map((one) => [
      one.rocAuc,
      one.avgPrecision,
      one.precision,
      one.recall,
      one.f1,
    ]),
  };
}

process.on('message', (question: MetricsQuestion) => process.send?.(answer(question)));
