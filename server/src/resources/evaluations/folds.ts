import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { stratifiedFolds } from '#engine/metrics/index.ts';
import { scoreRows, type TrainRequest, trainHead } from '#engine/training/index.ts';
import { floatsOf } from '../common/floats.ts';
import { bodyOfVersion } from '../models/index.ts';
import { eachOf, type Runnable } from '../predictions/index.ts';
import type { EvaluationDeps } from './deps.ts';
import type { EvaluatedInput, EvaluationRow, EvaluationSettings } from './evaluation.ts';
import { EvaluationTrouble } from './faults.ts';
import { type Answer, inputsFrom, keepAnswers } from './store.ts';
import { vectorsOfInputs } from './truth-store.ts';

/** All vectors are held at once: 200,000 of 512 numbers take 400 MB. */
const vectorBytesMax = 400 * 2 ** 20;
const chunk = 500;
const atOnce = 4;

interface Vectors {
  readonly dims: number;
  /** Positions of the inputs that have a vector, in order. */
  readonly positions: number[];
  readonly vectors: Float32Array;
  /** int8 [rows, concepts]. */
  readonly labels: Int8Array;
}

/**
 * Cross-validation of a head: for each fold, one like it is trained on the others and judged on this one, so that
 * no input is judged by what was learnt from it.
 *
 * @throws EvaluationTrouble when the head cannot be trained on a part of the data
 */
export async function askFolds(
  deps: EvaluationDeps,
  evaluation: EvaluationRow,
  runnable: Runnable & { version: { builtin: string | null } },
  data: AppGrant,
  { folds, seed }: EvaluationSettings,
  options: { signal: AbortSignal; reached(fraction: number): Promise<void> },
): Promise<void> {
  const gathered = await gatherVectors(deps, evaluation, runnable, data, options);
  const { dims, positions, vectors, labels } = gathered;
  const classes = evaluation.conceptIds.length;
  const isExclusive =
    bodyOfVersion(runnable.version).outputInfo?.outputConfig?.conceptsMutuallyExclusive ?? false;
  const groups = positions.map((_, row) => labels.subarray(row * classes, (row + 1) * classes).indexOf(1));
  const foldOf = stratifiedFolds(groups, Math.min(folds, positions.length), seed);
  for (let fold = 0; fold < folds; fold += 1) {
    const test = [...positions.keys()].filter((row) => foldOf[row] === fold);
    if (test.length === 0) continue;
    const outcome = await trainHead({
      ...requestOf(gathered, classes, isExclusive, (row) => foldOf[row] !== fold),
      seed,
      signal: options.signal,
    });
    if (outcome.kind === 'cancelled') options.signal.throwIfAborted();
    if (outcome.kind !== 'trained')
      throw new EvaluationTrouble(
        StatusCode.MODEL_EVALUATION_FAILED,
        `Without fold ${fold + 1} of ${folds} the model cannot be trained (${outcome.kind.replaceAll('_', ' ')}).`,
      );
    const asked = new Float32Array(test.length * dims);
    test.forEach((row, at) => {
      asked.set(vectors.subarray(row * dims, (row + 1) * dims), at * dims);
    });
    const scores = await scoreRows(outcome.head, asked, { signal: options.signal });
    if (!scores) options.signal.throwIfAborted();
    const answers = test.map(
      (row, at): Answer => ({
        position: positions[row] as number,
        predicted: Buffer.alloc(0),
        scores: [...(scores as Float32Array).subarray(at * classes, (at + 1) * classes)],
      }),
    );
    for (let from = 0; from < answers.length; from += chunk)
      await keepAnswers(deps.db, evaluation, answers.slice(from, from + chunk));
    await options.reached((fold + 1) / folds);
  }
}

function requestOf(
  { dims, vectors, labels, positions }: Vectors,
  classes: number,
  exclusive: boolean,
  teaches: (row: number) => boolean,
): TrainRequest {
  const common = { dims, classes, exclusive, vectors, allowMissingPositives: true };
  if (exclusive)
    return {
      ...common,
      classIndex: Int32Array.from(positions, (_, row) =>
        teaches(row) ? labels.subarray(row * classes, (row + 1) * classes).indexOf(1) : -1,
      ),
    } as TrainRequest;
  return {
    ...common,
    labels: labels.map((label, at) => (teaches(Math.floor(at / classes)) ? label : -1)),
  } as TrainRequest;
}

async function gatherVectors(
  deps: EvaluationDeps,
  evaluation: EvaluationRow,
  runnable: Runnable,
  data: AppGrant,
  options: { signal: AbortSignal },
): Promise<Vectors> {
  const positions: number[] = [];
  const parts: Float32Array[] = [];
  const labels: number[] = [];
  let next = 0;
  let bytes = 0;
  for (;;) {
    options.signal.throwIfAborted();
    const inputs = await inputsFrom(deps.db, evaluation, next, chunk);
    if (inputs.length === 0) break;
    next = (inputs.at(-1)?.position ?? next) + 1;
    const found = await vectorsIn(deps, runnable, data, inputs, options.signal);
    await keepAnswers(
      deps.db,
      evaluation,
      inputs.flatMap((input, i) =>
        found[i] ? [] : [{ position: input.position, trouble: 'The picture cannot be read.' }],
      ),
    );
    inputs.forEach((input, i) => {
      const vector = found[i];
      if (!vector) return;
      positions.push(input.position);
      parts.push(vector);
      bytes += vector.byteLength;
      for (const id of evaluation.conceptIds) labels.push(input.positive.includes(id) ? 1 : 0);
    });
    if (bytes > vectorBytesMax)
      throw new EvaluationTrouble(
        StatusCode.MODEL_EVALUATION_FAILED,
        `${positions.length} embeddings do not fit into memory; evaluate a smaller dataset, or without use_kfold.`,
      );
  }
  const dims = parts[0]?.length ?? 0;
  const vectors = new Float32Array(new SharedArrayBuffer(bytes));
  parts.forEach((part, row) => {
    vectors.set(part, row * dims);
  });
  return { dims, positions, vectors, labels: Int8Array.from(labels) };
}

async function vectorsIn(
  deps: EvaluationDeps,
  { version }: Runnable,
  data: AppGrant,
  inputs: readonly EvaluatedInput[],
  signal: AbortSignal,
): Promise<(Float32Array | undefined)[]> {
  const stored = await vectorsOfInputs(
    deps.db,
    data,
    version.baseModelVersionKey ?? 0,
    inputs.map(({ inputKey }) => inputKey),
  );
  return eachOf(inputs, atOnce, async (input) => {
    const own = stored.get(input.inputKey);
    if (own) return floatsOf(own);
    try {
      const found = await deps.findStoredInput(data, input.inputId);
      if (!found) return undefined;
      return await deps.engine.embed(
        version.builtin ?? '',
        { bytes: await found.bytes() },
        { background: true, signal },
      );
    } catch (fault) {
      if (fault instanceof Fault && fault.code >= 30_000 && fault.code < 40_000) return undefined;
      throw fault;
    }
  });
}
