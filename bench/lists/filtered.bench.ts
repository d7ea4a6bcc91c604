import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  DataSchema,
  type FilterSchema,
  ListInputsRequestSchema,
  MultiInputResponseSchema,
  MultiSearchResponseSchema,
  PostInputsSearchesRequestSchema,
} from '@fovea/contract';
import type pg from 'pg';
import { type Bench, type BenchContext, type Goal, scaled } from '../harness/bench.ts';
import { costOf, grpcPlan, inApp, replyOf } from '../harness/calls.ts';
import { openLoad } from '../harness/load.ts';
import { openPeer, socketOf } from '../harness/peer.ts';
import { cpuDuring } from '../harness/processes.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { type BenchApp, fillApp, makeApp, settle } from '../harness/rows.ts';
import { openServer } from '../harness/server.ts';

const pageSize = 128;
const filters = ['status', 'metadata', 'concept'] as const;
type By = (typeof filters)[number];

const goal = (by: By): Goal => ({
  id: `P7.6 ${by}`,
  what: `a page of 128 inputs by ${by}, one input in 100 of 200 k / SQL + encode`,
  unit: 'x',
  better: 'lower',
  pass: 3,
  record: 1.5,
});

const filtered: Bench = {
  name: 'filtered',
  about: 'pages of the inputs that a filter leaves, one in a hundred of 200,000',
  goals: filters.map(goal),
  run,
};
export default filtered;

async function run(context: BenchContext): Promise<void> {
  const { server, db } = await openServer(context, { env: { FOVEA_ROLES: 'api' } });
  const load = openLoad();
  context.defer(() => load.close());
  const size = scaled(context, 200_000, 20_000);
  const app = await makeApp(server, db, 'bench-filtered');
  await fillApp(db, app, size);
  await markRare(db, app);
  await settle(db);
  const limits = { concurrency: 4, requestsMax: scaled(context, 200, 60) };
  const search = (filter: MessageInitShape<typeof FilterSchema>) =>
    grpcPlan(
      server.url,
      'PostInputsSearches',
      PostInputsSearchesRequestSchema,
      [
        {
          ...inApp(app.appId),
          searches: [{ query: { filters: [filter] } }],
          pagination: { page: 1, perPage: pageSize },
        },
      ],
      limits,
    );
  const plans = {
    status: grpcPlan(
      server.url,
      'ListInputs',
      ListInputsRequestSchema,
      [{ ...inApp(app.appId), page: 1, perPage: pageSize, status: { code: failed } }],
      limits,
    ),
    metadata: search({ annotation: { data: { metadata: { shelf: 'rare' } } } }),
    concept: search({ annotation: { data: { concepts: [{ id: 'rare', value: 1 }] } } }),
  };
  const sql = openPeer(context, 'sql-child');
  const wanted = {
    kind: 'filtered',
    socketDir: socketOf(server.dataDir),
    appKey: app.appKey,
    size: pageSize,
  };
  for (const by of filters) {
    const plan = plans[by];
    const { message } = await replyOf(
      load,
      plan,
      by === 'status' ? MultiInputResponseSchema : MultiSearchResponseSchema,
    );
    const shown = message as { inputs?: { id: string }[]; hits?: { input: { id: string } }[] };
    const ids = (shown.inputs ?? shown.hits?.map(({ input }) => input) ?? []).map(({ id }) => id);
    context.sameAnswer(
      `inputs by ${by}`,
      ids,
      (await sql.ask<{ ids: string[] }>({ ...wanted, by, pages: 1 })).ids,
    );
    const pages = limits.requestsMax;
    const costs = await interleaved(context, {
      ours: async () => (await costOf(load, server.pid, plan)).treeUs,
      sql: async () => (1000 * (await sql.cpuMs({ ...wanted, by, pages }, server.pid))) / pages,
    });
    context.measured(
      `P7.6 ${by}`,
      ratios(costs.ours, costs.sql),
      `${Math.round(costs.ours[0] as number)} µs CPU, SQL ${Math.round(costs.sql[0] as number)}`,
    );
    const scan = await scanCost(db, server.pid, app);
    context.control(
      `P7.6 ${by}`,
      'takes every input of the app out of the database',
      costs.sql.map((us) => scan / us),
    );
  }
}

/** A status that no input of `fillApp` has. */
const failed = 30100;

/** Gives one input in a hundred a status of its own, another one metadata, and another one a label. */
async function markRare(db: pg.Client, { appKey, userKey }: BenchApp): Promise<void> {
  const bytesOf = (data: MessageInitShape<typeof DataSchema>) =>
    Buffer.from(toBinary(DataSchema, create(DataSchema, data)));
  await db.query('set session_replication_role = replica');
  await db.query(`insert into concepts (app_key, id, name) values ($1, 'rare', 'rare')`, [appKey]);
  await db.query(`update inputs set status_code = $2 where app_key = $1 and right(id, 2) = '63'`, [
    appKey,
    failed,
  ]);
  await db.query(
    `update annotations set metadata = '{"shelf": "rare"}', kinds = kinds | 65536, data = $2
     where app_key = $1 and input_level and right(input_id, 2) = '41'`,
    [appKey, bytesOf({ metadata: { shelf: 'rare' } })],
  );
  await db.query(
    `update annotations set data = $2 where app_key = $1 and input_level and right(input_id, 2) = '37'`,
    [appKey, bytesOf({ concepts: [{ id: 'rare', name: 'rare', value: 1 }] })],
  );
  await db.query(
    `insert into annotation_concepts (app_key, annotation_key, input_key, concept_id, value, trusted)
     select $1, key, input_key, 'rare', 1, true from annotations
     where app_key = $1 and input_level and right(input_id, 2) = '37' and worker_user_key = $2`,
    [appKey, userKey],
  );
  // The tallies that pages by status are found with.
  await db.query('delete from input_tallies where app_key = $1', [appKey]);
  await db.query(
    `insert into input_tallies select app_key, key >> 10, status_code, count(*) from inputs where app_key = $1 group by 1, 2, 3
     union all select app_key, -2 - (key >> 15), status_code, count(*) from inputs where app_key = $1 group by 1, 2, 3
     union all select app_key, -1, status_code, count(*) from inputs where app_key = $1 group by 1, 2, 3`,
    [appKey],
  );
  await db.query('set session_replication_role = origin');
}

/** What a page costs that a process finds by going through all inputs and what is said of them, in microseconds. */
async function scanCost(db: pg.Client, serverPid: number, { appKey }: BenchApp): Promise<number> {
  const times = 3;
  const { tree } = await cpuDuring(serverPid, async () => {
    for (let n = 0; n < times; n++)
      await db.query(
        `select i.*, a.data, a.metadata from inputs i join annotations a on a.input_key = i.key and a.input_level
         where i.app_key = $1 order by i.modified_at, i.key`,
        [appKey],
      );
  });
  return (1000 * Math.max(10, tree)) / times;
}
