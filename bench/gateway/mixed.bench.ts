import { join } from 'node:path';
import {
  ListInputsRequestSchema,
  PostInputsRequestSchema,
  PostInputsSearchesRequestSchema,
  PostModelOutputsRequestSchema,
} from '@fovea/contract';
import sharp from 'sharp';
import { type Bench, type BenchContext, scaled } from '../harness/bench.ts';
import { grpcPlan, inApp } from '../harness/calls.ts';
import { quantileOf } from '../harness/judge.ts';
import { type LoadGenerator, openLoad } from '../harness/load.ts';
import { fillApp, makeApp } from '../harness/rows.ts';
import { type BenchServer, pat, startServer } from '../harness/server.ts';

const appId = 'bench-mixed';

const mixed: Bench = {
  name: 'mixed',
  about: 'how long the event loop is held up while everything happens at once',
  goals: [
    {
      id: 'P1.4',
      what: 'event-loop delay under lists, uploads of 128, searches and predictions, p99',
      unit: 'ms',
      better: 'lower',
      pass: 50,
      record: 20,
      isLatency: true,
    },
    {
      id: 'P1.4m',
      what: 'the same, longest',
      unit: 'ms',
      better: 'lower',
      pass: 250,
      record: 50,
      isLatency: true,
    },
  ],
  run,
};
export default mixed;

async function run(context: BenchContext): Promise<void> {
  const server = await startServer({
    main: context.serverMain,
    dataDir: join(context.folder, 'data'),
    pin: false,
  });
  context.defer(() => server.stop());
  const db = await server.database();
  await fillApp(db, await makeApp(server, db, appId), 2000);
  await db.end();
  const loads = Array.from({ length: 4 }, () => openLoad());
  context.defer(() => loads.forEach((load) => void load.close()));
  const picture = await sharp({ create: { width: 320, height: 240, channels: 3, background: '#8a6' } })
    .jpeg()
    .toBuffer();
  const seconds = scaled(context, 10, 4);
  const rounds = Math.min(context.rounds, 3);
  await together(loads, server, picture, 2, 0);
  const found: Delay[] = [];
  for (let round = 0; round < rounds; round++) {
    await delayOf(server);
    const lists = await together(loads, server, picture, seconds, 1 + round);
    found.push({ ...(await delayOf(server)), lists });
  }
  const lists = found.map((one) => one.lists?.toFixed(0)).join(', ');
  context.measured(
    'P1.4',
    found.map(({ p99Ms }) => p99Ms),
    `lists of 128 at the same time: 95th percentile ${lists} ms from their intended start`,
  );
  context.measured(
    'P1.4m',
    found.map(({ maxMs }) => maxMs),
  );
  const broken = await stalled(server);
  context.control('P1.4', 'the process is held still for 400 ms, five times', [broken.p99Ms]);
  context.control('P1.4m', 'the same', [broken.maxMs]);
}

interface Delay {
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly lists?: number;
}

/** What the server's own `monitorEventLoopDelay` saw since it was last asked. */
async function delayOf(server: BenchServer): Promise<Delay> {
  const text = await (
    await fetch(`${server.url}/metrics`, { headers: { authorization: `Key ${pat}` } })
  ).text();
  const seconds = (name: string) =>
    Number(new RegExp(`^nodejs_eventloop_lag_${name}_seconds ([\\d.e+-]+)`, 'm').exec(text)?.[1]);
  return { p99Ms: 1000 * seconds('p99'), maxMs: 1000 * seconds('max') };
}

/** All kinds of calls at their own fixed rates. @returns the 95th percentile of the lists */
async function together(
  loads: readonly LoadGenerator[],
  server: BenchServer,
  picture: Buffer,
  seconds: number,
  round: number,
): Promise<number> {
  const { url } = server;
  const at = (ratePerSecond: number) => ({
    concurrency: 1,
    ratePerSecond,
    requestsMax: Math.ceil(ratePerSecond * seconds),
    timeMsMax: seconds * 1000,
  });
  const uploads = Array.from({ length: Math.ceil(0.5 * seconds) }, (_, batch) => ({
    ...inApp(appId),
    inputs: Array.from({ length: 128 }, (_, i) => ({
      id: `mixed-${round}-${batch}-${i}`,
      data: { image: { base64: Buffer.concat([picture, Buffer.from(`${round} ${batch} ${i}`)]) } },
    })),
  }));
  const search = {
    ...inApp(appId),
    pagination: { perPage: 20 },
    searches: [{ query: { filters: [{ annotation: { data: { concepts: [{ id: 'cat', value: 1 }] } } }] } }],
  };
  const predict = {
    userAppId: { userId: 'clarifai', appId: 'main' },
    modelId: 'general-image-recognition',
    inputs: [{ data: { image: { base64: picture } } }],
  };
  const [lists] = await Promise.all([
    loads[0]?.run(
      grpcPlan(url, 'ListInputs', ListInputsRequestSchema, [{ ...inApp(appId), perPage: 128 }], at(10)),
    ),
    loads[1]?.run(grpcPlan(url, 'PostInputs', PostInputsRequestSchema, uploads, at(0.5))),
    loads[2]?.run(grpcPlan(url, 'PostInputsSearches', PostInputsSearchesRequestSchema, [search], at(5))),
    loads[3]?.run(grpcPlan(url, 'PostModelOutputs', PostModelOutputsRequestSchema, [predict], at(1))),
  ]);
  return quantileOf(lists?.latenciesMs ?? [Number.NaN], 0.95);
}

/** A server that is held still five times for 400 ms, as by work on its event loop. */
async function stalled(server: BenchServer): Promise<Delay> {
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  await delayOf(server);
  for (let n = 0; n < 5; n++) {
    process.kill(server.pid, 'SIGSTOP');
    await pause(400);
    process.kill(server.pid, 'SIGCONT');
    await pause(200);
  }
  return delayOf(server);
}
