import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '#store/postgres/testing.ts';
import {
  enqueue,
  type Job,
  type JobHandler,
  type Jobs,
  type JobsOptions,
  jobsMigrationSql,
  startJobs,
} from './index.ts';

let db: TestDatabase;
const started: Jobs[] = [];

beforeAll(async () => {
  db = await openTestDatabase([
    { number: 1, name: 'jobs', sql: jobsMigrationSql },
    { number: 2, name: 'effects', sql: 'create table effects (job bigint not null, worker text)' },
  ]);
});

beforeEach(async () => {
  await db.query('truncate jobs, job_schedules, effects');
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((jobs) => jobs.stop()));
});

afterAll(() => db.close());

async function start(
  handlers: Record<string, JobHandler>,
  options: Partial<JobsOptions> = {},
): Promise<Jobs> {
  const jobs = await startJobs({ db, handlers, ...options });
  started.push(jobs);
  return jobs;
}

const rows = () => db.query('select kind, key, state, attempts, crashes, last_error from jobs order by id');

/** What `kill -9` of a worker leaves behind: a running job whose lease nobody renews. */
const abandon = (leaseMs: number) =>
  db.query(
    `update jobs set state = 'running', attempts = attempts + 1, lease_token = gen_random_uuid(),
     lease_until = now() + $1 * interval '1 millisecond'`,
    [leaseMs],
  );

test('a job exists only if its transaction commits, and then runs at once', async () => {
  const seen: string[] = [];
  await start({ greet: { run: async ([job]) => void seen.push(job?.payload.name) } });
  const undone = db.transaction(async (tx) => {
    await enqueue(tx, { kind: 'greet', payload: { name: 'nobody' } });
    throw new Error('undone');
  });
  await expect(undone).rejects.toThrow('undone');
  const beganMs = performance.now();
  await db.transaction((tx) => enqueue(tx, { kind: 'greet', payload: { name: 'Alice' } }));
  await expect.poll(() => seen, { interval: 2 }).toEqual(['Alice']);
  expect(performance.now() - beganMs).toBeLessThan(1_000);
  await expect.poll(rows).toEqual([]);
});

test('many jobs are handed out in batches, the urgent first, the later not yet', async () => {
  await enqueue(db, [
    ...Array.from({ length: 5 }, (_, place) => ({ kind: 'index', payload: { place } })),
    { kind: 'index', payload: { place: 'urgent' }, priority: 10 },
    { kind: 'index', payload: { place: 'later' }, runAt: new Date(Date.now() + 300) },
  ]);
  const batches: unknown[][] = [];
  await start({
    index: { batch: 3, run: async (jobs) => void batches.push(jobs.map(({ payload }) => payload.place)) },
  });
  await expect.poll(() => batches.flat()).toHaveLength(6);
  expect(batches[0]).toContain('urgent');
  expect(batches.map(({ length }) => length)).toEqual([3, 3]);
  await enqueue(db, { kind: 'index', payload: { place: 'soon' }, runAt: new Date(Date.now() + 400) });
  await expect
    .poll(() => batches.flat(), { timeout: 3_000 })
    .toEqual(expect.arrayContaining(['later', 'soon']));
});

test('a key that waits is one job; asked again while it runs, it runs once more', async () => {
  const seen: number[] = [];
  let release = () => {};
  const handler: JobHandler = {
    async run([job]) {
      seen.push(job?.payload.asked);
      if (seen.length === 1)
        await new Promise<void>((resolve) => {
          release = resolve;
        });
    },
  };
  await enqueue(
    db,
    [1, 2].map((asked) => ({ kind: 'count', key: 'cats', payload: { asked } })),
  );
  await enqueue(db, { kind: 'count', key: 'cats', payload: { asked: 3 } });
  expect(await rows()).toHaveLength(1);
  const jobs = await start({ count: handler });
  await expect.poll(() => seen).toEqual([3]);
  await enqueue(db, { kind: 'count', key: 'cats', payload: { asked: 4 } });
  expect(await rows()).toHaveLength(2);
  release();
  await jobs.idle();
  expect(seen).toEqual([3, 4]);
});

test('a job asked again is not run before the transaction that asked commits', async () => {
  const seen: number[] = [];
  await enqueue(db, { kind: 'look', key: 'k', payload: { version: 1 } });
  await db.transaction(async (tx) => {
    await enqueue(tx, { kind: 'look', key: 'k', payload: { version: 2 } });
    await start({ look: { run: async ([job]) => void seen.push(job?.payload.version) } });
    await sleep(150);
    expect(seen).toEqual([]);
  });
  await expect.poll(() => seen).toEqual([2]);
});

test('a failing job is tried again with pauses, then given up together with its hook', async () => {
  let runs = 0;
  await enqueue(db, { kind: 'flaky', maxAttempts: 3 });
  const jobs = await start({
    flaky: {
      retryDelayMs: () => 20,
      async run() {
        runs++;
        throw new Error('no luck');
      },
      async onDead(job, error, tx) {
        await tx.query('insert into effects values ($1, $2)', [job.id, error]);
      },
    },
  });
  await expect.poll(() => db.query('select worker from effects')).toEqual([{ worker: 'Error: no luck' }]);
  expect(runs).toBe(3);
  expect(await rows()).toEqual([
    expect.objectContaining({ state: 'dead', attempts: 3, last_error: 'Error: no luck' }),
  ]);
  expect(await jobs.counts()).toEqual({ flaky: { waiting: 0, running: 0, dead: 1 } });
});

test('a job that loses the database again and again is not given up for it', async () => {
  let tries = 0;
  await enqueue(db, { kind: 'cut-off', maxAttempts: 3 });
  await start({
    'cut-off': {
      retryDelayMs: () => 1,
      async run() {
        tries += 1;
        if (tries <= 10) throw Object.assign(new Error('terminating connection'), { code: '57P01' });
      },
    },
  });
  await expect.poll(rows, { timeout: 5_000 }).toEqual([]);
  expect(tries).toBe(11);
});

test('a job after whose statement the database is gone each time is given up in the end', async () => {
  await enqueue(db, { kind: 'cut-off', maxAttempts: 2 });
  await start({
    'cut-off': {
      retryDelayMs: () => 1,
      run: () => Promise.reject(new Error('Connection terminated unexpectedly')),
    },
  });
  await expect
    .poll(rows, { timeout: 5_000 })
    .toEqual([expect.objectContaining({ state: 'dead', attempts: 10 })]);
});

test('jobs whose run could not be settled are due again once the database is back, not when their lease runs out', async () => {
  const attempts: number[] = [];
  await enqueue(db, { kind: 'cut-off' });
  await start({
    'cut-off': {
      leaseMs: 60_000,
      retryDelayMs: () => 1,
      async run([job]) {
        attempts.push(job?.attempts ?? 0);
        if (attempts.length === 1) {
          // The run cannot be settled for a while, as when the database goes away under it.
          await db.query(`alter table jobs add constraint closed check (state <> 'waiting') not valid`);
          setTimeout(() => void db.query('alter table jobs drop constraint closed'), 700);
          throw new Error('Connection terminated unexpectedly');
        }
      },
    },
  });
  await expect.poll(rows, { timeout: 10_000 }).toEqual([]);
  expect(attempts).toEqual([1, 2]);
});

test('jobs claimed by a call whose answer was lost run at once, at no cost', async () => {
  const attempts: number[] = [];
  await enqueue(db, { kind: 'claimed' });
  let isLost = false;
  // The statement is carried out, and the connection breaks before it says so.
  const losing: TestDatabase = Object.assign(Object.create(db), {
    async run(...asked: Parameters<TestDatabase['run']>) {
      const found = await db.run(...asked);
      if (isLost || asked[0].name !== 'fovea-jobs-claim' || found.length === 0) return found;
      isLost = true;
      throw new Error('Connection terminated unexpectedly');
    },
  });
  await start(
    { claimed: { leaseMs: 60_000, run: async ([job]: Job[]) => void attempts.push(job?.attempts ?? 0) } },
    { db: losing },
  );
  await expect.poll(rows, { timeout: 10_000 }).toEqual([]);
  expect([isLost, attempts]).toEqual([true, [1]]);
});

test('one bad job of a batch does not sink its neighbours', async () => {
  await enqueue(
    db,
    ['good', 'bad', 'fine'].map((key) => ({ kind: 'mixed', key })),
  );
  const jobs = await start({
    mixed: {
      batch: 10,
      async run(batch, context) {
        for (const job of batch)
          if (job.key === 'bad') context.fail(job, new Error('unreadable'), { forGood: true });
      },
    },
  });
  await jobs.idle();
  await expect
    .poll(rows)
    .toEqual([expect.objectContaining({ key: 'bad', state: 'dead', last_error: 'Error: unreadable' })]);
});

test('a worker that comes back after its lease was taken over changes nothing', async () => {
  await enqueue(db, { kind: 'train' });
  const wake: Record<string, () => void> = {};
  const outcome: Record<string, unknown> = {};
  /** Waits until it is woken, then writes its effect and the completion in one transaction. */
  const sleeper = (worker: string): Record<string, JobHandler> => ({
    train: {
      leaseMs: worker === 'zombie' ? 30_000 : 300,
      async run([job], context) {
        await new Promise<void>((resolve) => {
          wake[worker] = resolve;
        });
        const work = db.transaction(async (tx) => {
          await tx.query('insert into effects values ($1, $2)', [job?.id, worker]);
          if (!(await context.finish(tx, job as Job))) throw new Error('fenced');
          return 'kept';
        });
        outcome[worker] = await work.catch((error: Error) => error.message);
      },
    },
  });
  const zombie = await start(sleeper('zombie'));
  await expect.poll(() => wake['zombie']).toBeDefined();
  await db.query(`update jobs set lease_until = now() - interval '1 second'`);
  await start(sleeper('second'));
  await expect.poll(() => wake['second']).toBeDefined();
  wake['zombie']?.();
  await expect.poll(() => outcome['zombie']).toBe('fenced');
  await zombie.stop();
  expect(await rows()).toEqual([expect.objectContaining({ state: 'running', crashes: 1 })]);
  wake['second']?.();
  await expect.poll(() => outcome['second']).toBe('kept');
  await expect.poll(rows).toEqual([]);
  expect(await db.query('select worker from effects')).toEqual([{ worker: 'second' }]);
});

test('a long job keeps its lease while its process lives', async () => {
  await enqueue(db, { kind: 'long' });
  let runs = 0;
  const handler: JobHandler = {
    leaseMs: 200,
    async run(_jobs, context) {
      runs++;
      await sleep(900);
      expect(context.signal.aborted).toBe(false);
    },
  };
  await start({ long: handler }, { pollMs: 50 });
  const second = await start({ long: handler }, { pollMs: 50 });
  await expect.poll(() => runs).toBe(1);
  await second.idle();
  expect(runs).toBe(1);
  expect(await rows()).toEqual([]);
});

test('jobs of a killed process are taken back: at once where no other can live, else when the lease runs out', async () => {
  const seen: number[] = [];
  const handlers = {
    index: { leaseMs: 300, run: async ([job]: Job[]) => void seen.push(job?.attempts ?? 0) },
  };
  await enqueue(db, { kind: 'index' });
  await abandon(60_000);
  const jobs = await start(handlers, { reclaimAll: true });
  await expect.poll(() => seen).toEqual([1]);
  await jobs.stop();

  await enqueue(db, { kind: 'index' });
  await abandon(400);
  await start(handlers);
  await sleep(150);
  expect(seen).toEqual([1]);
  await expect.poll(() => seen, { timeout: 3_000 }).toEqual([1, 1]);
});

test('a job that keeps killing its process runs alone and is given up in the end', async () => {
  const sizes: number[] = [];
  const dead: string[] = [];
  const handlers: Record<string, JobHandler> = {
    poison: {
      batch: 10,
      run: async (jobs) => void sizes.push(jobs.length),
      onDead: async (_job, error) => void dead.push(error),
    },
  };
  await enqueue(db, [
    { kind: 'poison', key: 'a' },
    { kind: 'poison', key: 'b' },
  ]);
  await abandon(60_000);
  const once = await start(handlers, { reclaimAll: true });
  await once.idle();
  expect(sizes).toEqual([1, 1]);
  await once.stop();

  await enqueue(db, { kind: 'poison', key: 'c' });
  await db.query('update jobs set crashes = 4');
  await abandon(60_000);
  await start(handlers, { reclaimAll: true });
  expect(dead).toEqual(['the process running it ended 5 times']);
});

test('a crashed job whose key was asked again meanwhile is covered by the one that waits', async () => {
  await enqueue(db, { kind: 'sum', key: 'x', payload: { asked: 1 } });
  await abandon(60_000);
  await enqueue(db, { kind: 'sum', key: 'x', payload: { asked: 2 } });
  const seen: number[] = [];
  const jobs = await start(
    { sum: { run: async ([job]) => void seen.push(job?.payload.asked) } },
    { reclaimAll: true },
  );
  await jobs.idle();
  expect(seen).toEqual([2]);
  expect(await rows()).toEqual([]);
});

test('stopping waits for running jobs, and hands on what does not end in time at no cost', async () => {
  await enqueue(db, [{ kind: 'quick' }, { kind: 'deaf' }, { kind: 'polite' }]);
  let finished = false;
  const handlers: Record<string, JobHandler> = {
    quick: {
      async run() {
        await sleep(100);
        finished = true;
      },
    },
    deaf: { run: () => new Promise<void>(() => {}) },
    polite: { run: (_jobs, { signal }) => sleep(60_000, undefined, { signal }) },
  };
  const jobs = await start(handlers, { stopMs: 300 });
  await expect.poll(async () => (await jobs.counts()).polite?.running).toBe(1);
  await jobs.stop();
  expect(finished).toBe(true);
  const handedOn = { state: 'waiting', attempts: 0, crashes: 0, last_error: null };
  expect(await rows()).toEqual([
    expect.objectContaining({ kind: 'deaf', ...handedOn }),
    expect.objectContaining({ kind: 'polite', ...handedOn }),
  ]);
});

test('a periodic job runs once per turn, however many processes are up', async () => {
  let runs = 0;
  const handlers = { sweep: { run: async () => void runs++ } };
  const periodic = [{ kind: 'sweep', everyMs: 200 }];
  for (let processes = 0; processes < 3; processes++) await start(handlers, { periodic });
  await sleep(1_100);
  expect(runs).toBeGreaterThanOrEqual(2);
  expect(runs).toBeLessThanOrEqual(6);
});
