import { setTimeout as sleep } from 'node:timers/promises';
import { ffmpegPath, numberedClip } from '../../server/src/testing/clips.ts';
import { channelNetwork, tarFile, uploadVersion } from '../../server/src/testing/models.ts';
import type { Person } from '../../server/src/testing/people.ts';
import type { Found } from './ledger.ts';
import { settled } from './oracle.ts';
import { picture } from './picture.ts';
import type { Random } from './random.ts';
import { attempt, openTroupe, type Point, type Troupe } from './troupe.ts';
import { auditApp } from './truth.ts';
import { pat, userId, type Victim } from './victim.ts';

const path = `/v2/users/${userId}/apps/workshop`;
const walk = `/v2/users/${userId}/apps/walk`;
const modelId = 'brought';
const detector = '/v2/users/clarifai/apps/main/models/general-image-detection';
const general = { id: 'General', app_id: 'main', user_id: 'clarifai' };
/** A stream that its server left without a word is not waited for any longer. */
const uploadMsMax = 20_000;

/** Statuses of a version that was brought. */
const version = { uploading: 21104, building: 21107, built: 21100 };
const exported = 21500;

const archive = tarFile({
  'fovea.json': JSON.stringify({ task: 'image-classification', labels: ['red', 'green', 'blue'] }),
  'model.onnx': channelNetwork(),
});

/** Without the one that a model that can be trained begins with. */
const versionsText = `
  select v.id, v.status_code as status, v.status_details as details, e.status_code as export
  from model_versions v join models m on m.key = v.model_key join apps a on a.key = m.app_key
    left join model_exports e on e.version_key = v.key
  where a.id = 'workshop' and v.status_code <> 21102 order by v.key`;

interface VersionRow {
  readonly id: string;
  readonly status: number;
  readonly details: string;
  readonly export: number | null;
}

/** Models that are brought and taken away, an app whose pictures are indexed anew, and a thing that is followed. */
export async function openWorkshop(victim: Victim, random: Random): Promise<Troupe> {
  const { wire } = victim;
  const person = { url: victim.url, pat, userId, appId: 'workshop' } as unknown as Person;
  const acknowledged = new Set<string>();
  const exports = new Set<string>();
  const refused: string[] = [];
  let asked: { track: string; body: object } | undefined;
  let count = 0;

  for (const [id, workflow] of [
    ['workshop', { ...general, id: 'Empty' }],
    ['walk', general],
  ])
    await wire.must('POST', `/v2/users/${userId}/apps`, { apps: [{ id, default_workflow: workflow }] });
  await wire.must('POST', `${path}/models`, {
    models: [{ id: modelId, model_type_id: 'visual-classifier' }],
  });
  const walkers = Array.from({ length: 6 }, (_, n) => ({
    id: `walker-${n}`,
    data: { image: { base64: picture(random).toString('base64') } },
  }));
  await wire.must('POST', `${walk}/inputs`, { inputs: walkers });
  if (ffmpegPath) {
    const film = await numberedClip({ ending: 'mp4', frames: 12, fps: 10 });
    await wire.must('POST', `${path}/inputs`, {
      inputs: [{ id: 'film', data: { video: { base64: film.toString('base64') } } }],
    });
  }
  const { model } = await wire.must('GET', detector);
  const worker = {
    model: {
      id: model.id,
      user_id: 'clarifai',
      app_id: 'main',
      model_version: { id: model.model_version.id },
    },
  };
  await settled(victim);

  const versions = async (): Promise<VersionRow[]> =>
    victim.sql(async (db) => (await db.query<VersionRow>(versionsText)).rows);

  /** Sends the archive in parts; `versionId` goes on with an upload that broke off. */
  async function bring(versionId = ''): Promise<void> {
    const sent = uploadVersion(person, modelId, archive, { versionId, partBytes: 1_024 });
    const replies = await Promise.race([
      sent,
      sleep(uploadMsMax, [] as Awaited<typeof sent>, { ref: false }),
    ]);
    const last = replies.at(-1);
    if (last?.status?.code === version.building) acknowledged.add(last.modelVersionId);
  }

  /** Asks for the archive of a version that has none yet. */
  async function take(): Promise<void> {
    const free = (await versions()).find((one) => one.status === version.built && one.export === null);
    if (!free) return bring();
    const { id } = free;
    if (
      await attempt(() => wire.must('PUT', `${path}/models/${modelId}/versions/${id}/exports`, {}), refused)
    )
      exports.add(id);
    await sleep(200);
  }

  async function indexAnew(): Promise<void> {
    const body = { action: 'overwrite', reindex: true, app: { id: 'walk', default_workflow: general } };
    await attempt(() => wire.must('PATCH', walk, body), refused);
    await sleep(500);
  }

  async function follow(): Promise<void> {
    const track = `track-${count++}`;
    const bounding_box = { top_row: 0.1, left_col: 0.1, bottom_row: 0.8, right_col: 0.8 };
    const region = {
      track_id: track,
      region_info: { bounding_box },
      data: { concepts: [{ id: 'it', value: 1 }] },
    };
    const frames = [{ frame_info: { number: 0, time: 0 }, data: { regions: [region] } }];
    const isMarked = await attempt(async () => {
      await wire.must('POST', `${path}/inputs/film/annotation_tracks`, {
        annotation_tracks: [{ id: track, sample_rate_frame: 3, concept: { id: 'it', name: 'it' } }],
      });
      await wire.must('POST', `${path}/annotations`, {
        annotations: [{ input_id: 'film', data: { frames } }],
      });
    }, refused);
    if (!isMarked) return;
    asked = { track, body: { track_id: track, annotation_type: 'BOUNDING_BOX', worker } };
    await attempt(() => wire.must('POST', `${path}/inputs/film/track_annotations/searches`, asked?.body));
  }

  async function checkVersions(found: Found): Promise<void> {
    for (const { id, status } of await versions()) if (status === version.uploading) await bring(id);
    found.stuck.push(...(await settled(victim)));
    const there = new Map((await versions()).map((row) => [row.id, row]));
    for (const id of acknowledged) if (!there.has(id)) found.lost.push(`the version ${id} that was brought`);
    for (const { id, status, details, export: taken } of there.values()) {
      if (status !== version.built) found.other.push(`the version ${id} is ${status} ${details}`);
      if (taken !== null && taken !== exported)
        found.stuck.push(`the archive of the version ${id} is ${taken}`);
      if (taken === null && exports.has(id)) found.lost.push(`the archive of the version ${id}`);
    }
    const newest = [...there.values()].findLast(({ status }) => status === version.built);
    if (!newest) return;
    const image = { base64: picture(random).toString('base64') };
    const { http, json } = await wire.call(
      'POST',
      `${path}/models/${modelId}/versions/${newest.id}/outputs`,
      { inputs: [{ data: { image } }] },
    );
    if (http !== 200)
      found.other.push(`the version ${newest.id} answers ${http} ${JSON.stringify(json.status)}`);
  }

  async function compare(found: Found): Promise<void> {
    found.other.push(...refused.splice(0));
    await checkVersions(found);
    const { counts } = await wire.must('GET', `${walk}/inputs/status`);
    if (Number(counts.to_reindex ?? 0) + Number(counts.reindexing ?? 0) > 0)
      found.stuck.push(`pictures wait to be indexed anew: ${JSON.stringify(counts)}`);
    const wrong = await victim.sql(async (db) => {
      const { rows } = await db.query("select key::text as key from apps where id = 'walk'");
      return auditApp(db, rows[0].key, true);
    });
    found.other.push(...wrong);
    // What was asked for before the death is answered when it is asked for again.
    if (asked) {
      const { http, json } = await wire.call(
        'POST',
        `${path}/inputs/film/track_annotations/searches`,
        asked.body,
      );
      if (http !== 200) found.other.push(`${asked.track} answers ${http} ${JSON.stringify(json.status)}`);
      asked = undefined;
    }
  }

  function actFor(point: Point): (() => Promise<void>) | undefined {
    if (point.startsWith('model-export')) return take;
    if (point.startsWith('model-')) return () => bring();
    if (point.startsWith('reindex')) return indexAnew;
    if (point === 'track-followed') return follow;
    return undefined;
  }

  return openTroupe(actFor, compare);
}
