import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { connect } from './lib/demo-client.mjs';
import { table } from './lib/demo-report.mjs';
import { compare, settled } from './lib/ingest-checks.mjs';
import { ingest, openLedger } from './lib/ingest-ledger.mjs';
import { servePictures } from './lib/ingest-pictures.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { freePort, liveServer } from './lib/live-server.mjs';
import { randomFrom } from './lib/random.mjs';

const usage = `npm run kill-ingest -- [--inputs 2000] [--kills 10] [--seed N] [--workflow General] [--dist DIR] [--sabotage] [--keep]

Sends images to a server of its own, in a temporary folder, and meanwhile kills the server and its PostgreSQL
with SIGKILL, each --kills times, at random moments of the upload and of the processing behind it. Afterwards
every acknowledged image must be there, processed and byte-identical, all counters must agree with what the
client remembers, and no job may be left. Ends with 1 where anything is wrong.

  --sabotage   deletes one acknowledged image before the comparison, which must then fail`;

const app = { user_id: 'admin', app_id: 'kill-ingest' };
const token = 'kill-ingest-token-0123456789';
const patienceMs = 30_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const seconds = (ms) => (ms / 1000).toFixed(1);

function postmasterPid(dataDir) {
  const path = join(dataDir, 'postgres', 'cluster', 'postmaster.pid');
  return existsSync(path) ? Number(readFileSync(path, 'utf8').split('\n')[0]) : 0;
}

function isAlive(pid) {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function killServer(server) {
  await server.kill();
  await server.ready();
  return 'started again';
}

/** The server has to bring PostgreSQL back by itself; where it does not, it is killed too. */
async function killPostgres(server, dataDir) {
  const old = postmasterPid(dataDir);
  process.kill(old, 'SIGKILL');
  for (const began = Date.now(); Date.now() - began < patienceMs; await sleep(20)) {
    const pid = postmasterPid(dataDir);
    if (pid === old || !isAlive(pid)) continue;
    const wasAlive = server.isAlive();
    await server.ready();
    return wasAlive ? 'recovered by itself' : 'ended, started again';
  }
  const words = server.isAlive() ? 'stuck, killed and started again' : 'ended, started again';
  if (server.isAlive()) await server.kill();
  await server.ready();
  return words;
}

/** Moments spread evenly at random over the whole work, in random order of victims. */
function plan(kills, random) {
  return [...Array(kills).fill('server'), ...Array(kills).fill('PostgreSQL')]
    .map((victim) => ({ victim, at: 0.01 + random() * 0.97, waitMs: Math.floor(random() * 150) }))
    .sort((a, b) => a.at - b.at);
}

/** Work done so far, 0..1: half of it is the upload, half the processing behind it. */
async function progress(call, ledger, count) {
  const reply = await call('GetInputCount', { user_app_id: app }, { deadlineMs: 2000 }).catch(
    () => undefined,
  );
  if (reply === undefined) return 0;
  return (ledger.inputs.size + Number(reply.counts.processed)) / (2 * count);
}

async function killAll({ kills, random, server, dataDir, call, ledger, count, failed }) {
  const rows = [];
  for (const { victim, at, waitMs } of plan(kills, random)) {
    while ((await progress(call, ledger, count)) < at && !failed()) await sleep(50);
    if (failed()) return rows;
    await sleep(waitMs);
    const acknowledged = ledger.inputs.size;
    const killedAt = performance.now();
    const end = victim === 'server' ? await killServer(server) : await killPostgres(server, dataDir);
    const readyMs = performance.now() - killedAt;
    console.log(`  killed ${victim} at ${Math.round(100 * at)} %; ready after ${seconds(readyMs)} s, ${end}`);
    rows.push([String(rows.length + 1), victim, String(acknowledged), seconds(readyMs), end]);
  }
  return rows;
}

async function run({ count, kills, seed, workflow, main, sabotage, dataDir, pictures }) {
  const random = randomFrom(seed);
  const env = { FOVEA_USER: app.user_id, FOVEA_FETCH_ALLOW: '127.0.0.0/8' };
  const server = liveServer({ port: await freePort(), dataDir, token, env, main });
  try {
    await server.ready();
    const { call, close } = connect({ url: server.url, token });
    const default_workflow = { id: workflow, app_id: 'main', user_id: 'clarifai' };
    await call('PostApps', {
      user_app_id: { user_id: app.user_id },
      apps: [{ id: app.app_id, default_workflow }],
    });
    const ledger = openLedger();
    const began = performance.now();
    let failure;
    const upload = ingest({ call, app, count, ledger, urlOf: pictures.urlOf }).catch((error) => {
      failure = error;
    });
    const killed = await killAll({
      kills,
      random,
      server,
      dataDir,
      call,
      ledger,
      count,
      failed: () => failure !== undefined,
    });
    const killedBy = performance.now();
    await upload;
    if (failure) throw failure;
    const workers = { call, app, dataDir };
    await settled(workers);
    const tookMs = performance.now() - began;
    const idleAfterMs = performance.now() - killedBy;
    if (sabotage) await call('DeleteInputs', { user_app_id: app, ids: ['image-0'] });
    const checks = await compare({ ...workers, ledger, count, fetchMedia, random });
    close();
    return { killed, checks, ledger, tookMs, idleAfterMs };
  } finally {
    await server.stop();
  }
}

async function fetchMedia(url) {
  const reply = await fetch(url, { headers: { authorization: `Key ${token}` } });
  if (!reply.ok) throw new Error(`${url} answers ${reply.status}`);
  return Buffer.from(await reply.arrayBuffer());
}

function show({ killed, checks, ledger, tookMs, idleAfterMs }) {
  const rows = checks.map(({ name, expected, found, isGood }) => [
    name,
    String(expected),
    String(found),
    isGood ? 'ok' : 'WRONG',
  ]);
  console.log(`\n${table([['kill', 'of', 'acknowledged', 'ready after s', 'end'], ...killed])}\n`);
  console.log(`${table([['check', 'expected', 'found', ''], ...rows])}\n`);
  for (const { name, offenders } of checks.filter((one) => !one.isGood)) {
    for (const offender of offenders) console.log(`  ${name}: ${offender}`);
  }
  console.log(
    `  ${seconds(tookMs)} s in all, idle ${seconds(idleAfterMs)} s after the last kill; ${ledger.lostReplies} replies lost, ${ledger.repeated} inputs sent again were there already`,
  );
}

async function main() {
  const { values } = parseArgs({
    options: {
      inputs: { type: 'string', default: '2000' },
      kills: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      workflow: { type: 'string', default: 'General' },
      dist: { type: 'string' },
      sabotage: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(usage);
  const [count, kills, seed] = [values.inputs, values.kills, values.seed].map(Number);
  if (![count, kills, seed].every(Number.isInteger))
    throw new Error('--inputs, --kills and --seed are numbers');
  await ensureInstalled({ dev: false });
  if (!values.dist) await build();

  const dataDir = mkdtempSync(join(tmpdir(), 'fovea-kill-'));
  const pictures = await servePictures();
  console.log(`  seed ${seed}: ${count} inputs, ${kills} kills of the server and ${kills} of PostgreSQL`);
  const main = values.dist && join(values.dist, 'main.js');
  try {
    const { workflow, sabotage } = values;
    const result = await run({ count, kills, seed, workflow, main, sabotage, dataDir, pictures });
    show(result);
    const isGood = result.checks.every((one) => one.isGood);
    console.log(isGood ? '  nothing was lost' : `  NOT GOOD; repeat with --seed ${seed}`);
    process.exitCode = isGood ? 0 : 1;
  } finally {
    pictures.close();
    if (values.keep) console.log(`  data kept in ${dataDir}`);
    else rmSync(dataDir, { recursive: true, force: true });
  }
}

main().catch((error) => {
  console.error(`\nThe test stopped: ${error.message}`);
  process.exit(1);
});
