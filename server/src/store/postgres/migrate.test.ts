import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Migration, MigrationRefused, migrate } from './migrate.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';

const first: Migration = {
  number: 1,
  name: 'cats',
  sql: 'create table cats (id int); insert into cats values (1)',
};
const second: Migration = { number: 2, name: 'dogs', sql: 'create table dogs (id int)' };

let database: TestDatabase;

beforeAll(async () => {
  database = await openTestDatabase();
});

afterAll(() => database.close());

test('two processes that migrate at once apply every step once', async () => {
  const runs = await Promise.all([1, 2, 3].map(() => migrate(database, [second, first])));
  expect(runs.flat().map(({ name }) => name)).toEqual(['cats', 'dogs']);
  expect(await database.query('select count(*) from cats')).toEqual([{ count: 1 }]);
  expect(await migrate(database, [first, second])).toEqual([]);
});

test('a step that fails leaves nothing of itself and is tried again next time', async () => {
  const broken = { number: 3, name: 'birds', sql: 'create table birds (id int); select nonsense' };
  await expect(migrate(database, [first, second, broken])).rejects.toThrow(
    'Migration 3 birds failed: column "nonsense"',
  );
  const mended = { ...broken, sql: 'create table birds (id int)' };
  expect(await migrate(database, [first, second, mended])).toEqual([mended]);
});

test.each([
  ['a database newer than the code', [first, second], 'newer than this Fovea: it has migration 3 birds'],
  [
    'an edited step',
    [{ ...first, sql: 'select 1' }, second, { ...second, number: 3 }],
    'Migration 1 cats is not what',
  ],
])('%s is refused in one clear line', async (_what, steps, words) => {
  const error = await migrate(database, steps).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(MigrationRefused);
  expect(String(error)).toContain(words);
  expect(String(error)).not.toContain('\n');
});

test('a step that comes late with a low number is refused', async () => {
  const other = await openTestDatabase([first, { ...second, number: 3 }]);
  await expect(migrate(other, [first, second, { ...second, number: 3 }])).rejects.toThrow(
    'Give it a higher number',
  );
  await other.close();
});
