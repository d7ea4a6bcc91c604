import { fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import {
  ConceptSchema,
  InputSchema,
  ListModelsRequestSchema,
  PostInputsRequestSchema,
  PostModelOutputsRequestSchema,
  Visibility_Gettable,
  VisibilitySchema,
} from '@fovea/contract';
import { expect, test } from 'vitest';
import { decodeJson, decodeQuery, JsonTrouble, parseJson, setFromText, snakeKeys } from './index.ts';

test.each([
  ['snake_case names', { user_app_id: { user_id: 'u', app_id: 'a' } }],
  ['lowerCamel names', { userAppId: { userId: 'u', appId: 'a' } }],
  [
    'a mixture, with unknown names beside',
    { userAppId: { user_id: 'u', appId: 'a', closed_environment: 1 }, type: {} },
  ],
])('a request in %s is understood', (_style, json) => {
  const { userAppId } = decodeJson(PostInputsRequestSchema, json);
  expect([userAppId?.userId, userAppId?.appId]).toEqual(['u', 'a']);
});

test.each([
  [{ gettable: 30 }, Visibility_Gettable.ORG],
  [{ gettable: '50' }, Visibility_Gettable.PUBLIC],
  [{ gettable: 'PUBLIC' }, Visibility_Gettable.PUBLIC],
  [{ gettable: 'public' }, Visibility_Gettable.PUBLIC],
  [{ gettable: 77 }, 77],
  [{ gettable: null }, 0],
])('the enum in %j is read as %j', (json, number) => {
  expect(decodeJson(VisibilitySchema, json).gettable).toBe(number);
});

test.each([
  [true, true],
  ['True', true],
  ['true', true],
  [1, true],
  ['False', false],
  ['0', false],
])('the boolean %j is read as %j', (sent, read) => {
  expect(decodeJson(ListModelsRequestSchema, { trained_only: sent }).trainedOnly).toBe(read);
});

test.each([
  [{ id: 'cat' }, 1],
  [{ id: 'cat', value: 0 }, 0],
  [{ id: 'cat', value: false }, 0],
  [{ id: 'cat', value: true }, 1],
  [{ id: 'cat', value: '0.25' }, 0.25],
  [{ id: 'cat', value: null }, 1],
])('the concept %j has the value %d', (json, value) => {
  expect(decodeJson(ConceptSchema, json).value).toBe(value);
});

test.each([
  ['AP8=', [0, 255]],
  ['AP8', [0, 255]],
  ['-_8=', [251, 255]],
  ['+/8', [251, 255]],
  ['AP\n8=', [0, 255]],
])('the base64 text %j becomes bytes', (text, bytes) => {
  const input = decodeJson(InputSchema, { data: { image: { base64: text } } });
  expect([...(input.data?.image?.base64 ?? [])]).toEqual(bytes);
});

test.each([
  ['2024-09-04T00:28:29.404495670Z', '2024-09-04T00:28:29.404495670Z'],
  ['2024-09-04T02:28:29+02:00', '2024-09-04T00:28:29Z'],
  ['2024-09-04', '2024-09-04T00:00:00Z'],
  [{ seconds: '1725409709', nanos: 5000 }, '2024-09-04T00:28:29.000005Z'],
])('the time %j is %s', (sent, shown) => {
  expect(toJson(InputSchema, decodeJson(InputSchema, { created_at: sent }))).toEqual({ createdAt: shown });
});

test('metadata keeps the caller’s own keys as they are', () => {
  const metadata = JSON.parse('{"camelKey":{"snake_key":[1,null,"x"]},"__proto__":{"polluted":true}}');
  const input = decodeJson(InputSchema, { data: { metadata } });
  expect(JSON.stringify(input.data?.metadata)).toBe(JSON.stringify(metadata));
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

test('a wrapped number keeps the difference between unset and zero', () => {
  const info = (json: object) => decodeJson(PostModelOutputsRequestSchema, json).model?.featuredOrder;
  expect([info({ model: {} }), info({ model: { featured_order: 0 } })]).toEqual([undefined, 0]);
});

test.each([
  [
    { inputs: [{}, { data: { concepts: [{ value: 'much' }] } }] },
    'inputs[1].data.concepts[0].value',
    'the text "much"',
  ],
  [{ inputs: { id: 'a' } }, 'inputs', 'an object'],
  [{ inputs: ['a'] }, 'inputs[0]', 'the text "a"'],
  [{ inputs: [{ id: 7 }] }, 'inputs[0].id', 'number 7'],
  [{ inputs: [{ created_at: { seconds: '999999999999' } }] }, 'inputs[0].created_at', 'an object'],
  [{ inputs: [{ created_at: 'yesterday' }] }, 'inputs[0].created_at', 'the text "yesterday"'],
  [{ inputs: [{ data: { image: { base64: '*' } } }] }, 'inputs[0].data.image.base64', 'the text "*"'],
  [{ inputs: [{ data: { metadata: [] } }] }, 'inputs[0].data.metadata', 'a list'],
  [{ inputs: [{ status: { code: 'NO_SUCH' } }] }, 'inputs[0].status.code', 'the text "NO_SUCH"'],
  [
    { inputs: [{ data: { frames: [{ frame_info: { time: -1 } }] } }] },
    'inputs[0].data.frames[0].frame_info.time',
    'number -1',
  ],
  [[], '', 'a list'],
  ['text', '', 'the text "text"'],
])('%j is refused with the name of the field', (json, field, got) => {
  const trouble = troubleOf(() => decodeJson(PostInputsRequestSchema, json));
  expect([trouble.field, trouble.got]).toEqual([field, got]);
  expect(trouble.message).toContain('expected');
});

test('a value nested too deep is refused instead of filling the stack', () => {
  const deepData = (levels: number) => {
    let data: object = {};
    for (let i = 0; i < levels; i++) data = { regions: [{ data }] };
    return { inputs: [{ data }] };
  };
  expect(decodeJson(PostInputsRequestSchema, deepData(20)).inputs).toHaveLength(1);
  expect(troubleOf(() => decodeJson(PostInputsRequestSchema, deepData(5000))).got).toBe(
    'a value nested too deep',
  );
  const deepMetadata = (levels: number) =>
    parseJson(
      Buffer.from(`{"inputs":[{"data":{"metadata":${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}}}]}`),
    );
  expect(() => deepMetadata(200_000)).toThrow(JsonTrouble);
  expect(() => decodeJson(PostInputsRequestSchema, deepMetadata(90))).toThrow(JsonTrouble);
  // What is taken can be written as protobuf and read again.
  const taken = decodeJson(PostInputsRequestSchema, deepMetadata(29));
  expect(() => fromBinary(PostInputsRequestSchema, toBinary(PostInputsRequestSchema, taken))).not.toThrow();
});

test.each([
  [
    [
      ['user_app_id.user_id', 'u'],
      ['page', '2'],
      ['perPage', '500'],
    ],
    { userAppId: { userId: 'u' }, page: 2, perPage: 500 },
  ],
  [
    [
      ['trained_only', 'True'],
      ['featuredOnly', 'False'],
    ],
    { trainedOnly: true },
  ],
  [
    [
      ['toolkits', 'a'],
      ['toolkits', 'b,c'],
    ],
    { toolkits: ['a', 'b,c'] },
  ],
  [[['toolkits[]', 'a']], { toolkits: ['a'] }],
  [
    [
      ['visibility.gettable', '50'],
      ['no_such.thing', '1'],
    ],
    { visibility: { gettable: 'PUBLIC' } },
  ],
  [[['sort_by_name', 'true']], { sortByName: true }],
] as [[string, string][], object][])('the query %j is read', (pairs, shown) => {
  expect(toJson(ListModelsRequestSchema, decodeQuery(ListModelsRequestSchema, pairs))).toEqual(shown);
});

test('path parameters land in the message, over what was there', () => {
  const message = decodeJson(PostInputsRequestSchema, { user_app_id: { user_id: 'body', app_id: 'kept' } });
  setFromText(PostInputsRequestSchema, message, 'user_app_id.user_id', 'path');
  expect(message.userAppId).toMatchObject({ userId: 'path', appId: 'kept' });
});

test('the keys as sent are kept in proto spelling, the caller’s own keys untouched', () => {
  const json = { userAppId: { appId: '' }, inputs: [{ data: { metadata: { camelKey: 1 }, unknownKey: 2 } }] };
  expect(snakeKeys(PostInputsRequestSchema, json)).toEqual({
    user_app_id: { app_id: '' },
    inputs: [{ data: { metadata: { camelKey: 1 }, unknownKey: 2 } }],
  });
});

test.each([
  ['', undefined],
  ['  \n', undefined],
  ['null', undefined],
  ['\uFEFF{"a":1}', { a: 1 }],
])('the body %j parses to %j', (text, json) => {
  expect(parseJson(Buffer.from(text))).toEqual(json);
});

test.each([['{"a":'], ['{a:1}'], ['{"secret":"hunter2",}']])(
  'the malformed body %s is refused, not quoted',
  (text) => {
    const trouble = troubleOf(() => parseJson(Buffer.from(text)));
    expect(trouble.message).toContain('expected valid JSON');
    expect(trouble.message).not.toContain('hunter2');
  },
);

test('bytes that are not UTF-8 are refused', () => {
  expect(troubleOf(() => parseJson(Buffer.from([0x22, 0xff, 0x22]))).wanted).toBe('JSON in UTF-8');
});

function troubleOf(read: () => unknown): JsonTrouble {
  try {
    read();
  } catch (thrown) {
    if (thrown instanceof JsonTrouble) return thrown;
    throw thrown;
  }
  throw new Error('nothing was refused');
}
