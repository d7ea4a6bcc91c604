import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { configureDatabase, killAndWait, newSubjects, type Whom } from './kills.ts';
import { startLoad } from './load.ts';
import { check, type Subject } from './oracle.ts';
import { hangUp } from './requests.ts';
import { type Context, type Outcome, report, type Scenario, sized } from './scenario.ts';
import { openVictim, type Victim } from './victim.ts';

const stopMsMax = 10_000;

const openIn = (context: Context, folder = 'data', env?: NodeJS.ProcessEnv): Victim =>
  openVictim({ main: context.main, dataDir: join(context.folder, folder), port: context.port(), env });

/** Stops the server as a service manager does, with requests under way. */
async function stopPolitely(
  victim: Victim,
  { world, ledger }: Subject,
  outcome: Outcome,
  runMs: number,
): Promise<void> {
  let stoppedAt = Number.POSITIVE_INFINITY;
  let dropped = 0;
  let isOver = false;
  const lanes = world.lanes.map(async (lane) => {
    while (!isOver) {
      const write = lane.next();
      const sentAt = performance.now();
      try {
        const reply = await victim.wire.call(write.verb, write.path, write.body);
        if (reply.http === 200 && reply.json.status?.code === 10000) ledger.acknowledge(write);
        else {
          ledger.doubt(write);
          // What arrives while it stops may be turned away, and must say so.
          if (reply.http !== 503)
            outcome.found.other.push(
              `${write.rpc} answered ${reply.http} ${JSON.stringify(reply.json.status)}`,
            );
          return;
        }
      } catch {
        ledger.doubt(write);
        if (sentAt < stoppedAt - 20) dropped += 1;
        return;
      }
    }
  });
  await sleep(runMs);
  stoppedAt = performance.now();
  victim.signal('SIGTERM');
  const end = await Promise.race([victim.ended(), sleep(stopMsMax + 5_000).then(() => 'not at all')]);
  const tookMs = performance.now() - stoppedAt;
  isOver = true;
  await Promise.all(lanes);
  outcome.kills += 1;
  if (end !== 'exit 0') outcome.found.other.push(`told to stop, it ended with ${end}`);
  if (tookMs > stopMsMax) outcome.found.stuck.push(`told to stop, it took ${(tookMs / 1000).toFixed(1)} s`);
  if (dropped > 0) outcome.found.other.push(`${dropped} requests that were under way got no reply`);
  if (victim.postmasterPid() !== undefined)
    outcome.found.other.push('PostgreSQL runs on after the server stopped');
  outcome.aside = `stopped in ${(tookMs / 1000).toFixed(1)} s at last`;
}

async function stops(context: Context, outcome: Outcome): Promise<void> {
  const victim = openIn(context);
  try {
    await victim.ready();
    const subjects = await newSubjects(victim, context, 0);
    for (let time = 0; time < sized(context, 5, 50); time++) {
      const subject = subjects[time % 3 === 2 ? 1 : 0] as Subject;
      await stopPolitely(victim, subject, outcome, context.random.between(100, 900));
      outcome.recoveriesMs.push(await victim.ready());
      report(context, outcome, await check(victim, subject), `stop ${time}`);
    }
    outcome.acknowledged = subjects.reduce((sum, { ledger }) => sum + ledger.acknowledged, 0);
  } finally {
    await victim.destroy();
  }
}

const residentMb = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
const medianOf = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

/** In the short mode the memory of a process that is still warming up may grow so much; after an hour it is flat. */
const growthMax = { short: 0.2, fullPerTenMinutes: 0.01 };

async function soak(context: Context, outcome: Outcome): Promise<void> {
  const victim = openIn(context);
  const totalMs = sized(context, 60_000, 3_600_000);
  try {
    await victim.ready();
    const [subject] = (await newSubjects(victim, context, 0)) as [Subject];
    const first = startLoad(victim.wire, subject.ledger, subject.world);
    await sleep(1_000);
    await first.stop();
    report(context, outcome, await check(victim, subject), 'at the start');
    const load = startLoad(victim.wire, subject.ledger, subject.world, { pauseMs: 25 });
    const pid = victim.pid() as number;
    const samples: { mb: number; files: number }[] = [];
    const began = performance.now();
    while (performance.now() - began < totalMs) {
      await sleep(Math.min(2_000, totalMs / 30));
      if (performance.now() - began > totalMs / 3)
        samples.push({ mb: residentMb(pid), files: readdirSync(`/proc/${pid}/fd`).length });
    }
    await load.stop();
    const third = Math.floor(samples.length / 3);
    const [early, late] = [samples.slice(0, third), samples.slice(-third)];
    const growth = medianOf(late.map(({ mb }) => mb)) / medianOf(early.map(({ mb }) => mb)) - 1;
    const files = medianOf(late.map((one) => one.files)) - medianOf(early.map((one) => one.files));
    const bar = context.isFull
      ? (growthMax.fullPerTenMinutes * (totalMs * 4)) / 9 / 600_000
      : growthMax.short;
    if (growth > bar) outcome.found.other.push(`its memory grew by ${(100 * growth).toFixed(1)} %`);
    if (files > 10) outcome.found.other.push(`it holds ${files} more files and sockets`);
    report(context, outcome, await check(victim, subject, { throughApi: true }), 'at the end');
    outcome.acknowledged = subject.ledger.acknowledged;
    outcome.aside = `${Math.round(totalMs / 1000)} s, ${load.answered} requests, memory ${(100 * growth).toFixed(1)} %, files ${files >= 0 ? '+' : ''}${files}`;
  } finally {
    await victim.destroy();
  }
}

async function twoServers(context: Context, outcome: Outcome): Promise<void> {
  await twoOnOneFolder(context, outcome);
  await twoOnOneDatabase(context, outcome);
}

async function twoOnOneFolder(context: Context, outcome: Outcome): Promise<void> {
  const [one, other] = [openIn(context), openIn(context)];
  try {
    await one.ready();
    const [subject] = (await newSubjects(one, context, 0)) as [Subject];
    for (let time = 0; time < sized(context, 2, 10); time++) {
      const load = startLoad(one.wire, subject.ledger, subject.world);
      other.start();
      const end = await Promise.race([other.ended(), sleep(30_000).then(() => 'not at all')]);
      await load.stop();
      if (end !== 'exit 1' || !/in use/.test(other.said()))
        outcome.found.other.push(
          `a second server on the folder ended with ${end} and said ${other.said().slice(-300)}`,
        );
      report(context, outcome, await check(one, subject), 'a second server came');
    }
    for (let time = 0; time < sized(context, 2, 10); time++) {
      await one.killBoth();
      await other.killBoth();
      one.start();
      other.start();
      const winners = await Promise.all(
        [one, other].map(async (victim) => ((await startedWell(victim)) ? victim : undefined)),
      );
      const alive = winners.filter((victim) => victim !== undefined);
      outcome.kills += 1;
      if (alive.length !== 1) {
        outcome.found.other.push(`${alive.length} of two servers started at the same moment run`);
        for (const victim of alive) await victim.killServer();
        continue;
      }
      report(context, outcome, await check(alive[0] as Victim, subject), 'both started at once');
      await (alive[0] as Victim).killServer();
    }
    outcome.acknowledged += subject.ledger.acknowledged;
  } finally {
    await other.killServer();
    await one.destroy();
    await other.destroy();
  }
}

async function startedWell(victim: Victim): Promise<boolean> {
  for (const began = performance.now(); performance.now() - began < 60_000; await sleep(50)) {
    if (!victim.isAlive()) return false;
    if (await victim.wire.isReady()) return true;
  }
  return false;
}

/** Two servers share an external database and the objects. Each job is done once, whoever does it. */
async function twoOnOneDatabase(context: Context, outcome: Outcome): Promise<void> {
  const host = openIn(context, 'host');
  const servers: Victim[] = [];
  try {
    await host.ready();
    // Its own database is made for one server, and three use it here.
    await configureDatabase(host, 'max_connections = 200\n');
    await host.sql((db) => db.query('create database shared'));
    const socketDir = readFileSync(join(host.dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split(
      '\n',
    )[4] as string;
    const databaseUrl = `postgres://fovea@localhost/shared?host=${encodeURIComponent(socketDir)}`;
    for (let n = 0; n < 2; n++) {
      servers.push(
        openVictim({
          main: context.main,
          dataDir: join(context.folder, 'shared'),
          port: context.port(),
          env: { DATABASE_URL: databaseUrl },
          databaseUrl,
        }),
      );
    }
    const [one, other] = servers as [Victim, Victim];
    one.start();
    other.start();
    // The first start of two at once: one of them may find the other at work and be started again, as a service manager would.
    await Promise.all([one.ready(), other.ready()]);
    const [subject] = (await newSubjects(one, context, 0)) as [Subject];
    const half = (from: number) => ({
      ...subject.world,
      lanes: subject.world.lanes.filter((_, n) => n % 2 === from),
    });
    for (let time = 0; time < sized(context, 3, 10); time++) {
      const loads = [
        startLoad(one.wire, subject.ledger, half(0)),
        startLoad(other.wire, subject.ledger, half(1)),
      ];
      await sleep(context.random.between(300, 900));
      if (time % 2 === 1) {
        await other.killServer();
        outcome.kills += 1;
      }
      await Promise.all(loads.map((load) => load.stop()));
      if (!other.isAlive()) outcome.recoveriesMs.push(await other.ready());
      report(context, outcome, await check(one, subject), 'two servers on one database');
    }
    outcome.acknowledged += subject.ledger.acknowledged;
  } finally {
    for (const server of servers) await server.destroy();
    await host.destroy();
  }
}

type Ingredient = Whom | 'hang-ups' | 'stop' | 'freeze' | 'death point' | 'second server';
const ingredients: readonly Ingredient[] = [
  'server',
  'server',
  'PostgreSQL',
  'both',
  'hang-ups',
  'stop',
  'freeze',
  'death point',
  'second server',
];
const soupPoints = [
  'commit-due',
  'commit-done',
  'object-renamed',
  'jobs-claimed',
  'jobs-worked',
  'inputs-settled',
  'media-freed',
  'upload-queued',
] as const;

/** Faults of all kinds one after the other, in an order that the seed decides. */
async function soup(context: Context, outcome: Outcome): Promise<void> {
  const { random } = context;
  const victim = openIn(context);
  const second = openIn(context);
  const subjects: Subject[] = [];
  const eaten = new Map<Ingredient, number>();
  try {
    await victim.ready();
    for (let bowl = 0; bowl < sized(context, 4, 200); bowl++) {
      const own = await newSubjects(victim, context, subjects.length);
      subjects.push(...own);
      for (let spoon = 0; spoon < 4; spoon++) {
        const subject = own[random.chance(0.2) ? 1 : 0] as Subject;
        const ingredient = random.pick(ingredients);
        eaten.set(ingredient, (eaten.get(ingredient) ?? 0) + 1);
        await swallow(ingredient, { context, outcome, victim, second, subject });
        report(
          context,
          outcome,
          await check(victim, subject, { throughApi: random.chance(0.2) }),
          `bowl ${bowl}, ${ingredient}`,
        );
      }
    }
    outcome.acknowledged = subjects.reduce((sum, { ledger }) => sum + ledger.acknowledged, 0);
    outcome.aside = [...eaten].map(([name, times]) => `${name} ${times}`).join(', ');
  } finally {
    await second.killServer();
    await victim.destroy();
    await second.destroy();
  }
}

async function swallow(
  ingredient: Ingredient,
  {
    context,
    outcome,
    victim,
    second,
    subject,
  }: { context: Context; outcome: Outcome; victim: Victim; second: Victim; subject: Subject },
): Promise<void> {
  const { random } = context;
  const { world, ledger } = subject;
  if (ingredient === 'stop') {
    await stopPolitely(victim, subject, outcome, random.between(50, 500));
    outcome.recoveriesMs.push(await victim.ready());
    return;
  }
  if (ingredient === 'death point') {
    await victim.killServer();
    victim.start({ FOVEA_FAILPOINTS: `${random.pick(soupPoints)}@${1 + random.below(6)}` });
    while (victim.isAlive() && !(await victim.wire.isReady())) await sleep(20);
  }
  const load = startLoad(victim.wire, ledger, world);
  await sleep(random.between(50, 600));
  if (ingredient === 'hang-ups') {
    for (let time = 0; time < 10; time++) {
      const write = random.pick(world.lanes).postInputs();
      if (await hangUp(victim, write, random)) ledger.doubt(write);
    }
    await sleep(300);
  } else if (ingredient === 'freeze') {
    victim.signal('SIGSTOP');
    await sleep(random.between(200, 2_000));
    victim.signal('SIGCONT');
  } else if (ingredient === 'second server') {
    second.start();
    await Promise.race([second.ended(), sleep(30_000)]);
    await second.killServer();
  } else if (ingredient === 'death point') {
    await Promise.race([victim.ended(), sleep(2_000)]);
    await victim.killServer();
    outcome.kills += 1;
  } else await killAndWait(victim, ingredient, outcome);
  await load.stop();
  outcome.recoveriesMs.push(await victim.ready());
}

export const lifecycleScenarios: readonly Scenario[] = [
  { id: 'R23', name: 'told to stop under load', run: stops },
  { id: 'R28', name: 'mixed load for a while', run: soak },
  { id: 'R29', name: 'two servers on one folder, on one database', run: twoServers },
  { id: 'R30', name: 'soup of faults', run: soup },
];
