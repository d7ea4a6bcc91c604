import {
  create,
  type DescMessage,
  fromJson,
  type JsonValue,
  type MessageInitShape,
} from '@bufbuild/protobuf';
import {
  AuditLogEntrySchema,
  ConceptSchema,
  InputsAddJobProgressSchema,
  ModelSchema,
  MultiInputResponseSchema,
  methodRules,
  OutputSchema,
  StatusCode,
  StatusSchema,
  showIfEmpty,
  timestampFromDate,
} from '@fovea/contract';
import { expect, test } from 'vitest';
import { decodeJson, encodeJson } from './index.ts';

const shown = <D extends DescMessage>(schema: D, init: MessageInitShape<D>, names?: 'snake' | 'camel') =>
  JSON.parse(encodeJson(schema, create(schema, init), { ...(names ? { names } : {}) })) as unknown;

test('names are snake_case and enums integers; camelCase is there for who asks', () => {
  const init = {
    status: { code: StatusCode.SUCCESS, reqId: 'r' },
    inputs: [{ id: 'a', createdAt: { seconds: 1n } }],
  };
  expect(shown(MultiInputResponseSchema, init)).toEqual({
    status: { code: 10000, req_id: 'r' },
    inputs: [{ id: 'a', created_at: '1970-01-01T00:00:01.000000Z' }],
  });
  expect(shown(MultiInputResponseSchema, init, 'camel')).toEqual({
    status: { code: 10000, reqId: 'r' },
    inputs: [{ id: 'a', createdAt: '1970-01-01T00:00:01.000000Z' }],
  });
});

test('fields that the contract wants shown are shown empty, others are left out', () => {
  expect(shown(MultiInputResponseSchema, {})).toEqual({ inputs: [] });
  expect(shown(ConceptSchema, { id: 'cat' })).toEqual({ id: 'cat', value: 0 });
  expect(shown(AuditLogEntrySchema, {})).toMatchObject({ success: false });
});

test('a model always shows its lists and whether workflows are recommended', () => {
  expect(shown(ModelSchema, { id: 'm', metadata: {} })).toEqual({
    id: 'm',
    app_id: '',
    metadata: {},
    toolkits: [],
    use_cases: [],
    languages: [],
    languages_full: [],
    check_consents: [],
    workflow_recommended: false,
  });
});

test('private fields never leave', () => {
  expect(
    shown(StatusSchema, {
      stackTrace: ['secret'],
      internalDetails: 'secret',
      redirectInfo: { url: 'secret' },
    }),
  ).toEqual({});
});

test.each([
  [0.99, '0.99'],
  [0.1, '0.1'],
  [1 / 3, '0.33333334'],
  [16_777_217, '16777216'],
  [1e-7, '1e-7'],
  [3.4028234663852886e38, '3.4028235e+38'],
  [-0.5, '-0.5'],
  [Number.NaN, '"NaN"'],
  [Number.POSITIVE_INFINITY, '"Infinity"'],
])('the float %d is shown as %s', (value, text) => {
  expect(encodeJson(ConceptSchema, create(ConceptSchema, { value }))).toBe(`{"value":${text}}`);
});

test('shortest floats read back as the same 32-bit float', () => {
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);
  let seed = 12345;
  for (let i = 0; i < 20_000; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    bits[0] = seed;
    const value = float[0] as number;
    if (!Number.isFinite(value) || value === 0) continue;
    const { value: read } = JSON.parse(encodeJson(ConceptSchema, create(ConceptSchema, { value }))) as {
      value: number;
    };
    expect(Math.fround(read)).toBe(value);
  }
});

test('times have exactly six fractional digits, whatever was stored', () => {
  const time = (seconds: bigint, nanos: number) => shown(OutputSchema, { createdAt: { seconds, nanos } });
  expect(time(1_725_409_709n, 404_495_670)).toEqual({ created_at: '2024-09-04T00:28:29.404495Z' });
  expect(time(1_725_409_709n, 0)).toEqual({ created_at: '2024-09-04T00:28:29.000000Z' });
  expect(time(-1n, 999_999_999)).toEqual({ created_at: '1969-12-31T23:59:59.999999Z' });
  expect(shown(OutputSchema, { createdAt: timestampFromDate(new Date('2026-01-02T03:04:05.678Z')) })).toEqual(
    {
      created_at: '2026-01-02T03:04:05.678000Z',
    },
  );
});

test('64-bit integers are texts, and left out when zero', () => {
  expect(shown(InputsAddJobProgressSchema, { pendingCount: 9_007_199_254_740_993n })).toEqual({
    pending_count: '9007199254740993',
  });
});

test('every message of the contract survives the way to JSON and back', () => {
  for (const { desc } of methodRules) {
    for (const schema of [desc.input, desc.output]) {
      const filled = filledMessage(schema, 3);
      for (const names of ['snake', 'camel'] as const) {
        const text = encodeJson(schema, filled, { names });
        const again = decodeJson(schema, JSON.parse(text));
        expect(encodeJson(schema, again, { names }), schema.typeName).toBe(text);
      }
      // The library's own reader understands our form as well, so nothing is spelled in a way of our own.
      const theirs = fromJson(schema, JSON.parse(encodeJson(schema, filled)) as JsonValue);
      expect(encodeJson(schema, theirs), schema.typeName).toBe(encodeJson(schema, filled));
    }
  }
});

test('declaration order is kept', () => {
  const text = encodeJson(
    ModelSchema,
    create(ModelSchema, { visibility: { gettable: 10 }, modelTypeId: 't', id: 'i', userId: 'u' }),
  );
  const keys = Object.keys(JSON.parse(text) as object);
  const declared = ModelSchema.fields.map((field) => field.name);
  expect(keys).toEqual(declared.filter((name) => keys.includes(name)));
});

test('the fields that are always shown are those of the contract', () => {
  expect(ConceptSchema.fields.filter(showIfEmpty).map((field) => field.name)).toEqual(['value']);
});

/** A message with something in every field, `levels` deep. */
function filledMessage(schema: DescMessage, levels: number) {
  return fromJson(schema, filledJson(schema, levels));
}

function filledJson(schema: DescMessage, levels: number): JsonValue {
  const json: Record<string, JsonValue> = {};
  const oneofs = new Set<string>();
  for (const field of schema.fields) {
    if (field.oneof && oneofs.size === oneofs.add(field.oneof.name).size) continue;
    const inner = field.message && !field.message.typeName.startsWith('google.');
    if (inner && levels === 0) continue;
    const value = sample(field.message, field.enum?.values.at(-1)?.number, field.scalar, levels);
    json[field.name] =
      field.fieldKind === 'list' ? [value, value] : field.fieldKind === 'map' ? { Key_one: value } : value;
  }
  return json;
}

const wellKnown: Record<string, JsonValue> = {
  'google.protobuf.Timestamp': '2024-09-04T00:28:29.404495Z',
  'google.protobuf.Duration': '1.500s',
  'google.protobuf.Struct': { camelKey: [1, null, { x: 'y' }] },
  'google.protobuf.Value': [true, 'x'],
  'google.protobuf.BoolValue': true,
  'google.protobuf.UInt64Value': '18446744073709551615',
  'google.protobuf.Int32Value': -5,
};

function sample(
  message: DescMessage | undefined,
  enumNumber: number | undefined,
  scalar: number | undefined,
  levels: number,
): JsonValue {
  if (message) return wellKnown[message.typeName] ?? filledJson(message, levels - 1);
  if (enumNumber !== undefined) return enumNumber;
  // Numbers of ScalarType: 8 bool, 9 string, 12 bytes; the rest are numbers.
  return scalar === 8 ? true : scalar === 9 ? 'tëxt "quoted"' : scalar === 12 ? 'AP8=' : 7;
}
