import { join } from 'node:path';
import { PostInputsRequestSchema } from '@fovea/contract';
import { type Bench, type BenchContext, scaled } from '../harness/bench.ts';
import { grpcPlan, inApp } from '../harness/calls.ts';
import { openLoad } from '../harness/load.ts';
import { makeApp } from '../harness/rows.ts';
import { startServer } from '../harness/server.ts';

const batch = 128;
const appId = 'bench-sustained';

const sustained: Bench = {
  name: 'sustained',
  about: 'how fast inputs are kept when they never stop coming',
  goals: [
    {
      id: 'P2.2',
      what: 'PostInputs of 128 URLs, four callers at once, inputs kept per second',
      unit: '/s',
      better: 'higher',
      pass: 1920,
      record: 3840,
      isLatency: true,
    },
  ],
  run,
};
export default sustained;

/** Without the worker role, as the ceiling that this is held against counts what is taken in. */
async function run(context: BenchContext): Promise<void> {
  const load = openLoad();
  context.defer(() => load.close());
  const server = await startServer({
    main: context.serverMain,
    dataDir: join(context.folder, 'sustained'),
    env: { FOVEA_ROLES: 'api' },
  });
  context.defer(() => server.stop());
  const db = await server.database();
  context.defer(() => db.end());
  const app = await makeApp(server, db, appId);
  let posted = 0;
  const perSecond = async (batches: number, size: number): Promise<number> => {
    const requests = Array.from({ length: batches }, () => ({
      ...inApp(appId),
      inputs: Array.from({ length: size }, () => {
        const id = `kept-${posted++}`;
        return { id, data: { image: { url: `https://images.example/${id}.jpg` } } };
      }),
    }));
    const options = { concurrency: 4, requestsMax: batches };
    const plan = grpcPlan(server.url, 'PostInputs', PostInputsRequestSchema, requests, options);
    const { wallMs } = await load.run(plan);
    return (1000 * batches * size) / wallMs;
  };
  const batches = scaled(context, 160, 8);
  await perSecond(scaled(context, 40, 4), batch);
  const rates: number[] = [];
  const single: number[] = [];
  for (let round = 0; round < context.rounds; round++) {
    rates.push(await perSecond(batches, batch));
    single.push(await perSecond(batches, 1));
  }
  const found = await db.query('select count(*)::int as n from inputs where app_key = $1', [app.appKey]);
  context.sameAnswer('inputs kept', found.rows[0].n, posted);
  context.measured('P2.2', rates, `${posted} inputs in all`);
  context.control('P2.2', 'sends inputs one by one', single);
}
