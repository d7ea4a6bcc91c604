import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deathPoints } from '../../server/src/domain/failpoints.ts';
import { migrations } from '../../server/src/store/migrations/index.ts';
import { ffmpegPath } from '../../server/src/testing/clips.ts';
import { openHarbour } from './harbour.ts';
import { newSubjects } from './kills.ts';
import type { Write } from './ledger.ts';
import { startLoad } from './load.ts';
import { check, type Subject } from './oracle.ts';
import { type Context, type Outcome, report, type Scenario, sized } from './scenario.ts';
import { openSchool } from './school.ts';
import type { Point, Troupe } from './troupe.ts';
import { openVictim, type Victim } from './victim.ts';
import { openWorkshop } from './workshop.ts';
import type { Lane } from './world.ts';

const startPoints: readonly Point[] = [
  'cluster-drafted',
  'settings-written',
  'migration-applied',
  'master-key-due',
  'first-user-due',
  'builtins-due',
  'port-open',
];
/** Passed so often under load that the moment is drawn from this many passages; others from a few. */
const passages: Partial<Record<Point, number>> = {
  'commit-due': 60,
  'commit-done': 60,
  'object-written': 30,
  'object-synced': 30,
  'object-renamed': 30,
  'jobs-enqueued': 10,
  'jobs-claimed': 10,
  'jobs-worked': 10,
  'jobs-finished': 10,
};
const fewPassages = 3;
/** Only a server that comes after a death passes these. */
const afterDeath: readonly Point[] = ['jobs-seized', 'jobs-given-back'];
/** How long a load tries to reach a point. */
const patienceMs = 90_000;
/** Points with one app; a new one keeps the comparisons short. */
const pointsPerWorld = 20;
/** Passed only while nobody works on what waits. */
const withoutWorkers = (point: Point) => point.startsWith('cancel') || point === 'statuses-half';
/** What a point needs of the server that passes it. */
const environmentFor = (point: Point): NodeJS.ProcessEnv => ({
  ...(withoutWorkers(point) ? { FOVEA_ROLES: 'api' } : {}),
  // Otherwise it would be passed in twelve hours.
  ...(point === 'versions-erased' ? { FOVEA_DELETED_MINUTES: '0' } : {}),
});

async function run(context: Context, outcome: Outcome): Promise<void> {
  const times = sized(context, 1, 20);
  const missed: string[] = [];
  const isChosen = (point: Point) =>
    (context.points.length === 0 || context.points.includes(point)) &&
    // Nothing is followed where no video can be read.
    (point !== 'track-followed' || ffmpegPath !== undefined);
  for (let time = 0; time < times; time++) {
    for (const point of startPoints.filter(isChosen)) {
      for (const passage of passagesOfStart(context, point, time))
        await dieAtStart(context, outcome, `${point}@${passage}`, missed);
    }
  }
  const points = deathPoints.filter((point) => !startPoints.includes(point) && isChosen(point));
  if (points.length > 0) await dieUnderLoad(context, outcome, { times, points, missed });
  outcome.found.other.push(...missed.map((failpoint) => `${failpoint} was not reached`));
  outcome.aside = `${deathPoints.filter(isChosen).length} points, each ${times}×`;
}

/** Each migration once in the full mode, and one of them otherwise: a first start takes its time. */
function passagesOfStart({ isFull, random }: Context, point: Point, time: number): number[] {
  const { length } = migrations;
  if (point !== 'migration-applied') return [1];
  return isFull && time === 0 ? Array.from({ length }, (_, n) => n + 1) : [1 + random.below(length)];
}

/** @returns whether the server died there */
async function startArmed(
  victim: Victim,
  failpoint: string,
  drive?: () => Promise<void>,
  env: NodeJS.ProcessEnv = {},
): Promise<boolean> {
  victim.start({ FOVEA_FAILPOINTS: failpoint, ...env });
  const until = performance.now() + 60_000;
  while (victim.isAlive() && !(await victim.wire.isReady()) && performance.now() < until) await sleep(20);
  if (victim.isAlive()) await drive?.();
  const died = !victim.isAlive() && victim.said().includes(`failpoint ${failpoint.split('@')[0]}`);
  await victim.killServer();
  return died;
}

async function dieAtStart(
  context: Context,
  outcome: Outcome,
  failpoint: string,
  missed: string[],
): Promise<void> {
  const victim = openVictim({
    main: context.main,
    dataDir: join(context.folder, failpoint),
    port: context.port(),
  });
  try {
    if (!(await startArmed(victim, failpoint))) missed.push(failpoint);
    outcome.kills += 1;
    outcome.recoveriesMs.push(await victim.ready());
    const [subject] = await newSubjects(victim, { ...context, folder: join(context.folder, failpoint) }, 0);
    await oneLoad(victim, subject as Subject, 200);
    report(context, outcome, await check(victim, subject as Subject), failpoint);
    outcome.acknowledged += subject?.ledger.acknowledged ?? 0;
  } finally {
    await victim.destroy();
  }
}

async function oneLoad(victim: Victim, { world, ledger }: Subject, ms: number): Promise<void> {
  const load = startLoad(victim.wire, ledger, world);
  await sleep(ms);
  await load.stop();
}

async function dieUnderLoad(
  context: Context,
  outcome: Outcome,
  { times, points, missed }: { times: number; points: readonly Point[]; missed: string[] },
): Promise<void> {
  const { random } = context;
  const victim = openVictim({
    main: context.main,
    dataDir: join(context.folder, 'data'),
    port: context.port(),
  });
  const closing: Troupe[] = [];
  try {
    await victim.ready();
    const subjects: Subject[] = [];
    const troupes = [
      await openSchool(victim, random.fork()),
      await openHarbour(victim, random.fork()),
      await openWorkshop(victim, random.fork()),
    ];
    closing.push(...troupes);
    for (const [at, point] of Array.from({ length: times }, () => points)
      .flat()
      .entries()) {
      await victim.ready();
      if (at % pointsPerWorld === 0) subjects.push(...(await newSubjects(victim, context, subjects.length)));
      // Pictures are in the other; texts are quicker.
      const subject = subjects.at(-2) as Subject;
      await victim.killServer();
      const lead = () => drive(victim, subject, point, troupes);
      if (afterDeath.includes(point)) await startArmed(victim, 'inputs-digested', lead);
      const failpoint = `${point}@${passageOf(context, point, troupes)}`;
      const isReached = await startArmed(victim, failpoint, lead, environmentFor(point));
      if (!isReached) missed.push(failpoint);
      context.say(isReached ? failpoint : `${failpoint} was not reached`);
      outcome.kills += 1;
      outcome.recoveriesMs.push(await victim.ready());
      report(context, outcome, await check(victim, subject), failpoint);
      for (const troupe of troupes) report(context, outcome, await troupe.check(), failpoint);
    }
    for (const subject of subjects)
      report(context, outcome, await check(victim, subject, { throughApi: true }), 'at the end');
    outcome.acknowledged += subjects.reduce((sum, { ledger }) => sum + ledger.acknowledged, 0);
  } finally {
    for (const troupe of closing) await troupe.close?.();
    await victim.destroy();
  }
}

/** What takes long is killed when it gets there first; the rest at one of several passages. */
function passageOf({ random }: Context, point: Point, troupes: readonly Troupe[]): number {
  const isSlow = afterDeath.includes(point) || troupes.some((troupe) => troupe.actFor(point));
  return 1 + random.below(isSlow ? 1 : (passages[point] ?? fewPassages));
}

/** Sends what leads past a point, again and again until the server is dead. */
async function drive(
  victim: Victim,
  { world, ledger }: Subject,
  point: Point,
  troupes: readonly Troupe[],
): Promise<void> {
  const next = mixtureFor(point);
  const acts = troupes.flatMap((troupe) => troupe.actFor(point) ?? []);
  // Where others lead there, the mixture only keeps them company.
  const load = startLoad(victim.wire, ledger, world, {
    ...(next ? { next } : {}),
    ...(acts.length > 0 ? { pauseMs: 200 } : {}),
  });
  const began = performance.now();
  while (victim.isAlive() && performance.now() - began < patienceMs) {
    for (const act of acts) await act();
    await Promise.race([sleep(100), victim.ended()]);
  }
  await victim.killServer();
  await load.stop();
}

function mixtureFor(point: Point): ((lane: Lane) => Write) | undefined {
  const orMixed = (own: (lane: Lane) => Write) => (lane: Lane) =>
    lane.inputIds().length > 30 && lane.isWilling() ? own(lane) : lane.next();
  if (point === 'versions-erased')
    return orMixed((lane) =>
      lane.isWilling() && Math.random() < 0.5 ? lane.postVersion() : lane.deleteInputs(lane.inputIds()),
    );
  if (point.startsWith('snapshot')) return orMixed((lane) => lane.postVersion());
  if (point.startsWith('delete') || point.startsWith('media') || point === 'object-deleted')
    return orMixed((lane) => lane.deleteInputs(lane.inputIds()));
  if (point.startsWith('patch')) return orMixed((lane) => lane.patchInputs(lane.inputIds()));
  if (point.startsWith('annotations')) return orMixed((lane) => lane.postAnnotations(lane.inputIds()));
  if (point.startsWith('upload-') || point.startsWith('inputs') || point.startsWith('object'))
    return orMixed((lane) => lane.postInputs());
  return undefined;
}

export const deathPointScenarios: readonly Scenario[] = [
  { id: 'R4', name: 'death at each named point', run },
];
