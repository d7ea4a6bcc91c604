import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pictureBytes, plannedInput } from './ingest-pictures.mjs';
import { root } from './paths.mjs';

const patienceMs = 600_000;
const pageSize = 500;
const processed = 30000;
const sampleSize = 50;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Waits until no input is on its way and no job is waiting or running.
 *
 * @throws Error when nothing has changed for ten minutes
 */
export async function settled({ call, app, dataDir }) {
  let last = '';
  for (let changed = Date.now(); Date.now() - changed < patienceMs; await sleep(500)) {
    const { counts } = await call('GetInputCount', { user_app_id: app });
    const jobs = await jobsLeft(dataDir);
    const isIdle = jobs.every(({ state }) => state === 'dead');
    if (counts.to_process + counts.processing === 0 && isIdle) return;
    const now = JSON.stringify([counts, jobs]);
    if (now !== last) changed = Date.now();
    last = now;
  }
  throw new Error(`inputs or jobs hang: ${last}`);
}

/** Rows of the queue by state and kind, read past the server. */
async function jobsLeft(dataDir) {
  const pg = createRequire(join(root, 'server', 'package.json'))('pg');
  const lines = readFileSync(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split('\n');
  const client = new pg.Client({ host: lines[4], user: 'fovea', database: 'fovea' });
  await client.connect();
  try {
    const { rows } = await client.query(
      'select state, kind, count(*)::int as jobs from jobs group by state, kind order by state, kind',
    );
    return rows;
  } finally {
    await client.end();
  }
}

async function every(call, rpc, field, request) {
  const items = [];
  for (let page = 1; ; page++) {
    const reply = await call(rpc, { ...request, page, per_page: pageSize });
    items.push(...reply[field]);
    if (reply[field].length < pageSize) return items;
  }
}

/** An assertion about the end state: what was expected, what was found, and the first few offenders. */
const check = (name, expected, found, offenders = []) => ({
  name,
  expected,
  found,
  isGood: expected === found,
  offenders: offenders.slice(0, 5),
});

/**
 * Compares the server's state with the ledger.
 *
 * @returns {Promise<{ name: string, expected: number, found: number, isGood: boolean, offenders: string[] }[]>}
 */
export async function compare({ call, app, dataDir, ledger, count, fetchMedia, random }) {
  const scope = { user_app_id: app };
  const inputs = await every(call, 'ListInputs', 'inputs', scope);
  const byId = new Map(inputs.map((input) => [input.id, input]));
  const { counts } = await call('GetInputCount', scope);
  const missing = [...ledger.inputs].filter((id) => !byId.has(id));
  const unfinished = inputs.filter(({ status }) => status.code !== processed);
  const dead = (await jobsLeft(dataDir)).reduce((sum, { jobs }) => sum + jobs, 0);
  const damaged = await damagedOriginals(inputs, fetchMedia, random);
  const indexed = await foundByLikeness(call, scope);
  return [
    check('acknowledged', count, ledger.inputs.size),
    check('acknowledged and missing', 0, missing.length, missing),
    check('listed', count, byId.size),
    check('listed twice', 0, inputs.length - byId.size),
    check(
      'not processed',
      0,
      unfinished.length,
      unfinished.map(({ id, status }) => `${id}: ${status.code} ${status.details}`),
    ),
    check('counter of processed inputs', count, Number(counts.processed)),
    check('found by likeness', count, indexed.size),
    ...(await addJobChecks(call, scope, ledger, count)),
    ...(await conceptChecks(call, scope, count)),
    check(`originals of ${Math.min(sampleSize, count)} that differ`, 0, damaged.length, damaged),
    check('jobs left in the queue', 0, dead),
  ];
}

/** Ids of everything that a search by a picture ranks: what has a vector. */
async function foundByLikeness(call, scope) {
  const image = { base64: await pictureBytes(0) };
  const searches = [{ query: { ranks: [{ annotation: { data: { image } } }] } }];
  const found = new Set();
  for (let page = 1; ; page++) {
    const pagination = { page, per_page: pageSize };
    const { hits } = await call('PostInputsSearches', { ...scope, searches, pagination });
    for (const { input } of hits) found.add(input.id);
    if (hits.length < pageSize) return found;
  }
}

async function addJobChecks(call, scope, ledger, count) {
  const jobs = await every(call, 'ListInputsAddJobs', 'inputs_add_jobs', scope);
  const numbers = jobs.map(({ id, progress }) => ({
    id,
    open: Number(progress.pending_count) + Number(progress.in_progress_count),
    good: Number(progress.success_count),
    bad: Number(progress.failed_count),
  }));
  const byId = new Map(numbers.map((job) => [job.id, job]));
  const open = numbers.filter((job) => job.open > 0);
  const wrong = [...ledger.jobs].filter(([id, accepted]) => byId.get(id)?.good !== accepted);
  return [
    check(
      'add jobs that are not over',
      0,
      open.length,
      open.map(({ id }) => id),
    ),
    check(
      'add jobs whose count is wrong',
      0,
      wrong.length,
      wrong.map(([id, accepted]) => `${id}: ${accepted} accepted, ${JSON.stringify(byId.get(id))}`),
    ),
    check(
      'inputs added by all jobs',
      count,
      numbers.reduce((sum, { good }) => sum + good, 0),
    ),
  ];
}

async function conceptChecks(call, scope, count) {
  const wanted = new Map();
  for (let n = 0; n < count; n++) {
    const { concept } = plannedInput(n);
    wanted.set(concept, (wanted.get(concept) ?? 0) + 1);
  }
  const counted = await every(call, 'GetConceptCounts', 'concept_counts', scope);
  const found = new Map(
    counted.map(({ id, concept_type_count }) => [id, Number(concept_type_count.positive)]),
  );
  return [...wanted].map(([id, labelled]) => check(`labelled ${id}`, labelled, found.get(id) ?? 0));
}

/** Downloads a sample of originals and compares every byte. @returns ids of those that differ */
async function damagedOriginals(inputs, fetchMedia, random) {
  const sample = [...inputs]
    .map((input) => ({ input, at: random() }))
    .sort((a, b) => a.at - b.at)
    .slice(0, sampleSize);
  const damaged = [];
  for (const { input } of sample) {
    const { prefix, suffix } = input.data.image.hosted ?? {};
    const served = await fetchMedia(`${prefix}/orig/${suffix}`);
    const sent = await pictureBytes(Number(input.id.split('-')[1]));
    if (!sent.equals(served)) damaged.push(input.id);
  }
  return damaged;
}
