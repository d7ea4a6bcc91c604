import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { enqueue, jobsMigrationSql } from '../../server/src/jobs/index.ts';
import { type Database, migrate, openDatabase } from '../../server/src/store/postgres/index.ts';
import { atExit } from './at-exit.ts';
import type { Random } from './random.ts';
import { type Context, type Outcome, report, type Scenario, sized } from './scenario.ts';

const workKind = 'faults.work';
const leaseMs = 1_000;
const workers = 3;
const maxAttempts = 3;

interface Yard {
  readonly db: Database;
  readonly workers: Worker[];
  /** Numbers of the jobs that were acknowledged, and how they have to end. */
  readonly expected: Map<number, 'done' | 'dead'>;
}

interface Worker {
  readonly process: ChildProcess;
  readonly isReady: Promise<void>;
  readonly end: Promise<void>;
}

const effectsSql = 'create table fault_effects (number bigint not null, pid integer not null)';

async function inYard(
  context: Context,
  failpoints: string,
  outcome: Outcome,
  disturb: (yard: Yard, hire: () => Worker) => Promise<void>,
): Promise<void> {
  const db = await openDatabase({ dataDir: join(context.folder, 'data') });
  const yard: Yard = { db, workers: [], expected: new Map() };
  const forget = atExit(() => {
    for (const { process: child } of yard.workers) child.kill('SIGKILL');
    const pid = db.keeper?.pid();
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  });
  try {
    await migrate(db, [
      { number: 1, name: 'jobs', sql: jobsMigrationSql },
      { number: 2, name: 'effects', sql: effectsSql },
    ]);
    const url = `postgres://fovea@localhost/fovea?host=${encodeURIComponent(db.keeper?.socketDir ?? '')}`;
    const hire = () => hireWorker(context.jobWorker, url, failpoints);
    for (let n = 0; n < workers; n++) yard.workers.push(hire());
    await Promise.all(yard.workers.map(({ isReady }) => isReady));
    await disturb(yard, hire);
    const began = performance.now();
    await untilEmpty(db, 90_000);
    outcome.aside = `queue empty ${((performance.now() - began) / 1000).toFixed(1)} s after the last blow`;
    outcome.acknowledged = yard.expected.size;
    report(context, outcome, await compare(yard), 'at the end');
  } finally {
    for (const { process: child } of yard.workers) child.kill('SIGKILL');
    await Promise.all(yard.workers.map(({ end }) => end));
    await db.close();
    forget();
  }
}

function hireWorker(file: string, url: string, failpoints: string): Worker {
  const child = spawn(process.execPath, ['--enable-source-maps', file, url, failpoints], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return {
    process: child,
    // One that took the job that ends processes may end before it says anything.
    isReady: new Promise((resolve) => {
      child.stdout?.once('data', () => resolve());
      child.once('close', () => resolve());
    }),
    end: new Promise((resolve) => child.once('close', () => resolve())),
  };
}

/** Adds jobs; each call is one acknowledged transaction. */
async function give(
  { db, expected }: Yard,
  random: Random,
  count: number,
  ends: 'well' | 'badly' | 'with the process' = 'well',
): Promise<void> {
  const numbers = Array.from({ length: count }, (_, n) => expected.size + n);
  await db.transaction((tx) =>
    enqueue(
      tx,
      numbers.map((number) => ({
        kind: workKind,
        maxAttempts,
        payload: { number, ends, workMs: random.below(120) },
      })),
    ),
  );
  for (const number of numbers) expected.set(number, ends === 'well' ? 'done' : 'dead');
}

async function untilEmpty(db: Database, patienceMs: number): Promise<void> {
  for (const began = performance.now(); performance.now() - began < patienceMs; await sleep(50)) {
    if ((await db.query("select 1 from jobs where state <> 'dead' limit 1")).length === 0) return;
  }
}

async function compare({ db, expected }: Yard) {
  const found = { lost: [] as string[], stuck: [] as string[], other: [] as string[] };
  const effects = await db.query<{ number: number; times: number }>(
    'select number, count(*)::int as times from fault_effects group by 1',
  );
  const left = await db.query<{ number: number; state: string; error: string | null }>(
    "select (payload->>'number')::int as number, state, last_error as error from jobs",
  );
  const times = new Map(effects.map((row) => [Number(row.number), row.times]));
  const states = new Map(left.map((row) => [row.number, row]));
  for (const [number, end] of expected) {
    const state = states.get(number);
    const done = times.get(number) ?? 0;
    if (state && state.state !== 'dead') found.stuck.push(`job ${number} is ${state.state} for ever`);
    else if (end === 'dead' && (!state || done > 0))
      found.other.push(`job ${number} can only fail, and did not end as dead`);
    else if (end === 'done' && state) found.other.push(`job ${number} was given up: ${state.error}`);
    else if (end === 'done' && done === 0) found.lost.push(`job ${number} had no effect`);
    if (done > 1) found.other.push(`job ${number} had its effect ${done} times`);
  }
  return found;
}

async function killWorkers(context: Context, outcome: Outcome): Promise<void> {
  const { random } = context;
  await inYard(context, '', outcome, async (yard, hire) => {
    await give(yard, random, 2, 'badly');
    await give(yard, random, 1, 'with the process');
    const kills = sized(context, 30, 300);
    while (outcome.kills < kills) {
      await give(yard, random, 1 + random.below(10));
      await sleep(random.between(20, 400));
      const at = random.below(yard.workers.length);
      const worker = yard.workers[at] as Worker;
      await worker.isReady;
      const began = performance.now();
      worker.process.kill('SIGKILL');
      await worker.end;
      outcome.kills += 1;
      yard.workers[at] = hire();
      await (yard.workers[at] as Worker).isReady;
      outcome.recoveriesMs.push(performance.now() - began);
      // The job that takes its process along.
      for (const [n, one] of yard.workers.entries())
        if (one.process.signalCode !== null) yard.workers[n] = hire();
    }
    const keepStaff = setInterval(() => {
      for (const [n, one] of yard.workers.entries())
        if (one.process.signalCode !== null) yard.workers[n] = hire();
    }, 100);
    await untilEmpty(yard.db, 90_000);
    clearInterval(keepStaff);
  });
}

async function stopWorkers(
  context: Context,
  outcome: Outcome,
  failpoints: string,
  rounds: number,
): Promise<void> {
  const { random } = context;
  await inYard(context, failpoints, outcome, async (yard) => {
    for (let round = 0; round < rounds; round++) {
      await give(yard, random, 24);
      await sleep(random.between(10, 250));
      const worker = random.pick(yard.workers).process;
      worker.kill('SIGSTOP');
      await sleep(leaseMs * random.between(1.5, 3));
      worker.kill('SIGCONT');
      outcome.kills += 1;
      await sleep(random.between(50, 300));
    }
  });
}

export const jobScenarios: readonly Scenario[] = [
  { id: 'R5', name: 'workers of the queue killed', run: killWorkers },
  {
    id: 'R6',
    name: 'workers stopped past their lease',
    run: (context, outcome) => stopWorkers(context, outcome, '', sized(context, 8, 50)),
  },
  {
    id: 'C3',
    name: 'late workers that are not fenced',
    isControl: true,
    run: (context, outcome) => stopWorkers(context, outcome, 'finish-without-fence', sized(context, 8, 8)),
  },
];
