import { type DescMessage, toBinary } from '@bufbuild/protobuf';
import { methodRules } from '@fovea/contract';
import { expect, test } from 'vitest';
import { decodeJson, decodeQuery, encodeJson, JsonTrouble, snakeKeys } from './index.ts';

const values: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e300,
  2 ** 53,
  -(2 ** 70),
  '',
  'abc',
  '12',
  '-7',
  '1e400',
  'NaN',
  '\ud800',
  '9999-99-99T00:00:00Z',
  '99999999999999999999999s',
  '2024-01-01T00:00:00Z',
  '3s',
  'AP8',
  [],
  [null],
  [{}],
  ['x', 3],
  {},
  { seconds: '999999999999', nanos: 2e9 },
  { seconds: 1 },
  { '': 1, key: [] },
  JSON.parse('{"__proto__":{"a":1},"constructor":2}'),
];

const requests: readonly DescMessage[] = [...new Set(methodRules.map((rule) => rule.desc.input))];

test('any value in any field is either read, and then fits on every wire, or refused with words', () => {
  let read = 0;
  let refused = 0;
  for (const schema of allMessages(requests)) {
    for (const field of schema.fields) {
      for (const value of values) {
        const json = { [field.name]: value };
        try {
          const message = decodeJson(schema, json);
          toBinary(schema, message);
          JSON.parse(encodeJson(schema, message));
          snakeKeys(schema, json);
          read++;
        } catch (thrown) {
          if (!(thrown instanceof JsonTrouble))
            throw new Error(`${field}: ${JSON.stringify(value)}`, { cause: thrown });
          expect(thrown.field.startsWith(field.name)).toBe(true);
          refused++;
        }
      }
    }
  }
  expect([read > 10_000, refused > 10_000]).toEqual([true, true]);
});

test('any text in any query parameter is either read or refused with words', () => {
  const texts = ['', '-7', 'abc', '1e400', '[1', '{"a":{"b":1}}', '[null]', '"3s"'];
  for (const schema of requests) {
    for (const name of [
      ...schema.fields.map((field) => field.jsonName),
      'user_app_id.user_id.x',
      '.',
      '__proto__.a',
      'constructor',
    ]) {
      for (const text of texts) {
        try {
          toBinary(schema, decodeQuery(schema, [[name, text]]));
        } catch (thrown) {
          if (!(thrown instanceof JsonTrouble))
            throw new Error(`${schema.typeName} ${name}=${text}`, { cause: thrown });
        }
      }
    }
  }
  expect(({} as { a?: unknown }).a).toBeUndefined();
});

/** The messages and everything they reach. */
function allMessages(from: readonly DescMessage[]): ReadonlySet<DescMessage> {
  const found = new Set<DescMessage>();
  const visit = (desc: DescMessage) => {
    if (found.has(desc) || desc.typeName.startsWith('google.')) return;
    found.add(desc);
    for (const field of desc.fields) if (field.message) visit(field.message);
  };
  from.forEach(visit);
  return found;
}
