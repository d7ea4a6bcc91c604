import { afterAll, beforeAll, expect, test } from 'vitest';
import { isDatabaseAway } from '#domain/database-away.ts';
import { isStatementTimeout } from './errors.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';

type Schema = { counters: { id: string; value: number } };

let database: TestDatabase<Schema>;

beforeAll(async () => {
  database = await openTestDatabase<Schema>();
  await database.query('create table counters (id text primary key, value bigint not null)');
  await database.query(`insert into counters values ('a', 0), ('b', 0)`);
});

afterAll(() => database.close());

test('values come back as what they are', async () => {
  const [row] =
    await database.query(`select 42::int8 as small, 9007199254740993::int8 as large, '{1,null,3}'::int8[] list,
    '{"a":[1]}'::jsonb json, '\\x00ff'::bytea bytes, '2024-02-29'::date as day`);
  expect(row).toEqual({
    small: 42,
    large: 9007199254740993n,
    list: [1, null, 3],
    json: { a: [1] },
    bytes: Buffer.from([0, 255]),
    day: '2024-02-29',
  });
});

test('a transaction that throws leaves nothing behind', async () => {
  const broken = database.transaction(async (tx) => {
    await tx.query(`update counters set value = 7 where id = 'a'`);
    throw new Error('changed my mind');
  });
  await expect(broken).rejects.toThrow('changed my mind');
  expect(
    await database.kysely.selectFrom('counters').select('value').where('id', '=', 'a').execute(),
  ).toEqual([{ value: 0 }]);
});

test('a transaction whose failed statement was swallowed is not taken for committed', async () => {
  const broken = database.transaction(async (tx) => {
    await tx.query(`insert into counters values ('swallowed', 1)`);
    await tx.query('select nonsense').catch(() => {});
  });
  await expect(broken).rejects.toThrow('rolled back');
});

test('plain SQL, prepared statements and the query builder share one transaction', async () => {
  const add = {
    name: 'add-to-counter',
    text: 'update counters set value = value + $2 where id = $1 returning value',
  };
  let committed = 0;
  const values = await database.transaction(async (tx) => {
    tx.afterCommit(() => {
      committed++;
    });
    await tx.kysely.insertInto('counters').values({ id: 'shared', value: 1 }).execute();
    await tx.query(`update counters set value = value + 1 where id = 'shared'`);
    const [row] = await tx.run<{ value: number }>(add, ['shared', 3]);
    expect(await database.query(`select 1 from counters where id = 'shared'`)).toEqual([]);
    expect(committed).toBe(0);
    return row;
  });
  expect(values).toEqual({ value: 5 });
  expect(committed).toBe(1);
  expect(await database.run(add, ['shared', 1])).toEqual([{ value: 6 }]);
});

test('serialization failures are retried until every writer is through', async () => {
  await database.query(`insert into counters values ('raced', 0)`);
  let runs = 0;
  const writers = Array.from({ length: 6 }, () =>
    database.transaction(
      async (tx) => {
        runs++;
        const [row] = await tx.query<{ value: number }>(`select value from counters where id = 'raced'`);
        await tx.query(`update counters set value = $1 where id = 'raced'`, [(row?.value ?? 0) + 1]);
      },
      { isolation: 'serializable', retries: 50 },
    ),
  );
  await Promise.all(writers);
  expect(await database.query(`select value from counters where id = 'raced'`)).toEqual([{ value: 6 }]);
  expect(runs).toBeGreaterThan(6);
});

test('a deadlock is retried and both sides finish', async () => {
  const both = (first: string, second: string) =>
    database.transaction(async (tx) => {
      await tx.query('update counters set value = value + 1 where id = $1', [first]);
      await new Promise((resolve) => setTimeout(resolve, 50));
      await tx.query('update counters set value = value + 1 where id = $1', [second]);
    });
  await Promise.all([both('a', 'b'), both('b', 'a')]);
  expect(await database.query(`select sum(value)::int8 total from counters where id in ('a', 'b')`)).toEqual([
    { total: 4 },
  ]);
});

test('a slow statement ends at its time limit and the connection stays usable', async () => {
  const error = await database
    .query('select pg_sleep(5)', [], { timeoutMs: 50 })
    .catch((thrown: unknown) => thrown);
  expect(isStatementTimeout(error)).toBe(true);
  expect(isDatabaseAway(error)).toBe(false);
  expect(await database.query(`show statement_timeout`)).toEqual([{ statement_timeout: '30s' }]);
});

test('a lane has its own limit, and its connections are not those of others', async () => {
  const lane = database.lane({ statementTimeoutMs: 60, connectionsMax: 1 });
  const [slow, quick] = await Promise.all([
    lane.query('select pg_sleep(5)').catch((thrown: unknown) => thrown),
    database.query('select 1 as one'),
  ]);
  expect(isStatementTimeout(slow)).toBe(true);
  expect(quick).toEqual([{ one: 1 }]);
  expect(await lane.query('select pg_backend_pid() > 0 as alive')).toEqual([{ alive: true }]);
});

test('a listener hears what was committed, and learns when it may have missed something', async () => {
  const heard: (string | undefined)[] = [];
  const stop = await database.listen('news', (payload) => heard.push(payload));
  await database.transaction(async (tx) => {
    tx.notify('news', 'first');
    tx.notify('news', 'first');
  });
  await expect.poll(() => heard).toEqual(['first']);
  await database.query(`select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'`);
  await expect.poll(() => heard).toEqual(['first', undefined]);
  await database.query(`select pg_notify('news', 'second')`);
  await expect.poll(() => heard).toEqual(['first', undefined, 'second']);
  stop();
  await database.query(`select pg_notify('news', 'third')`);
  await database.query('select 1');
  expect(heard).toHaveLength(3);
});

test('a connection that is cut in the middle fails its caller as unavailable, and the next call works', async () => {
  const cut = database.transaction(async (tx) => {
    const [me] = await tx.query<{ pid: number }>('select pg_backend_pid() pid');
    await database.query('select pg_terminate_backend($1)', [me?.pid]);
    await tx.query('select 1');
  });
  expect(isDatabaseAway(await cut.catch((error: unknown) => error))).toBe(true);
  expect(await database.query('select 1 one')).toEqual([{ one: 1 }]);
});
