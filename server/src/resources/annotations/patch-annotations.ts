import { create } from '@bufbuild/protobuf';
import { type Annotation, AnnotationSchema, type Data, type ReplyOf, type RequestOf } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { PatchAction } from '#domain/patch.ts';
import type { Tx } from '#store/postgres/index.ts';
import { commonFault } from '../common/faults.ts';
import { status } from '../common/status.ts';
import type { AnnotationParts } from './deps.ts';
import { annotationFault } from './faults.ts';
import { identifyLabels, labelTrouble, settleLabels } from './labels.ts';
import { readyMasks } from './masks.ts';
import { isEmptyData, patchedData, type Sent } from './patch-data.ts';
import { openMoments } from './place-in-time.ts';
import { asOutcome, checkBatch, showOutcomes } from './post-annotations.ts';
import { checkedData, readData, readStatus, readTaskId } from './read-annotation.ts';
import {
  type AnnotationChange,
  bumpSearchRevision,
  dataBytes,
  deleteAnnotationRows,
  type LockedAnnotation,
  lockAnnotations,
  updateAnnotations,
} from './store.ts';
import { unpackData } from './translate.ts';

const actions = ['merge', 'overwrite', 'remove'] as const;

/** An empty action means merge, as for everything that can be merged (SEMANTICS 4). */
export function readAction(action: string): PatchAction {
  if (action === '') return 'merge';
  const known = actions.find((name) => name === action);
  if (!known) throw commonFault.unknownAction(action, actions);
  return known;
}

interface Patch {
  readonly row: LockedAnnotation;
  readonly wire: Annotation;
  readonly sent: Data;
  readonly raw: Sent;
}

/** Changes annotations one by one: one that does not exist, or would end up invalid, does not sink its neighbours. */
export async function patchAnnotations(
  parts: AnnotationParts,
  req: RequestOf<'patchAnnotations'>,
  call: Call,
): Promise<ReplyOf<'patchAnnotations'>> {
  const action = readAction(req.action);
  checkBatch(req.annotations);
  const raws = (call.sent?.annotations as Sent[] | undefined) ?? [];
  const deletes = req.deleteIfEmptyData && action === 'remove';
  const masks =
    action === 'remove' ? new Map<number, string>() : await readyMasks(parts, call.app, req.annotations);
  const { outcomes, gone } = await parts.db.transaction(async (tx) => {
    const patches = await openPatches(tx, call.app, action, req.annotations, raws, masks);
    const momentsTrouble = await openMoments(parts, tx, call.app, action === 'remove' ? [] : req.annotations);
    const result = resultOf(action, patches, deletes, momentsTrouble);
    await store(parts, tx, call.app, result);
    await checkReplySize(tx, call.app, [...result.changes.keys()]);
    return result;
  });
  const reply = await showOutcomes(parts, call.app, req.annotations, outcomes);
  const annotations = reply.annotations.map((shown, i) =>
    gone.has(outcomes[i] as number)
      ? create(AnnotationSchema, { id: shown.id, inputId: shown.inputId, data: {}, status: status(24150) })
      : shown,
  );
  return { status: reply.status, annotations };
}

const replyBytesMax = 128 * 1024 * 1024;

/** A patch may be small and what it touches large: refused while it can still be taken back. */
async function checkReplySize(tx: Tx, grant: AppGrant, keys: readonly number[]): Promise<void> {
  const bytes = await dataBytes(tx, grant, keys);
  if (bytes > replyBytesMax) throw annotationFault.tooLargeAtOnce(keys.length, bytes);
}

type MomentsTrouble = Awaited<ReturnType<typeof openMoments>>;

interface PatchResult {
  /** In the order sent: the key of what was changed or deleted, or why not. */
  readonly outcomes: (number | Fault)[];
  readonly changes: Map<number, AnnotationChange>;
  readonly gone: Set<number>;
  /** Those whose region may have moved. */
  readonly moved: Set<number>;
}

/** What the patches make of their annotations; an annotation named twice is patched twice. Writes nothing. */
function resultOf(
  action: PatchAction,
  patches: readonly (Patch | Fault)[],
  deletes: boolean,
  momentsTrouble: MomentsTrouble,
): PatchResult {
  const result: PatchResult = { outcomes: [], changes: new Map(), gone: new Set(), moved: new Set() };
  for (const patch of patches) {
    const outcome =
      patch instanceof Fault ? patch : asOutcome(() => changeOf(action, patch, result, momentsTrouble));
    result.outcomes.push(outcome instanceof Fault ? outcome : outcome.row.key);
    if (outcome instanceof Fault || patch instanceof Fault) continue;
    const { key } = patch.row;
    result.changes.set(key, outcome);
    if (patch.sent.regions.length > 0 || action === 'overwrite') result.moved.add(key);
    if (deletes && !patch.row.inputLevel && isEmptyData(outcome.data)) result.gone.add(key);
  }
  return result;
}

async function store(parts: AnnotationParts, tx: Tx, grant: AppGrant, result: PatchResult): Promise<void> {
  const { changes, gone, moved } = result;
  if (changes.size === 0) return;
  const kept = [...changes.values()].filter(({ row }) => !gone.has(row.key));
  const changed = await updateAnnotations(tx, grant, kept);
  await deleteAnnotationRows(tx, grant, [...gone]);
  if (changed.length + gone.size === 0) return;
  const toIndex = changed.map(({ row }) => row.key).filter((key) => moved.has(key));
  if (toIndex.length > 0) await parts.onAnnotated(tx, grant, toIndex);
  await bumpSearchRevision(tx, grant);
}

/** Finds and locks what is to be changed, and gives ids to the concepts that are only named. */
async function openPatches(
  tx: Tx,
  grant: AppGrant,
  action: PatchAction,
  sent: readonly Annotation[],
  raws: readonly Sent[],
  masks: ReadonlyMap<number, string>,
): Promise<(Patch | Fault)[]> {
  const rows = await lockAnnotations(tx, grant, sent);
  const rowOf = new Map(rows.map((row) => [`${row.inputId}\n${row.id}`, row]));
  const patches = sent.map((wire, i): Patch | Fault => {
    const row = rowOf.get(`${wire.inputId}\n${wire.id}`);
    if (!row) return annotationFault.missing(wire.id, wire.inputId);
    const data = readData(wire.data);
    const trouble = masks.get(i) ?? (action === 'remove' ? undefined : labelTrouble(data));
    if (trouble) return annotationFault.invalid(trouble);
    return { row, wire, sent: data, raw: raws[i]?.data as Sent };
  });
  const good = patches.filter((patch): patch is Patch => !(patch instanceof Fault));
  const batch = good.map((patch) => patch.sent);
  const named =
    action === 'remove' ? await identifyLabels(tx, grant, batch) : await settleLabels(tx, grant, batch);
  const namedOf = new Map(good.map((patch, i) => [patch, named[i] as Data]));
  return patches.map((patch) =>
    patch instanceof Fault ? patch : { ...patch, sent: namedOf.get(patch) ?? patch.sent },
  );
}

/** @throws Fault where the annotation was deleted by an earlier patch of the request, or would end up invalid. */
function changeOf(
  action: PatchAction,
  { row, wire, sent, raw }: Patch,
  so: PatchResult,
  momentsTrouble: MomentsTrouble,
): AnnotationChange {
  if (so.gone.has(row.key)) throw annotationFault.missing(row.id, row.inputId);
  const earlier = so.changes.get(row.key);
  const before = earlier?.data ?? unpackData(row.data);
  const trouble = wire.data && momentsTrouble(sent, row.inputId);
  if (trouble) throw annotationFault.invalid(trouble);
  return {
    row,
    // A patch of the status alone must not wipe the data.
    data: checkedData(wire.data ? patchedData(action, before, sent, raw) : before),
    statusCode: readStatus(wire) ?? earlier?.statusCode,
    taskId: readTaskId(wire) || earlier?.taskId,
    annotationInfo: wire.annotationInfo ?? earlier?.annotationInfo,
    consensusInfo: wire.consensusInfo ?? earlier?.consensusInfo,
  };
}
