import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ledger, type Write } from './ledger.ts';
import { startLoad } from './load.ts';
import { check, type Subject } from './oracle.ts';
import type { Random } from './random.ts';
import { type Context, isClean, type Outcome, report, type Scenario, sized } from './scenario.ts';
import { openVictim, type Victim } from './victim.ts';
import { makeWorld } from './world.ts';

export type Whom = 'server' | 'PostgreSQL' | 'both';

/** Cycles with one app; a new one keeps the comparisons short. */
const cyclesPerWorld = 20;
const killAfterMsMin = 50;
/** A control ends with the first thing that is found. */
const controlCyclesMax = 20;

/** Kills at random moments of a mixed load, and compares after each. */
export async function killCycles(
  context: Context,
  outcome: Outcome,
  options: {
    whom: (random: Random) => Whom;
    cycles: number;
    spoil?: (victim: Victim) => Promise<void>;
    endEarly?: boolean;
  },
): Promise<void> {
  const { random, folder } = context;
  const victim = openVictim({ main: context.main, dataDir: join(folder, 'data'), port: context.port() });
  const subjects: Subject[] = [];
  try {
    await victim.ready();
    for (let cycle = 0; cycle < options.cycles; cycle++) {
      if (cycle % cyclesPerWorld === 0)
        subjects.push(...(await newSubjects(victim, context, subjects.length)));
      if (cycle === 0) await options.spoil?.(victim);
      // Pictures cost a network each, so they come now and then.
      const subject = subjects.at(cycle % 5 === 4 ? -1 : -2) as Subject;
      await oneCycle(context, outcome, victim, subject, options.whom(random), cycle);
      if (options.endEarly && !isClean(outcome.found)) break;
    }
    for (const subject of subjects)
      report(context, outcome, await check(victim, subject, { throughApi: true }), 'at the end');
  } finally {
    outcome.acknowledged += subjects.reduce((sum, { ledger }) => sum + ledger.acknowledged, 0);
    const unknown = subjects.reduce((sum, { ledger }) => sum + ledger.unknown, 0);
    const internal = subjects.reduce((sum, { ledger }) => sum + ledger.internal, 0);
    outcome.aside = `${unknown} replies lost${internal > 0 ? `, ${internal} internal errors` : ''}`;
    await victim.destroy();
  }
}

export async function newSubjects(
  { wire }: Victim,
  { random, folder }: Context,
  count: number,
): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const workflow of ['Empty', 'General'] as const) {
    const appId = `app-${count + subjects.length}`;
    const ledger = new Ledger(join(folder, `${appId}.jsonl`));
    const world = await makeWorld(wire, ledger, appId, random, {
      workflow,
      lanes: workflow === 'General' ? 2 : 6,
    });
    subjects.push({ world, ledger, seen: new Set() });
  }
  return subjects;
}

async function oneCycle(
  context: Context,
  outcome: Outcome,
  victim: Victim,
  subject: Subject,
  whom: Whom,
  cycle: number,
): Promise<void> {
  const { random } = context;
  const { world, ledger } = subject;
  const load = startLoad(victim.wire, ledger, world);
  // Mostly when the work is in full swing; sometimes while the first requests are under way.
  const isWarm = random.chance(0.8);
  for (let waitedMs = 0; isWarm && load.answered < 3 && waitedMs < 3_000; waitedMs += 10) await sleep(10);
  await sleep(random.between(killAfterMsMin, context.isFull ? 1_200 : 800));
  await killAndWait(victim, whom, outcome);
  await load.stop();
  // A second blow while the first is being recovered from.
  if (random.chance(0.15)) {
    await sleep(random.between(0, 300));
    await killAndWait(victim, whom, outcome);
  }
  const decided = random.chance(0.5) ? await sendAgain(victim, subject) : undefined;
  const found = await check(victim, subject, { throughApi: cycle % 5 === 3, decided });
  report(context, outcome, found, `cycle ${cycle}, ${whom} killed`);
  if (cycle % 10 === 9)
    context.say(`${cycle + 1} cycles, ${ledger.acknowledged} acknowledged in ${world.appId}`);
}

export async function killAndWait(victim: Victim, whom: Whom, outcome: Outcome): Promise<void> {
  const began = performance.now();
  if (whom === 'server') await victim.killServer();
  else if (whom === 'both') await victim.killBoth();
  else {
    const pid = victim.pid();
    victim.killPostgres();
    await writable(victim);
    if (victim.pid() !== pid) outcome.found.other.push('the server ended with PostgreSQL');
  }
  await victim.ready();
  outcome.kills += 1;
  outcome.recoveriesMs.push(performance.now() - began);
}

/** Waits until the server reaches its database again. */
async function writable(victim: Victim): Promise<void> {
  await sleep(20);
  await victim.ready();
}

/** Repeats what may or may not have happened; afterwards it has. @returns what was answered */
export async function sendAgain({ wire }: Victim, { ledger }: Subject): Promise<Set<Write>> {
  const decided = new Set<Write>();
  for (const write of ledger.open) {
    const reply = await wire.call(write.verb, write.path, write.body);
    const code = reply.json.status?.code;
    if (code === 10000 || (write.rpc.startsWith('Post') && saysKnown(reply.json))) decided.add(write);
    else
      ledger.refused.push(
        `${write.rpc} sent again answered ${reply.http}: ${JSON.stringify(reply.json.status)}`,
      );
  }
  return decided;
}

/** Statuses of the contract: the id, or the URL, is known. */
const known = new Set([40010, 30100, 40002, 40003, 44132]);

// biome-ignore lint/suspicious/noExplicitAny: replies of every shape
function saysKnown(json: any): boolean {
  const text = JSON.stringify(json);
  return (
    [...known].some((code) => text.includes(`"code":${code},`)) || /already exists|duplicate/i.test(text)
  );
}

const always = (whom: Whom) => () => whom;

/** Starts the embedded database again with other settings. */
export async function configureDatabase(victim: Victim, settings: string): Promise<void> {
  writeFileSync(join(victim.dataDir, 'postgres', 'cluster', 'user.conf'), settings, { mode: 0o644 });
  await victim.killBoth();
  await victim.ready();
}

/** What a database does when it is told that speed matters more: it answers, and writes ten seconds later. */
async function makeForgetful(victim: Victim): Promise<void> {
  await configureDatabase(victim, "synchronous_commit = off\nwal_writer_delay = '10s'\n");
  const setting = await victim.sql(
    async (db) => (await db.query('show synchronous_commit')).rows[0].synchronous_commit,
  );
  if (setting !== 'off') throw new Error(`synchronous_commit is ${setting}, not off`);
}

async function makeHasty(victim: Victim): Promise<void> {
  await victim.killServer();
  await victim.readyWith({ FOVEA_FAILPOINTS: 'answer-before-commit' });
}

export const killScenarios: readonly Scenario[] = [
  {
    id: 'R1',
    name: 'server killed under load',
    run: (context, outcome) =>
      killCycles(context, outcome, { whom: always('server'), cycles: sized(context, 120, 600) }),
  },
  {
    id: 'R2',
    name: 'PostgreSQL killed under load',
    run: (context, outcome) =>
      killCycles(context, outcome, { whom: always('PostgreSQL'), cycles: sized(context, 40, 200) }),
  },
  {
    id: 'R3',
    name: 'both killed under load',
    run: (context, outcome) =>
      killCycles(context, outcome, { whom: always('both'), cycles: sized(context, 40, 200) }),
  },
  {
    id: 'C1',
    name: 'database that acknowledges before it writes',
    isControl: true,
    run: (context, outcome) =>
      killCycles(context, outcome, {
        whom: always('both'),
        cycles: controlCyclesMax,
        spoil: makeForgetful,
        endEarly: true,
      }),
  },
  {
    id: 'C2',
    name: 'server that acknowledges before it commits',
    isControl: true,
    run: (context, outcome) =>
      killCycles(context, outcome, {
        whom: always('server'),
        cycles: controlCyclesMax,
        spoil: makeHasty,
        endEarly: true,
      }),
  },
];
