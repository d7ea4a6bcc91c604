import { create } from '@bufbuild/protobuf';
import { type Annotation, AnnotationSchema, type ReplyOf, type RequestOf, StatusCode } from '@fovea/contract';
import { breathing } from '#domain/breath.ts';
import type { Call } from '#domain/call.ts';
import { mayDie } from '#domain/failpoints.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { Tx } from '#store/postgres/index.ts';
import type { Db } from '#store/sql.ts';
import { commonFault } from '../common/faults.ts';
import { batchStatus, statusOfFault, unlessFault } from '../common/status.ts';
import type { NewAnnotation, PackedAnnotation } from './annotation.ts';
import { type PlainBox, packedBox } from './boxes.ts';
import type { AnnotationParts, FoundInput } from './deps.ts';
import { annotationFault } from './faults.ts';
import { insertAnnotations, insertPacked, type StoredAnnotation } from './insert-store.ts';
import { makeMissing, settleLabels } from './labels.ts';
import { readyMasks, withMaskUrls } from './masks.ts';
import { extentsOf, momentTrouble } from './place-in-time.ts';
import { readAnnotation } from './read-annotation.ts';
import { bumpSearchRevision, holdInputs } from './store.ts';
import { showAnnotations } from './translate.ts';
import { openWorkers, readWorker } from './worker.ts';

const annotationsMax = 128;

/** @throws Fault 11102 unless 1 to 128 annotations were sent. */
export function checkBatch(annotations: readonly Annotation[]): void {
  if (annotations.length === 0) throw commonFault.invalid('annotations is empty; send 1 to 128.');
  if (annotations.length > annotationsMax) {
    throw commonFault.tooMany('annotations', annotations.length, annotationsMax);
  }
}

/** What became of an annotation: the key of what is stored, or why it is not. */
export type Outcome = number | Fault;

/**
 * Adds annotations to processed inputs. One that cannot be stored does not sink its neighbours: each comes back
 * with its own status.
 *
 * @throws Fault 11007 when labels name new concepts and the caller may not make any
 */
export async function postAnnotations(
  parts: AnnotationParts,
  req: RequestOf<'postAnnotations'>,
  call: Call,
): Promise<ReplyOf<'postAnnotations'>> {
  checkBatch(req.annotations);
  const outcomes = await addAnnotations(parts, call.app, req.annotations);
  return showOutcomes(parts, call.app, req.annotations, outcomes);
}

/**
 * As `postAnnotations`, for those who bring many and read none of them back: in one transaction, however many they are.
 *
 * @returns what became of each, in the order sent
 */
export async function addAnnotations(
  parts: AnnotationParts,
  grant: AppGrant,
  sent: readonly Annotation[],
): Promise<Outcome[]> {
  const masks = await readyMasks(parts, grant, sent);
  return parts.db.transaction((tx) => store(parts, tx, grant, sent, masks));
}

/**
 * The same for boxes that say nothing but what they show.
 *
 * @throws Fault 11007 when they show something new and the caller may not make concepts
 */
export function addBoxes(
  parts: AnnotationParts,
  grant: AppGrant,
  boxes: readonly PlainBox[],
): Promise<Outcome[]> {
  return parts.db.transaction(async (tx) => {
    const inputs = await inputsById(parts, tx, grant, boxes);
    const taken = openTaken();
    const read: (PackedAnnotation | Fault)[] = [];
    const breathe = breathing();
    for (const box of boxes) {
      await breathe();
      read.push(asOutcome(() => taken(packedBox(box, inputs.get(box.inputId), grant))));
    }
    const refused = new Set(boxes.filter((_, i) => read[i] instanceof Fault));
    await makeMissing(
      tx,
      grant,
      boxes.flatMap((box) => (box.concept && !refused.has(box) ? [box.concept] : [])),
    );
    return keep(parts, tx, grant, read, (wanted) => insertPacked(tx, grant, wanted));
  });
}

async function store(
  parts: AnnotationParts,
  tx: Tx,
  grant: AppGrant,
  sent: readonly Annotation[],
  masks: ReadonlyMap<number, string>,
): Promise<Outcome[]> {
  const inputs = await inputsById(parts, tx, grant, sent);
  const extents = await extentsOf(parts, tx, grant, sent, inputs);
  const workers = sent.map((wire) => readWorker(wire, grant));
  const workerOf = await openWorkers(tx, grant, workers);
  const taken = openTaken();
  const read: (NewAnnotation | Fault)[] = [];
  const breathe = breathing();
  for (const [i, wire] of sent.entries()) {
    await breathe();
    const one = asOutcome(() => {
      const wanted = readAnnotation(
        wire,
        inputs.get(wire.inputId),
        workerOf(workers[i] as (typeof workers)[number]),
      );
      const input = inputs.get(wire.inputId) as FoundInput;
      const trouble = masks.get(i) ?? momentTrouble(wanted.data, input, extents.get(input.key));
      if (trouble) throw annotationFault.invalid(trouble);
      return taken(wanted);
    });
    read.push(one);
  }
  return keep(parts, tx, grant, read, async (wanted) => {
    const settled = await settleLabels(
      tx,
      grant,
      wanted.map(({ data }) => data),
    );
    return insertAnnotations(
      tx,
      grant,
      wanted.map((annotation, i) => ({ ...annotation, data: settled[i] ?? annotation.data })),
    );
  });
}

type Named = Pick<NewAnnotation, 'id' | 'inputKey' | 'inputId'>;

/** @returns refuses what is named like one before it */
function openTaken() {
  const taken = new Set<string>();
  return <T extends Named>(one: T): T => {
    const name = nameOf(one);
    if (taken.has(name)) throw annotationFault.duplicate(one.id, one.inputId);
    taken.add(name);
    return one;
  };
}

/** Stores what was not refused, and tells those who want to know. */
async function keep<T extends Named>(
  parts: AnnotationParts,
  tx: Tx,
  grant: AppGrant,
  read: readonly (T | Fault)[],
  insert: (wanted: T[]) => Promise<StoredAnnotation[]>,
): Promise<Outcome[]> {
  const stored = await insert(
    read.filter((one): one is Exclude<typeof one, Fault> => !(one instanceof Fault)),
  );
  if (stored.length > 0) {
    const keys = stored.map(({ key }) => key);
    mayDie('annotations-stored');
    await parts.onAnnotated(tx, grant, keys);
    await bumpSearchRevision(tx, grant);
  }
  const keyOf = new Map(stored.map((row) => [nameOf(row), row.key]));
  return read.map((one) =>
    one instanceof Fault ? one : (keyOf.get(nameOf(one)) ?? annotationFault.duplicate(one.id, one.inputId)),
  );
}

const nameOf = ({ inputKey, id }: { inputKey: number; id: string }): string => `${inputKey} ${id}`;

async function inputsById(
  { findInputs }: AnnotationParts,
  tx: Tx,
  grant: AppGrant,
  sent: readonly { readonly inputId: string }[],
): Promise<Map<string, FoundInput>> {
  const ids = [...new Set(sent.map(({ inputId }) => inputId).filter((id) => id !== ''))];
  const found = await findInputs(tx, grant, ids);
  const held = await holdInputs(
    tx,
    grant,
    found.map(({ key }) => key),
  );
  return new Map(found.filter(({ key }) => held.has(key)).map((input) => [input.id, input]));
}

/** Runs a check of one item; what it refuses is the item's outcome, not the batch's. */
export function asOutcome<T>(check: () => T): T | Fault {
  try {
    return check();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

/** The reply of a batch: what is stored as it reads now, the rest with ids and the reason. */
export async function showOutcomes(
  { db, publicUrl }: AnnotationParts,
  grant: AppGrant,
  sent: readonly Annotation[],
  outcomes: readonly Outcome[],
) {
  const keys = outcomes.filter((outcome) => typeof outcome === 'number');
  const shownByKey = await showByKey(db, grant, keys);
  return {
    status: batchStatus(outcomes.map(unlessFault)),
    annotations: outcomes.map((outcome, i): Annotation => {
      const { id, inputId } = sent[i] as Annotation;
      if (outcome instanceof Fault)
        return create(AnnotationSchema, { id, inputId, status: statusOfFault(outcome) });
      const shown = shownByKey.get(outcome) ?? create(AnnotationSchema, { id, inputId });
      return withMaskUrls(publicUrl(grant), grant, [shown])[0] as Annotation;
    }),
  };
}

/** What was stored has to be acknowledged, also where it is more than a page may hold or is gone again by now. */
async function showByKey(db: Db, grant: AppGrant, keys: readonly number[]): Promise<Map<number, Annotation>> {
  const together = await showAnnotations(db, grant, keys).catch((thrown: unknown) => {
    if (thrown instanceof Fault && thrown.code === StatusCode.RPC_MAX_MESSAGE_SIZE_EXCEEDED) return [];
    throw thrown;
  });
  if (together.length === keys.length) return new Map(keys.map((key, i) => [key, together[i] as Annotation]));
  const shown = new Map<number, Annotation>();
  for (const key of keys) {
    const [annotation] = await showAnnotations(db, grant, [key]);
    if (annotation) shown.set(key, annotation);
  }
  return shown;
}
