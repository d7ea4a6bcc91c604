import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import { isWrapperDesc } from '@bufbuild/protobuf/wkt';
import {
  ConceptSchema,
  DataSchema,
  InputSchema,
  MultiInputResponseSchema,
  methodRules,
  WireReader,
  WireWriter,
} from '@fovea/contract';
import { expect, test } from 'vitest';
import { encodeJson, jsonFromWire } from './index.ts';

/** Numbers in [0, 1), the same at each run (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const texts = ['', 'cat', '"\\\b\f\n\r\t\u0001\u007f', 'Größe 猫 😀', '\u2028 </script>', 'x'.repeat(200)];

function scalar(type: ScalarType, random: () => number): unknown {
  const of = <T>(...values: T[]): T => values[Math.floor(random() * values.length)] as T;
  switch (type) {
    case ScalarType.STRING:
      return of(...texts);
    case ScalarType.BYTES:
      return Uint8Array.from({ length: of(0, 1, 2, 3, 100) }, () => random() * 256);
    case ScalarType.BOOL:
      return of(true, false);
    case ScalarType.FLOAT:
      return of(0, -0, 0.1, 1 / 3, -2, 1e10, 3e38, Number.NaN, Number.NEGATIVE_INFINITY);
    case ScalarType.DOUBLE:
      return of(0, -0, 0.1, 1 / 3, 1e300, -5, Number.NaN, Number.POSITIVE_INFINITY);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return of(0n, 1n, -1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), 4_294_967_296n);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return of(0n, 1n, 2n ** 64n - 1n, 4_294_967_295n);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return of(0, 1, 127, 128, 4_294_967_295);
    default:
      return of(0, 1, -1, 300, 1_234_567, 2_147_483_647, -2_147_483_648);
  }
}

const wellKnown = (desc: DescMessage, random: () => number): Message | undefined => {
  const json: Record<string, unknown> = { s: 'x', n: 1.5, l: [null, true, { deep: 'y' }] };
  switch (desc.typeName) {
    case 'google.protobuf.Timestamp': {
      const seconds = [0n, 1n, -1n, 1_732_600_000n, -62_135_596_800n, 253_402_300_799n, 10n ** 15n];
      return create(desc, {
        seconds: seconds[Math.floor(random() * seconds.length)],
        nanos: Math.floor(random() * 1e9),
      } as never);
    }
    case 'google.protobuf.Struct':
      return json as never;
    default:
      return undefined;
  }
};

/** A message with about half of its fields, nested ones less and less often. */
function randomMessage(desc: DescMessage, random: () => number, depth = 0): Message {
  const known = wellKnown(desc, random);
  if (known) return known;
  const isUnwrapped = ({ fieldKind, oneof, message }: DescField) =>
    fieldKind === 'message' && oneof === undefined && message !== undefined && isWrapperDesc(message);
  const value = (field: DescField): unknown =>
    isUnwrapped(field)
      ? scalar(field.message?.fields[0]?.scalar as ScalarType, random)
      : field.message
        ? randomMessage(field.message, random, depth + 1)
        : field.enum
          ? (field.enum.values[Math.floor(random() * field.enum.values.length)]?.number ?? 0)
          : scalar(field.scalar as ScalarType, random);
  const init: Record<string, unknown> = {};
  for (const field of desc.fields) {
    if (random() < (field.message ? depth / 4 : 0.3)) continue;
    if (field.message && depth > 3) continue;
    const many = Math.floor(random() * 3);
    const each = Array.from({ length: many }, () => value(field));
    if (field.fieldKind === 'list') init[field.localName] = each;
    else if (field.fieldKind === 'map')
      init[field.localName] = Object.fromEntries(
        each.map((one, i) => [
          field.mapKey === ScalarType.STRING ? `k"${i}` : field.mapKey === ScalarType.BOOL ? i === 0 : i + 1,
          one,
        ]),
      );
    else if (field.oneof) init[field.oneof.localName] = { case: field.localName, value: value(field) };
    else init[field.localName] = value(field);
  }
  return create(desc, init as never);
}

const replies = [...new Map(methodRules.map(({ desc }) => [desc.output.typeName, desc.output])).values()];

test('bytes show as the same JSON as the message that they hold, for all replies of the contract', () => {
  const random = randomFrom(7);
  for (const desc of replies) {
    for (let n = 0; n < 6; n++) {
      const bytes = Buffer.from(toBinary(desc, randomMessage(desc, random) as never));
      for (const names of ['snake', 'camel'] as const) {
        const wanted = encodeJson(desc, fromBinary(desc, bytes), { names });
        expect(jsonFromWire(desc, bytes, { names }).toString(), desc.typeName).toBe(wanted);
      }
    }
  }
});

/** The same message with its fields the other way round, at every level. */
function turned(desc: DescMessage, bytes: Uint8Array): Buffer {
  const writer = new WireWriter();
  const fields: [tag: Uint8Array, number: number, inner: Buffer | undefined][] = [];
  const reader = new WireReader().read(bytes);
  while (reader.next()) {
    const field = desc.fields.find(({ number }) => number === reader.field);
    const inner =
      field?.fieldKind !== 'map' && !field?.message?.typeName.startsWith('google.') && field?.message;
    fields.push([
      bytes.subarray(reader.tagAt, reader.end),
      reader.field,
      inner ? turned(inner, bytes.subarray(reader.start, reader.end)) : undefined,
    ]);
  }
  for (const [whole, number, inner] of fields.reverse())
    if (inner) writer.message(number, inner);
    else writer.raw(whole);
  return Buffer.from(writer.taken());
}

test('fields that come in another order than they are declared in show as in theirs', () => {
  const random = randomFrom(13);
  for (const desc of replies) {
    for (let n = 0; n < 3; n++) {
      const bytes = turned(desc, toBinary(desc, randomMessage(desc, random) as never));
      const [shown, wanted] = both(desc, bytes);
      expect(shown, desc.typeName).toBe(wanted);
    }
  }
});

test('parts that rows of a page have in common, or nearly, show as those of each row', () => {
  const random = randomFrom(11);
  const pick = <T>(...values: T[]): T => values[Math.floor(random() * values.length)] as T;
  const at = () => ({ seconds: pick(1_732_600_000n, 1_732_600_001n), nanos: pick(0, 5_000_000) });
  const data = (depth: number): object => ({
    image: {
      url: pick('a', 'b'),
      imageInfo: { width: pick(640, 641), height: 480, format: pick('jpeg', '') },
    },
    concepts: pick([], [{ id: 'cat', value: 1 }], [{ id: 'cat', value: pick(1, 0) }, { id: 'dog' }]),
    regions: depth > 2 ? [] : pick([], [{ data: data(depth + 1) }], [{}, { data: data(depth + 1) }]),
  });
  for (let n = 0; n < 40; n++) {
    const inputs = Array.from({ length: 30 }, () => ({
      data: data(0),
      createdAt: at(),
      modifiedAt: at(),
      status: { code: pick(30000, 30000, 30002), description: pick('done', 'dont') },
    }));
    const page = create(MultiInputResponseSchema, { inputs } as never);
    const [shown, wanted] = both(
      MultiInputResponseSchema,
      Buffer.from(toBinary(MultiInputResponseSchema, page)),
    );
    expect(shown).toBe(wanted);
  }
});

const both = (desc: DescMessage, bytes: Buffer) => [
  jsonFromWire(desc, bytes).toString(),
  encodeJson(desc, fromBinary(desc, bytes)),
];

test.each<[string, DescMessage, string]>([
  ['a message in two parts', InputSchema, '1202 0a00 1205 0a03 0a01 61'],
  ['a number that comes twice', ConceptSchema, '1d 0000803f 1d 00000040'],
  ['zeros that an encoder leaves out', ConceptSchema, '0a00 1d 00000000'],
  ['fields that nobody knows, a group among them', ConceptSchema, '0a0161 c03e01 cb3e 0a0162 cc3e'],
  ['a list of numbers that is not packed', DataSchema, '4a07 0d 0000803f 1001'],
  ['two members of a list apart from each other', DataSchema, '1a03 0a0161 2a00 1a03 0a0162'],
  ['a negative number in ten bytes', InputSchema, '220b 08 ffffffffffffffffff01'],
])('%s', (_what, desc, hex) => {
  const [shown, wanted] = both(desc, Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  expect(shown).toBe(wanted);
});

test('what is no message is refused as by a decoder', () => {
  const bytes = Buffer.from('0aff', 'hex');
  expect(() => jsonFromWire(InputSchema, bytes)).toThrow();
  expect(() => fromBinary(InputSchema, bytes)).toThrow();
});
