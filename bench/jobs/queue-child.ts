import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  enqueue,
  type Job,
  type JobHandler,
  jobsMigrationSql,
  startJobs,
} from '../../server/src/jobs/index.ts';
import { type Database, migrate, openDatabase } from '../../server/src/store/postgres/index.ts';

// A process with a database of its own that works off no-op jobs, ours or those of graphile-worker.

type Question =
  | { kind: 'open'; dataDir: string }
  | { kind: 'ours' | 'theirs'; jobs: number; batch: number }
  | { kind: 'latency'; jobs: number; everyMs: number; pollMs?: number }
  | { kind: 'idle'; seconds: number };

let db: Database;
let graphile: Graphile | undefined;

interface Graphile {
  Logger: new (factory: () => () => void) => object;
  runMigrations(options: object): Promise<void>;
  run(options: object): Promise<{ stop(): Promise<void> }>;
}

/** From the packages of this project, or from a folder named by FOVEA_BENCH_PEERS. */
async function findGraphile(): Promise<Graphile | undefined> {
  for (const from of [import.meta.url, join(process.env.FOVEA_BENCH_PEERS ?? '/nowhere', 'x.js')]) {
    try {
      return (await import(pathToFileURL(createRequire(from).resolve('graphile-worker')).href)) as Graphile;
    } catch {
      // Not there.
    }
  }
  return undefined;
}

async function open({ dataDir }: { dataDir: string }) {
  db = await openDatabase({ dataDir });
  await migrate(db, [{ number: 1, name: 'jobs', sql: jobsMigrationSql }]);
  graphile = await findGraphile();
  if (graphile)
    await graphile.runMigrations({ pgPool: db.pool, logger: new graphile.Logger(() => () => {}) });
  return { hasGraphile: graphile !== undefined };
}

/** CPU is counted by the caller from `begin` to the answer; adding the jobs is part of it on both sides. */
async function ours({ jobs, batch }: { jobs: number; batch: number }) {
  let done = 0;
  const finished = waiter();
  const handler: JobHandler = {
    batch,
    concurrency: 1,
    run: async (taken) => {
      done += taken.length;
      if (done === jobs) finished.go();
    },
  };
  for (let at = 0; at < jobs; at += 500) {
    const wanted = Array.from({ length: Math.min(500, jobs - at) }, (_, i) => ({
      kind: 'none',
      payload: { n: at + i },
    }));
    await db.transaction((tx) => enqueue(tx, wanted));
  }
  const began = performance.now();
  const worker = await startJobs({ db, handlers: { none: handler } });
  await finished.wait;
  const seconds = (performance.now() - began) / 1000;
  await worker.stop();
  const [row] = await db.query<{ n: number }>('select count(*)::int as n from jobs');
  return { done, left: row?.n, perSecond: jobs / seconds };
}

async function theirs({ jobs, batch }: { jobs: number; batch: number }) {
  if (!graphile) throw new Error('graphile-worker is not here');
  let done = 0;
  const finished = waiter();
  await db.query(
    `select graphile_worker.add_jobs(array(select row('none', json_build_object('n', n), null, null, null, null, null, null)::graphile_worker.job_spec
     from generate_series(1, $1::int) as n))`,
    [jobs],
  );
  const began = performance.now();
  const runner = await graphile.run({
    pgPool: db.pool,
    concurrency: batch === 1 ? 1 : 10,
    noHandleSignals: true,
    ...(batch === 1
      ? {}
      : {
          preset: { worker: { localQueue: { size: batch }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
        }),
    logger: new graphile.Logger(() => () => {}),
    taskList: {
      none: async () => {
        done++;
        if (done === jobs) finished.go();
      },
    },
  });
  await finished.wait;
  const seconds = (performance.now() - began) / 1000;
  const count = async () =>
    (await db.query<{ n: number }>('select count(*)::int as n from graphile_worker.jobs'))[0]?.n;
  // The last completions are written a moment after the last run.
  for (let tries = 0; tries < 100 && (await count()) !== 0; tries++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  await runner.stop();
  return { done, left: await count(), perSecond: jobs / seconds };
}

/** From the commit of a job to the start of its run, each job by itself at its own time. */
async function latency({ jobs, everyMs, pollMs }: { jobs: number; everyMs: number; pollMs?: number }) {
  const committedMs = new Map<number, number>();
  const startedMs = new Map<number, number>();
  const finished = waiter();
  const run = async (taken: Job[]) => {
    for (const { payload } of taken) startedMs.set(payload.n, performance.now());
    if (startedMs.size === jobs) finished.go();
  };
  const worker = await startJobs({
    db,
    handlers: { timed: { batch: 1, concurrency: 4, run } },
    ...(pollMs ? { pollMs } : {}),
  });
  const began = performance.now();
  for (let n = 0; n < jobs; n++) {
    const pauseMs = began + n * everyMs - performance.now();
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    await (pollMs
      ? enqueueSilently(n)
      : db.transaction((tx) => enqueue(tx, { kind: 'timed', payload: { n } })));
    committedMs.set(n, performance.now());
  }
  await finished.wait;
  await worker.stop();
  const latencies = [...committedMs].map(([n, at]) => Math.max(0, (startedMs.get(n) ?? Number.NaN) - at));
  return { latenciesMs: latencies.sort((a, b) => a - b) };
}

/** The control: a job that nobody is told of, found by polling alone. */
const enqueueSilently = (n: number) =>
  db.query(`insert into jobs (kind, payload) values ('timed', $1)`, [{ n }]);

/** Twelve kinds, as many as the server has, and nothing to do. */
async function idle({ seconds }: { seconds: number }) {
  const handlers = Object.fromEntries(
    Array.from({ length: 12 }, (_, n) => [`kind-${n}`, { run: async () => {} }]),
  );
  const worker = await startJobs({ db, handlers });
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  await worker.stop();
  return {};
}

function waiter() {
  let go = () => {};
  const wait = new Promise<void>((resolve) => {
    go = resolve;
  });
  return { wait, go: () => go() };
}

process.on('message', (question: Question) => {
  const work = { open, ours, theirs, latency, idle }[question.kind] as (one: Question) => Promise<object>;
  work(question).then(
    (found) => process.send?.(found),
    (error) => process.send?.({ error: error instanceof Error ? error.stack : String(error) }),
  );
});
const end = () => void (db?.close() ?? Promise.resolve()).finally(() => process.exit(0));
process.on('disconnect', end);
// The database would end by itself, and leave the folder of its socket.
process.on('SIGTERM', end);
