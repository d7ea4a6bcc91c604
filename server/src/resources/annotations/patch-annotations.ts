import type { Annotation, Data, ReplyOf, RequestOf } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { PatchAction } from '#domain/patch.ts';
import type { Tx } from '#store/postgres/index.ts';
import { commonFault } from '../common/faults.ts';
import { type StatusInit, status } from '../common/status.ts';
import type { AnnotationParts } from './deps.ts';
import { annotationFault } from './faults.ts';
import { identifyLabels, labelTrouble, settleLabels } from './labels.ts';
import { isEmptyData, patchedData, type Sent } from './patch-data.ts';
import { asOutcome, checkBatch, showOutcomes } from './post-annotations.ts';
import { checkedData, readData, readStatus, readTaskId } from './read-annotation.ts';
import {
  bumpSearchRevision,
  deleteAnnotationRows,
  type LockedAnnotation,
  lockAnnotations,
  updateAnnotation,
} from './store.ts';
import { type ShownAnnotation, unpackData } from './translate.ts';

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
  const emptied = new Map<number, ShownAnnotation>();
  const outcomes = await parts.db.transaction(async (tx) => {
    emptied.clear();
    const patches = await openPatches(tx, call.app, action, req.annotations, raws);
    const current = new Map<number, Data>();
    const moved: number[] = [];
    const results: (number | Fault)[] = [];
    for (const patch of patches) {
      const outcome =
        patch instanceof Fault ? patch : asOutcome(() => applied(action, patch, current, emptied));
      results.push(outcome instanceof Fault ? outcome : outcome.key);
      if (outcome instanceof Fault || patch instanceof Fault) continue;
      const { row, wire } = patch;
      if (req.deleteIfEmptyData && action === 'remove' && !row.inputLevel && isEmptyData(outcome.data)) {
        await deleteAnnotationRows(tx, call.app, [row.key]);
        emptied.set(row.key, { id: row.id, inputId: row.inputId, data: {}, status: status(24150) });
        continue;
      }
      await updateAnnotation(tx, call.app, {
        ...row,
        data: outcome.data,
        statusCode: outcome.statusCode,
        taskId: readTaskId(wire) || undefined,
        annotationInfo: wire.annotationInfo,
      });
      if (patch.sent.regions.length > 0 || action === 'overwrite') moved.push(row.key);
    }
    if (moved.length > 0) await parts.onAnnotated(tx, call.app, [...new Set(moved)]);
    if (results.some((result) => !(result instanceof Fault))) await bumpSearchRevision(tx, call.app);
    return results;
  });
  const reply = await showOutcomes(parts, call.app, req.annotations, outcomes);
  const annotations = reply.annotations.map((shown, i) => emptied.get(outcomes[i] as number) ?? shown);
  return { status: reply.status as StatusInit, annotations };
}

/** Finds and locks what is to be changed, and gives ids to the concepts that are only named. */
async function openPatches(
  tx: Tx,
  grant: AppGrant,
  action: PatchAction,
  sent: readonly Annotation[],
  raws: readonly Sent[],
): Promise<(Patch | Fault)[]> {
  const rows = await lockAnnotations(tx, grant, sent);
  const rowOf = new Map(rows.map((row) => [`${row.inputId}\n${row.id}`, row]));
  const patches = sent.map((wire, i): Patch | Fault => {
    const row = rowOf.get(`${wire.inputId}\n${wire.id}`);
    if (!row) return annotationFault.missing(wire.id, wire.inputId);
    const data = readData(wire.data);
    const trouble = action === 'remove' ? undefined : labelTrouble(data);
    if (trouble) return annotationFault.invalid(trouble);
    return { row, wire, sent: data, raw: raws[i]?.data as Sent };
  });
  const good = patches.filter((patch): patch is Patch => !(patch instanceof Fault));
  const batch = good.map((patch) => patch.sent);
  const named =
    action === 'remove'
      ? await Promise.all(batch.map((data) => identifyLabels(tx, grant, data)))
      : await settleLabels(tx, grant, batch);
  const namedOf = new Map(good.map((patch, i) => [patch, named[i] as Data]));
  return patches.map((patch) =>
    patch instanceof Fault ? patch : { ...patch, sent: namedOf.get(patch) ?? patch.sent },
  );
}

/** `current` remembers what earlier patches of the same request made of an annotation. */
function applied(
  action: PatchAction,
  { row, wire, sent, raw }: Patch,
  current: Map<number, Data>,
  gone: ReadonlyMap<number, unknown>,
) {
  if (gone.has(row.key)) throw annotationFault.missing(row.id, row.inputId);
  const before = current.get(row.key) ?? unpackData(row.data);
  const statusCode = readStatus(wire);
  // A patch of the status alone must not wipe the data.
  const after = wire.data ? patchedData(action, before, sent, raw) : before;
  const data = checkedData(after);
  current.set(row.key, data);
  return { key: row.key, data, statusCode };
}
