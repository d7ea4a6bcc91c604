import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, BenchContext } from '../harness/bench.ts';
import { scaled } from '../harness/bench.ts';
import { startServer } from '../harness/server.ts';
import { makeEmbeddedApp } from './search-app.ts';
import { clientOf, trainHead } from './train.bench.ts';
import { fillTrainApp, makeLabelledSet } from './train-app.ts';

const million: Bench = {
  name: 'million',
  about:
    'a head learnt from a million vectors of 512 numbers, which memory does not hold (about ten minutes)',
  isOnlyNamed: true,
  goals: [
    {
      id: 'P5.8',
      what: 'memory of the server at its peak while a head is learnt from 1,000,000 × 512',
      unit: 'MB',
      better: 'lower',
      pass: 2_000,
      record: 1_000,
    },
  ],
  run,
};
export default million;

const [dims, classes] = [512, 100];
const fullRows = 1_000_000;
const distinct = 50_000;
const firstKeys = { all: 1_000_000, part: 5_000_000 };

/** Resident memory of a process, in megabytes. */
const residentMb = (pid: number | 'self'): number =>
  (Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024) / 1e6;

async function run(context: BenchContext): Promise<void> {
  const rows = scaled(context, fullRows, 2 * distinct);
  const part = makeLabelledSet(context.folder, 'part', { rows: distinct, dims, classes, noise: 8, seed: 1 });
  // The same rows over and over: what matters here is how many there are.
  const all = { ...part, rows, file: join(context.folder, 'all.f32') };
  const bytes = readFileSync(part.file);
  for (let written = 0; written < rows; written += distinct)
    appendFileSync(all.file, bytes.subarray(0, Math.min(distinct, rows - written) * dims * 4));
  const server = await startServer({
    main: context.serverMain,
    dataDir: join(context.folder, 'data'),
    pin: false,
  });
  context.defer(() => server.stop());
  const db = await server.database();
  await db.query('set statement_timeout = 0');
  const app = await makeEmbeddedApp(server, db, 'bench-million');
  await fillTrainApp(server, db, app, all, firstKeys.all, { all: rows });
  await fillTrainApp(server, db, app, part, firstKeys.part, { part: distinct });
  await db.end();
  context.say('rows are in the database');
  const client = clientOf(server, app);
  await client.postModels({ models: [{ id: 'head' }] } as never);
  const small = await peakDuring(server.pid, () => trainHead(client, 'part', classes));
  const large = await peakDuring(server.pid, () => trainHead(client, 'all', classes, {}, 1_800_000));
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  context.measured(
    'P5.8',
    [large.peakMb],
    `${rows} rows of ${Math.round((rows * dims * 4) / 1e6)} MB in ${seconds(large.found.wallMs)} s with ${Math.round(large.peakMb)} MB; ${distinct} in ${seconds(small.found.wallMs)} s with ${Math.round(small.peakMb)} MB`,
  );
  const script = `const kept = new Float32Array(Number(process.argv[1])).fill(1);
    const self = require('fs').readFileSync('/proc/self/status', 'utf8');
    console.log(/^VmRSS:\\s+(\\d+)/m.exec(self)[1], kept.length);`;
  // Of the full size whatever the scale: the bar is one for a million.
  const [kilobytes] = execFileSync(process.execPath, ['-e', script, String(fullRows * dims)])
    .toString()
    .split(' ');
  context.control('P5.8', 'a process that holds all vectors of the full size and does nothing else', [
    (Number(kilobytes) * 1024) / 1e6,
  ]);
}

/** The most memory that a process has while something is done. */
async function peakDuring<T>(pid: number, work: () => Promise<T>): Promise<{ found: T; peakMb: number }> {
  let peakMb = residentMb(pid);
  const watch = setInterval(() => {
    peakMb = Math.max(peakMb, residentMb(pid));
  }, 50);
  try {
    const found = await work();
    return { found, peakMb };
  } finally {
    clearInterval(watch);
  }
}
