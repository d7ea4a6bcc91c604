import { PatchInputsRequestSchema } from '@fovea/contract';
import { rest } from '../harness/api.ts';
import { type BenchContext, type Goal, scaled } from '../harness/bench.ts';
import type { BigApps } from '../harness/big-apps.ts';
import { costOf, grpcPlan, inApp } from '../harness/calls.ts';
import { cpuDuring } from '../harness/processes.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { userId } from '../harness/server.ts';

export const changeGoals: readonly Goal[] = [
  {
    id: 'B patch',
    what: 'PatchInputs of 128, a label merged: 1 M / 50 k inputs',
    unit: 'x',
    better: 'lower',
    pass: 1.5,
    record: 1.1,
  },
  {
    id: 'B patch labels',
    what: 'PatchInputs of 32, a label merged: 100 labels on each input / 1',
    unit: 'x',
    better: 'lower',
    pass: 15,
    record: 3,
  },
  {
    id: 'B delete by filter',
    what: '100 inputs found by a label and deleted: 1 M / 50 k inputs',
    unit: 'x',
    better: 'lower',
    pass: 1.5,
    record: 1.1,
  },
];

type App = BigApps['small'];

const inputId = (n: number) => `input-${String(n).padStart(8, '0')}`;
const batch = 128;
const few = 32;
/** So many inputs at the end of an app are patched, and none of them is deleted. */
const patchedMax = 300;
const doomedAtOnce = 100;
const manyLabels = 100;

/** Patches and deletions of what a filter finds, in an app of 50,000 inputs and in one of a million. */
export async function changes(context: BenchContext, apps: BigApps): Promise<void> {
  const { server, load, small, large } = apps;
  const pathOf = ({ appId }: App) => `/v2/users/${userId}/apps/${appId}`;
  const times = scaled(context, 12, 6);
  let turn = 0;
  /** Labels inputs from the end of the app, yes and no by turns, so that each patch changes something. */
  const patch = async (app: App, ids: readonly string[]) => {
    const requests = Array.from({ length: times }, () => ({
      ...inApp(app.appId),
      action: 'merge',
      inputs: ids.map((id) => ({ id, data: { concepts: [{ id: 'dog', name: 'dog', value: turn % 2 }] } })),
    }));
    turn += 1;
    const plan = grpcPlan(server.url, 'PatchInputs', PatchInputsRequestSchema, requests, {
      concurrency: 1,
      requestsMax: times,
    });
    return (await costOf(load, server.pid, plan)).treeUs;
  };
  const idsOf = (app: App, from: number, n: number) =>
    Array.from({ length: n }, (_, i) => inputId(app.size - from - i));
  const plain = idsOf(small, batch, few);
  const crowded = idsOf(small, batch + few, few);
  const concepts = Array.from({ length: manyLabels }, (_, n) => ({
    id: `many-${n}`,
    name: `many-${n}`,
    value: 1,
  }));
  await rest(server, 'PATCH', `${pathOf(small)}/inputs`, {
    action: 'merge',
    inputs: crowded.map((id) => ({ id, data: { concepts } })),
  });
  for (const app of [small, large]) await doom(context, apps, app);
  const removals = removalsPerRound(context);
  const removeFound = async (app: App) => {
    const { tree } = await cpuDuring(server.pid, async () => {
      for (let n = 0; n < removals; n++) {
        const { hits } = await rest<{ hits: { input: { id: string } }[] }>(
          server,
          'POST',
          `${pathOf(app)}/inputs/searches`,
          {
            searches: [
              { query: { filters: [{ annotation: { data: { concepts: [{ id: 'doomed', value: 1 }] } } }] } },
            ],
            pagination: { page: 1, per_page: doomedAtOnce },
          },
        );
        context.sameAnswer('inputs found by their label', hits.length, doomedAtOnce);
        await rest(server, 'DELETE', `${pathOf(app)}/inputs`, { ids: hits.map(({ input }) => input.id) });
      }
    });
    return Math.max(10, tree) / removals;
  };
  const costs = await interleaved(context, {
    patchSmall: () => patch(small, idsOf(small, 0, batch)),
    patchLarge: () => patch(large, idsOf(large, 0, batch)),
    plain: () => patch(small, plain),
    crowded: () => patch(small, crowded),
    // What it would be to write each label by itself.
    each: async () => manyLabels * (await patch(small, plain)),
    foundSmall: () => removeFound(small),
    foundLarge: () => removeFound(large),
    scanSmall: () => scan(apps, small),
    scanLarge: () => scan(apps, large),
  });
  const scanned = ratios(costs.scanLarge, costs.scanSmall);
  context.measured(
    'B patch',
    ratios(costs.patchLarge, costs.patchSmall),
    `${Math.round(costs.patchLarge[0] as number)} µs CPU for ${batch}`,
  );
  context.control('B patch', 'looks at every input of the app', scanned);
  context.measured('B patch labels', ratios(costs.crowded, costs.plain));
  context.control(
    'B patch labels',
    'writes each label in a patch of its own',
    ratios(costs.each, costs.plain),
  );
  context.measured(
    'B delete by filter',
    ratios(costs.foundLarge, costs.foundSmall),
    `${Math.round(costs.foundLarge[0] as number)} ms CPU for ${doomedAtOnce}`,
  );
  context.control('B delete by filter', 'looks at every input of the app', scanned);
}

/** Several make a figure that the clock can tell. */
const removalsPerRound = (context: BenchContext) => scaled(context, 5, 1);

/**
 * Labels as many inputs as the rounds will delete, spread over what is there of the app (a part of it is deleted by
 * now), behind the counters' back.
 */
async function doom(context: BenchContext, { db }: BigApps, { appKey, size }: App): Promise<void> {
  const needed = (context.rounds + 1) * removalsPerRound(context) * doomedAtOnce;
  const { rows } = await db.query<{ id: string }>(
    `select id from (
       select id, row_number() over (order by key) as n, count(*) over () as all from inputs
       where app_key = $1 and id between 'input-' and $2
     ) i where n % (i.all / $3) = 0 limit $3`,
    [appKey, inputId(size - patchedMax), needed],
  );
  context.sameAnswer('inputs to be found by their label', rows.length, needed);
  await db.query('set session_replication_role = replica');
  await db.query(`insert into concepts (app_key, id, name) values ($1, 'doomed', 'doomed')`, [appKey]);
  await db.query(
    `insert into annotation_concepts (app_key, annotation_key, input_key, concept_id, position, value, trusted)
     select $1, a.key, a.input_key, 'doomed', 7, 1, true from unnest($2::text[]) as n(id)
     join inputs i on i.app_key = $1 and i.id = n.id join annotations a on a.input_key = i.key and a.input_level`,
    [appKey, rows.map(({ id }) => id)],
  );
  await db.query('set session_replication_role = origin');
}

const scans = 10;

async function scan({ db, server }: BigApps, { appKey }: App): Promise<number> {
  const { tree } = await cpuDuring(server.pid, async () => {
    for (let n = 0; n < scans; n++)
      await db.query('select count(*) from inputs where app_key = $1 and url like $2', [appKey, '%x%']);
  });
  return Math.max(10, tree) / scans;
}
