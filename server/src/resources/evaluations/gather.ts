import { create, toBinary } from '@bufbuild/protobuf';
import { type Data, DataSchema, type Frame, type Region, RegionSchema, StatusCode } from '@fovea/contract';
import { annotationKind, placeKinds } from '#domain/annotation-kinds.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { Tx } from '#store/postgres/index.ts';
import { unpackBody } from '../common/translate.ts';
import type { EvaluationDeps } from './deps.ts';
import {
  conceptMatcher,
  type EvaluationKind,
  type EvaluationRow,
  enoughToJudge,
  type KnownConcept,
  knowsNoConcepts,
} from './evaluation.ts';
import { EvaluationTrouble } from './faults.ts';
import { insertInputs, keepConcepts, type NewInput } from './store.ts';
import { momentsOf } from './true-frames.ts';
import {
  annotationsNow,
  annotationsOfVersion,
  inputsOfVersion,
  labelIdsOf,
  labelledInputs,
  type TrueAnnotation,
  type TrueInput,
} from './truth-store.ts';

/** Inputs read at once. */
const chunk = 500;

/** Where an evaluation's ground truth comes from, with the app that it lies in. */
export interface TruthSource {
  readonly grant: AppGrant;
  readonly versionKey: number | null;
  /** Only these inputs, where a search was given. */
  readonly onlyInputs: ReadonlySet<number> | undefined;
}

/**
 * Writes down which inputs the model is judged on and what is true of them, all in the caller's transaction: from
 * then on the labels may change, and the evaluation goes on where it stopped.
 *
 * @throws EvaluationTrouble when there is too little to judge by
 */
export async function gatherTruth(
  deps: EvaluationDeps,
  tx: Tx,
  grant: AppGrant,
  evaluation: EvaluationRow,
  kind: EvaluationKind,
  known: readonly KnownConcept[],
  source: TruthSource,
): Promise<void> {
  const takesAll = knowsNoConcepts(kind);
  const conceptOf = takesAll ? (id: string) => id : conceptMatcher(known);
  const labelIds = (await labelIdsOf(tx, source.grant)).filter((id) => conceptOf(id) !== undefined);
  const counts = new Map<string, number>();
  let position = 0;
  let after = 0;
  for (;;) {
    const inputs =
      source.versionKey === null
        ? await labelledInputs(tx, source.grant, labelIds, after, chunk)
        : await inputsOfVersion(tx, source.grant, source.versionKey, after, chunk);
    if (inputs.length === 0) break;
    after = inputs.at(-1)?.inputKey ?? after;
    const wanted = inputs.filter(({ inputKey }) => source.onlyInputs?.has(inputKey) ?? true);
    const keys = wanted.map(({ inputKey }) => inputKey);
    const annotations =
      source.versionKey === null
        ? await annotationsNow(tx, source.grant, keys)
        : await annotationsOfVersion(tx, source.versionKey, keys);
    const sizes = await sizesOf(deps, source.grant, keys);
    const made = truthsOf(wanted, annotations, sizes, kind, conceptOf);
    for (const input of made) {
      for (const id of input.positive) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    await insertInputs(
      tx,
      evaluation,
      made.map((input) => ({ ...input, position: position++ })),
    );
  }
  check(kind, counts);
  const order = known.filter(({ id }) => counts.has(id)).map(({ id }) => id);
  await keepConcepts(tx, grant, evaluation.key, takesAll ? [...counts.keys()].sort() : order);
}

function check(kind: EvaluationKind, counts: ReadonlyMap<string, number>): void {
  if (kind === 'classification' || kind === 'clustering') {
    const judged = enoughToJudge(counts);
    if (judged.kind === 'enough') return;
    throw new EvaluationTrouble(
      judged.kind === 'labels'
        ? StatusCode.MODEL_EVALUATION_NEED_LABELS
        : StatusCode.MODEL_EVALUATION_NEED_INPUTS,
      judged.why,
    );
  }
  // One class of object is enough to be found or missed.
  if (counts.size > 0) return;
  throw new EvaluationTrouble(
    StatusCode.MODEL_EVALUATION_NEED_LABELS,
    kind === 'tracking'
      ? 'No region of a frame of a video is labelled with a concept.'
      : 'No region is labelled with any of the model’s concepts.',
  );
}

export async function sizesOf(
  deps: EvaluationDeps,
  grant: AppGrant,
  keys: readonly number[],
): Promise<Map<string, { width: number; height: number }>> {
  const inputs = await deps.showInputs(grant, keys);
  return new Map(
    inputs.map((input) => {
      const { width = 0, height = 0 } = input.data?.image?.imageInfo ?? {};
      return [input.id, { width: Math.max(1, width), height: Math.max(1, height) }];
    }),
  );
}

/** What is true of each input, as far as it speaks of concepts that the model knows; inputs that say nothing are left out. */
export function truthsOf(
  inputs: readonly TrueInput[],
  annotations: readonly TrueAnnotation[],
  sizes: ReadonlyMap<string, { width: number; height: number }>,
  kind: EvaluationKind,
  conceptOf: (labelId: string) => string | undefined,
): Omit<NewInput, 'position'>[] {
  const byInput = new Map<number, TrueAnnotation[]>();
  for (const annotation of annotations) {
    const list = byInput.get(annotation.inputKey);
    if (list) list.push(annotation);
    else byInput.set(annotation.inputKey, [annotation]);
  }
  return inputs.flatMap(({ inputKey, inputId }) => {
    const { truth, positive, isMentioned } = truthOf(byInput.get(inputKey) ?? [], kind, conceptOf);
    // Pictures without an object count too: whatever is found there is wrong. An unlabelled one says nothing of classes.
    const isPicture = kind === 'detection' || kind === 'segmentation';
    if (!isMentioned && !isPicture) return [];
    const { width = 1, height = 1 } = sizes.get(inputId) ?? {};
    return [{ inputKey, inputId, width, height, positive, truth: Buffer.from(toBinary(DataSchema, truth)) }];
  });
}

function truthOf(
  annotations: readonly TrueAnnotation[],
  kind: EvaluationKind,
  conceptOf: (labelId: string) => string | undefined,
) {
  const truth = create(DataSchema);
  const labels = new Map<string, number>();
  for (const annotation of annotations) {
    if (kind === 'classification' || kind === 'clustering') {
      if ((annotation.kinds & placeKinds) !== 0) continue;
      for (const id of annotation.negative) label(labels, conceptOf(id), 0);
      for (const id of annotation.positive) label(labels, conceptOf(id), 1);
      continue;
    }
    const data = unpackBody(DataSchema, annotation.data);
    if (kind === 'tracking') truth.frames.push(...knownFrames(data, conceptOf));
    // Frames are moments of a video, not of a picture.
    else if ((annotation.kinds & annotationKind.frame) === 0)
      truth.regions.push(...data.regions.flatMap((region) => knownRegion(region, conceptOf)));
  }
  truth.frames = momentsOf(truth.frames);
  truth.concepts = create(DataSchema, {
    concepts: [...labels].map(([id, value]) => ({ id, value })),
  }).concepts;
  const regions = [...truth.regions, ...truth.frames.flatMap((frame) => frame.data?.regions ?? [])];
  const found = regions.flatMap((region) => region.data?.concepts.map(({ id }) => id) ?? []);
  const positive = [
    ...new Set([...found, ...truth.concepts.filter(({ value }) => value === 1).map(({ id }) => id)]),
  ];
  return { truth, positive, isMentioned: labels.size + regions.length > 0 };
}

/** Where people disagree, present wins. */
function label(labels: Map<string, number>, id: string | undefined, value: number): void {
  if (id !== undefined) labels.set(id, Math.max(labels.get(id) ?? 0, value));
}

/** A region with those of its concepts that the model knows; none where it knows none. */
function knownRegion(region: Region, conceptOf: (labelId: string) => string | undefined): Region[] {
  const concepts = (region.data?.concepts ?? []).flatMap(({ id, value }) => {
    const own = value >= 0.5 ? conceptOf(id) : undefined;
    return own === undefined ? [] : [{ id: own, value: 1 }];
  });
  if (concepts.length === 0) return [];
  return [
    create(RegionSchema, {
      id: region.id,
      trackId: region.trackId,
      ...(region.regionInfo ? { regionInfo: region.regionInfo } : {}),
      data: { concepts },
    }),
  ];
}

function knownFrames(data: Data, conceptOf: (labelId: string) => string | undefined): Frame[] {
  return data.frames.flatMap((frame) => {
    const regions = (frame.data?.regions ?? []).flatMap((region) => knownRegion(region, conceptOf));
    if (frame.data) frame.data = create(DataSchema, { regions });
    return regions.length > 0 ? [frame] : [];
  });
}
