import { afterAll, beforeAll, expect, test } from 'vitest';
import { bools, byteas, float4s, int4s, int8s, texts } from './columns.ts';
import { openTestDatabase, type TestDatabase } from './postgres/testing.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

test.each([
  ['int8', int8s, [0, 1, -1, null, 2 ** 31, -(2 ** 31) - 1, 2 ** 53 - 1, -(2 ** 53) + 1]],
  ['int4', int4s, [0, 7, -7, null, 2 ** 31 - 1, -(2 ** 31)]],
  ['float4', float4s, [0, 0.5, null, -1.25, Number.POSITIVE_INFINITY]],
  ['bool', bools, [true, false, null]],
  ['bytea', byteas, [Buffer.of(), Buffer.of(0, 255), null, Buffer.alloc(70_000, 7)]],
  ['text', texts, ['', 'a', null, 'chat noir — 猫 🐈', '"{},\\', 'NULL', 'x'.repeat(70_000)]],
] as const)('%s: what is written is what the server reads', async (type, write, values) => {
  const sent = (write as (values: readonly unknown[]) => Buffer)(values);
  const text = `select value from unnest($1::${type}[]) with ordinality as u(value, n) order by n`;
  expect((await database.query<{ value: unknown }>(text, [sent])).map(({ value }) => value)).toEqual(values);
  const empty = (write as (values: readonly unknown[]) => Buffer)([]);
  expect(await database.query(text, [empty])).toEqual([]);
});

test('half a character becomes the sign for one that is not known, as in every text that is sent', async () => {
  const [row] = await database.query<{ value: string }>('select ($1::text[])[1] as value', [
    texts(['a\ud83d']),
  ]);
  expect(row).toEqual({ value: 'a\ufffd' });
});
