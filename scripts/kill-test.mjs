import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { connect } from './lib/demo-client.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { freePort, liveServer } from './lib/live-server.mjs';
import { randomFrom } from './lib/random.mjs';

const usage = `npm run kill-test -- [--images 2000] [--kills 10] [--seed N] [--keep]

Uploads images to a server of its own, in a temporary folder, and meanwhile kills the server and its PostgreSQL
with SIGKILL, each so many times, at random moments. Afterwards every acknowledged image must be there and
processed, and no job may be left.`;

const batchSize = 16;
const lanes = 4;
const app = { user_id: 'admin', app_id: 'kill-test' };
// Statuses of the contract (status_code.proto).
const processed = 30000;
const taken = new Set([30000, 30001, 30003, 40010]);
// Without any change for so long, what is pending counts as hanging.
const hangMs = 180_000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function picture(seed) {
  const { default: sharp } = await import('sharp');
  const random = randomFrom(seed);
  const pixels = Buffer.from(Array.from({ length: 3 * 16 * 16 }, () => Math.floor(random() * 256)));
  return sharp(pixels, { raw: { width: 16, height: 16, channels: 3 } })
    .resize(96, 96, { kernel: 'nearest' })
    .jpeg()
    .toBuffer();
}

/** Sends every image, again and again where a reply was lost, and notes what the server acknowledged. */
async function ingest(client, images, acknowledged) {
  let next = 0;
  const lane = async () => {
    while (next < images) {
      const from = next;
      next += batchSize;
      const ids = Array.from({ length: Math.min(batchSize, images - from) }, (_, i) => from + i);
      const inputs = await Promise.all(
        ids.map(async (n) => ({ id: `image-${n}`, data: { image: { base64: await picture(n) } } })),
      );
      let open = inputs;
      while (open.length > 0) {
        open = await send(client, open, acknowledged);
        if (open.length > 0) await sleep(200);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** One try; the inputs that have to be sent again. */
async function send(client, inputs, acknowledged) {
  let reply;
  try {
    reply = await client.call(
      'PostInputs',
      { user_app_id: app, inputs },
      { anyStatus: true, deadlineMs: 30_000 },
    );
  } catch {
    return inputs;
  }
  const again = [];
  for (const [i, input] of inputs.entries()) {
    const code = reply.inputs[i]?.status.code;
    // "Duplicate" answers the second try of an image whose first reply was lost: it is there, then.
    if (taken.has(code)) acknowledged.add(input.id);
    else again.push(input);
  }
  return again;
}

function postgresPid(dataDir) {
  const path = join(dataDir, 'postgres', 'cluster', 'postmaster.pid');
  return existsSync(path) ? Number(readFileSync(path, 'utf8').split('\n')[0]) : 0;
}

async function killNow(what, server, dataDir) {
  if (what === 'server') return server.kill();
  const pid = postgresPid(dataDir);
  if (pid > 0) process.kill(pid, 'SIGKILL');
}

/** Kills spread over the ingest by the number of acknowledged images, in random order. */
function plan(kills, images, random) {
  return [...Array(kills).fill('server'), ...Array(kills).fill('PostgreSQL')]
    .map((what) => ({
      what,
      after: Math.floor(random() * images * 0.95),
      waitMs: Math.floor(random() * 150),
    }))
    .sort((a, b) => a.after - b.after);
}

async function listedInputs(client) {
  const listed = new Map();
  for (let page = 1; ; page++) {
    const { inputs } = await client.call('ListInputs', { user_app_id: app, page, per_page: 500 });
    for (const input of inputs) listed.set(input.id, input.status.code);
    if (inputs.length < 500) return listed;
  }
}

/** Waits until nothing is on the way any more. */
async function settled(client) {
  let last = '';
  for (let changed = Date.now(); ; await sleep(500)) {
    const { counts } = await client.call('GetInputCount', { user_app_id: app });
    const now = JSON.stringify(counts);
    if (counts.to_process + counts.processing === 0) return counts;
    if (now !== last) changed = Date.now();
    if (Date.now() - changed > hangMs) return counts;
    last = now;
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      images: { type: 'string', default: '2000' },
      kills: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(usage);
  const [images, kills, seed] = [values.images, values.kills, values.seed].map(Number);
  await ensureInstalled({ dev: false });
  await build();

  const dataDir = mkdtempSync(join(tmpdir(), 'fovea-kill-'));
  const token = 'kill-test-token-0123456789';
  const server = liveServer({ port: await freePort(), dataDir, token, env: { FOVEA_USER: app.user_id } });
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, () => server.stop().then(() => process.exit(1)));
  console.log(`  ${images} images, ${kills} kills each of the server and of PostgreSQL, seed ${seed}`);
  try {
    await server.ready();
    const client = connect({ url: server.url, token });
    const good = await trial({ server, client, dataDir, images, kills, seed });
    client.close();
    console.log(good ? '  nothing was lost' : '  NOT GOOD');
    process.exitCode = good ? 0 : 1;
  } finally {
    await server.stop();
    if (values.keep) console.log(`  the data is in ${dataDir}`);
    else rmSync(dataDir, { recursive: true, force: true });
  }
}

/** The ingest with its kills, and the verdict: whether everything acknowledged is there and processed. */
async function trial({ server, client, dataDir, images, kills, seed }) {
  await client.call('PostApps', {
    user_app_id: { user_id: app.user_id },
    apps: [{ id: app.app_id, default_workflow: { id: 'General', app_id: 'main', user_id: 'clarifai' } }],
  });
  const acknowledged = new Set();
  let uploading = true;
  const upload = ingest(client, images, acknowledged).finally(() => {
    uploading = false;
  });
  for (const { what, after, waitMs } of plan(kills, images, randomFrom(seed))) {
    while (uploading && acknowledged.size < after) await sleep(20);
    await sleep(waitMs);
    const before = acknowledged.size;
    await killNow(what, server, dataDir);
    const killedAt = performance.now();
    await server.ready();
    const seconds = ((performance.now() - killedAt) / 1000).toFixed(1);
    console.log(`  killed ${what} after ${before} images; ready again in ${seconds} s`);
  }
  await upload;
  console.log(`  all ${acknowledged.size} images acknowledged; waiting for the background work`);
  const counts = await settled(client);
  return judge(acknowledged, await listedInputs(client), counts) && acknowledged.size === images;
}

function judge(acknowledged, listed, counts) {
  const missing = [...acknowledged].filter((id) => !listed.has(id));
  const pending = [...listed].filter(([, code]) => code !== processed);
  console.log(
    `  listed ${listed.size}, missing ${missing.length}, not processed ${pending.length}; the counters say ${JSON.stringify(counts)}`,
  );
  for (const line of [...missing, ...pending.map(([id, code]) => `${id} (${code})`)].slice(0, 10))
    console.log(`    ${line}`);
  return missing.length + pending.length === 0 && counts.processed === listed.size;
}

main().catch((error) => {
  console.error(`\nThe test stopped: ${error.message}`);
  process.exitCode = 1;
});
