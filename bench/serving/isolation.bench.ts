import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  GetInputRequestSchema,
  PostInputsRequestSchema,
  PostModelOutputsRequestSchema,
} from '@fovea/contract';
import sharp from 'sharp';
import { rest } from '../harness/api.ts';
import type { Bench, BenchContext } from '../harness/bench.ts';
import { scaled } from '../harness/bench.ts';
import { grpcPlan, inApp } from '../harness/calls.ts';
import { medianOf, quantileOf } from '../harness/judge.ts';
import { type LoadGenerator, type LoadPlan, openLoad } from '../harness/load.ts';
import { openPeer } from '../harness/peer.ts';
import { makePictures } from '../harness/pictures.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { makeApp } from '../harness/rows.ts';
import { type BenchServer, startServer, userId } from '../harness/server.ts';
import { bringEntries } from '../numeric/vector-engine.ts';
import { bringLayers, personIn } from './brought.ts';
import type { IsolationQuestion } from './isolation-child.ts';

const latency = { unit: 'x', better: 'lower', isLatency: true } as const;

const isolation: Bench = {
  name: 'isolation',
  about: 'what those who ask for little notice of those who ask for much',
  goals: [
    {
      id: 'P4.7',
      what: 'a model of 1 ms while one of 500 ms is saturated, both brought by users: 95th percentile / alone',
      ...latency,
      pass: 4,
      record: 2,
    },
    {
      id: 'P4.7b',
      what: 'the same for two networks that share the threads of the built-in models',
      ...latency,
      pass: 4,
      record: 2,
    },
    {
      id: 'P4.10',
      what: 'predictions and reads of others while 128 PNGs of 81 megapixels are processed: 95th percentile / idle',
      ...latency,
      pass: 5,
      record: 2,
    },
  ],
  run,
};
export default isolation;

const quickLayers = 12;
const slowMs = 500;
const app = inApp('bench-isolation');

async function run(context: BenchContext): Promise<void> {
  const [load, crowd] = [openLoad(), openLoad()];
  context.defer(() => load.close());
  context.defer(() => crowd.close());
  const [picture] = (await makePictures(context.folder, 1)) as [string];
  await broughtModels(context, load, crowd, picture);
  await sharedThreads(context);
  await largePictures(context, load, picture);
}

const p95 = (ms: readonly number[]): number => quantileOf(ms, 0.95);

async function broughtModels(
  context: BenchContext,
  load: LoadGenerator,
  crowd: LoadGenerator,
  picture: string,
): Promise<void> {
  const server = await startServer({ main: context.serverMain, dataDir: join(context.folder, 'data') });
  context.defer(() => server.stop());
  const db = await server.database();
  await makeApp(server, db, app.userAppId.appId);
  await db.end();
  const person = personIn(server, app.userAppId.appId);
  const small = await sharp(readFileSync(picture)).resize(64).jpeg().toBuffer();
  const ask = (modelId: string, limits: Partial<LoadPlan> & Pick<LoadPlan, 'requestsMax' | 'concurrency'>) =>
    grpcPlan(
      server.url,
      'PostModelOutputs',
      PostModelOutputsRequestSchema,
      [{ ...app, modelId, inputs: [{ data: { image: { base64: small } } }] }],
      { timeMsMax: 60_000, ...limits },
    );
  const alone = async (modelId: string, calls: number) =>
    (await load.run(ask(modelId, { concurrency: 1, requestsMax: calls }))).latenciesMs;
  await bringLayers(person, 'quick', quickLayers);
  // How many layers take half a second here shows with a tenth of them or so.
  await bringLayers(person, 'probe', 400);
  await alone('probe', 3);
  const layers = Math.ceil((400 * slowMs) / medianOf(await alone('probe', 5)));
  await bringLayers(person, 'slow', layers);
  await alone('quick', 20);
  const slow = medianOf(await alone('slow', 3));
  const calls = scaled(context, 150, 30);
  const steady = async (modelId: string) =>
    p95(
      (await load.run(ask(modelId, { concurrency: 1, requestsMax: calls, ratePerSecond: 20 }))).latenciesMs,
    );
  const whileBusy = async (work: () => Promise<number>) => {
    let isOver = false;
    const busy = (async () => {
      // Four callers: one is served, the others wait.
      while (!isOver) await crowd.run(ask('slow', { concurrency: 4, requestsMax: 4 }));
    })();
    await new Promise((resolve) => setTimeout(resolve, 300));
    try {
      return await work();
    } finally {
      isOver = true;
      await busy;
    }
  };
  const costs = await interleaved(
    { rounds: Math.min(3, context.rounds) },
    {
      alone: () => steady('quick'),
      busy: () => whileBusy(() => steady('quick')),
      behind: () => whileBusy(async () => p95(await alone('slow', 2))),
    },
    { warmUp: false },
  );
  context.measured(
    'P4.7',
    ratios(costs.busy, costs.alone),
    `${medianOf(costs.alone).toFixed(1)} ms alone, ${medianOf(costs.busy).toFixed(1)} beside a model of ${slow.toFixed(0)} ms with four callers`,
  );
  context.control('P4.7', 'waits in the same queue as the slow model', ratios(costs.behind, costs.alone));
  await server.stop();
}

interface Waited {
  readonly ms: number[];
}

async function sharedThreads(context: BenchContext): Promise<void> {
  bringEntries(context, 'inference-worker');
  const peer = openPeer(context, 'isolation-child');
  const ask = (question: IsolationQuestion) => peer.ask<Waited>(question);
  const { slowMs: slow } = await peer.ask<{ slowMs: number }>({
    kind: 'open',
    folder: context.folder,
    slowMs,
  } satisfies IsolationQuestion);
  const calls = scaled(context, 150, 30);
  const quick = (callers: number, isPatient: boolean) => async () =>
    p95((await ask({ kind: 'quick', calls: isPatient ? 8 : calls, callers, isPatient })).ms);
  const costs = await interleaved(
    { rounds: Math.min(3, context.rounds) },
    { alone: quick(0, false), busy: quick(8, false), patient: quick(2, true) },
  );
  context.measured(
    'P4.7b',
    ratios(costs.busy, costs.alone),
    `${medianOf(costs.alone).toFixed(1)} ms alone, ${medianOf(costs.busy).toFixed(1)} beside a network of ${slow.toFixed(0)} ms with eight callers, one thread`,
  );
  context.control('P4.7b', 'lets everybody else go first', ratios(costs.patient, costs.alone));
}

const megapixels = 81;
const others = inApp('bench-others');
const heavy = inApp('bench-heavy');

/** Other tenants read and predict at a steady pace while one tenant's large pictures are processed. */
async function largePictures(context: BenchContext, load: LoadGenerator, picture: string): Promise<void> {
  const edge = Math.round(Math.sqrt(megapixels * 1e6));
  const png = await sharp({
    create: { width: edge, height: edge, channels: 3, background: { r: 20, g: 90, b: 160 } },
  })
    .png({ compressionLevel: 9 })
    .toBuffer();
  const server = await startServer({ main: context.serverMain, dataDir: join(context.folder, 'large') });
  context.defer(() => server.stop());
  const found = await besideLargePictures(context, load, server, picture, png);
  context.measured('P4.10', found.ratios, `${Math.round(png.length / 1000)} kB each; ${found.words}`);
  context.control('P4.10', 'waits in the lane of the large pictures', found.behind);
  await server.stop();
}

async function besideLargePictures(
  context: BenchContext,
  load: LoadGenerator,
  server: BenchServer,
  picture: string,
  png: Buffer,
) {
  const db = await server.database();
  await makeApp(server, db, others.userAppId.appId);
  await db.end();
  await rest(server, 'POST', `/v2/users/${userId}/apps`, {
    apps: [
      {
        id: heavy.userAppId.appId,
        default_workflow: { id: 'General', app_id: 'main', user_id: 'clarifai' },
      },
    ],
  });
  await rest(server, 'POST', `/v2/users/${userId}/apps/${others.userAppId.appId}/inputs`, {
    inputs: [{ id: 'known', data: { text: { raw: 'something that is read' } } }],
  });
  const once = { concurrency: 1, requestsMax: scaled(context, 100, 30), ratePerSecond: 10, byCode: true };
  const predictionOf = (image: Buffer, limits: typeof once | { concurrency: number; requestsMax: number }) =>
    grpcPlan(
      server.url,
      'PostModelOutputs',
      PostModelOutputsRequestSchema,
      [
        {
          userAppId: { userId: 'clarifai', appId: 'main' },
          modelId: 'moderation-recognition',
          inputs: [{ data: { image: { base64: image } } }],
        },
      ],
      limits,
    );
  const predict = predictionOf(readFileSync(picture), once);
  const read = grpcPlan(
    server.url,
    'GetInput',
    GetInputRequestSchema,
    [{ ...others, inputId: 'known' }],
    once,
  );
  const pace = async () => {
    const waits = [];
    for (const plan of [predict, read]) {
      const { codes = {} } = await load.run(plan);
      const ended = Object.keys(codes);
      if (ended.some((code) => code !== '10000')) throw new Error(`others are answered ${ended.join(', ')}`);
      waits.push(p95(codes[10000] ?? []));
    }
    return waits as [number, number];
  };
  await pace();
  const idle = await pace();
  const pictures = scaled(context, 128, 128);
  const upload = grpcPlan(
    server.url,
    'PostInputs',
    PostInputsRequestSchema,
    [
      {
        ...heavy,
        inputs: Array.from({ length: pictures }, (_, n) => ({
          id: `large-${n}`,
          data: { image: { base64: png, allowDuplicateUrl: true } },
        })),
      },
    ],
    { concurrency: 1, requestsMax: 1 },
  );
  await load.run(upload);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const busy: [number, number][] = [];
  for (let round = 0; round < Math.min(2, context.rounds); round++) busy.push(await pace());
  const behind = await load.run(predictionOf(png, { concurrency: 1, requestsMax: 3 }));
  const { counts } = await rest<{ counts: { processed?: number; to_process?: number } }>(
    server,
    'GET',
    `/v2/users/${userId}/apps/${heavy.userAppId.appId}/inputs/status`,
  );
  const shown = (at: 0 | 1) =>
    `${idle[at].toFixed(1)} ms idle and ${medianOf(busy.map((one) => one[at])).toFixed(1)} meanwhile`;
  return {
    ratios: busy.map(([predicted, got]) => Math.max(predicted / idle[0], got / idle[1])),
    behind: [p95(behind.latenciesMs) / idle[0]],
    words: `predictions ${shown(0)}, reads ${shown(1)}; ${counts.processed ?? 0} of ${pictures} processed by then`,
  };
}
