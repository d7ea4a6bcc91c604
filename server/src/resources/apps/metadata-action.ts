import { type Json, type JsonMap, merged, own, put } from '#domain/patch.ts';
import { appFault } from './faults.ts';

export interface MetadataAction {
  readonly op: string;
  readonly mergeConflictResolution: string;
  /** Like `tag[1].data`; empty means the whole. */
  readonly path: string;
}

const isMap = (value: Json | undefined): value is JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const idOf = (value: Json) => (isMap(value) ? value.id : undefined);

/**
 * Applies PatchApp's metadata_action: overwrite, delete or merge at a path, with a rule for what both sides hold.
 * Source: resources.proto PatchAction; SEMANTICS 4.4.
 *
 * @throws Fault 24900/24901 for unknown words or a path that leads nowhere
 */
export function patchMetadata(before: JsonMap, sent: JsonMap, action: MetadataAction): JsonMap {
  const steps = readPath(action.path);
  const op = action.op || 'overwrite';
  if (!['overwrite', 'delete', 'merge'].includes(op)) throw appFault.metadataOp(op);
  const value = steps.length === 0 ? sent : (valueAt(sent, steps) ?? sent);
  const after = changedAt(before, steps, action.path, (old) => {
    if (op === 'delete') return undefined;
    if (op === 'overwrite') return value;
    return resolved(old, value, action.mergeConflictResolution || 'overwrite');
  });
  return isMap(after) ? after : {};
}

function readPath(path: string): (string | number)[] {
  const steps = [...path.matchAll(/([^.[\]]+)|\[(\d+)\]/g)];
  return steps.map(([, name, index]) => (index === undefined ? (name as string) : Number(index)));
}

const stepInto = (value: Json | undefined, step: string | number): Json | undefined =>
  typeof step === 'number'
    ? Array.isArray(value)
      ? value[step]
      : undefined
    : isMap(value)
      ? own(value, step)
      : undefined;

const valueAt = (value: Json | undefined, steps: readonly (string | number)[]): Json | undefined =>
  steps.reduce<Json | undefined>(stepInto, value);

function changedAt(
  before: Json | undefined,
  steps: readonly (string | number)[],
  path: string,
  change: (old: Json | undefined) => Json | undefined,
): Json | undefined {
  const [step, ...rest] = steps;
  if (step === undefined) return change(before);
  if (typeof step === 'number') {
    if (!Array.isArray(before) || step >= before.length) throw appFault.metadataPath(path);
    const next = changedAt(before[step], rest, path, change);
    return before.flatMap((item, i) => (i === step ? (next === undefined ? [] : [next]) : [item]));
  }
  if (before !== undefined && !isMap(before)) throw appFault.metadataPath(path);
  const after: JsonMap = { ...before };
  const next = changedAt(own(after, step), rest, path, change);
  if (next === undefined) delete after[step];
  else put(after, step, next);
  return after;
}

/** Joins two values; `rule` decides where both sides hold something. */
function resolved(old: Json | undefined, sent: Json, rule: string): Json {
  if (old === undefined || old === null) return sent;
  if (isMap(old) && isMap(sent)) {
    const after: JsonMap = { ...old };
    for (const [name, value] of Object.entries(sent)) put(after, name, resolved(own(old, name), value, rule));
    return after;
  }
  switch (rule) {
    case 'overwrite':
      return sent;
    case 'do_nothing':
      return old;
    case 'append':
      return [...(Array.isArray(old) ? old : [old]), ...(Array.isArray(sent) ? sent : [sent])];
    case 'merge_by_id':
      return (merged(old, sent) ?? sent) as Json;
    case 'overwrite_by_id':
    case 'remove_by_id': {
      if (!Array.isArray(old) || !Array.isArray(sent)) return rule === 'remove_by_id' ? old : sent;
      const ids = new Set(sent.map(idOf));
      const kept = old.filter((item) => !ids.has(idOf(item)));
      return rule === 'remove_by_id' ? kept : [...kept, ...sent];
    }
    default:
      throw appFault.metadataResolution(rule);
  }
}
