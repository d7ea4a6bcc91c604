import type pg from 'pg';
import { rest } from '../harness/api.ts';
import { type Bench, type BenchContext, type Goal, scaled } from '../harness/bench.ts';
import { cpuDuring } from '../harness/processes.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { type BenchApp, fillApp, makeApp, settle } from '../harness/rows.ts';
import { type BenchServer, openServer, userId } from '../harness/server.ts';

const goal = (id: string, what: string, pass: number, record: number): Goal => ({
  id,
  what,
  unit: 'x',
  better: 'lower',
  pass,
  record,
});

const times = 10;

/** Versions and exports of datasets: what a version of the same again costs, and how the cost grows. */
const versions: Bench = {
  name: 'versions',
  about: 'dataset versions and their archives, of 10,000 and of 100,000 inputs',
  goals: [
    goal('B version again', 'a second version of an unchanged dataset / the first', 0.2, 0.05),
    goal(
      'B version again size',
      'rows that a second version of an unchanged dataset adds / the first',
      0.2,
      0.05,
    ),
    goal('B version', `a dataset version per input: ${times} times the inputs / once`, 1.05, 0.9),
    goal('B export', `an archive per input: ${times} times the inputs / once`, 1.05, 0.9),
  ],
  run,
};
export default versions;

interface Place extends BenchApp {
  readonly size: number;
}

async function run(context: BenchContext): Promise<void> {
  const { server, db } = await openServer(context);
  const n = scaled(context, 10_000, 2000);
  const small = await place(server, db, 'version-small', n);
  const large = await place(server, db, 'version-large', n * times);
  await settle(db);
  const cost = async (what: () => Promise<unknown>) => Math.max(10, (await cpuDuring(server.pid, what)).tree);
  const again: { first: number[]; second: number[] } = { first: [], second: [] };
  const first = async (app: Place) => {
    await forget(db, app);
    const spent = await cost(() => makeVersion(server, app));
    if (app === large) again.first.push(await rowsOf(db, app));
    return spent;
  };
  const costs = await interleaved(context, {
    small: () => first(small),
    large: () => first(large),
    second: async () => {
      const before = await rowsOf(db, large);
      const spent = await cost(() => makeVersion(server, large));
      again.second.push((await rowsOf(db, large)) - before);
      return spent;
    },
    exportSmall: () => cost(() => makeExport(server, small)),
    exportLarge: () => cost(() => makeExport(server, large)),
    // One statement that reads all members, for each chunk of a thousand.
    control: () =>
      cost(async () => {
        for (let chunk = 0; chunk < large.size / 1024; chunk++)
          await db.query(
            'select count(*) from dataset_inputs m join annotations a on a.input_key = m.input_key where m.app_key = $1',
            [large.appKey],
          );
      }),
  });
  const perInput = (ms: readonly number[], { size }: Place) => ms.map((one) => one / size);
  context.measured(
    'B version again',
    ratios(costs.second, costs.large),
    `${Math.round(costs.large.at(-1) as number)} ms CPU for the first ${large.size}`,
  );
  context.measured('B version again size', ratios(again.second, again.first).slice(-context.rounds));
  context.measured('B version', ratios(perInput(costs.large, large), perInput(costs.small, small)));
  context.measured(
    'B export',
    ratios(perInput(costs.exportLarge, large), perInput(costs.exportSmall, small)),
  );
  const whole = ratios(costs.large, costs.large);
  context.control('B version again', 'copies everything again', whole);
  context.control('B version again size', 'copies everything again', whole);
  const grown = ratios(
    perInput(
      costs.large.map((ms, round) => ms + (costs.control[round] as number)),
      large,
    ),
    perInput(costs.small, small),
  );
  context.control('B version', 'looks at all members for each chunk', grown);
  context.control('B export', 'looks at all members for each chunk', grown);
}

async function place(server: BenchServer, db: pg.Client, appId: string, size: number): Promise<Place> {
  const app = await makeApp(server, db, appId);
  await fillApp(db, app, size);
  await rest(server, 'POST', `/v2/users/${userId}/apps/${appId}/datasets`, { datasets: [{ id: 'd' }] });
  await db.query(
    `insert into dataset_inputs (app_key, dataset_key, input_key)
     select i.app_key, d.key, i.key from inputs i join datasets d on d.app_key = i.app_key where i.app_key = $1 order by i.key`,
    [app.appKey],
  );
  return { ...app, size };
}

const path = ({ appId }: Place) => `/v2/users/${userId}/apps/${appId}/datasets/d/versions`;

/** Takes away all versions and what they share, so that the next is a first one, and does not pay for the tidying up. */
async function forget(db: pg.Client, { appKey }: Place): Promise<void> {
  await db.query('delete from dataset_versions where app_key = $1', [appKey]);
  await db.query('delete from dataset_chunks where app_key = $1', [appKey]);
  await settle(db);
}

let made = 0;

async function makeVersion(server: BenchServer, app: Place): Promise<string> {
  const id = `v${made++}`;
  await rest(server, 'POST', path(app), { dataset_versions: [{ id }] });
  await patiently(async () => {
    const reply = await rest<{ dataset_version: { status: { code: number } } }>(
      server,
      'GET',
      `${path(app)}/${id}`,
    );
    return reply.dataset_version.status.code === 64015;
  });
  return id;
}

async function makeExport(server: BenchServer, app: Place): Promise<void> {
  const { dataset_versions } = await rest<{ dataset_versions: { id: string }[] }>(server, 'GET', path(app));
  const ask = (include_embeddings: boolean) =>
    rest<{ exports: { status: { code: number } }[] }>(
      server,
      'PUT',
      `${path(app)}/${dataset_versions[0]?.id}/exports`,
      {
        exports: [{ format: 1, include_embeddings }],
      },
    );
  // Another content than that of the last round, so that it is made anew.
  const other = made++ % 2 === 0;
  await patiently(async () => (await ask(other)).exports[0]?.status.code === 64200);
}

/** Seldom enough that asking costs nothing beside what is asked for. */
async function patiently(isSo: () => Promise<boolean>): Promise<void> {
  for (const began = performance.now(); performance.now() - began < 600_000; ) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error('not within ten minutes');
}

async function rowsOf(db: pg.Client, { appKey }: Place): Promise<number> {
  const { rows } = await db.query<{ n: number }>(
    `select ((select count(*) from dataset_chunk_inputs i join dataset_chunks c on c.key = i.chunk_key where c.app_key = $1)
       + (select count(*) from dataset_chunk_annotations a join dataset_chunks c on c.key = a.chunk_key where c.app_key = $1)
       + (select count(*) from dataset_version_chunks l join dataset_versions v on v.key = l.version_key where v.app_key = $1)
       + (select count(*) from dataset_version_groups g join dataset_versions v on v.key = g.version_key where v.app_key = $1))::int as n`,
    [appKey],
  );
  return rows[0]?.n ?? 0;
}
