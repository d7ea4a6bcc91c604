import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyOut } from './copy-out.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await openTestDatabase();
});

afterAll(() => database.close());

const read = (text: string) =>
  database.transaction(async (tx) => {
    const rows: (string | null)[][] = [];
    await copyOut(tx.client, text, (columns) =>
      rows.push(columns.map((one) => one?.toString('hex') ?? null)),
    );
    return rows;
  });

test('rows come as the bytes the server keeps, and nothing as null', async () => {
  const rows = await read(
    `copy (select n::int8, case when n <> 2 then '\\x00ff'::bytea end from generate_series(1, 3) n) to stdout (format binary)`,
  );
  expect(rows).toEqual([
    ['0000000000000001', '00ff'],
    ['0000000000000002', null],
    ['0000000000000003', '00ff'],
  ]);
});

test('rows larger than a read from the socket come whole and in order', async () => {
  const lengths: number[] = [];
  const keys: bigint[] = [];
  await database.transaction((tx) =>
    copyOut(
      tx.client,
      `copy (select n::int8, decode(repeat('ab', n * 1000), 'hex') from generate_series(0, 300) n) to stdout (format binary)`,
      ([key, bytes]) => {
        keys.push(key?.readBigInt64BE() ?? -1n);
        lengths.push(bytes?.length ?? -1);
      },
    ),
  );
  expect(keys).toEqual(Array.from({ length: 301 }, (_, n) => BigInt(n)));
  expect(lengths).toEqual(Array.from({ length: 301 }, (_, n) => n * 1000));
});

test('no rows are no rows', async () => {
  expect(await read('copy (select 1 where false) to stdout (format binary)')).toEqual([]);
});

test('an error of the server, or of the receiver, ends the copy and leaves the connection of use', async () => {
  await expect(
    read('copy (select 1 / (n - 500) from generate_series(1, 1000) n) to stdout (format binary)'),
  ).rejects.toThrow('division by zero');
  const refused = database.transaction((tx) =>
    copyOut(tx.client, 'copy (select n from generate_series(1, 1000) n) to stdout (format binary)', () => {
      throw new Error('not wanted');
    }),
  );
  await expect(refused).rejects.toThrow('not wanted');
  expect(await read('copy (select 7::int4) to stdout (format binary)')).toEqual([['00000007']]);
});
