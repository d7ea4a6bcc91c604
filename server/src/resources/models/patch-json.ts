import { type DescMessage, fromJson, type JsonValue, type MessageShape, toJson } from '@bufbuild/protobuf';
import { type Json, type JsonMap, type PatchAction, patched } from '#domain/patch.ts';
import { commonFault } from '../common/faults.ts';

const actions: readonly PatchAction[] = ['merge', 'overwrite', 'remove'];

/** An empty action means merge (SEMANTICS 4). @throws Fault naming the actions that are known */
export function readAction(action: string, known: readonly PatchAction[] = actions): PatchAction {
  if (action === '') return known.includes('merge') ? 'merge' : 'overwrite';
  const found = known.find((name) => name === action);
  if (!found) throw commonFault.unknownAction(action, known);
  return found;
}

export const jsonOf = <D extends DescMessage>(schema: D, message: MessageShape<D>): JsonMap =>
  toJson(schema, message, { useProtoFieldName: true }) as JsonMap;

export const messageOf = <D extends DescMessage>(schema: D, json: JsonMap): MessageShape<D> =>
  fromJson(schema, json as JsonValue, { ignoreUnknownFields: true });

/**
 * What a sparse message says, as JSON with proto names. A message alone cannot tell "not sent" from "sent empty";
 * over REST `raw` is the body as it came, and its empty values (`{}`, `[]`, `""`, 0, false) are kept.
 */
export function sentJson<D extends DescMessage>(schema: D, message: MessageShape<D>, raw: unknown): JsonMap {
  return withEmpties(jsonOf(schema, message), raw) as JsonMap;
}

function withEmpties(json: Json | undefined, raw: unknown): Json | undefined {
  if (Array.isArray(raw)) {
    if (json === undefined) return raw.length === 0 ? [] : undefined;
    if (!Array.isArray(json)) return json;
    return json.map((item, index) => withEmpties(item, raw[index]) as Json);
  }
  if (typeof raw === 'object' && raw !== null) {
    if (json !== undefined && !isMap(json)) return json;
    const after: JsonMap = { ...json };
    for (const [key, value] of Object.entries(raw)) {
      const kept = withEmpties(after[key], value);
      if (kept !== undefined) after[key] = kept;
    }
    return json === undefined && Object.keys(raw).length > 0 && Object.keys(after).length === 0
      ? undefined
      : after;
  }
  if (json !== undefined) return json;
  return raw === 0 || raw === '' || raw === false ? raw : undefined;
}

const isMap = (value: Json | undefined): value is JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Applies a patch to a message. Merge and remove work as everywhere; overwrite replaces, field by field, what the
 * patch names and keeps the rest, because official clients send only what they want to change (SEMANTICS 4.3).
 */
export function patchedMessage<D extends DescMessage>(
  schema: D,
  action: PatchAction,
  before: MessageShape<D>,
  sent: JsonMap,
): MessageShape<D> {
  const json = jsonOf(schema, before);
  const after = action === 'overwrite' ? { ...json, ...sent } : (patched(action, json, sent) as JsonMap);
  return messageOf(schema, after);
}

/** The part of a raw REST body that belongs to one item of a list. */
export const rawItem = (sent: Record<string, unknown> | undefined, list: string, index: number): unknown => {
  const items = sent?.[list];
  return Array.isArray(items) ? items[index] : undefined;
};
