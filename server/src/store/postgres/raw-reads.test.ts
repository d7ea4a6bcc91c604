import { afterAll, beforeAll, expect, test } from 'vitest';
import { RawColumns, type RawRow } from './raw-rows.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';

let db: TestDatabase;

beforeAll(async () => {
  db = await openTestDatabase();
});

afterAll(() => db.close());

const statement = (name: string, text: string) => ({ name, text });

test('numbers, texts and lists go there and back, columns in their order', async () => {
  const echo = statement(
    'echo',
    'select $1::bigint, $2::text, n, t, true, null::text from unnest($3::bigint[], $4::text[]) as x(n, t)',
  );
  const numbers = [0, 1, -1, 2 ** 40, -(2 ** 40), 2 ** 53 - 1, -(2 ** 53 - 1)];
  const texts = ['', 'a', '"{}\\,null', 'ü 猫 😀', "'; drop table x --", 'x'.repeat(100_000), 'NULL'];
  const rows = await db.raw(echo, [-5, 'größe', numbers, texts]);
  const columns = new RawColumns();
  const read = rows.map((row) => {
    columns.read(row);
    const values = [columns.int8(), columns.text(), columns.int8(), columns.text(), columns.bool()];
    return [...values, columns.next(), columns.end - columns.start];
  });
  expect(read).toEqual(numbers.map((n, i) => [-5, 'größe', n, texts[i], true, false, 0]));
});

test('times come in milliseconds since 1970, before it as well', async () => {
  const times = statement(
    'times',
    `select t from unnest($1::text[]) as x(text), lateral (select text::timestamptz as t) y`,
  );
  const wanted = ['1969-12-31T23:59:59.999Z', '2026-01-02T03:04:05.678Z', '0001-01-01T00:00:00.000Z'];
  const rows = await db.raw(times, [wanted]);
  expect(rows.map((row) => new Date(new RawColumns().read(row).timeMs()).toISOString())).toEqual(wanted);
});

test('rows larger than a read from the socket, and many of them, come whole', async () => {
  const large = statement(
    'large',
    `select n, repeat('ab', (n * 1000)::int) from generate_series(1::bigint, $1::bigint) as n`,
  );
  const rows = await db.raw(large, [300]);
  const columns = new RawColumns();
  expect(rows.map((row) => [columns.read(row).int8(), columns.text().length])).toEqual(
    Array.from({ length: 300 }, (_, i) => [i + 1, (i + 1) * 2000]),
  );
});

test('an error of the server has its code, and leaves the connection of use', async () => {
  const divide = statement('divide', 'select 1 / $1::bigint');
  await expect(db.raw(divide, [0])).rejects.toMatchObject({ code: '22012', message: 'division by zero' });
  await expect(db.raw(statement('wrong', 'select nothing'), [])).rejects.toMatchObject({ code: '42703' });
  expect(new RawColumns().read((await db.raw(divide, [1]))[0] as never).int8()).toBe(1);
});

test('more reads than connections wait for their turn, and each gets its own rows', async () => {
  const one = statement('one', 'select $1::bigint');
  const rows = await Promise.all(Array.from({ length: 100 }, (_, n) => db.raw(one, [n])));
  expect(rows.map(([row]) => new RawColumns().read(row as never).int8())).toEqual(
    Array.from({ length: 100 }, (_, n) => n),
  );
});

test('reads of one trip are answered each by one connection, whatever becomes of the others', async () => {
  const divided = statement('divided', 'select 12 / $1::bigint, pg_backend_pid()::bigint');
  const raw = db.oneTrip();
  const later = Promise.resolve().then(() => raw(divided, [3]));
  const answers = await Promise.allSettled([raw(divided, [1]), raw(divided, [0]), raw(divided, [2]), later]);
  const read = answers.map((answer) => {
    if (answer.status === 'rejected') return answer.reason.code;
    const columns = new RawColumns().read(answer.value[0] as never);
    return [columns.int8(), columns.int8()];
  });
  const [, pid] = read[0];
  expect(read).toEqual([[12, pid], '22012', [6, pid], [4, pid]]);
});

test('all reads of a trip fail with their connection, and the next trip has a new one', async () => {
  const me = statement('me', 'select pg_backend_pid()::bigint, pg_sleep($1::bigint)');
  const pidOf = ([row]: RawRow[]) => new RawColumns().read(row as RawRow).int8();
  const raw = db.oneTrip();
  const pid = pidOf(await raw(me, [0]));
  const lost = Promise.allSettled([raw(me, [20]), raw(me, [0])]);
  await db.query(`select pg_terminate_backend($1)`, [pid]);
  expect((await lost).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(pidOf(await raw(me, [0]))).not.toBe(pid);
});

test('the columns behind one are a row of their own', async () => {
  const three = statement('three', 'select $1::bigint, 2::bigint, 3::bigint');
  const columns = new RawColumns().read((await db.raw(three, [1]))[0] as RawRow);
  columns.next();
  const rest = new RawColumns().read(columns.rest());
  expect([rest.int8(), rest.int8(), columns.int8()]).toEqual([2, 3, 2]);
});

test('a connection that is cut off fails what is under way, and the next read has a new one', async () => {
  const me = statement('me', 'select pg_backend_pid()::bigint, pg_sleep($1::bigint)');
  const [row] = await db.raw(me, [0]);
  const slow = db.raw(me, [20]);
  const failure = expect(slow).rejects.toMatchObject({ code: '57P01' });
  await db.query(`select pg_terminate_backend($1)`, [new RawColumns().read(row as never).int8()]);
  await failure;
  const [after] = await db.raw(me, [0]);
  expect(new RawColumns().read(after as never).int8()).not.toBe(new RawColumns().read(row as never).int8());
});

test('questions asked together are answered each, whether they have an answer or not', async () => {
  const doubled = statement(
    'doubled',
    `select n, number * 2, text from unnest($1::bigint[], $2::text[]) with ordinality as x(number, text, n) where text <> 'none'`,
  );
  const answers = await Promise.all(
    Array.from({ length: 600 }, (_, i) => db.rawTogether(doubled, i, i % 3 === 0 ? 'none' : `t${i}`)),
  );
  const read = answers.map((row) => {
    if (!row) return undefined;
    const columns = new RawColumns().read(row);
    columns.next();
    return [columns.int8(), columns.text()];
  });
  expect(read).toEqual(Array.from({ length: 600 }, (_, i) => (i % 3 === 0 ? undefined : [2 * i, `t${i}`])));
});

test('a question that fails fails its batch, and the next batch is asked', async () => {
  const divided = statement(
    'divided',
    'select n, 1 / number from unnest($1::bigint[], $2::text[]) with ordinality as x(number, text, n)',
  );
  const both = await Promise.allSettled([db.rawTogether(divided, 1, ''), db.rawTogether(divided, 0, '')]);
  expect(both.map((one) => one.status)).toEqual(['rejected', 'rejected']);
  expect(await db.rawTogether(divided, 1, '')).toBeDefined();
});
