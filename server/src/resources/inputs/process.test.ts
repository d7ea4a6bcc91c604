import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openIndexedApp } from '../indexing/indexing.testing.ts';

let app: Awaited<ReturnType<typeof openIndexedApp>>;
beforeAll(async () => {
  app = await openIndexedApp();
});
afterAll(() => app.close());

/** Inputs as a process that died has left them, with their add job and the job that was to process them. */
async function leftBehind(
  inputs: { id: string; status: number; url?: string; sha?: Buffer }[],
  job: { crashes?: number; maxAttempts?: number },
) {
  const count = (status: number) => inputs.filter((one) => one.status === status).length;
  const [addJob] = await app.db.query<{ key: number }>(
    `insert into inputs_add_jobs (app_key, id, pending_count, in_progress_count) values (1, md5(random()::text), $1, $2) returning key`,
    [count(30001), count(30003)],
  );
  const keys: number[] = [];
  for (const { id, status, url = '', sha = null } of inputs) {
    const [row] = await app.db.query<{ key: number }>(
      `insert into inputs (app_key, id, kind, status_code, url, media_sha, add_job_key) values (1, $1, 'image', $2, $3, $4, $5) returning key`,
      [id, status, url, sha, addJob?.key],
    );
    keys.push(row?.key as number);
  }
  await app.db.query(
    `insert into jobs (kind, payload, app_key, crashes, max_attempts) values ('inputs.process', $1, 1, $2, $3)`,
    [{ inputKeys: keys }, job.crashes ?? 0, job.maxAttempts ?? 5],
  );
  app.db.notify('fovea_jobs', JSON.stringify({ kind: 'inputs.process', delayMs: 0 }));
  for (let open = 1; open > 0; await sleep(20)) {
    const [row] = await app.db.query<{ n: number }>(
      `select pending_count + in_progress_count as n from inputs_add_jobs where key = $1`,
      [addJob?.key],
    );
    open = row?.n as number;
  }
  const statuses = await app.db.query<{ code: number; details: string }>(
    'select status_code as code, status_details as details from inputs where key = any($1) order by key',
    [keys],
  );
  const [counts] = await app.db.query(
    'select success_count as good, failed_count as bad from inputs_add_jobs where key = $1',
    [addJob?.key],
  );
  return { statuses, counts };
}

const nowhere = 'http://10.0.0.1/a.jpg';

test('inputs that a crash left in progress are taken up again', async () => {
  const { statuses, counts } = await leftBehind(
    [
      { id: 'a', status: 30003, url: nowhere },
      { id: 'b', status: 30001, url: nowhere },
    ],
    { crashes: 1 },
  );
  expect(statuses.map(({ code }) => code)).toEqual([30106, 30106]);
  expect(counts).toEqual({ good: 0, bad: 2 });
});

test('an input that was alone at work each time the server crashed is given up', async () => {
  const { statuses, counts } = await leftBehind([{ id: 'suspect', status: 30003, url: nowhere }], {
    crashes: 4,
  });
  expect(statuses.map(({ code }) => code)).toEqual([30002]);
  expect(statuses[0]?.details).toContain('crashed');
  expect(counts).toEqual({ good: 0, bad: 1 });
});

test('inputs that were at work together when the server was killed are blamed for nothing', async () => {
  const { statuses, counts } = await leftBehind(
    [
      { id: 'first', status: 30003, url: nowhere },
      { id: 'second', status: 30003, url: nowhere },
      { id: 'third', status: 30001, url: nowhere },
    ],
    { crashes: 4 },
  );
  expect(statuses.map(({ code }) => code)).toEqual([30106, 30106, 30106]);
  expect(counts).toEqual({ good: 0, bad: 3 });
});

test('an input that cannot be processed after all tries ends as failed, and its add job with it', async () => {
  const lost = { id: 'lost', status: 30001, sha: Buffer.alloc(32, 9) };
  const { statuses, counts } = await leftBehind([lost, { id: 'other', status: 30001, url: nowhere }], {
    maxAttempts: 1,
  });
  expect(statuses.map(({ code }) => code)).toEqual([30002, 30106]);
  expect(statuses[0]?.details).toContain('several tries');
  expect(counts).toEqual({ good: 0, bad: 2 });
});
