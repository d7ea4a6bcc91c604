import { setTimeout as sleep } from 'node:timers/promises';
import type { Found } from './ledger.ts';
import { settled } from './oracle.ts';
import { picture } from './picture.ts';
import type { Random } from './random.ts';
import { attempt, openTroupe, type Point, type Troupe } from './troupe.ts';
import { userId, type Victim } from './victim.ts';

const path = `/v2/users/${userId}/apps/school`;
const pupilsOnly = { copy_inputs: true, copy_concepts: true, copy_annotations: true };

/** Model types that learn from twelve labelled pictures in a moment; each stores what it learnt in its own way. */
const types = ['embedding-classifier', 'visual-embedder', 'clusterer', 'visual-anomaly-heatmap'] as const;
const modelOf = (type: string) => `model-${type}`;
const concepts = [{ id: 'odd' }, { id: 'even' }];

const openText = `
  select 'an archive is ' || status_code as words from dataset_exports where status_code not in (64200, 64202)
  union all select 'a ' || kind || ' is ' || status_code from dataset_works where status_code <> 64002
  union all select 'a copy is ' || status_code from app_duplications where status_code <> 25200`;

/** An app with labelled pictures in which models are trained and judged, and apps that come and go. */
export async function openSchool(victim: Victim, random: Random): Promise<Troupe> {
  const { wire } = victim;
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
  await wire.must('POST', `${path}/models`, {
    models: types.map((type) => ({ id: modelOf(type), model_type_id: type })),
  });
  await settled(victim);
  const asked = new Set<string>();
  const judged = new Set<string>();
  const closed = new Set<string>();
  const copies = new Set<string>();
  let trainings = 0;
  let apps = 0;
  let keeps = 0;

  async function trainOne(type: (typeof types)[number]): Promise<void> {
    // Where concepts are named, the first says which pictures are as they should be.
    const named = { output_info: { data: { concepts } } };
    const exclusive = {
      output_info: { data: { concepts }, output_config: { concepts_mutually_exclusive: true } },
    };
    const versions = { 'embedding-classifier': exclusive, 'visual-anomaly-heatmap': named };
    const version = versions[type as keyof typeof versions] ?? {};
    await attempt(async () => {
      const body = { model_versions: [version] };
      const { model } = await wire.must('POST', `${path}/models/${modelOf(type)}/versions`, body);
      asked.add(model.model_version.id);
      await sleep(500);
    });
  }

  /** The types in turn, so that a run dies in some of them and many runs in all. */
  const train = () => trainOne(types[trainings++ % types.length] as (typeof types)[number]);

  async function evaluate(): Promise<void> {
    await attempt(async () => {
      const trained = await victim.sql((db) =>
        db.query(
          'select 1 from model_versions v join models m on m.key = v.model_key where m.id = $1 and head_sha is not null limit 1',
          [modelOf(types[0])],
        ),
      );
      if (trained.rows.length === 0) return trainOne(types[0]);
      // One after the other: what waits for its turn is not stuck.
      const open = await victim.sql((db) =>
        db.query('select 1 from evaluations where status_code in (21301, 21303) limit 1'),
      );
      if (open.rows.length > 0) return;
      const body = { eval_metrics: [{ model: { id: modelOf(types[0]) } }] };
      const { eval_metrics: made } = await wire.must('POST', `${path}/evaluations`, body);
      judged.add(made[0].id);
      await sleep(500);
    });
  }

  /** Makes an app with a few inputs and deletes it. */
  async function closeApp(): Promise<void> {
    const id = `passing-${apps++}`;
    await attempt(async () => {
      await wire.must('POST', `/v2/users/${userId}/apps`, {
        apps: [{ id, default_workflow: { id: 'Empty', app_id: 'main', user_id: 'clarifai' } }],
      });
      await wire.must('POST', `/v2/users/${userId}/apps/${id}/inputs`, {
        inputs: Array.from({ length: 5 }, (_, n) => ({ id: `${n}`, data: { text: { raw: `${id} ${n}` } } })),
      });
      await wire.must('DELETE', `/v2/users/${userId}/apps/${id}`);
      closed.add(id);
    });
  }

  /** Makes a version of the pupils, its archive, a restore of it, and a copy of the app; drops the version before. */
  async function keepAndCopy(): Promise<void> {
    const id = `kept-${keeps++}`;
    const versions = `${path}/datasets/class/versions`;
    await attempt(async () => {
      await wire.must('POST', versions, { dataset_versions: [{ id }] });
      await wire.must('PUT', `${versions}/${id}/exports`, { exports: [{ format: 1 }] });
      await wire.must('POST', `${path}/duplications`, {
        app_duplications: [{ id, destination_app: { id: `school-${id}` }, filter: pupilsOnly }],
      });
      copies.add(id);
      await sleep(500);
      await wire.must('POST', `/v2/ext/fovea${path.slice(3)}/datasets/class/versions/${id}/restore`);
      if (keeps > 2) await wire.must('DELETE', versions, { dataset_version_ids: [`kept-${keeps - 3}`] });
    });
  }

  async function compare(found: Found): Promise<void> {
    found.stuck.push(...(await settled(victim)));
    const there = await victim.sql(async (db) => ({
      open: (await db.query(openText)).rows,
      copies: (await db.query('select id, status_code as status from app_duplications')).rows,
      evaluations: (await db.query('select id, status_code as status from evaluations')).rows,
      versions: (
        await db.query(
          "select v.id, v.status_code as status from model_versions v join models m on m.key = v.model_key where m.id like 'model-%'",
        )
      ).rows,
      apps: (await db.query('select id from apps where deleted_at is null')).rows,
    }));
    for (const { words } of there.open) found.stuck.push(words);
    const copied = new Map(there.copies.map(({ id, status }) => [id, status]));
    for (const id of copies)
      if (copied.get(id) !== 25200) found.lost.push(`the copy ${id} ended as ${copied.get(id)}`);
    const trained = new Map<string, number>(there.versions.map(({ id, status }) => [id, status]));
    for (const id of asked) if (!trained.has(id)) found.lost.push(`the training ${id}`);
    for (const [id, code] of trained) {
      if (code === 21101 || code === 21103) found.stuck.push(`the training ${id} is ${code}`);
      else if (asked.has(id) && code !== 21100) found.other.push(`the training ${id} ended as ${code}`);
    }
    const measured = new Map<string, number>(there.evaluations.map(({ id, status }) => [id, status]));
    for (const id of judged) if (!measured.has(id)) found.lost.push(`the evaluation ${id}`);
    for (const [id, code] of measured) {
      if (code === 21301 || code === 21303) found.stuck.push(`the evaluation ${id} is ${code}`);
      else if (code !== 21300) found.other.push(`the evaluation ${id} ended as ${code}`);
    }
    for (const { id } of there.apps)
      if (closed.has(id)) found.lost.push(`the app ${id} was deleted and is back`);
  }

  function actFor(point: Point): (() => Promise<void>) | undefined {
    if (point.startsWith('training')) return train;
    if (point.startsWith('evaluation')) return evaluate;
    if (point.startsWith('purge')) return closeApp;
    if (/^(export|work|duplication|chunks)/.test(point)) return keepAndCopy;
    return undefined;
  }

  return openTroupe(actFor, compare);
}
