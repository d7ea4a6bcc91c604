import { type DescField, type DescMessage, type MessageShape, ScalarType, toJson } from '@bufbuild/protobuf';
import { isWrapperDesc, type Value, ValueSchema } from '@bufbuild/protobuf/wkt';
import { isPrivate, showIfEmpty } from '@fovea/contract';
import { showDouble, showFloat32 } from './numbers.ts';
import { showDuration, showTimestamp } from './times.ts';

export type NameStyle = 'snake' | 'camel';

type Fields = Record<string, unknown>;
type Show = (value: never) => unknown;
/** Puts one member into the object to be, or leaves it out. */
type ShowMember = (message: Fields, into: Fields) => void;

/**
 * Fields that live answers show even when empty although the contract does not mark them (SEMANTICS 1.4),
 * with what stands there then.
 */
const shownBeyondContract: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'clarifai.api.Model': {
    toolkits: [],
    use_cases: [],
    languages: [],
    languages_full: [],
    check_consents: [],
    workflow_recommended: false,
  },
};

const compiled = {
  snake: new WeakMap<DescMessage, ShowMember[]>(),
  camel: new WeakMap<DescMessage, ShowMember[]>(),
};

function membersOf(desc: DescMessage, names: NameStyle): ShowMember[] {
  let members = compiled[names].get(desc);
  if (members === undefined) {
    members = [];
    // Stored before it is filled: messages that contain themselves find it there.
    compiled[names].set(desc, members);
    for (const field of desc.fields) if (!isPrivate(field)) members.push(memberOf(field, names));
  }
  return members;
}

/** Shows one member as the others of this file do; for what is shown from bytes otherwise. */
export function memberOf(field: DescField, names: NameStyle): ShowMember {
  const name = names === 'snake' ? field.name : field.jsonName;
  const whenEmpty = emptyValue(field);
  const leave = (into: Fields) => {
    if (whenEmpty !== undefined) into[name] = whenEmpty;
  };
  const show = fieldShow(field, names) as (value: unknown) => unknown;
  const local = field.localName;
  const oneof = field.oneof?.localName;
  if (oneof !== undefined) {
    return (message, into) => {
      const chosen = message[oneof] as { case?: string; value?: unknown };
      if (chosen.case === local) into[name] = show(chosen.value);
      else leave(into);
    };
  }
  const isEmpty = emptiness(field);
  return (message, into) => {
    const value = message[local];
    if (isEmpty(value)) leave(into);
    else into[name] = show(value);
  };
}

function emptiness(field: DescField): (value: unknown) => boolean {
  if (field.fieldKind === 'list') return (value) => (value as unknown[]).length === 0;
  if (field.fieldKind === 'map') return (value) => Object.keys(value as object).length === 0;
  // A message field, or one that knows "unset" from zero.
  if (field.fieldKind === 'message' || field.proto.proto3Optional) return (value) => value === undefined;
  if (field.fieldKind === 'scalar' && field.scalar === ScalarType.BYTES) {
    return (value) => (value as Uint8Array).length === 0;
  }
  // 0, 0n, '' and false are all that is falsy here, and NaN, which is not empty.
  return (value) => !value && !Number.isNaN(value);
}

/** What stands where a field is empty; undefined where it is left out then. */
export function emptyValue(field: DescField): unknown {
  const extra = shownBeyondContract[field.parent.typeName]?.[field.name];
  if (extra !== undefined || !showIfEmpty(field)) return extra;
  switch (field.fieldKind) {
    case 'list':
      return [];
    case 'map':
      return {};
    case 'enum':
      return 0;
    case 'message':
      return undefined;
    case 'scalar':
      return emptyScalar(field.scalar);
  }
}

function emptyScalar(type: ScalarType): unknown {
  if (type === ScalarType.STRING || type === ScalarType.BYTES) return '';
  if (type === ScalarType.BOOL) return false;
  return isLong(type) ? '0' : 0;
}

const longTypes: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);
const isLong = (type: ScalarType): boolean => longTypes.has(type);

const asItIs = (value: unknown): unknown => value;
const showLong = (value: bigint): string => String(value);
const showBytes = (value: Uint8Array): string =>
  Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');

function scalarShow(type: ScalarType): Show {
  if (isLong(type)) return showLong;
  switch (type) {
    case ScalarType.BYTES:
      return showBytes;
    case ScalarType.FLOAT:
      return showFloat32;
    case ScalarType.DOUBLE:
      return showDouble;
    default:
      return asItIs;
  }
}

function fieldShow(field: DescField, names: NameStyle): Show {
  switch (field.fieldKind) {
    case 'scalar':
      return scalarShow(field.scalar);
    case 'enum':
      return asItIs;
    case 'message':
      return isWrapperDesc(field.message) && field.oneof === undefined
        ? wrappedShow(field.message)
        : messageShow(field.message, names);
    case 'list':
      return listShow(itemShow(field, names));
    case 'map':
      return mapShow(itemShow(field, names));
  }
}

function wrappedShow(desc: DescMessage): Show {
  const value = desc.fields[0];
  if (value?.fieldKind !== 'scalar') throw new Error(`${desc.typeName} wraps no scalar`);
  return scalarShow(value.scalar);
}

function itemShow(field: DescField & { fieldKind: 'list' | 'map' }, names: NameStyle): Show {
  if (field.message !== undefined) return messageShow(field.message, names);
  return field.enum === undefined ? scalarShow(field.scalar) : asItIs;
}

function messageShow(desc: DescMessage, names: NameStyle): Show {
  switch (desc.typeName) {
    case 'google.protobuf.Timestamp':
      return showTimestamp;
    case 'google.protobuf.Duration':
      return showDuration;
    case 'google.protobuf.Struct':
      return asItIs;
    case 'google.protobuf.Value':
      return (value: Value) => toJson(ValueSchema, value);
    default: {
      const members = membersOf(desc, names);
      return (message: Fields) => showMembers(members, message);
    }
  }
}

const listShow = (showItem: Show): Show =>
  showItem === asItIs
    ? asItIs
    : (items: readonly unknown[]) => items.map(showItem as (value: unknown) => unknown);

function mapShow(showItem: Show): Show {
  const show = showItem as (value: unknown) => unknown;
  // fromEntries defines properties, so a key such as __proto__ stays a plain key.
  return (map: Fields) => Object.fromEntries(Object.entries(map).map(([key, value]) => [key, show(value)]));
}

function showMembers(members: readonly ShowMember[], message: Fields): Fields {
  const into: Fields = {};
  for (let i = 0; i < members.length; i++) (members[i] as ShowMember)(message, into);
  return into;
}

/**
 * A message as the JSON text of the REST form: declaration order, integer enums, 64-bit integers as texts,
 * times with six fractional digits, shortest floats, empty fields left out unless the contract shows them,
 * private fields never.
 *
 * @param options.names `snake` as the live service answers, `camel` as OpenAPI descriptions write it
 */
export function encodeJson<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  options: { names?: NameStyle } = {},
): string {
  const members = membersOf(schema, options.names ?? 'snake');
  return JSON.stringify(showMembers(members, message as unknown as Fields));
}
