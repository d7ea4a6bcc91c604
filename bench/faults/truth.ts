import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { type Found, nothingFound } from './ledger.ts';
import { given, keyOf, stateText } from './world.ts';

const statements = {
  app: 'select key::text as key from apps where id = $1 and deleted_at is null',
  concepts: 'select id, name from concepts where app_key = $1',
  inputs: `select i.id, i.status_code as status, encode(i.media_sha, 'hex') as sha, i.kind,
      coalesce(a.metadata, '{}') as metadata, coalesce(l.labels, '{}') as labels
    from inputs i left join annotations a on a.input_key = i.key and a.input_level
    left join lateral (select json_object_agg(c.concept_id, c.value) as labels from annotation_concepts c
      where c.annotation_key = a.key) l on true
    where i.app_key = $1`,
  annotations: `select a.id, a.input_id as "inputId", array(select c.concept_id from annotation_concepts c
      where c.annotation_key = a.key) as concepts
    from annotations a where a.app_key = $1 and not a.input_level and a.worker_user_key is not null`,
  members: `select d.id as dataset, i.id as input from dataset_inputs m join datasets d on d.key = m.dataset_key
    join inputs i on i.key = m.input_key where m.app_key = $1`,
  versions: `select d.id as dataset, v.id, v.status_code as status from dataset_versions v join datasets d on d.key = v.dataset_key
    where v.app_key = $1`,
  kept: `select encode(i.media_sha, 'hex') as sha, bool_and(i.deleted_at is not null) as "isDeleted"
    from dataset_chunk_inputs i join dataset_chunks c on c.key = i.chunk_key
    where c.app_key = $1 and i.media_sha is not null group by 1`,
  jobs: `select id, (pending_count + in_progress_count)::int as open, (success_count + failed_count)::int as done
    from inputs_add_jobs where app_key = $1`,
};

/** What the database holds of an app, in the ledger's words; undefined where there is no such app. */
export async function readTruth(
  db: pg.Client,
  appId: string,
): Promise<
  { truth: Map<string, string>; appKey: string; shas: Set<string>; hidden: Set<string> } | undefined
> {
  const truth = new Map<string, string>();
  const shas = new Set<string>();
  const hidden = new Set<string>();
  const app = (await db.query(statements.app, [appId])).rows[0];
  if (app === undefined) return undefined;
  const all = async (name: keyof typeof statements) => (await db.query(statements[name], [app.key])).rows;
  for (const { id, name } of await all('concepts'))
    if (!given.has(keyOf.concept(id))) truth.set(keyOf.concept(id), name);
  for (const { id, sha, labels, metadata } of await all('inputs')) {
    truth.set(keyOf.input(id), stateText.input({ sha: sha ?? '', labels, metadata }));
    if (sha) shas.add(sha);
  }
  // Versions keep the media of inputs that are gone for a while, and show them to nobody.
  for (const { sha, isDeleted } of await all('kept')) {
    if (isDeleted && !shas.has(sha)) hidden.add(sha);
    shas.add(sha);
  }
  for (const { id, inputId, concepts } of await all('annotations'))
    truth.set(keyOf.annotation(inputId, id), stateText.annotation(concepts));
  for (const { dataset, input } of await all('members'))
    truth.set(keyOf.member(dataset, input), stateText.member);
  for (const { dataset, id, status } of await all('versions'))
    truth.set(keyOf.version(dataset, id), status === 64015 ? stateText.version : `${status}`);
  for (const { id, open, done } of await all('jobs')) truth.set(keyOf.job(id), stateText.job(open + done));
  return { truth, appKey: app.key, shas, hidden };
}

/** Each counts what is wrong in an app; an example comes along. */
const audits: Record<string, string> = {
  'inputs counted wrongly by status': `
    select coalesce(c.status_code, t.status_code) || ': ' || coalesce(t.n, 0) || ' counted, ' || coalesce(c.n, 0) || ' there' as offender
    from (select status_code, count(*) as n from inputs where app_key = $1 group by 1) c
    full join (select status_code, n from input_tallies where app_key = $1 and bucket = -1 and n <> 0) t using (status_code)
    where c.n is distinct from t.n`,
  'inputs counted wrongly by bucket': `
    select coalesce(c.bucket, t.bucket)::text as offender
    from (select key >> 10 as bucket, status_code, count(*) as n from inputs where app_key = $1 group by 1, 2) c
    full join (select bucket, status_code, n from input_tallies where app_key = $1 and bucket >= 0 and n <> 0) t using (bucket, status_code)
    where c.n is distinct from t.n`,
  'inputs counted wrongly by group of buckets': `
    select coalesce(c.bucket, t.bucket)::text as offender
    from (select -2 - (key >> 15) as bucket, status_code, count(*) as n from inputs where app_key = $1 group by 1, 2) c
    full join (select bucket, status_code, n from input_tallies where app_key = $1 and bucket < -1 and n <> 0) t using (bucket, status_code)
    where c.n is distinct from t.n`,
  'labels of inputs counted wrongly': `
    select coalesce(c.input_key, t.input_key) || ' ' || coalesce(c.concept_id, t.concept_id) as offender
    from (select input_key, concept_id, count(*) filter (where value >= 0.5) as yes, count(*) filter (where value < 0.5) as no
      from annotation_concepts where app_key = $1 and trusted group by 1, 2) c
    full join (select input_key, concept_id, positive as yes, negative as no from input_concepts
      where app_key = $1 and (positive <> 0 or negative <> 0)) t using (input_key, concept_id)
    where (c.yes, c.no) is distinct from (t.yes, t.no)`,
  'labels with the state of another time': `
    select i.id as offender from input_concepts t join inputs i on i.key = t.input_key
    where t.app_key = $1 and t.state <> input_state(i.status_code)`,
  'inputs counted wrongly by concept': `
    select coalesce(c.concept_id, t.concept_id) || ' ' || coalesce(c.state, t.state) as offender
    from (select concept_id, state, sum((positive > 0)::int) as yes, sum((negative > 0)::int) as no
      from input_concepts where app_key = $1 group by 1, 2) c
    full join (select concept_id, state, sum(positive) as yes, sum(negative) as no from concept_tallies
      where app_key = $1 group by 1, 2) t using (concept_id, state)
    where coalesce(c.yes, 0) <> coalesce(t.yes, 0) or coalesce(c.no, 0) <> coalesce(t.no, 0)`,
  'inputs without their own annotation': `
    select id as offender from inputs i where app_key = $1
      and not exists (select from annotations a where a.input_key = i.key and a.input_level)`,
  'labels without annotation or input': `
    select c.concept_id || ' of ' || c.input_key as offender from annotation_concepts c where app_key = $1
      and not exists (select from annotations a join inputs i on i.key = a.input_key where a.key = c.annotation_key and i.key = c.input_key)`,
  'vectors without annotation or input': `
    select e.key::text as offender from embeddings e where app_key = $1
      and not exists (select from annotations a join inputs i on i.key = a.input_key where a.key = e.annotation_key and i.key = e.input_key)`,
  'members without dataset or input': `
    select m.key::text as offender from dataset_inputs m where app_key = $1 and not (
      exists (select from datasets d where d.key = m.dataset_key) and exists (select from inputs i where i.key = m.input_key))`,
  'versions that do not hold what they count': `
    select v.id as offender from dataset_versions v
    left join dataset_version_chunks l on l.version_key = v.key left join dataset_chunks c on c.key = l.chunk_key
    where v.app_key = $1 and v.status_code = 64015 group by v.key, v.id
    having coalesce(sum(c.n), 0) <> (select count(*) from dataset_version_inputs i where i.version_key = v.key)`,
  'inputs that failed': `select id || ': ' || status_code || ' ' || status_details as offender from inputs where app_key = $1 and input_state(status_code) = 3`,
};

/** What the base workflow says of a picture has to be there once, however often its job was begun. */
const predictedAudit = `
  select input_id as offender from annotations where app_key = $1 and not input_level and worker_user_key is null
  group by input_id, worker_model_version_key, worker_workflow_version_key having count(*) > 1`;

const indexedAudit = `
  select i.id as offender from inputs i join annotations a on a.input_key = i.key and a.input_level
  where i.app_key = $1 and i.kind = 'image' and i.status_code = 30000
    and not exists (select from embeddings e where e.annotation_key = a.key)`;

/** Looks an app through for what must never be, whatever happened. */
export async function auditApp(db: pg.Client, appKey: string, isIndexed: boolean): Promise<string[]> {
  const wrong: string[] = [];
  for (const [name, text] of Object.entries({
    ...audits,
    ...(isIndexed
      ? { 'pictures without a vector': indexedAudit, 'pictures predicted twice': predictedAudit }
      : {}),
  })) {
    const { rows } = await db.query<{ offender: string }>(text, [appKey]);
    if (rows.length > 0) wrong.push(`${rows.length} ${name}, such as ${rows[0]?.offender}`);
  }
  return wrong;
}

const leftovers = [
  'inputs',
  'annotations',
  'annotation_concepts',
  'input_concepts',
  'embeddings',
  'datasets',
  'dataset_inputs',
  'dataset_versions',
  'dataset_chunks',
  'concepts',
  'models',
  'model_versions',
  'workflows',
  'inputs_add_jobs',
];

/** Looks for what deleted apps left behind. */
export async function auditApps(db: pg.Client): Promise<string[]> {
  const wrong: string[] = [];
  const deleted = await db.query('select id from apps where deleted_at is not null');
  if (deleted.rows.length > 0)
    wrong.push(`${deleted.rows.length} deleted apps are not cleared away, such as ${deleted.rows[0].id}`);
  for (const table of leftovers) {
    const { rows } = await db.query(
      `select count(*)::int as n from ${table} where app_key not in (select key from apps)`,
    );
    if (rows[0].n > 0) wrong.push(`${rows[0].n} rows of ${table} belong to apps that are gone`);
  }
  return wrong;
}

/** What is still on its way; all of it counts as stuck when it does not end. */
export async function openWork(db: pg.Client): Promise<string[]> {
  const { rows } = await db.query<{ words: string }>(`
    select 'job ' || kind || ' ' || state || coalesce(': ' || last_error, '') as words from jobs
      where kind <> 'inputs.sweepMedia' and (state <> 'waiting' or run_at < now() + interval '10 minutes')
    union all select 'input ' || id || ' is ' || status_code from inputs where status_code in (30001, 30003)
    union all select 'add job ' || id || ' has inputs open' from inputs_add_jobs where pending_count + in_progress_count <> 0
    union all select 'dataset version ' || id || ' is ' || status_code from dataset_versions where status_code in (64005, 64010)
    limit 50`);
  return rows.map(({ words }) => words);
}

/** Media that rows point to and that are not there whole; and media that nothing points to any more and that are there. */
export async function checkMedia(
  dataDir: string,
  shas: ReadonlySet<string>,
  freed: ReadonlySet<string>,
  seen: Set<string>,
): Promise<Found> {
  const found = nothingFound();
  const fileOf = (sha: string) => join(dataDir, 'objects', 'media', 'orig', sha.slice(0, 2), sha);
  for (const sha of shas) {
    if (!existsSync(fileOf(sha))) found.lost.push(`the medium ${sha} is gone`);
    else if (!seen.has(sha)) {
      const hash = createHash('sha256');
      for await (const chunk of createReadStream(fileOf(sha))) hash.update(chunk as Buffer);
      if (hash.digest('hex') === sha) seen.add(sha);
      else found.lost.push(`the medium ${sha} has other bytes`);
    }
  }
  for (const sha of freed) {
    if (!shas.has(sha) && existsSync(fileOf(sha))) found.other.push(`the medium ${sha} was not freed`);
  }
  return found;
}
