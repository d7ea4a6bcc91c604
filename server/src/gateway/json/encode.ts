import {
  type DescField,
  type DescMessage,
  type JsonValue,
  type MessageShape,
  ScalarType,
  toJson,
} from '@bufbuild/protobuf';
import {
  type Duration,
  isWrapperDesc,
  type Timestamp,
  type Value,
  ValueSchema,
} from '@bufbuild/protobuf/wkt';
import { isPrivate, showIfEmpty } from '@fovea/contract';
import { showDouble, showFloat32 } from './numbers.ts';
import { showDuration, showTimestamp } from './times.ts';

export type NameStyle = 'snake' | 'camel';

type Fields = Record<string, unknown>;
type Show = (value: never) => string;
/** The member as `"name":value`, or '' when it is left out. */
type ShowMember = (message: Fields) => string;

/**
 * Fields that live answers show even when empty although the contract does not mark them (SEMANTICS 1.4),
 * with what stands there then.
 */
const shownBeyondContract: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'clarifai.api.Model': {
    toolkits: '[]',
    use_cases: '[]',
    languages: '[]',
    languages_full: '[]',
    check_consents: '[]',
    workflow_recommended: 'false',
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

function memberOf(field: DescField, names: NameStyle): ShowMember {
  const head = `${JSON.stringify(names === 'snake' ? field.name : field.jsonName)}:`;
  const whenEmpty = emptyText(field);
  const left = whenEmpty === undefined ? '' : head + whenEmpty;
  const show = fieldShow(field, names) as (value: unknown) => string;
  const local = field.localName;
  const oneof = field.oneof?.localName;
  if (oneof !== undefined) {
    return (message) => {
      const chosen = message[oneof] as { case?: string; value?: unknown };
      return chosen.case === local ? head + show(chosen.value) : left;
    };
  }
  if (field.fieldKind === 'list') {
    return (message) => ((message[local] as unknown[]).length === 0 ? left : head + show(message[local]));
  }
  if (field.fieldKind === 'map') {
    return (message) =>
      Object.keys(message[local] as object).length === 0 ? left : head + show(message[local]);
  }
  // A message field, or one that knows "unset" from zero.
  if (field.fieldKind === 'message' || field.proto.proto3Optional) {
    return (message) => (message[local] === undefined ? left : head + show(message[local]));
  }
  if (field.fieldKind === 'scalar' && field.scalar === ScalarType.BYTES) {
    return (message) => ((message[local] as Uint8Array).length === 0 ? left : head + show(message[local]));
  }
  // 0, 0n, '' and false are all that is falsy here, and NaN, which is not empty.
  return (message) => {
    const value = message[local];
    return value || Number.isNaN(value) ? head + show(value) : left;
  };
}

function emptyText(field: DescField): string | undefined {
  const extra = shownBeyondContract[field.parent.typeName]?.[field.name];
  if (extra !== undefined || !showIfEmpty(field)) return extra;
  switch (field.fieldKind) {
    case 'list':
      return '[]';
    case 'map':
      return '{}';
    case 'enum':
      return '0';
    case 'message':
      return undefined;
    case 'scalar':
      return scalarEmptyText(field.scalar);
  }
}

function scalarEmptyText(type: ScalarType): string {
  if (type === ScalarType.STRING || type === ScalarType.BYTES) return '""';
  if (type === ScalarType.BOOL) return 'false';
  return isLong(type) ? '"0"' : '0';
}

const longTypes: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);
const isLong = (type: ScalarType): boolean => longTypes.has(type);

const quote = (value: string): string => JSON.stringify(value);
const showLong = (value: bigint): string => `"${value}"`;
const showPlain = (value: number | boolean): string => String(value);
const showBytes = (value: Uint8Array): string =>
  `"${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}"`;

function scalarShow(type: ScalarType): Show {
  if (isLong(type)) return showLong;
  switch (type) {
    case ScalarType.STRING:
      return quote;
    case ScalarType.BYTES:
      return showBytes;
    case ScalarType.FLOAT:
      return showFloat32;
    case ScalarType.DOUBLE:
      return showDouble;
    default:
      return showPlain;
  }
}

function fieldShow(field: DescField, names: NameStyle): Show {
  switch (field.fieldKind) {
    case 'scalar':
      return scalarShow(field.scalar);
    case 'enum':
      return showPlain;
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
  return field.enum === undefined ? scalarShow(field.scalar) : showPlain;
}

function messageShow(desc: DescMessage, names: NameStyle): Show {
  switch (desc.typeName) {
    case 'google.protobuf.Timestamp':
      return (value: Timestamp) => `"${showTimestamp(value)}"`;
    case 'google.protobuf.Duration':
      return (value: Duration) => `"${showDuration(value)}"`;
    case 'google.protobuf.Struct':
      return (value: JsonValue) => JSON.stringify(value);
    case 'google.protobuf.Value':
      return (value: Value) => JSON.stringify(toJson(ValueSchema, value));
    default: {
      const members = membersOf(desc, names);
      return (message: Fields) => showMembers(members, message);
    }
  }
}

function listShow(showItem: Show): Show {
  const show = showItem as (value: unknown) => string;
  return (items: readonly unknown[]) => {
    let text = '[';
    for (let i = 0; i < items.length; i++) text += i === 0 ? show(items[i]) : `,${show(items[i])}`;
    return `${text}]`;
  };
}

function mapShow(showItem: Show): Show {
  const show = showItem as (value: unknown) => string;
  return (map: Fields) =>
    `{${Object.entries(map)
      .map(([key, value]) => `${quote(key)}:${show(value)}`)
      .join(',')}}`;
}

function showMembers(members: readonly ShowMember[], message: Fields): string {
  let text = '';
  for (const member of members) {
    const part = member(message);
    if (part !== '') text += text === '' ? part : `,${part}`;
  }
  return `{${text}}`;
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
  return showMembers(membersOf(schema, options.names ?? 'snake'), message as unknown as Fields);
}
