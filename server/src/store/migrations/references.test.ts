import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../postgres/testing.ts';
import { migrations } from './index.ts';

let db: TestDatabase;
let app: number;
let user: number;
const nowhere = 999_999;

beforeAll(async () => {
  db = await openTestDatabase(migrations);
  const [person] = await db.query<{ key: number }>(`insert into users (id) values ('u') returning key`);
  user = person?.key as number;
  const [made] = await db.query<{ key: number }>(
    `insert into apps (user_key, id) values ($1, 'a') returning key`,
    [user],
  );
  app = made?.key as number;
});
afterAll(() => db.close());

let made = 0;
async function newInput(): Promise<number> {
  const [input] = await db.query<{ key: number }>(
    `insert into inputs (app_key, id, kind, status_code) values ($1, $2, 'image', 30000) returning key`,
    [app, `i${made++}`],
  );
  return input?.key as number;
}

const annotating = `insert into annotations (app_key, input_key, input_id, id, worker_user_key)
  select $1, input, 'i', 'n' || n, $3 from unnest($2::bigint[]) with ordinality as u(input, n) returning key`;
const labelling = `insert into annotation_concepts (app_key, annotation_key, input_key, concept_id, value, trusted)
  select $1, a, $3, c, 1, true from unnest($2::bigint[]) a, unnest(array['cat', 'dog']) c`;

test('what is referred to has to be there, also where the rest of the statement is good', async () => {
  const good = await newInput();
  for (const [values, words] of [
    [[nowhere, [good], user], /no app 999999/],
    [[app, [good, nowhere], user], /no input 999999/],
    [[app, [good], nowhere], /no user 999999/],
  ] as const)
    await expect(db.query(annotating, [...values])).rejects.toMatchObject({
      code: '23503',
      message: expect.stringMatching(words),
    });
  const [one] = await db.query<{ key: number }>(annotating, [app, [good], null]);
  await expect(db.query(labelling, [app, [one?.key, nowhere], good])).rejects.toMatchObject({
    code: '23503',
    message: expect.stringMatching(/no annotation 999999/),
  });
  await db.query(labelling, [app, [one?.key], good]);
});

/** Somebody else deletes in a transaction that is open while `write` begins, and ends it so. */
async function whileDeleting(
  deletion: string,
  key: number,
  end: 'commit' | 'rollback',
  write: () => Promise<unknown>,
) {
  const other = await db.pool.connect();
  try {
    await other.query('begin');
    await other.query(deletion, [key]);
    const written = write().then(
      () => 'written',
      (error: pg.DatabaseError) => error.code,
    );
    await sleep(200);
    await other.query(end);
    return await written;
  } finally {
    other.release();
  }
}

test.each([
  ['commit', '23503'],
  ['rollback', 'written'],
] as const)('what is being deleted is waited for; %s: %s', async (end, outcome) => {
  const input = await newInput();
  const other = await newInput();
  const annotate = () => db.query(annotating, [app, [other, input], user]);
  expect(await whileDeleting('delete from inputs where key = $1', input, end, annotate)).toBe(outcome);
  const third = await newInput();
  const [one] = await db.query<{ key: number }>(annotating, [app, [third], user]);
  const label = () => db.query(labelling, [app, [one?.key], third]);
  const deletion = 'delete from annotations where key = $1';
  expect(await whileDeleting(deletion, one?.key as number, end, label)).toBe(outcome);
});

test('what was referred to cannot be deleted before the commit', async () => {
  const input = await newInput();
  const writer = await db.pool.connect();
  try {
    await writer.query('begin');
    await writer.query(annotating, [app, [input], user]);
    const deleted = db.query('delete from inputs where key = $1', [input]).then(() => 'deleted');
    expect(await Promise.race([deleted, sleep(200, 'waiting')])).toBe('waiting');
    await writer.query('commit');
    expect(await deleted).toBe('deleted');
    expect(await db.query('select from annotations where input_key = $1', [input])).toEqual([]);
  } finally {
    writer.release();
  }
});

test('annotations stay with who made them', async () => {
  const [one] = await db.query<{ key: number }>(annotating, [app, [await newInput()], user]);
  for (const worker of [nowhere, null])
    await expect(
      db.query('update annotations set worker_user_key = $1 where key = $2', [worker, one?.key]),
    ).rejects.toMatchObject({ message: expect.stringContaining('stay with what they belong to') });
  await db.query('update annotations set worker_user_key = $1 where key = $2', [user, one?.key]);
});
