import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue } from '#jobs/index.ts';
import { allMigrations } from '#migrations.ts';
import { openTestDatabase } from '#store/postgres/testing.ts';
import { appJob, appStepJob } from './kinds.ts';

let db: Awaited<ReturnType<typeof openTestDatabase>>;
beforeAll(async () => {
  db = await openTestDatabase(allMigrations);
});
afterAll(() => db.close());

test('a walk that is asked for while another runs begins at the start', async () => {
  const grant = { appKey: 7 } as AppGrant;
  await enqueue(db, appJob(grant));
  await enqueue(db, appJob(grant));
  await enqueue(db, appStepJob(grant, 1, 500));
  const waiting = await db.query('select payload from jobs order by id');
  expect(waiting.map(({ payload }) => payload)).toEqual([
    { afterKey: 0 },
    { afterKey: 500, modelVersionKey: 1 },
  ]);
});
