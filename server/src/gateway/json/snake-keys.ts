import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { isObject } from './decode.ts';

interface Keys {
  readonly protoName: string;
  /** The message behind the field, where its keys are names of the contract too. */
  readonly inside: DescMessage | undefined;
  readonly isMap: boolean;
}

const known = new WeakMap<DescMessage, ReadonlyMap<string, Keys>>();

function keysOf(desc: DescMessage): ReadonlyMap<string, Keys> {
  let keys = known.get(desc);
  if (keys === undefined) {
    const found = new Map<string, Keys>();
    for (const field of desc.fields) {
      const entry = { protoName: field.name, inside: insideOf(field), isMap: field.fieldKind === 'map' };
      found.set(field.jsonName, entry);
      found.set(field.name, entry);
    }
    keys = found;
    known.set(desc, keys);
  }
  return keys;
}

function insideOf(field: DescField): DescMessage | undefined {
  const message = field.message;
  return message?.typeName.startsWith('google.protobuf.') ? undefined : message;
}

/**
 * The JSON of a request with every known key in proto spelling, so that PATCH can tell "not sent" from
 * "sent empty". Keys of Structs and maps are the caller's own and stay; unknown keys stay as they came.
 */
export function snakeKeys(schema: DescMessage, json: unknown): unknown {
  if (!isObject(json)) return json;
  const keys = keysOf(schema);
  const out: Record<string, unknown> = {};
  for (const key in json) {
    const entry = keys.get(key);
    const value = json[key];
    if (entry === undefined) put(out, key, value);
    else out[entry.protoName] = entry.inside === undefined ? value : renamed(entry, entry.inside, value);
  }
  return out;
}

function renamed(entry: Keys, inside: DescMessage, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => snakeKeys(inside, item));
  if (!entry.isMap || !isObject(value)) return snakeKeys(inside, value);
  const out: Record<string, unknown> = {};
  for (const key in value) put(out, key, snakeKeys(inside, value[key]));
  return out;
}

/** Sets a key of the caller's choosing; `__proto__` stays a plain key. */
function put(into: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') into[key] = value;
  else Object.defineProperty(into, key, { value, writable: true, enumerable: true, configurable: true });
}
