import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { isWrapperDesc } from '@bufbuild/protobuf/wkt';
import { isPrivate, wireType } from '@fovea/contract';
import { emptyValue, type NameStyle } from './encode.ts';

// How the JSON of a message is written out of its encoding, worked out once for each sort of message.

export type Kind =
  | 'text'
  | 'bytes'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool'
  | 'float'
  | 'double'
  | 'time'
  | 'message'
  | 'rare';

/** A field, and how to show it. */
export interface Slot {
  readonly field: DescField;
  readonly kind: Kind;
  readonly wire: number;
  readonly isList: boolean;
  /** Shown even when its value is empty, once it is there. */
  readonly hasPresence: boolean;
  /** Others of its oneof, as slots. */
  siblings: readonly number[];
  /** `,"name":` */
  readonly head: Buffer;
  /** The whole member where the field is empty; undefined where it is left out then. */
  readonly whenEmpty: Buffer | undefined;
  readonly inner: DescMessage | undefined;
  /** Of `inner`; made when it is first shown, for messages may hold each other. */
  plan: Plan | undefined;
  readonly desc: DescMessage;
  readonly names: NameStyle;
  readonly last: Shown;
}

/** The message or time that a slot showed last, and where its JSON stands. */
export interface Shown {
  /** Number of the text in which it stands. */
  text: number;
  /** How often in a row another one came. */
  misses: number;
  start: number;
  end: number;
  jsonAt: number;
  jsonEnd: number;
}

/** How to show a message: its members in the order of declaration. */
export interface Plan {
  readonly slots: Slot[];
  /** By field number. */
  readonly slotOf: (number | undefined)[];
  /** The members of a message whose fields are all empty, and where in it those of each slot begin, and the end. */
  readonly empties: Buffer;
  readonly emptyAt: number[];
  /** Declared in the order of their numbers, which is that of an encoder, with one oneof at most. */
  readonly isOrdered: boolean;
}

const plans = { snake: new WeakMap<DescMessage, Plan>(), camel: new WeakMap<DescMessage, Plan>() };

export function planOf(desc: DescMessage, names: NameStyle): Plan {
  const known = plans[names].get(desc);
  if (known) return known;
  const fields = desc.fields.filter((field) => !isPrivate(field));
  const slots = fields.map((field) => slotFor(desc, field, names));
  const emptyAt = [0];
  for (const { whenEmpty } of slots) emptyAt.push((emptyAt.at(-1) as number) + (whenEmpty?.length ?? 0));
  const empties = Buffer.concat(slots.flatMap(({ whenEmpty }) => whenEmpty ?? []));
  const isOrdered =
    fields.every(({ number }, at) => number > (fields[at - 1]?.number ?? 0)) &&
    new Set(fields.flatMap(({ oneof }) => oneof ?? [])).size < 2;
  const plan: Plan = { slots, slotOf: [], empties, emptyAt, isOrdered };
  fields.forEach((field, at) => {
    plan.slotOf[field.number] = at;
    if (field.oneof === undefined) return;
    (slots[at] as Slot).siblings = fields.flatMap((other, i) =>
      i !== at && other.oneof === field.oneof ? [i] : [],
    );
  });
  plans[names].set(desc, plan);
  return plan;
}

function slotFor(desc: DescMessage, field: DescField, names: NameStyle): Slot {
  const head = `,${JSON.stringify(names === 'snake' ? field.name : field.jsonName)}:`;
  const empty = emptyValue(field);
  const kind = kindOf(field);
  const inner = field.message;
  return {
    field,
    kind,
    wire: wireOf(kind, field),
    isList: field.fieldKind === 'list',
    hasPresence: field.oneof !== undefined || field.fieldKind === 'message' || field.proto.proto3Optional,
    siblings: [],
    head: Buffer.from(head),
    whenEmpty: empty === undefined ? undefined : Buffer.from(head + JSON.stringify(empty)),
    inner: kind === 'message' ? inner : undefined,
    plan: undefined,
    desc,
    names,
    last: { text: 0, misses: 0, start: 0, end: 0, jsonAt: 0, jsonEnd: 0 },
  };
}

const kindsOfScalars: Partial<Record<ScalarType, Kind>> = {
  [ScalarType.STRING]: 'text',
  [ScalarType.BYTES]: 'bytes',
  [ScalarType.INT32]: 'int32',
  [ScalarType.UINT32]: 'uint32',
  [ScalarType.INT64]: 'int64',
  [ScalarType.UINT64]: 'uint64',
  [ScalarType.BOOL]: 'bool',
  [ScalarType.FLOAT]: 'float',
  [ScalarType.DOUBLE]: 'double',
};

function kindOf(field: DescField): Kind {
  if (field.fieldKind === 'map') return 'rare';
  if (field.message !== undefined) {
    const { typeName } = field.message;
    if (typeName === 'google.protobuf.Timestamp') return 'time';
    const isOurs = !typeName.startsWith('google.') && !isWrapperDesc(field.message);
    return isOurs && !(field.fieldKind === 'message' && field.delimitedEncoding) ? 'message' : 'rare';
  }
  if (field.enum !== undefined) return 'int32';
  return kindsOfScalars[field.scalar as ScalarType] ?? 'rare';
}

function wireOf(kind: Kind, { fieldKind }: DescField): number {
  if (kind === 'float') return wireType.fixed32;
  if (kind === 'double') return wireType.fixed64;
  if (fieldKind === 'map' || ['text', 'bytes', 'time', 'message'].includes(kind)) return wireType.delimited;
  return wireType.varint;
}
