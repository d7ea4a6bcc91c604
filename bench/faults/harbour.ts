import { crc32 } from 'node:zlib';
import { zipOf } from '../../server/src/testing/archives.ts';
import { type Files, webStub } from '../../server/src/testing/stubs.ts';
import type { Found } from './ledger.ts';
import { settled } from './oracle.ts';
import { picture } from './picture.ts';
import type { Random } from './random.ts';
import { attempt, openTroupe, type Point, type Troupe } from './troupe.ts';
import { pat, userId, type Victim } from './victim.ts';

const path = `/v2/users/${userId}/apps/harbour`;
const quay = `/v2/users/${userId}/apps/quay`;
const recogniser = '/v2/users/clarifai/apps/main/models/general-image-recognition';
const perPack = 30;
/** More than the steps of a cancelled add job (1,000) and of a change of statuses (2,000) take at once. */
const crowd = { request: 128, requests: 16, timeoutMs: 80_000 };

interface Pack {
  readonly names: readonly string[];
  readonly bytes: Buffer;
  isAcknowledged: boolean;
}

/** Rows that say that something has not come to its end; all of it has to. */
const openText = `
  select 'the extraction ' || id || ' is ' || status_code as words from inputs_extraction_jobs
    where status_code in (64000, 64001) and (upload_key is null or exists
      (select from uploads u where u.key = upload_key and u.status_code = 68001))
  union all select 'the bulk operation ' || id || ' is ' || status_code from bulk_operations where status_code in (25402, 25403)
  union all select 'chunks of an operation that is over are left' from bulk_operation_chunks c
    join bulk_operations b on b.key = c.operation_key where b.status_code not in (25402, 25403)
  union all select 'what the collector has chosen waits: ' || input_id from collector_items`;

/** Each is wrong wherever it is found. */
const audits: Readonly<Record<string, string>> = {
  'uploads that count other bytes than they have': `
    select u.id as offender from uploads u left join upload_parts p on p.upload_key = u.key group by u.key
    having u.received_bytes <> coalesce(sum(p.size_bytes), 0) and u.status_code in (68000, 68001)
      or (u.status_code = 68001) <> (u.received_bytes = u.content_length) and u.status_code in (68000, 68001)`,
  'archives of extractions that are over': `
    select a.name as offender from inputs_extraction_archives a join inputs_extraction_jobs j on j.key = a.job_key
    where j.status_code not in (64000, 64001)`,
  'credentials of extractions that are over': `
    select id as offender from inputs_extraction_jobs where source is not null and status_code not in (64000, 64001)`,
  'collected inputs with more or less than what the model said': `
    select i.id as offender from inputs i join apps a on a.key = i.app_key left join annotations n
      on n.input_key = i.key and n.worker_model_version_key is not null
    where a.id = 'harbour' and i.kind = 'image' group by i.key, i.id having count(n.key) <> 1`,
  'add jobs that count other inputs than they have': `
    select j.id as offender from inputs_add_jobs j join apps a on a.key = j.app_key where a.id = 'quay'
      and j.success_count + j.failed_count <> (select count(*) from inputs i where i.add_job_key = j.key)`,
};

/** Archives in parts, a web site to take inputs from, changes of many inputs at once, and a collector. */
export async function openHarbour(victim: Victim, random: Random): Promise<Troupe> {
  const { wire } = victim;
  const files: Files = new Map();
  const site = await webStub(files);
  const packs = new Map<string, Pack>();
  const crates = new Map<string, boolean>();
  const operations = new Map<string, boolean>();
  const crowds = new Map<string, boolean>();
  const landed = new Set<string>();
  let count = 0;
  let predictions = 0;
  const refused: string[] = [];
  const attempted = (work: () => Promise<unknown>) => attempt(work, refused);
  let isReviewed = false;

  for (const id of ['harbour', 'quay'])
    await wire.must('POST', `/v2/users/${userId}/apps`, {
      apps: [{ id, default_workflow: { id: 'Empty', app_id: 'main', user_id: 'clarifai' } }],
    });
  const base = Array.from({ length: 20 }, (_, n) => `base-${n}`);
  await wire.must('POST', `${path}/datasets`, { datasets: [{ id: 'base' }] });
  await wire.must('POST', `${path}/inputs`, {
    inputs: base.map((id) => ({ id, data: { text: { raw: id } }, dataset_ids: ['base'] })),
  });
  const { model } = await wire.must('GET', recogniser);
  const predicts = `${recogniser}/versions/${model.model_version.id}/outputs`;
  await wire.must('POST', `${path}/collectors`, {
    collectors: [
      {
        id: 'collector',
        pre_queue_random_sample: 1,
        collect_outputs: true,
        collector_source: {
          api_post_model_outputs_collector_source: {
            model_user_id: 'clarifai',
            model_app_id: 'main',
            model_id: model.id,
            model_version_id: model.model_version.id,
            post_inputs_key_id: pat,
          },
        },
      },
    ],
  });

  async function sendParts(id: string, { bytes }: Pack): Promise<void> {
    const half = bytes.length >> 1;
    for (const [number, from, to] of [
      [2, half, bytes.length],
      [1, 0, half],
    ] as const)
      await wire.must('PUT', `${path}/uploads/${id}/content_parts`, {
        content_parts: [
          { part_number: number, range_start: from, data: bytes.subarray(from, to).toString('base64') },
        ],
      });
  }

  async function sendPack(): Promise<void> {
    const id = `pack-${count++}`;
    const names = Array.from({ length: perPack }, (_, n) => `${id}-${n}.txt`);
    const packed = names.map((name) => ({ path: name, bytes: Buffer.from(`text of ${name}`) }));
    const inner = zipOf(packed.splice(perPack / 2));
    const bytes = zipOf([...packed, { path: 'inner.zip', bytes: inner }]);
    const pack: Pack = { names, bytes, isAcknowledged: false };
    packs.set(id, pack);
    pack.isAcknowledged = await attempted(() =>
      wire.must('POST', `${path}/inputs/uploads`, {
        inputs_uploads: [
          { inputs_add_job_id: id, upload: { id, content_name: `${id}.zip`, content_length: bytes.length } },
        ],
      }),
    );
    if (pack.isAcknowledged) await attempted(() => sendParts(id, pack));
  }

  async function takeFromSite(): Promise<void> {
    const id = `crate-${count++}`;
    for (let n = 0; n < perPack; n++)
      files.set(`${id}/${n % 3}/${id}-${n}.txt`, Buffer.from(`text of ${id} ${n}`));
    const body = { data_sources: [{ inputs_add_job_id: id, url: { url: `${site.url}/${id}/` } }] };
    crates.set(id, await attempted(() => wire.must('POST', `${path}/inputs/data_sources`, body)));
  }

  async function changeMany(): Promise<void> {
    const id = `operation-${count++}`;
    const operation = { add_metadata: { metadata: { [id]: true } } };
    const source = random.chance(0.5) ? { dataset: { id: 'base' } } : { search: { query: {} } };
    const body = { bulk_operations: [{ id, ...source, operation }] };
    operations.set(id, await attempted(() => wire.must('POST', `${path}/bulk_operations`, body)));
  }

  async function letExpire(): Promise<void> {
    const id = `late-${count++}`;
    const upload = { id, content_name: 'late.zip', content_length: 10 };
    await attempted(() => wire.must('POST', `${path}/uploads`, { uploads: [upload] }));
    await attempted(() =>
      victim.sql(async (db) => {
        await db.query("update uploads set expires_at = now() - interval '1 minute' where id = $1", [id]);
        await db.query("update job_schedules set next_at = now() where kind = 'uploads.expire'");
      }),
    );
  }

  async function predict(): Promise<void> {
    const image = { base64: picture(random).toString('base64') };
    predictions += 1;
    await attempted(() => wire.must('POST', predicts, { inputs: [{ data: { image } }] }));
  }

  /** Thousands of inputs in one add job, which is then cancelled; told to a server that works on none of them. */
  async function cancelCrowd(): Promise<void> {
    const id = `crowd-${count++}`;
    crowds.set(id, false);
    const sent = await Promise.all(
      Array.from({ length: crowd.requests }, (_, request) => {
        const inputs = Array.from({ length: crowd.request }, (_, n) => {
          const input = `${id}-${request}-${n}`;
          return { id: input, data: { text: { raw: input } } };
        });
        return attempted(() =>
          wire.must('POST', `${quay}/inputs`, { inputs, inputs_add_job_id: id }, crowd.timeoutMs),
        );
      }),
    );
    if (sent.includes(false)) return;
    crowds.set(id, await attempted(() => wire.must('PATCH', `${quay}/inputs/jobs/add/${id}`, {})));
  }

  /** Annotations of a task, more than one step of a change of statuses takes. */
  async function changeStatuses(): Promise<void> {
    for (let request = 0; !isReviewed && request < crowd.requests; request++) {
      const annotations = Array.from({ length: crowd.request }, (_, n) => ({
        id: `review-${request}-${n}`,
        input_id: base[n % base.length],
        task_id: 'review',
        data: {},
      }));
      const { http, json } = await wire
        .call('POST', `${path}/annotations`, { annotations }, crowd.timeoutMs)
        .catch(() => ({ http: 0, json: {} }));
      if (http !== 200 && !JSON.stringify(json).includes('duplicate')) return;
    }
    isReviewed = true;
    const status_code = random.pick([24151, 24152, 24153, 24154]);
    const body = { action: 'overwrite', status_code };
    await attempted(() => wire.must('PATCH', `${path}/task/review/annotations/status`, body));
  }

  function actFor(point: Point): (() => Promise<void>) | undefined {
    if (point === 'extraction-queued' || point === 'extraction-listed') return takeFromSite;
    if (point.startsWith('extraction') || point.startsWith('part')) return sendPack;
    if (point === 'uploads-expired') return letExpire;
    if (point.startsWith('bulk')) return changeMany;
    if (point.startsWith('collector')) return predict;
    if (point.startsWith('cancel')) return cancelCrowd;
    if (point === 'statuses-half') return changeStatuses;
    return undefined;
  }

  /** Archives that did not get whole are sent on, as a client would after it lost the connection. */
  async function finishPacks(found: Found): Promise<void> {
    for (const [id, pack] of packs) {
      const { http, json } = await wire.call('GET', `${path}/uploads/${id}`);
      if (http === 404) {
        if (pack.isAcknowledged) found.lost.push(`the upload ${id}`);
        packs.delete(id);
      } else if (json.upload.status.code === 68000) await sendParts(id, pack);
      else if (json.upload.status.code !== 68001)
        found.other.push(`the upload ${id} is ${json.upload.status.code}`);
      else {
        const [got, sent] = [await wire.bytes(`/uploads/users/${userId}/apps/harbour/${id}`), pack.bytes];
        if (crc32(got) !== crc32(sent) || got.length !== sent.length)
          found.lost.push(`the upload ${id} has other bytes`);
      }
    }
  }

  async function compare(found: Found): Promise<void> {
    found.other.push(...refused.splice(0));
    await finishPacks(found);
    found.stuck.push(...(await settled(victim)));
    const there = await victim.sql(async (db) => ({
      open: (await db.query(openText)).rows,
      inputs: (
        await db.query(`select i.id, i.kind, i.status_code as status, a.metadata from inputs i
          join apps p on p.key = i.app_key left join annotations a on a.input_key = i.key and a.input_level
          where p.id = 'harbour'`)
      ).rows,
      jobs: (
        await db.query(
          'select j.id, e.status_code as status from inputs_add_jobs j join inputs_extraction_jobs e on e.add_job_key = j.key',
        )
      ).rows,
      operations: (await db.query('select id, status_code as status from bulk_operations')).rows,
      cancelled: (
        await db.query(`select j.id from inputs_add_jobs j join inputs i on i.add_job_key = j.key
          where i.status_code in (30001, 30003) group by j.id`)
      ).rows,
    }));
    for (const { words } of there.open) found.stuck.push(words);
    for (const [name, text] of Object.entries(audits)) {
      const { rows } = await victim.sql((db) => db.query(text));
      if (rows.length > 0) found.other.push(`${rows.length} ${name}, such as ${rows[0].offender}`);
    }
    const jobs = new Map<string, number>(there.jobs.map(({ id, status }) => [id, status]));
    const arrived = (id: string, isAcknowledged: boolean, names: readonly string[]) => {
      const status = jobs.get(id);
      if (status === undefined && isAcknowledged) found.lost.push(`the add job ${id}`);
      if (status !== undefined && status !== 64002)
        found.other.push(`the extraction ${id} ended as ${status}`);
      if (status !== undefined) for (const name of names) landed.add(name);
    };
    for (const [id, { names, isAcknowledged }] of packs) arrived(id, isAcknowledged, names);
    for (const [id, isAcknowledged] of crates)
      arrived(
        id,
        isAcknowledged,
        Array.from({ length: perPack }, (_, n) => `${id}-${n}.txt`),
      );
    packs.clear();
    crates.clear();
    const texts = new Map(there.inputs.filter(({ kind }) => kind === 'text').map((row) => [row.id, row]));
    for (const name of landed) if (!texts.has(name)) found.lost.push(`${name} did not come in`);
    for (const id of texts.keys())
      if (!landed.has(id) && !base.includes(id)) found.other.push(`${id} came in and nobody sent it`);
    const collected = there.inputs.filter(({ kind }) => kind === 'image').length;
    if (collected > predictions)
      found.other.push(`${collected} pictures were collected of ${predictions} predictions`);
    const ended = new Map<string, number>(there.operations.map(({ id, status }) => [id, status]));
    for (const [id, isAcknowledged] of operations) {
      if (isAcknowledged && !ended.has(id)) found.lost.push(`the bulk operation ${id}`);
      if (ended.has(id) && ended.get(id) !== 25400) found.other.push(`${id} ended as ${ended.get(id)}`);
      const without = base.filter((one) => (texts.get(one)?.metadata?.[id] === true) !== ended.has(id));
      if (without.length > 0)
        found.lost.push(`${id} did not reach ${without.length} inputs, such as ${without[0]}`);
    }
    operations.clear();
    for (const { id } of there.cancelled)
      if (crowds.get(id)) found.stuck.push(`inputs of the cancelled ${id} wait`);
  }

  return { ...openTroupe(actFor, compare), close: () => site.close() };
}
