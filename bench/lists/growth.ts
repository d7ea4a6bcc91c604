import {
  DeleteInputsRequestSchema,
  GetInputRequestSchema,
  ListInputsRequestSchema,
  PostInputsRequestSchema,
  StreamInputsRequestSchema,
} from '@fovea/contract';
import type { BenchContext, Goal } from '../harness/bench.ts';
import { scaled } from '../harness/bench.ts';
import type { BigApps } from '../harness/big-apps.ts';
import { type Cost, costOf, grpcPlan, inApp } from '../harness/calls.ts';
import { cpuDuring } from '../harness/processes.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import type { BenchApp } from '../harness/rows.ts';

const row = (id: string, what: string, pass: number): Goal => ({
  id: `B ${id}`,
  what: `${what}: 1 M / 50 k inputs`,
  unit: 'x',
  better: 'lower',
  pass,
  record: 1.1,
});

/** How cost grows with the size of an app. The bounds are those for ten times the size; measured over twenty. */
export const growthGoals: readonly Goal[] = [
  row('get', 'GetInput', 1.2),
  row('list', 'ListInputs, page 1', 1.3),
  { ...row('list depth', 'ListInputs', 1.5), what: 'ListInputs at 50 % and at 90 % of 1 M / page 1' },
  row('stream', 'StreamInputs, 1,000 behind the middle', 1.3),
  row('insert', 'PostInputs of 128 URLs', 1.5),
  row('delete', 'DeleteInputs of 100', 1.5),
];

type App = BenchApp & { size: number };

const inputId = (n: number) => `input-${String(n).padStart(8, '0')}`;

export async function growth(context: BenchContext, apps: BigApps): Promise<void> {
  const { server, load, small, large } = apps;
  const limits = (n: number, least = 4, concurrency = 4) => ({
    concurrency,
    requestsMax: scaled(context, n, least),
  });
  const treeUs = async (plan: Parameters<typeof costOf>[2]) => (await costOf(load, server.pid, plan)).treeUs;

  const spread = (app: App, n: number) =>
    Array.from({ length: n }, (_, i) => 1 + Math.floor(((i + 0.5) * app.size) / n));
  const get = (app: App) =>
    grpcPlan(
      server.url,
      'GetInput',
      GetInputRequestSchema,
      spread(app, 500).map((n) => ({ ...inApp(app.appId), inputId: inputId(n) })),
      limits(2000, 200),
    );
  const list = (app: App, depth: number) => {
    const page = 1 + Math.floor((depth * app.size) / 128);
    return grpcPlan(
      server.url,
      'ListInputs',
      ListInputsRequestSchema,
      [{ ...inApp(app.appId), page, perPage: 128 }],
      limits(300, 20),
    );
  };
  const stream = (app: App) => {
    const lastId = inputId(Math.floor(app.size / 2));
    return grpcPlan(
      server.url,
      'StreamInputs',
      StreamInputsRequestSchema,
      [{ ...inApp(app.appId), lastId, perPage: 1000 }],
      limits(30, 4),
    );
  };
  const reads = await interleaved(context, {
    getSmall: () => treeUs(get(small)),
    getLarge: () => treeUs(get(large)),
    // There and back, so that what a call owes to the one before it falls on both; of 150 calls a sample was off by a half.
    listSmall: () => treeUs(list(small, 0)),
    listLarge: () => treeUs(list(large, 0)),
    listLargeAgain: () => treeUs(list(large, 0)),
    listSmallAgain: () => treeUs(list(small, 0)),
    half: () => treeUs(list(large, 0.5)),
    deep: () => treeUs(list(large, 0.9)),
    streamSmall: () => treeUs(stream(small)),
    streamLarge: () => treeUs(stream(large)),
  });
  context.measured('B get', ratios(reads.getLarge, reads.getSmall));
  const both = (one: readonly number[], other: readonly number[]) =>
    one.map((us, round) => (us + (other[round] as number)) / 2);
  const firstOfLarge = both(reads.listLarge, reads.listLargeAgain);
  context.measured('B list', ratios(firstOfLarge, both(reads.listSmall, reads.listSmallAgain)));
  const deeper = reads.deep.map((us, round) => Math.max(us, reads.half[round] as number));
  context.measured('B list depth', ratios(deeper, firstOfLarge));
  context.measured('B stream', ratios(reads.streamLarge, reads.streamSmall));
  await writes(context, apps);
  await controls(context, apps);
}

async function writes(context: BenchContext, { server, load, small, large }: BigApps): Promise<void> {
  let posted = 0;
  // From the beginning of each app on; what is changed later (`changes.ts`) lies behind that.
  const deleted = new Map<App, number>();
  const batches = scaled(context, 12, 2);
  // Labels, so that deleting takes their counters along.
  const post = (app: App): Promise<Cost> => {
    const requests = Array.from({ length: batches }, () => ({
      ...inApp(app.appId),
      inputs: Array.from({ length: 128 }, () => {
        const id = `grown-${posted++}`;
        return {
          id,
          data: { image: { url: `https://images.example/${id}.jpg` }, concepts: [{ id: 'cat', value: 1 }] },
        };
      }),
    }));
    return costOf(
      load,
      server.pid,
      grpcPlan(server.url, 'PostInputs', PostInputsRequestSchema, requests, {
        concurrency: 1,
        requestsMax: batches,
      }),
    );
  };
  const remove = (app: App): Promise<Cost> => {
    const from = 1 + (deleted.get(app) ?? 0);
    deleted.set(app, from - 1 + 100 * batches);
    const requests = Array.from({ length: batches }, (_, batch) => ({
      ...inApp(app.appId),
      ids: Array.from({ length: 100 }, (_, n) => inputId(from + 100 * batch + n)),
    }));
    return costOf(
      load,
      server.pid,
      grpcPlan(server.url, 'DeleteInputs', DeleteInputsRequestSchema, requests, {
        concurrency: 1,
        requestsMax: batches,
      }),
    );
  };
  const costs = await interleaved(context, {
    postSmall: async () => (await post(small)).treeUs,
    postLarge: async () => (await post(large)).treeUs,
    removeSmall: async () => (await remove(small)).treeUs,
    removeLarge: async () => (await remove(large)).treeUs,
  });
  context.measured(
    'B insert',
    ratios(costs.postLarge, costs.postSmall),
    `${Math.round(costs.postLarge[0] as number)} µs CPU for 128`,
  );
  context.measured(
    'B delete',
    ratios(costs.removeLarge, costs.removeSmall),
    `${Math.round(costs.removeLarge[0] as number)} µs CPU for 100`,
  );
}

/** One statement that reads all of an app, in each place where the server must not have one. */
async function controls(context: BenchContext, { db, server, small, large }: BigApps): Promise<void> {
  const cost = async (appKey: number) => {
    const { tree } = await cpuDuring(server.pid, async () => {
      for (let n = 0; n < 3; n++)
        await db.query('select count(*) from inputs where app_key = $1 and url like $2', [appKey, '%x%']);
    });
    return Math.max(10, tree);
  };
  const grown = [(await cost(large.appKey)) / (await cost(small.appKey))];
  for (const { id } of growthGoals) context.control(id, 'looks at every input of the app', grown);
}
