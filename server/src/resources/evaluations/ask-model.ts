import { create, toBinary } from '@bufbuild/protobuf';
import { type Data, DataSchema, FrameSchema, InputSchema, RegionSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { floatsOf } from '../common/floats.ts';
import { unpackBody } from '../common/translate.ts';
import {
  eachOf,
  itemFault,
  mediaOf,
  type OutputSettings,
  openMedia,
  predictWith,
  type Runnable,
} from '../predictions/index.ts';
import type { EvaluationDeps } from './deps.ts';
import { type EvaluatedInput, type EvaluationKind, type EvaluationRow, takesVectors } from './evaluation.ts';
import { type Answer, inputsFrom, keepAnswers } from './store.ts';
import { vectorsOfInputs } from './truth-store.ts';

/** Inputs asked about before the answers are written down: what a crash costs. */
const batch = 64;
const atOnce = 4;

/** Everything that the model says: limits would bend the curves. Detectors leave out what they hardly believe themselves. */
const everything: OutputSettings = {
  conceptsMax: 100_000,
  valueMin: 0,
  valueMinAsked: 0,
  selected: [],
  language: '',
};
const detectionValueMin = 0.01;

/**
 * Asks the model about every input that has no answer yet. What is answered is kept, batch by batch.
 *
 * @param reached called with the number of inputs answered by this call
 */
export async function askModel(
  deps: EvaluationDeps,
  evaluation: EvaluationRow,
  kind: EvaluationKind,
  runnable: Runnable,
  data: AppGrant,
  options: { signal: AbortSignal; reached(answered: number): Promise<void> },
): Promise<void> {
  let next = 0;
  let answered = 0;
  for (;;) {
    options.signal.throwIfAborted();
    const inputs = await inputsFrom(deps.db, evaluation, next, batch, 'open');
    if (inputs.length === 0) return;
    const vectors = await vectorsFor(deps, data, runnable, inputs);
    const answers = await eachOf(inputs, atOnce, (input) =>
      answerOf(deps, evaluation, kind, runnable, data, input, vectors.get(input.inputKey), options.signal),
    );
    await keepAnswers(deps.db, evaluation, answers);
    next = (inputs.at(-1)?.position ?? next) + 1;
    answered += inputs.length;
    await options.reached(answered);
  }
}

/** A head takes the embedding that the input has already, where it is of the same network. */
async function vectorsFor(
  { db }: EvaluationDeps,
  data: AppGrant,
  runnable: Runnable,
  inputs: readonly EvaluatedInput[],
): Promise<Map<number, Buffer>> {
  const { version } = runnable;
  if (!takesVectors(runnable) || version.baseModelVersionKey === null) return new Map();
  return vectorsOfInputs(
    db,
    data,
    version.baseModelVersionKey,
    inputs.map(({ inputKey }) => inputKey),
  );
}

async function answerOf(
  deps: EvaluationDeps,
  evaluation: EvaluationRow,
  kind: EvaluationKind,
  runnable: Runnable,
  data: AppGrant,
  input: EvaluatedInput,
  vector: Buffer | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  const settings = kind === 'detection' ? { ...everything, valueMin: detectionValueMin } : everything;
  try {
    const media = vector
      ? mediaOf(
          deps,
          create(DataSchema, {
            embeddings: [{ vector: [...floatsOf(vector)], numDimensions: vector.length / 4 }],
          }),
          signal,
        )
      : kind === 'tracking'
        ? mediaOf(deps, untracked(unpackBody(DataSchema, input.truth)), signal)
        : await openMedia(deps, data, create(InputSchema, { id: input.inputId }), signal);
    const said = await predictWith(deps, runnable, media, settings, { signal, background: true });
    return answered(input.position, said, evaluation, kind);
  } catch (thrown) {
    signal.throwIfAborted();
    // What is wrong with the model is thrown on; what is wrong with one input stays with it.
    return {
      position: input.position,
      trouble: itemFault(thrown).details || 'The model could not be asked.',
    };
  }
}

/** The true objects without their tracks: what is judged is how a tracker joins them. */
const untracked = (truth: Data): Data =>
  create(DataSchema, {
    frames: truth.frames.map((frame) =>
      create(FrameSchema, {
        ...(frame.frameInfo ? { frameInfo: frame.frameInfo } : {}),
        data: {
          regions: (frame.data?.regions ?? []).map((region) =>
            create(RegionSchema, {
              id: region.id,
              value: 1,
              ...(region.regionInfo ? { regionInfo: region.regionInfo } : {}),
              ...(region.data ? { data: region.data } : {}),
            }),
          ),
        },
      }),
    ),
  });

/** What the model said, less what is not judged, so that it is small. */
export function answered(
  position: number,
  said: Data,
  { conceptIds }: Pick<EvaluationRow, 'conceptIds'>,
  kind: EvaluationKind,
): Answer {
  const kept = create(DataSchema);
  const judged = new Set(conceptIds);
  if (kind === 'classification') {
    const values = new Map(said.concepts.map(({ id, value }) => [id, value]));
    const scores = conceptIds.map((id) => Math.min(1, Math.max(0, values.get(id) ?? 0)));
    return { position, predicted: Buffer.alloc(0), scores };
  }
  if (kind === 'clustering') kept.clusters = said.clusters;
  if (kind === 'tracking') kept.frames = said.frames;
  if (kind === 'detection' || kind === 'segmentation') {
    kept.regions = said.regions.flatMap((region) => {
      const concepts = (region.data?.concepts ?? []).filter(({ id }) => judged.has(id));
      if (concepts.length === 0 || !region.regionInfo) return [];
      return [
        create(RegionSchema, {
          id: region.id,
          value: region.value,
          regionInfo: region.regionInfo,
          data: { concepts: concepts.map(({ id, value }) => ({ id, value })) },
        }),
      ];
    });
  }
  return { position, predicted: Buffer.from(toBinary(DataSchema, kept)) };
}
