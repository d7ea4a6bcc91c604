import { join } from 'node:path';
import { GetInputRequestSchema, ListInputsRequestSchema, SingleInputResponseSchema } from '@fovea/contract';
import { type Bench, type BenchContext, scaled } from '../harness/bench.ts';
import { costOf, grpcPlan, inApp, replyOf } from '../harness/calls.ts';
import { openLoad } from '../harness/load.ts';
import { cpuDuring } from '../harness/processes.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { fillApp, makeApp, settle } from '../harness/rows.ts';
import { type BenchServer, startServer } from '../harness/server.ts';

const appId = 'bench-tenant';
const bar = { unit: 'x', better: 'lower', pass: 1.2, record: 1.05 } as const;

const tenants: Bench = {
  name: 'tenants',
  about: 'whether many apps, keys and collaborators slow one down',
  goals: [
    { id: 'B tenants', what: 'GetInput and ListInputs of one app: 10,000 apps / 10 apps', ...bar },
    {
      id: 'B permission',
      what: 'a call refused, its key and app looked up: 10,000 apps and keys / 10',
      ...bar,
    },
  ],
  run,
};
export default tenants;

async function run(context: BenchContext): Promise<void> {
  const load = openLoad();
  context.defer(() => load.close());
  const [few, many] = [await crowded(context, 10), await crowded(context, scaled(context, 10_000, 500))];
  const get = (server: BenchServer) =>
    grpcPlan(
      server.url,
      'GetInput',
      GetInputRequestSchema,
      [{ ...inApp(appId), inputId: 'input-00000010' }],
      {
        concurrency: 8,
        requestsMax: scaled(context, 1500, 200),
      },
    );
  const list = (server: BenchServer) =>
    grpcPlan(server.url, 'ListInputs', ListInputsRequestSchema, [{ ...inApp(appId), perPage: 128 }], {
      concurrency: 4,
      requestsMax: scaled(context, 200, 30),
    });
  // An unknown key is never remembered: each of these goes to the database.
  const refused = (server: BenchServer) => ({
    ...get(server),
    headers: { authorization: `Key ${'0'.repeat(32)}` },
  });
  const idOf = async (server: BenchServer) =>
    ((await replyOf(load, get(server), SingleInputResponseSchema)).message as { input: { id: string } }).input
      .id;
  context.sameAnswer('GetInput', await idOf(few), await idOf(many));
  const cost = async (server: BenchServer, plan: ReturnType<typeof get>) =>
    (await costOf(load, server.pid, plan)).treeUs;
  const one = async (server: BenchServer) =>
    (await cost(server, get(server))) + (await cost(server, list(server)));
  const costs = await interleaved(context, {
    few: () => one(few),
    many: () => one(many),
    refusedFew: () => cost(few, refused(few)),
    refusedMany: () => cost(many, refused(many)),
  });
  context.measured('B tenants', ratios(costs.many, costs.few));
  context.measured('B permission', ratios(costs.refusedMany, costs.refusedFew));
  const scan = async (server: BenchServer) => {
    const db = await server.database();
    const { tree } = await cpuDuring(server.pid, async () => {
      for (let n = 0; n < 200; n++)
        await db.query(
          `select count(*) from keys k join apps a on a.key = k.app_key where encode(k.hash, 'hex') like '%zz%'`,
        );
    });
    await db.end();
    return Math.max(10, tree);
  };
  const grown = [(await scan(many)) / (await scan(few))];
  context.control('B tenants', 'a join that no index serves', grown);
  context.control('B permission', 'a key found by reading all keys', grown);
}

/** A server with one app to measure and others beside it, each with a key, a collaborator and 20 inputs. */
async function crowded(context: BenchContext, apps: number): Promise<BenchServer> {
  const server = await startServer({
    main: context.serverMain,
    dataDir: join(context.folder, `with-${apps}`),
    env: { FOVEA_ROLES: 'api' },
  });
  context.defer(() => server.stop());
  const db = await server.database();
  const { userKey } = await makeApp(server, db, appId);
  await db.query(
    `with users_made as (
       insert into users (id) select 'user-' || n from generate_series(1, $2::int / 10) as n returning key
     ), made as (
       insert into apps (user_key, id) select $1, 'app-' || n from generate_series(1, $2::int) as n returning key, id
     ), keyed as (
       insert into keys (hash, sealed, user_key, app_key, type, scopes)
       select sha256(id::bytea), '', $1, key, 'app_key', '{All}' from made
     ), shared as (
       insert into collaborators (id, app_key, user_key, scopes)
       select 'shared-' || m.id, m.key, u.key, '{All}' from made m, lateral (select key from users_made limit 1) u
     )
     insert into inputs (app_key, id, kind, status_code, url)
     select m.key, 'input-' || n, 'image', 30000, 'https://images.example/' || m.id || n from made m, generate_series(1, 20) as n`,
    [userKey, apps],
  );
  await fillApp(
    db,
    {
      appId,
      userKey,
      appKey: (await db.query('select key::int from apps where id = $1', [appId])).rows[0].key,
    },
    1000,
  );
  await settle(db);
  await db.end();
  return server;
}
