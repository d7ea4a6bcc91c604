import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  GetInputRequestSchema,
  ListInputsRequestSchema,
  PostModelOutputsRequestSchema,
} from '@fovea/contract';
import { modelPackages } from '../../server/src/engine/package.ts';
import { rest } from '../harness/api.ts';
import { type Bench, type BenchContext, scaled } from '../harness/bench.ts';
import { grpcPlan, inApp } from '../harness/calls.ts';
import { openLoad } from '../harness/load.ts';
import { openPeer } from '../harness/peer.ts';
import { makePictures } from '../harness/pictures.ts';
import { memoryOf } from '../harness/processes.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { fillApp, makeApp } from '../harness/rows.ts';
import { type BenchServer, startServer, userId } from '../harness/server.ts';

const appId = 'bench-start';

const start: Bench = {
  name: 'start',
  about: 'from nothing to the first answer, and what it keeps in memory',
  goals: [
    {
      id: 'P8.1',
      what: 'empty folder to first answer / initdb + PostgreSQL start + Node start with the same packages',
      unit: 'x',
      better: 'lower',
      pass: 3,
      record: 1.5,
    },
    {
      id: 'P8.1s',
      what: 'empty folder to first answer',
      unit: 's',
      better: 'lower',
      pass: 10,
      record: 4,
      isLatency: true,
    },
    {
      id: 'P8.2',
      what: 'warm start to first answer',
      unit: 's',
      better: 'lower',
      pass: 4,
      record: 1.5,
      isLatency: true,
    },
    {
      id: 'P8.3',
      what: 'memory at rest, PostgreSQL included (PSS)',
      unit: 'MB',
      better: 'lower',
      pass: 500,
      record: 250,
    },
    {
      id: 'P8.4',
      what: 'memory after bursts of calls, and of predictions of every built-in model / at rest',
      unit: 'x',
      better: 'lower',
      pass: 3,
      record: 2,
    },
    {
      id: 'P8.6',
      what: 'processes of the server itself (PostgreSQL counted once)',
      unit: '',
      better: 'lower',
      pass: 6,
      record: 3,
    },
  ],
  run,
};
export default start;

async function run(context: BenchContext): Promise<void> {
  const { serverMain: main } = context;
  const peer = openPeer(context, 'start-child');
  let tries = 0;
  const folder = () => {
    const dir = join(context.folder, `empty-${tries++}`);
    mkdirSync(dir, { recursive: true });
    return dir;
  };
  const begun = async (dataDir: string): Promise<{ seconds: number; server: BenchServer }> => {
    const began = performance.now();
    const server = await startServer({ main, dataDir, pin: false });
    await rest(server, 'GET', `/v2/users/${userId}/apps`);
    return { server, seconds: (performance.now() - began) / 1000 };
  };
  const warmDir = folder();
  await (await begun(warmDir)).server.stop();
  const started = async (dataDir: string) => {
    const { server, seconds } = await begun(dataDir);
    await server.stop();
    return seconds;
  };
  const few = { rounds: Math.min(context.rounds, 5) };
  const costs = await interleaved(few, {
    empty: async () => {
      const dir = folder();
      const seconds = await started(dir);
      rmSync(dir, { recursive: true, force: true });
      return seconds;
    },
    parts: async () => (await peer.ask<{ seconds: number }>({ folder: folder() })).seconds,
    warm: () => started(warmDir),
  });
  context.measured('P8.1', ratios(costs.empty, costs.parts));
  context.control(
    'P8.1',
    'an empty folder each time, three times over',
    ratios(
      costs.empty.map((s) => 3 * s),
      costs.parts,
    ),
  );
  context.measured('P8.1s', costs.empty);
  context.measured('P8.2', costs.warm);
  await memory(context, main, warmDir);
}

async function memory(context: BenchContext, main: string, dataDir: string): Promise<void> {
  const server = await startServer({ main, dataDir });
  context.defer(() => server.stop());
  await rest(server, 'GET', `/v2/users/${userId}/apps`);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const rest0 = memoryOf(server.pid);
  context.measured('P8.3', [rest0.pssMb], `${rest0.processes} processes in all`);
  const hog = spawn(process.execPath, [
    '-e',
    `globalThis.kept = Buffer.alloc(600e6, 1); setInterval(() => {}, 1e3)`,
  ]);
  context.defer(() => void hog.kill());
  await new Promise((resolve) => setTimeout(resolve, 1500));
  context.control('P8.3', 'a process beside it that holds 600 MB', [
    rest0.pssMb + memoryOf(hog.pid as number).pssMb,
  ]);
  context.measured('P8.6', [1 + childrenOf(server.pid).length]);

  const db = await server.database();
  await fillApp(db, await makeApp(server, db, appId), 5000);
  await db.end();
  const load = openLoad();
  context.defer(() => load.close());
  const [picture] = await makePictures(context.folder, 1);
  const inputs = [{ data: { image: { base64: readFileSync(picture as string) } } }];
  const userAppId = { userId: 'clarifai', appId: 'main' };
  const predictions = modelPackages
    .filter(({ optIn }) => optIn === undefined)
    .map(({ id }) => ({ userAppId, modelId: id, inputs }));
  const grown: number[] = [];
  for (let repeat = 0; repeat < 3; repeat++) {
    const list = { concurrency: 8, requestsMax: scaled(context, 300, 30) };
    await load.run(
      grpcPlan(server.url, 'ListInputs', ListInputsRequestSchema, [{ ...inApp(appId), perPage: 1000 }], list),
    );
    await load.run(
      grpcPlan(
        server.url,
        'GetInput',
        GetInputRequestSchema,
        [{ ...inApp(appId), inputId: 'input-00000010' }],
        {
          concurrency: 32,
          requestsMax: scaled(context, 3000, 300),
        },
      ),
    );
    await load.run(
      grpcPlan(server.url, 'PostModelOutputs', PostModelOutputsRequestSchema, predictions, {
        concurrency: 4,
        requestsMax: scaled(context, 20 * predictions.length, 2 * predictions.length),
        timeMsMax: 120_000,
      }),
    );
    grown.push(memoryOf(server.pid).pssMb / rest0.pssMb);
  }
  context.measured(
    'P8.4',
    [grown.at(-1) as number],
    `after each burst ${grown.map((one) => one.toFixed(2)).join(', ')} times that at rest; ${predictions.length} models`,
  );
  context.control('P8.4', 'keeps 600 MB of what it sent', [
    (grown.at(-1) as number) + memoryOf(hog.pid as number).pssMb / rest0.pssMb,
  ]);
}

/** Direct children of a process. */
const childrenOf = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
  );
