import type { DescField, DescMessage, MessageShape } from '@bufbuild/protobuf';
import { decodeJson, isObject } from './decode.ts';

export type QueryPairs = Iterable<readonly [name: string, value: string]>;

/**
 * Query parameters as the JSON body they stand for: dotted names reach into messages, a repeated name makes
 * a list, either spelling of names will do. Names the message does not know are ignored.
 */
export function queryJson(schema: DescMessage, pairs: QueryPairs): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [name, value] of pairs) place(schema, root, name.split('.'), value);
  return root;
}

function fieldNamed(desc: DescMessage, name: string): DescField | undefined {
  // `ids[]` is how some query builders write a list.
  const plain = name.endsWith('[]') ? name.slice(0, -2) : name;
  return desc.fields.find((field) => field.name === plain || field.jsonName === plain);
}

function place(
  desc: DescMessage,
  into: Record<string, unknown>,
  path: readonly string[],
  text: string,
): void {
  const [name, ...rest] = path;
  const field = name === undefined ? undefined : fieldNamed(desc, name);
  if (field === undefined) return;
  if (rest.length === 0) {
    if (field.fieldKind === 'list')
      into[field.name] = [...((into[field.name] as unknown[]) ?? []), leaf(field, text)];
    else into[field.name] = leaf(field, text);
    return;
  }
  if (field.fieldKind !== 'message') return;
  const inner = into[field.name];
  const object: Record<string, unknown> = isObject(inner) ? inner : {};
  into[field.name] = object;
  if (field.message.typeName === 'google.protobuf.Struct') placePlain(object, rest, text);
  else place(field.message, object, rest, text);
}

/** Inside a Struct every name is the caller's own; a text is all a query can say. */
function placePlain(into: Record<string, unknown>, path: readonly string[], text: string): void {
  const [name = '', ...rest] = path;
  const inner = Object.hasOwn(into, name) ? into[name] : undefined;
  const object: Record<string, unknown> = isObject(inner) ? inner : {};
  const value = rest.length === 0 ? text : object;
  Object.defineProperty(into, name, { value, writable: true, enumerable: true, configurable: true });
  if (rest.length > 0) placePlain(object, rest, text);
}

/** A message, Struct or Value given whole is written as JSON; everything else is text that the reader understands. */
function leaf(field: DescField, text: string): unknown {
  if (field.message === undefined || !/^\s*[[{"]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Reads query parameters into a message. @throws JsonTrouble naming the parameter */
export const decodeQuery = <D extends DescMessage>(schema: D, pairs: QueryPairs): MessageShape<D> =>
  decodeJson(schema, queryJson(schema, pairs));
