import {
  create,
  type DescEnum,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  type Message,
  type MessageShape,
} from '@bufbuild/protobuf';
import { isWrapperDesc, ValueSchema } from '@bufbuild/protobuf/wkt';
import { defaultFloat } from '@fovea/contract';
import { type Read, scalarReader } from './scalars.ts';
import { readDuration, readTimestamp } from './times.ts';
import { JsonTrouble, unlike } from './trouble.ts';

type Fields = Record<string, unknown>;

interface FieldCodec {
  readonly name: string;
  readonly local: string;
  readonly oneof: string | undefined;
  readonly read: Read;
  /** JSON null means unset, except where null is a value. */
  readonly takesNull: boolean;
}

interface MessageCodec {
  /** By proto name and by lowerCamel name. */
  readonly fields: ReadonlyMap<string, FieldCodec>;
  readonly defaults: readonly (readonly [local: string, value: number])[];
}

/** Deeper than any honest request; protobuf's own parsers stop here too. */
const depthMax = 100;

const codecs = new WeakMap<DescMessage, MessageCodec>();

function codecOf(desc: DescMessage): MessageCodec {
  let codec = codecs.get(desc);
  if (codec === undefined) {
    codec = compile(desc);
    codecs.set(desc, codec);
  }
  return codec;
}

function compile(desc: DescMessage): MessageCodec {
  const fields = new Map<string, FieldCodec>();
  const defaults: [string, number][] = [];
  for (const field of desc.fields) {
    const codec: FieldCodec = {
      name: field.name,
      local: field.localName,
      oneof: field.oneof?.localName,
      read: fieldReader(field),
      takesNull: field.fieldKind === 'message' && field.message.typeName === ValueSchema.typeName,
    };
    fields.set(field.jsonName, codec);
    fields.set(field.name, codec);
    const fallback = defaultFloat(field);
    if (fallback !== undefined) defaults.push([field.localName, fallback]);
  }
  return { fields, defaults };
}

function fieldReader(field: DescField): Read {
  switch (field.fieldKind) {
    case 'scalar':
      return scalarReader(field.scalar);
    case 'enum':
      return enumReader(field.enum);
    case 'message':
      return isWrapperDesc(field.message) && field.oneof === undefined
        ? wrappedReader(field.message)
        : messageReader(field.message);
    case 'list':
      return listReader(itemReader(field));
    case 'map':
      return mapReader(itemReader(field));
  }
}

function wrappedReader(desc: DescMessage): Read {
  const value = desc.fields[0];
  if (value?.fieldKind !== 'scalar') throw new Error(`${desc.typeName} wraps no scalar`);
  return scalarReader(value.scalar);
}

function itemReader(field: DescField & { fieldKind: 'list' | 'map' }): Read {
  if (field.message !== undefined) return messageReader(field.message);
  return field.enum === undefined ? scalarReader(field.scalar) : enumReader(field.enum);
}

/** Numbers (also unknown ones, as proto3 wants), numbers as text, and names. */
function enumReader(desc: DescEnum): Read {
  const byName = new Map(desc.values.map((value) => [value.name, value.number]));
  return (value) => {
    if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 31) return value;
    if (typeof value === 'string') {
      const named = byName.get(value) ?? byName.get(value.toUpperCase());
      if (named !== undefined) return named;
      if (/^-?\d{1,9}$/.test(value)) return Number(value);
    }
    const some = desc.values.slice(0, 4).map((known) => known.name);
    throw unlike(value, `a value of ${desc.name} (${some.join(', ')}${desc.values.length > 4 ? ' …' : ''})`);
  };
}

function messageReader(desc: DescMessage): Read {
  switch (desc.typeName) {
    case 'google.protobuf.Timestamp':
      return readTimestamp;
    case 'google.protobuf.Duration':
      return readDuration;
    case 'google.protobuf.Struct':
      return readStruct;
    case 'google.protobuf.Value':
      return readValue;
    default:
      return (value) => readMessage(desc, value);
  }
}

function readStruct(value: unknown): unknown {
  if (!isObject(value)) throw unlike(value, 'an object');
  checkDepth(value, 0);
  return value;
}

function readValue(value: unknown): unknown {
  checkDepth(value, 0);
  return fromJson(ValueSchema, value as JsonValue);
}

// A level of JSON is three of protobuf (Struct, entry, Value), and what is stored must stay readable within depthMax.
const plainDepthMax = 30;

function checkDepth(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > plainDepthMax)
    throw new JsonTrouble('', 'a value nested too deep', `at most ${plainDepthMax} levels`);
  for (const key in value) checkDepth((value as Fields)[key], depth + 1);
}

const tooDeep = () => new JsonTrouble('', 'a value nested too deep', `at most ${depthMax} levels`);

function listReader(readItem: Read): Read {
  return (value) => {
    if (!Array.isArray(value)) throw unlike(value, 'a list');
    return value.map((item, index) => {
      try {
        return readItem(item);
      } catch (thrown) {
        throw thrown instanceof JsonTrouble ? thrown.under(`[${index}]`) : thrown;
      }
    });
  };
}

/** All maps of the contract have text keys. */
function mapReader(readItem: Read): Read {
  return (value) => {
    if (!isObject(value)) throw unlike(value, 'an object');
    const entries: [string, unknown][] = [];
    for (const [key, item] of Object.entries(value)) {
      try {
        entries.push([key, readItem(item)]);
      } catch (thrown) {
        throw thrown instanceof JsonTrouble ? thrown.under(key) : thrown;
      }
    }
    // fromEntries defines properties, so a key such as __proto__ stays a plain key.
    return Object.fromEntries(entries);
  };
}

export const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

// How deep the message being read is nested; reading is synchronous, so one counter serves all.
let depth = 0;

function readMessage(desc: DescMessage, json: unknown): Message {
  if (!isObject(json)) throw unlike(json, 'an object');
  const { fields, defaults } = codecOf(desc);
  const message = create(desc) as Message & Fields;
  for (const [local, value] of defaults) message[local] = value;
  if (++depth > depthMax) {
    depth = 0;
    throw tooDeep();
  }
  for (const key in json) {
    const field = fields.get(key);
    if (field === undefined) continue;
    const value = json[key];
    if (value === undefined || (value === null && !field.takesNull)) continue;
    try {
      const read = field.read(value);
      if (field.oneof === undefined) message[field.local] = read;
      else message[field.oneof] = { case: field.local, value: read };
    } catch (thrown) {
      throw thrown instanceof JsonTrouble ? thrown.under(field.name) : thrown;
    }
  }
  depth--;
  return message;
}

/**
 * Reads a JSON request as the contract's REST form allows it: snake_case or lowerCamel names, unknown names
 * ignored, enums as numbers or names, numbers and booleans as text, `cl_default_float` for floats left out.
 * A missing body is an empty message.
 *
 * @throws JsonTrouble naming the field, what came and what was hoped for
 */
export function decodeJson<D extends DescMessage>(schema: D, json: unknown): MessageShape<D> {
  depth = 0;
  return readMessage(schema, json ?? {}) as MessageShape<D>;
}

/**
 * Sets one field of a message from text, making the messages on the way to it.
 *
 * @param fieldPath dotted proto names, as path templates write them (`user_app_id.user_id`)
 * @throws JsonTrouble when the text is not of the field's type
 */
export function setFromText(schema: DescMessage, message: Message, fieldPath: string, text: string): void {
  let desc = schema;
  let at = message as Message & Fields;
  const names = fieldPath.split('.');
  for (const name of names.slice(0, -1)) {
    const field = desc.fields.find((known) => known.name === name);
    if (field?.fieldKind !== 'message') throw new Error(`${schema.typeName} has no message at ${fieldPath}`);
    desc = field.message;
    at[field.localName] ??= create(desc);
    at = at[field.localName] as Message & Fields;
  }
  const field = codecOf(desc).fields.get(names.at(-1) as string);
  if (field === undefined) throw new Error(`${schema.typeName} has no field ${fieldPath}`);
  try {
    const read = field.read(text);
    if (field.oneof === undefined) at[field.local] = read;
    else at[field.oneof] = { case: field.local, value: read };
  } catch (thrown) {
    throw thrown instanceof JsonTrouble ? thrown.under(fieldPath) : thrown;
  }
}
