import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deathPoints } from '../../server/src/domain/failpoints.ts';
import { newSubjects } from './kills.ts';
import type { Found, Write } from './ledger.ts';
import { startLoad } from './load.ts';
import { check, type Subject, settled } from './oracle.ts';
import { picture } from './picture.ts';
import type { Random } from './random.ts';
import { type Context, type Outcome, report, type Scenario, sized } from './scenario.ts';
import { openVictim, userId, type Victim } from './victim.ts';
import type { Lane } from './world.ts';

type Point = (typeof deathPoints)[number];

const startPoints: readonly Point[] = [
  'cluster-drafted',
  'settings-written',
  'migration-applied',
  'master-key-due',
  'first-user-due',
  'builtins-due',
  'port-open',
];
const migrations = 5;
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
const patienceMs = 12_000;

async function run(context: Context, outcome: Outcome): Promise<void> {
  const times = sized(context, 1, 20);
  const missed: string[] = [];
  for (let time = 0; time < times; time++) {
    for (const point of startPoints) {
      for (const passage of passagesOfStart(context, point))
        await dieAtStart(context, outcome, `${point}@${passage}`, missed);
    }
  }
  await dieUnderLoad(context, outcome, times, missed);
  outcome.aside = `${deathPoints.length} points, each ${times}×${missed.length > 0 ? `; not reached: ${[...new Set(missed)].join(' ')}` : ''}`;
}

/** Each migration in the full mode, one of them otherwise: a first start takes its time. */
function passagesOfStart({ isFull, random }: Context, point: Point): number[] {
  if (point !== 'migration-applied') return [1];
  return isFull ? Array.from({ length: migrations }, (_, n) => n + 1) : [1 + random.below(migrations)];
}

/** @returns whether the server died there */
async function startArmed(victim: Victim, failpoint: string, drive?: () => Promise<void>): Promise<boolean> {
  victim.start({ FOVEA_FAILPOINTS: failpoint });
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
  times: number,
  missed: string[],
): Promise<void> {
  const { random } = context;
  const victim = openVictim({
    main: context.main,
    dataDir: join(context.folder, 'data'),
    port: context.port(),
  });
  try {
    await victim.ready();
    const subjects = await newSubjects(victim, context, 0);
    const school = await openSchool(victim, random);
    const points = deathPoints.filter((point) => !startPoints.includes(point));
    for (let time = 0; time < times; time++) {
      for (const point of points) {
        // Pictures are needed for training alone; texts are quicker.
        const subject = subjects[0] as Subject;
        await victim.killServer();
        if (afterDeath.includes(point))
          await startArmed(victim, 'inputs-digested', () => drive(victim, subject, point, school));
        const failpoint = `${point}@${1 + random.below(afterDeath.includes(point) ? 1 : (passages[point] ?? fewPassages))}`;
        if (!(await startArmed(victim, failpoint, () => drive(victim, subject, point, school))))
          missed.push(failpoint);
        outcome.kills += 1;
        outcome.recoveriesMs.push(await victim.ready());
        report(context, outcome, await check(victim, subject), failpoint);
        report(context, outcome, await school.check(), failpoint);
      }
    }
    for (const subject of subjects)
      report(context, outcome, await check(victim, subject, { throughApi: true }), 'at the end');
    outcome.acknowledged += subjects.reduce((sum, { ledger }) => sum + ledger.acknowledged, 0);
  } finally {
    await victim.destroy();
  }
}

/** Sends what leads past a point, again and again until the server is dead. */
async function drive(
  victim: Victim,
  { world, ledger }: Subject,
  point: Point,
  school: School,
): Promise<void> {
  const next = mixtureFor(point);
  const load = startLoad(victim.wire, ledger, world, next ? { next } : {});
  const began = performance.now();
  while (victim.isAlive() && performance.now() - began < patienceMs) {
    if (point.startsWith('training')) await school.train();
    if (point.startsWith('evaluation')) await school.evaluate();
    if (point.startsWith('purge')) await school.closeApp();
    if (/^(export|work|duplication|chunks)/.test(point)) await school.keepAndCopy();
    await Promise.race([sleep(100), victim.ended()]);
  }
  await victim.killServer();
  await load.stop();
}

function mixtureFor(point: Point): ((lane: Lane) => Write) | undefined {
  const orMixed = (own: (lane: Lane) => Write) => (lane: Lane) =>
    lane.inputIds().length > 30 && lane.isWilling() ? own(lane) : lane.next();
  if (point.startsWith('snapshot')) return orMixed((lane) => lane.postVersion());
  if (point.startsWith('delete') || point.startsWith('media') || point === 'object-deleted')
    return orMixed((lane) => lane.deleteInputs(lane.inputIds()));
  if (point.startsWith('patch')) return orMixed((lane) => lane.patchInputs(lane.inputIds()));
  if (point.startsWith('annotations')) return orMixed((lane) => lane.postAnnotations(lane.inputIds()));
  if (point.startsWith('upload') || point.startsWith('inputs') || point.startsWith('object'))
    return orMixed((lane) => lane.postInputs());
  return undefined;
}

const pupilsOnly = { copy_inputs: true, copy_concepts: true, copy_annotations: true };
const openText = `
  select 'an archive is ' || status_code as words from dataset_exports where status_code not in (64200, 64202)
  union all select 'a ' || kind || ' is ' || status_code from dataset_works where status_code <> 64002
  union all select 'a copy is ' || status_code from app_duplications where status_code <> 25200`;

interface School {
  /** Asks for a training; what it answers is remembered. */
  train(): Promise<void>;
  /** Asks for a cross-validation of the model, once there is a trained version. */
  evaluate(): Promise<void>;
  /** Makes an app with a few inputs and deletes it. */
  closeApp(): Promise<void>;
  /** Makes a version of the pupils, its archive, a restore of it, and a copy of the app; drops the version before. */
  keepAndCopy(): Promise<void>;
  check(): Promise<Found>;
}

/** An app with labelled pictures in which models are trained, and apps that come and go. */
async function openSchool(victim: Victim, random: Random): Promise<School> {
  const { wire } = victim;
  const path = `/v2/users/${userId}/apps/school`;
  const pupils = Array.from({ length: 12 }, (_, n) => ({
    id: `pupil-${n}`,
    data: {
      image: { base64: picture(random).toString('base64') },
      concepts: [{ id: n % 2 ? 'odd' : 'even', value: 1 }],
    },
  }));
  await wire.must('POST', `/v2/users/${userId}/apps`, {
    apps: [{ id: 'school', default_workflow: { id: 'General', app_id: 'main', user_id: 'clarifai' } }],
  });
  await wire.must('POST', `${path}/inputs`, { inputs: pupils });
  await wire.must('POST', `${path}/datasets`, { datasets: [{ id: 'class' }] });
  await wire.must('POST', `${path}/datasets/class/inputs`, {
    dataset_inputs: pupils.map(({ id }) => ({ input: { id } })),
  });
  await wire.must('POST', `${path}/models`, { models: [{ id: 'model' }] });
  await settled(victim);
  const asked = new Set<string>();
  const judged = new Set<string>();
  const closed = new Set<string>();
  const copies = new Set<string>();
  let apps = 0;
  let keeps = 0;
  const school: School = {
    async train() {
      const concepts = [{ id: 'odd' }, { id: 'even' }];
      const version = {
        output_info: { data: { concepts }, output_config: { concepts_mutually_exclusive: true } },
      };
      try {
        const { model } = await wire.must('POST', `${path}/models/model/versions`, {
          model_versions: [version],
        });
        asked.add(model.model_version.id);
        await sleep(500);
      } catch {
        // No answer; it may be trained or not.
      }
    },
    async evaluate() {
      try {
        const { heads } = await victim.sql(async (db) => ({
          heads: (await db.query('select 1 from model_versions where head_sha is not null limit 1')).rows,
        }));
        if (heads.length === 0) return await school.train();
        const { eval_metrics: made } = await wire.must('POST', `${path}/evaluations`, {
          eval_metrics: [{ model: { id: 'model' } }],
        });
        judged.add(made[0].id);
        await sleep(500);
      } catch {
        // No answer; it may be made or not.
      }
    },
    async closeApp() {
      const id = `passing-${apps++}`;
      try {
        await wire.must('POST', `/v2/users/${userId}/apps`, {
          apps: [{ id, default_workflow: { id: 'Empty', app_id: 'main', user_id: 'clarifai' } }],
        });
        await wire.must('POST', `/v2/users/${userId}/apps/${id}/inputs`, {
          inputs: Array.from({ length: 5 }, (_, n) => ({
            id: `${n}`,
            data: { text: { raw: `${id} ${n}` } },
          })),
        });
        await wire.must('DELETE', `/v2/users/${userId}/apps/${id}`);
        closed.add(id);
      } catch {
        // It may be there, or be gone.
      }
    },
    async keepAndCopy() {
      const id = `kept-${keeps++}`;
      const versions = `${path}/datasets/class/versions`;
      try {
        await wire.must('POST', versions, { dataset_versions: [{ id }] });
        await wire.must('PUT', `${versions}/${id}/exports`, { exports: [{ format: 1 }] });
        await wire.must('POST', `/v2/users/${userId}/apps/school/duplications`, {
          app_duplications: [{ id, destination_app: { id: `school-${id}` }, filter: pupilsOnly }],
        });
        copies.add(id);
        await sleep(500);
        await wire.must('POST', `/v2/ext/fovea${path.slice(3)}/datasets/class/versions/${id}/restore`);
        if (keeps > 2) await wire.must('DELETE', versions, { dataset_version_ids: [`kept-${keeps - 3}`] });
      } catch {
        // No answer, or the version was not ready yet; whatever was begun has to end.
      }
    },
    async check() {
      const found: Found = { lost: [], stuck: [], other: [] };
      found.stuck.push(...(await settled(victim)));
      const {
        versions,
        evaluations,
        apps: live,
        open,
        copied,
      } = await victim.sql(async (db) => ({
        open: (await db.query(openText)).rows,
        copied: (await db.query('select id, status_code as status from app_duplications')).rows,
        evaluations: (await db.query('select id, status_code as status from evaluations')).rows,
        versions: (
          await db.query(
            "select v.id, v.status_code as status from model_versions v join models m on m.key = v.model_key where m.id = 'model'",
          )
        ).rows,
        apps: (await db.query('select id from apps where deleted_at is null')).rows,
      }));
      for (const { words } of open) found.stuck.push(words);
      const copyOf = new Map(copied.map(({ id, status: code }) => [id, code]));
      for (const id of copies)
        if (copyOf.get(id) !== 25200) found.lost.push(`the copy ${id} ended as ${copyOf.get(id)}`);
      const status = new Map(versions.map(({ id, status: code }) => [id, code]));
      for (const id of asked) if (!status.has(id)) found.lost.push(`the training ${id}`);
      for (const [id, code] of status) {
        if (code === 21101 || code === 21103) found.stuck.push(`the training ${id} is ${code}`);
        else if (asked.has(id) && code !== 21100) found.other.push(`the training ${id} ended as ${code}`);
      }
      const outcomes = new Map(evaluations.map(({ id, status: code }) => [id, code]));
      for (const id of judged) if (!outcomes.has(id)) found.lost.push(`the evaluation ${id}`);
      for (const [id, code] of outcomes) {
        if (code === 21301 || code === 21303) found.stuck.push(`the evaluation ${id} is ${code}`);
        else if (code !== 21300) found.other.push(`the evaluation ${id} ended as ${code}`);
      }
      for (const { id } of live) if (closed.has(id)) found.lost.push(`the app ${id} was deleted and is back`);
      return found;
    },
  };
  return school;
}

export const deathPointScenarios: readonly Scenario[] = [
  { id: 'R4', name: 'death at each named point', run },
];
