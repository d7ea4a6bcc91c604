import {
  GetConceptCountsRequestSchema,
  GetInputCountRequestSchema,
  GetInputRequestSchema,
  ListInputsRequestSchema,
  MultiInputResponseSchema,
  SingleInputCountResponseSchema,
  StreamInputsRequestSchema,
} from '@fovea/contract';
import { type Bench, type BenchContext, scaled } from '../harness/bench.ts';
import { type BigApps, openBigApps } from '../harness/big-apps.ts';
import { costOf, grpcPlan, inApp, remembering, replyOf } from '../harness/calls.ts';
import { openPeer, socketOf } from '../harness/peer.ts';
import { cpuDuring } from '../harness/processes.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { failedEvery } from '../harness/rows.ts';
import { changeGoals, changes } from './changes.ts';
import { growth, growthGoals } from './growth.ts';

const pageSize = 128;
const walkSize = 1000;

const lists: Bench = {
  name: 'lists',
  about: 'pages, walks and counts of an app with a million inputs',
  goals: [
    {
      id: 'P7.1',
      what: 'ListInputs page 1 of 1 M / keyset SQL + encode',
      unit: 'x',
      better: 'lower',
      pass: 2,
      record: 1.4,
    },
    {
      id: 'P7.2',
      what: 'ListInputs page at 90 % of 1 M / page 1',
      unit: 'x',
      better: 'lower',
      pass: 5,
      record: 1.5,
    },
    {
      id: 'P7.3',
      what: 'StreamInputs walk, inputs per CPU second / COPY of the same columns',
      unit: 'x',
      better: 'higher',
      pass: 0.15,
      record: 0.4,
    },
    {
      id: 'P7.4',
      what: 'counts of inputs and of a concept: 1 M / 50 k',
      unit: 'x',
      better: 'lower',
      pass: 2,
      record: 1.1,
    },
    ...growthGoals,
    ...changeGoals,
  ],
  run,
};
export default lists;

async function run(context: BenchContext): Promise<void> {
  const apps = await openBigApps(context);
  await checkCounts(context, apps);
  await pages(context, apps);
  await walk(context, apps);
  await counts(context, apps);
  await growth(context, apps);
  await changes(context, apps);
}

async function checkCounts(context: BenchContext, { load, server, large }: BigApps): Promise<void> {
  const plan = grpcPlan(server.url, 'GetInputCount', GetInputCountRequestSchema, [inApp(large.appId)], one);
  const { message } = await replyOf(load, plan, SingleInputCountResponseSchema);
  const { counts } = message as { counts: { processed: number; errors: number } };
  const errors = Math.floor(large.size / failedEvery);
  context.sameAnswer('counts', [counts.processed, counts.errors], [large.size - errors, errors]);
}

const one = { concurrency: 1, requestsMax: 1 };

async function pages(context: BenchContext, apps: BigApps): Promise<void> {
  const { load, server, large } = apps;
  const list = (page: number, perPage = pageSize) =>
    grpcPlan(server.url, 'ListInputs', ListInputsRequestSchema, [{ ...inApp(large.appId), page, perPage }], {
      concurrency: 4,
      requestsMax: scaled(context, 300, 40),
    });
  const get = grpcPlan(
    server.url,
    'GetInput',
    GetInputRequestSchema,
    [{ ...inApp(large.appId), inputId: inputId(1) }],
    {
      concurrency: 4,
      requestsMax: scaled(context, 1000, 100),
    },
  );
  const deep = Math.floor((0.9 * large.size) / pageSize);
  const sql = openPeer(context, 'sql-child');
  const socketDir = socketOf(server.dataDir);
  const wanted = { kind: 'page', socketDir, appKey: large.appKey, size: pageSize };
  const ids = (reply: { inputs: { id: string }[] }) => reply.inputs.map(({ id }) => id);
  const peer = await sql.ask<{ ids: string[] }>({ ...wanted, pages: 1 });
  context.sameAnswer(
    'page 1',
    ids((await replyOf(load, list(1), MultiInputResponseSchema)).message),
    peer.ids,
  );
  const last = large.size - (deep - 1) * pageSize;
  const found = ids((await replyOf(load, list(deep), MultiInputResponseSchema)).message);
  context.sameAnswer(
    'page at 90 %',
    found,
    Array.from({ length: pageSize }, (_, i) => inputId(last - i)),
  );

  const pagesOfPeer = scaled(context, 300, 40);
  const seen = remembering();
  const costs = await interleaved(context, {
    first: seen.side('page 1', () => costOf(load, server.pid, list(1))),
    deep: seen.side('page at 90 %', () => costOf(load, server.pid, list(deep))),
    each: async () => (await costOf(load, server.pid, get)).treeUs,
    sql: async () => (1000 * (await sql.cpuMs({ ...wanted, pages: pagesOfPeer }, server.pid))) / pagesOfPeer,
  });
  const offset = await offsetCost(apps, deep);
  context.measured('P7.1', ratios(costs.first, costs.sql), seen.words('page 1'));
  context.control(
    'P7.1',
    'reads the inputs of a page one by one',
    ratios(
      costs.each.map((us) => pageSize * us),
      costs.sql,
    ),
  );
  context.measured('P7.2', ratios(costs.deep, costs.first), seen.words('page at 90 %'));
  context.control(
    'P7.2',
    'pages found by OFFSET',
    ratios(
      costs.first.map(() => offset),
      costs.first,
    ),
  );
}

const inputId = (n: number) => `input-${String(n).padStart(8, '0')}`;

/** What a page costs the database when it is found by counting past all rows before it. */
async function offsetCost({ db, server, large }: BigApps, page: number): Promise<number> {
  const times = 3;
  const { tree } = await cpuDuring(server.pid, async () => {
    for (let n = 0; n < times; n++) {
      await db.query('select * from inputs where app_key = $1 order by key desc limit $2 offset $3', [
        large.appKey,
        pageSize,
        (page - 1) * pageSize,
      ]);
    }
  });
  return (1000 * tree) / times;
}

async function walk(context: BenchContext, { load, server, large }: BigApps): Promise<void> {
  // Cursors are known beforehand, so that the walk needs no replies to go on and several can run at once.
  const steps = Math.min(scaled(context, 200, 10), Math.floor(large.size / walkSize) - 1);
  const requests = Array.from({ length: steps }, (_, i) => ({
    ...inApp(large.appId),
    perPage: walkSize,
    lastId: i === 0 ? '' : inputId(i * walkSize),
  }));
  const plan = grpcPlan(server.url, 'StreamInputs', StreamInputsRequestSchema, requests, {
    concurrency: 2,
    requestsMax: steps,
    timeMsMax: 60_000,
  });
  const end = { ...plan, bodies: plan.bodies.slice(-1) };
  const { message } = await replyOf(load, end, MultiInputResponseSchema);
  const shown = message as { inputs: { id: string }[] };
  context.sameAnswer(
    'the end of the walk',
    [shown.inputs.length, shown.inputs.at(-1)?.id],
    [walkSize, inputId(steps * walkSize)],
  );
  const sql = openPeer(context, 'sql-child');
  const socketDir = socketOf(server.dataDir);
  const rounds = { rounds: Math.min(context.rounds, 3) };
  const seen = remembering();
  const costs = await interleaved(
    rounds,
    {
      stream: seen.side('1000 streamed', () => costOf(load, server.pid, plan)),
      copy: () => sql.cpuMs({ kind: 'copy', socketDir, appKey: large.appKey }, server.pid),
    },
    { warmUp: false },
  );
  // µs per 1,000 inputs of ours against ms for all inputs of the copy, both as inputs per CPU second.
  const ours = costs.stream.map((us) => (walkSize * 1e6) / us);
  const theirs = costs.copy.map((ms) => (large.size * 1000) / ms);
  context.measured(
    'P7.3',
    ratios(ours, theirs),
    `${Math.round(ours[0] as number)} inputs per CPU second; ${seen.words('1000 streamed')}`,
  );
  context.control(
    'P7.3',
    'walks by pages of 20 that are read one input at a time',
    ratios(
      ours.map((rate) => rate / 50),
      theirs,
    ),
  );
}

async function counts(context: BenchContext, { db, load, server, small, large }: BigApps): Promise<void> {
  const limits = { concurrency: 4, requestsMax: scaled(context, 1500, 100) };
  const inputs = (appId: string) =>
    grpcPlan(server.url, 'GetInputCount', GetInputCountRequestSchema, [inApp(appId)], limits);
  const concepts = (appId: string) =>
    grpcPlan(server.url, 'GetConceptCounts', GetConceptCountsRequestSchema, [inApp(appId)], {
      ...limits,
      requestsMax: scaled(context, 1000, 100),
    });
  const both = async (appId: string) =>
    (await costOf(load, server.pid, inputs(appId))).treeUs +
    (await costOf(load, server.pid, concepts(appId))).treeUs;
  const costs = await interleaved(context, {
    small: () => both(small.appId),
    large: () => both(large.appId),
  });
  context.measured(
    'P7.4',
    ratios(costs.large, costs.small),
    `${Math.round(costs.large[0] as number)} µs CPU for both`,
  );
  const scan = async (appKey: number) => {
    const { tree } = await cpuDuring(server.pid, async () => {
      for (let n = 0; n < 5; n++) {
        await db.query('select status_code, count(*) from inputs where app_key = $1 group by 1', [appKey]);
      }
    });
    return Math.max(10, tree);
  };
  context.control('P7.4', 'counts the rows', [(await scan(large.appKey)) / (await scan(small.appKey))]);
}
