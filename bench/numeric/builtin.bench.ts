import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Data, PostModelOutputsRequestSchema } from '@fovea/contract';
import sharp from 'sharp';
import { modelPackages } from '../../server/src/engine/package.ts';
import { openClient, type TestClient } from '../../server/src/testing/client.ts';
import type { Bench, BenchContext } from '../harness/bench.ts';
import { scaled } from '../harness/bench.ts';
import { auth, costOf, grpcPlan } from '../harness/calls.ts';
import { medianOf } from '../harness/judge.ts';
import { openLoad } from '../harness/load.ts';
import { openPeer, type Peer } from '../harness/peer.ts';
import { makePictures } from '../harness/pictures.ts';
import { interleaved } from '../harness/rounds.ts';
import { type BenchServer, startServer } from '../harness/server.ts';
import type { BareRun, BuiltinQuestion, Said } from './builtin-child.ts';
import { bringEntries } from './vector-engine.ts';

const builtin: Bench = {
  name: 'builtin',
  about: 'each built-in model: one caller’s latency, and items per CPU second against its own bare loop',
  goals: [
    {
      id: 'P4.1b',
      what: 'items per CPU second / bare loop with the model’s own preparation, the worst of the built-in models',
      unit: 'x',
      better: 'higher',
      pass: 0.8,
      record: 0.93,
    },
  ],
  run,
};
export default builtin;

const platform = { userAppId: { userId: 'clarifai', appId: 'main' } };
/** The heaviest: in place of each other one it is the broken variant. */
const heavyId = 'body-pose-detection';
const perCall = 8;

async function run(context: BenchContext): Promise<void> {
  const server = await startServer({
    main: context.serverMain,
    dataDir: join(context.folder, 'data'),
    env: { FOVEA_INFERENCE_THREADS: '1', FOVEA_FACES: 'true' },
  });
  context.defer(() => server.stop());
  const pictures = await picturesFor(context);
  const { client } = openClient(new URL(server.url).host, auth);
  bringEntries(context, 'text-worker');
  const peer = openPeer(context, 'builtin-child');
  await peer.ask({ kind: 'open', models: join(server.dataDir, 'models') } satisfies BuiltinQuestion);
  const load = openLoad();
  context.defer(() => load.close());
  const rounds = { rounds: Math.min(3, context.rounds) };
  const calls = scaled(context, 4, 2);

  const sides = {
    ours: async (model: string) =>
      (await costOf(load, server.pid, planOf(server, model, pictures, perCall, 2, calls))).treeUs /
      perCall /
      1000,
    bare: async (model: string) => {
      const repeats = Math.max(1, Math.round((calls * perCall) / pictures.length));
      return (await peer.cpuMs(askOf(model, pictures, repeats))) / (repeats * pictures.length);
    },
    alone: async (model: string) => {
      const plan = planOf(server, model, pictures, 1, 1, pictures.length);
      return medianOf((await load.run(plan)).latenciesMs);
    },
    bareAlone: async (model: string) =>
      medianOf((await peer.ask<BareRun>(askOf(model, pictures, 1))).latenciesMs),
  };
  const lines: string[][] = [];
  const ratiosOf: number[][] = [];
  const bares: number[][] = [];
  for (const { id } of modelPackages) {
    await compare(context, client, peer, id, pictures);
    const costs = await interleaved(
      rounds,
      {
        ours: () => sides.ours(id),
        bare: () => sides.bare(id),
        alone: () => sides.alone(id),
        bareAlone: () => sides.bareAlone(id),
      },
      { warmUp: false },
    );
    const ratios = costs.ours.map((ms, round) => (costs.bare[round] as number) / ms);
    ratiosOf.push(ratios);
    bares.push(costs.bare);
    lines.push([
      id,
      ...[costs.alone, costs.bareAlone, costs.ours, costs.bare].map((ms) => medianOf(ms).toFixed(1)),
      (1000 / medianOf(costs.ours)).toFixed(1),
      `${medianOf(ratios).toFixed(2)}×`,
    ]);
    context.say((lines.at(-1) as string[]).join(' · '));
  }
  const worst = ratiosOf.reduce((a, b) => (medianOf(b) < medianOf(a) ? b : a));
  context.measured('P4.1b', worst, `${lines[ratiosOf.indexOf(worst)]?.[0]} of ${lines.length}`);
  const heavy = await sides.ours(heavyId);
  const quickest = bares.reduce((a, b) => (medianOf(b) < medianOf(a) ? b : a));
  context.control(
    'P4.1b',
    'runs a larger model than it was asked for',
    quickest.map((ms) => ms / heavy),
  );
  context.table('Built-in models', [
    [
      'model',
      'one caller, median ms',
      'bare loop, median ms',
      'CPU ms an item',
      'CPU ms in the bare loop',
      'items per CPU second',
      'against the bare loop',
    ],
    ...lines,
  ]);
}

const askOf = (model: string, pictures: readonly string[], repeats: number): BuiltinQuestion => ({
  kind: 'run',
  model,
  pictures: [...pictures],
  repeats,
});

function planOf(
  { url }: BenchServer,
  modelId: string,
  pictures: readonly string[],
  inputs: number,
  concurrency: number,
  requestsMax: number,
) {
  const requests = [];
  for (let from = 0; from + inputs <= pictures.length; from += inputs)
    requests.push(requestOf(modelId, pictures.slice(from, from + inputs)));
  return grpcPlan(url, 'PostModelOutputs', PostModelOutputsRequestSchema, requests, {
    concurrency,
    requestsMax,
    timeMsMax: 60_000,
  });
}

const requestOf = (modelId: string, pictures: readonly string[]) => ({
  ...platform,
  modelId,
  inputs: pictures.map((path) => ({ data: { image: { base64: readFileSync(path) } } })),
});

/** Real photographs where the user named a folder, for faces and bodies are not found in made-up ones; else those. */
async function picturesFor(context: BenchContext): Promise<string[]> {
  const made = await makePictures(context.folder, perCall);
  const photos = context.images && join(context.images, 'photos');
  if (!photos || !existsSync(photos)) {
    context.say('made-up pictures: models of faces and bodies look for some and find none');
    return made;
  }
  const paths: string[] = [];
  for (const name of readdirSync(photos).sort()) {
    if (paths.length === perCall) break;
    const path = join(context.folder, `${name}.jpg`);
    try {
      const jpeg = await sharp(readFileSync(join(photos, name)), { failOn: 'warning' })
        .removeAlpha()
        .toColourspace('srgb')
        .resize(640, 640, { fit: 'inside', withoutEnlargement: true })
        .jpeg({ quality: 90 })
        .toBuffer();
      writeFileSync(path, jpeg);
      paths.push(path);
    } catch {
      // Folders of photographs may hold damaged ones.
    }
  }
  return [...paths, ...made].slice(0, perCall);
}

/** What the server says has to be what the bare loop says. */
async function compare(
  context: BenchContext,
  client: TestClient,
  peer: Peer,
  model: string,
  pictures: readonly string[],
): Promise<void> {
  const reply = await client.postModelOutputs(requestOf(model, pictures));
  if (reply.status?.code !== 10000)
    throw new Error(`${model}: ${reply.status?.code} ${reply.status?.details}`);
  const ours = reply.outputs.map(({ data }) => saidIn(data));
  const { said: bare } = await peer.ask<BareRun>(askOf(model, pictures, 1));
  const kinds = ['concepts', 'regions', 'colors', 'embedding'] as const;
  let far = 0;
  for (const [at, one] of ours.entries()) {
    for (const kind of kinds) {
      const [a, b] = [one[kind], bare[at]?.[kind] ?? []];
      if (a.length !== b.length) far = Number.POSITIVE_INFINITY;
      for (const [i, value] of a.entries()) far = Math.max(far, Math.abs(value - (b[i] as number)));
    }
  }
  context.sameAnswer(`${model}: numbers within 0.0001`, far <= 1e-4, true);
}

const falling = (values: readonly { value: number }[] = []): number[] =>
  values.map(({ value }) => value).sort((a, b) => b - a);

const saidIn = (data: Data | undefined): Said => ({
  concepts: falling(data?.concepts),
  regions: falling(data?.regions),
  colors: falling(data?.colors),
  embedding: data?.embeddings[0]?.vector ?? [],
});
