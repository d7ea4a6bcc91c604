import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PostModelOutputsRequestSchema } from '@fovea/contract';
import { openClient, type TestClient } from '../../server/src/testing/client.ts';
import type { Bench, BenchContext, Goal } from '../harness/bench.ts';
import { scaled } from '../harness/bench.ts';
import { auth, costOf, grpcPlan } from '../harness/calls.ts';
import { medianOf } from '../harness/judge.ts';
import { ask, type LoadGenerator, openLoad } from '../harness/load.ts';
import { makePictures } from '../harness/pictures.ts';
import { cpuDuring } from '../harness/processes.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { type BenchServer, pinned, startServer } from '../harness/server.ts';
import type { PredictQuestion } from './predict-child.ts';
import { bringEntries } from './vector-engine.ts';

const goals: readonly Goal[] = [
  {
    id: 'P4.1',
    what: 'PostModelOutputs of JPEGs, conv net: items per CPU second / bare loop of sharp and ONNX Runtime',
    unit: 'x',
    better: 'higher',
    pass: 0.8,
    record: 0.93,
  },
  {
    id: 'P4.2',
    what: 'the same, one caller: p50 beyond the bare loop',
    unit: 'ms',
    better: 'lower',
    pass: 3,
    record: 1,
    isLatency: true,
  },
  {
    id: 'P4.3',
    what: 'linear head, 64 callers: items per CPU second with batches / without',
    unit: 'x',
    better: 'higher',
    pass: 4,
    record: 10,
  },
  {
    id: 'P4.4',
    what: 'largest difference between batched and single answers, in millionths',
    unit: '',
    better: 'lower',
    pass: 10,
    record: 0,
  },
  {
    id: 'P4.5',
    what: 'neighbours of a failing item that failed with it',
    unit: '',
    better: 'lower',
    pass: 0,
    record: 0,
  },
];

const predict: Bench = {
  name: 'predict',
  about: 'what a prediction costs beside the network itself, and what batches are worth',
  goals,
  run,
};
export default predict;

const modelId = 'moderation-recognition';
const recipe = 'moderation-scores';
/** Five times the work for the same picture: the broken variant. */
const heavyModelId = 'general-image-recognition';
const platform = { userAppId: { userId: 'clarifai', appId: 'main' } };

async function run(context: BenchContext): Promise<void> {
  const server = await startServer({
    main: context.serverMain,
    dataDir: join(context.folder, 'data'),
    env: { FOVEA_INFERENCE_THREADS: '1' },
  });
  context.defer(() => server.stop());
  const pictures = await makePictures(context.folder, 16);
  const load = openLoad();
  context.defer(() => load.close());
  const client = openClient(new URL(server.url).host, auth).client;
  await scoresOf(client, pictures.slice(0, 1), heavyModelId);
  const ours = await scoresOf(client, pictures);
  const child = openChild(context);
  await ask(child, { kind: 'bare-open', model: madeFile(server) } satisfies PredictQuestion);
  const bare = await ask<Bare>(child, { kind: 'bare-run', pictures, repeats: 1 } satisfies PredictQuestion);
  checkScores(context, ours, bare.scores);
  await alongBareLoop(context, load, server, child, pictures);
  child.kill();
  await batches(context);
  await throughTheApi(client, pictures);
}

interface Bare {
  readonly latenciesMs: number[];
  readonly scores: number[][];
}

/** `isQuiet`: the runtime prints a line for each of the failures that are made on purpose. */
function openChild(context: BenchContext, isQuiet = false): ChildProcess {
  bringEntries(context, 'inference-worker');
  const path = fileURLToPath(new URL('./predict-child.js', import.meta.url));
  const [program, ...words] = [...pinned(0), process.execPath, path];
  const child = spawn(program as string, words, {
    stdio: ['ignore', 'inherit', isQuiet ? 'ignore' : 'inherit', 'ipc'],
  });
  context.defer(() => void child.kill());
  return child;
}

/** The ONNX file that the server made of the network. */
function madeFile({ dataDir }: BenchServer): string {
  const folder = join(dataDir, 'models');
  const name = readdirSync(folder).find((one) => one.startsWith(`${recipe}-`));
  if (name === undefined) throw new Error(`the server has made no ${recipe}`);
  return join(folder, name);
}

const requestOf = (paths: readonly string[], model = modelId) => ({
  ...platform,
  modelId: model,
  inputs: paths.map((path) => ({ data: { image: { base64: readFileSync(path) } } })),
});

async function scoresOf(
  client: TestClient,
  paths: readonly string[],
  model = modelId,
): Promise<Map<string, number>[]> {
  const reply = await client.postModelOutputs(requestOf(paths, model));
  if (reply.status?.code !== 10000)
    throw new Error(`the prediction answers ${reply.status?.code} ${reply.status?.details}`);
  return reply.outputs.map((output) => new Map(output.data?.concepts.map(({ id, value }) => [id, value])));
}

/** Both let the decoder shrink and scale to the same square. */
function checkScores(
  context: BenchContext,
  ours: readonly Map<string, number>[],
  bare: readonly number[][],
): void {
  let largest = 0;
  for (const [n, [drawing = 0, hentai = 0, neutral = 0, porn = 0, sexy = 0]] of bare.entries()) {
    const found = [...(ours[n]?.values() ?? [])].sort((a, b) => b - a);
    const wanted = [neutral + drawing, sexy, porn + hentai].sort((a, b) => b - a);
    for (const [i, value] of wanted.entries()) largest = Math.max(largest, Math.abs(value - (found[i] ?? 0)));
  }
  context.say(`answers differ by ${largest.toFixed(4)} at most`);
  context.sameAnswer('scores of the network within 0.001', largest <= 0.001, true);
}

async function alongBareLoop(
  context: BenchContext,
  load: LoadGenerator,
  server: BenchServer,
  child: ChildProcess,
  pictures: readonly string[],
): Promise<void> {
  const eights = [0, 8].map((from) => requestOf(pictures.slice(from, from + 8)));
  const calls = scaled(context, 24, 4);
  const plan = (requests: typeof eights, concurrency: number, requestsMax: number) =>
    grpcPlan(server.url, 'PostModelOutputs', PostModelOutputsRequestSchema, requests, {
      concurrency,
      requestsMax,
    });
  const costOfItem = async (requests: typeof eights) =>
    (await costOf(load, server.pid, plan(requests, 2, calls))).treeUs / 8;
  // The steady state is compared: until then the compiler of the language costs more than the calls.
  await load.run(plan(eights, 2, scaled(context, 150, 10)));
  const costs = await interleaved(context, {
    ours: () => costOfItem(eights),
    bare: async () => {
      const repeats = Math.max(1, Math.round((calls * 8) / pictures.length));
      const work = () =>
        ask(child, { kind: 'bare-run', pictures: [...pictures], repeats } satisfies PredictQuestion);
      return (1000 * (await cpuDuring(child.pid as number, work)).tree) / (repeats * pictures.length);
    },
    heavy: () => costOfItem(eights.map((one) => ({ ...one, modelId: heavyModelId }))),
  });
  const ms = (us: readonly number[]) => (medianOf(us) / 1000).toFixed(2);
  context.measured(
    'P4.1',
    ratios(costs.bare, costs.ours),
    `ours ${ms(costs.ours)} ms of CPU an item, bare loop ${ms(costs.bare)}`,
  );
  context.control('P4.1', 'runs a larger network than it was asked for', ratios(costs.bare, costs.heavy));

  const ones = pictures.map((path) => requestOf([path]));
  const p50 = async (requests: typeof eights) =>
    medianOf((await load.run(plan(requests, 1, scaled(context, 60, 8)))).latenciesMs);
  const waits = await interleaved(context, {
    ours: () => p50(ones),
    bare: async () => {
      const { latenciesMs } = await ask<Bare>(child, {
        kind: 'bare-run',
        pictures: [...pictures],
        repeats: 3,
      } satisfies PredictQuestion);
      return medianOf(latenciesMs);
    },
    heavy: () => p50(ones.map((one) => ({ ...one, modelId: heavyModelId }))),
  });
  const beyond = (side: readonly number[]) =>
    side.map((value, round) => value - (waits.bare[round] as number));
  context.measured(
    'P4.2',
    beyond(waits.ours),
    `ours ${medianOf(waits.ours).toFixed(1)} ms, bare loop ${medianOf(waits.bare).toFixed(1)}`,
  );
  context.control('P4.2', 'runs a larger network than it was asked for', beyond(waits.heavy));
}

async function batches(context: BenchContext): Promise<void> {
  const child = openChild(context, true);
  const pool = <Reply = object>(question: PredictQuestion) => ask<Reply>(child, question);
  await pool({ kind: 'pool-open', folder: context.folder });
  const items = scaled(context, 20_000, 2_000);
  const cost = (batchMax: number) => async () => {
    const { tree } = await cpuDuring(child.pid as number, () =>
      pool({ kind: 'pool-head', items, callers: 64, batchMax }),
    );
    return (1000 * tree) / items;
  };
  const costs = await interleaved(context, { batched: cost(32), single: cost(1), again: cost(1) });
  context.measured(
    'P4.3',
    ratios(costs.single, costs.batched),
    `${medianOf(costs.batched).toFixed(0)} and ${medianOf(costs.single).toFixed(0)} µs of CPU an item, 512 to 100`,
  );
  context.control('P4.3', 'has no batches', ratios(costs.single, costs.again));

  const compared = scaled(context, 10_000, 500);
  const { largest, equal } = await pool<{ largest: number; equal: number }>({
    kind: 'pool-compare',
    items: compared,
    batchMax: 32,
    shiftBy: 0,
  });
  context.measured('P4.4', [largest * 1e6], `${compared} items in order, ${equal} of them equal to the bit`);
  const shifted = await pool<{ largest: number }>({
    kind: 'pool-compare',
    items: 256,
    batchMax: 32,
    shiftBy: 1,
  });
  context.control('P4.4', 'gives each item the answer of the next', [shifted.largest * 1e6]);

  const trials = scaled(context, 1_000, 50);
  type Poisoned = { affected: number; survived: number };
  const { affected, survived } = await pool<Poisoned>({ kind: 'pool-poison', trials, withPool: true });
  if (survived > 0) throw new Error(`${survived} failing items did not fail`);
  context.measured('P4.5', [affected], `${trials} batches of eight, one of each failing`);
  const raw = await pool<Poisoned>({ kind: 'pool-poison', trials: Math.min(50, trials), withPool: false });
  context.control('P4.5', 'runs the batch as it comes', [raw.affected]);
  child.kill();
}

/** A file that is no picture, in the middle of a call: it fails with a reason, and its neighbours answer as before. */
async function throughTheApi(client: TestClient, pictures: readonly string[]): Promise<void> {
  const alone = await scoresOf(client, pictures.slice(0, 2));
  const request = requestOf([...pictures.slice(0, 2), pictures[0] as string]);
  const broken = readFileSync(pictures[0] as string).subarray(0, 300);
  const [first, second] = request.inputs;
  const reply = await client.postModelOutputs({
    ...request,
    inputs: [first, { data: { image: { base64: broken } } }, second] as typeof request.inputs,
  });
  const codes = reply.outputs.map((output) => output.status?.code ?? 0);
  const isRight = codes[0] === 10000 && codes[2] === 10000 && codes[1] !== 10000;
  const same = [0, 2].every((at, n) =>
    reply.outputs[at]?.data?.concepts.every(
      ({ id, value }) => Math.abs(value - (alone[n]?.get(id) ?? 0)) < 1e-5,
    ),
  );
  if (!isRight || !same)
    throw new Error(
      `a damaged picture among others: statuses ${codes.join(', ')}, neighbours ${same ? 'as before' : 'changed'}`,
    );
}
