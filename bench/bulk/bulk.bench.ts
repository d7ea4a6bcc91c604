import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { rest } from '../harness/api.ts';
import { type Bench, type BenchContext, type Goal, scaled } from '../harness/bench.ts';
import { cpuDuring } from '../harness/processes.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { type BenchApp, fillApp, makeApp, settle } from '../harness/rows.ts';
import { type BenchServer, openServer, pat, userId } from '../harness/server.ts';

const goal = (id: string, what: string, better: 'lower' | 'higher', pass: number, record: number): Goal => ({
  id,
  what,
  unit: 'x',
  better,
  pass,
  record,
});

const times = 10;
const rangeBytes = 65_536;
const reads = 200;
/** What takes long on purpose is done for one in so many. */
const sampledEvery = 10;

/** Bulk operations beside the statement that does the same, and pieces of large media beside pieces of small ones. */
const bulk: Bench = {
  name: 'bulk',
  about: 'a bulk operation over 100,000 inputs, and 64 KiB out of uploads of 4 MB and of 40 MB',
  goals: [
    goal(
      'B bulk operation',
      'one SQL statement that adds inputs to a dataset / the bulk operation that does',
      'higher',
      0.3,
      0.8,
    ),
    goal(
      'B bulk operation growth',
      `a bulk operation per input: ${times} times the inputs / once`,
      'lower',
      1.05,
      0.9,
    ),
    goal(
      'B media range',
      `${rangeBytes} bytes out of a file ${times} times as large / out of the small one`,
      'lower',
      1.05,
      0.95,
    ),
  ],
  run,
};
export default bulk;

interface Place extends BenchApp {
  readonly size: number;
}

async function run(context: BenchContext): Promise<void> {
  const { server, db } = await openServer(context);
  const n = scaled(context, 10_000, 1000);
  const small = await place(server, db, 'bulk-small', n);
  const large = await place(server, db, 'bulk-large', n * times);
  await settle(db);
  const files = await uploads(server, small, scaled(context, 4_000_000, 1_000_000));
  const cost = async (what: () => Promise<unknown>) => Math.max(10, (await cpuDuring(server.pid, what)).tree);
  const afresh = async (app: Place, what: () => Promise<unknown>) => {
    await empty(db, app);
    const spent = await cost(what);
    await checkFilled(db, app);
    return spent;
  };
  const costs = await interleaved(context, {
    small: () => afresh(small, () => operate(server, small)),
    large: () => afresh(large, () => operate(server, large)),
    statement: () => afresh(large, () => insertAll(db, large)),
    // What it would be to ask the database about each input.
    control: async () => {
      await empty(db, large);
      return sampledEvery * (await cost(() => insertEach(db, large)));
    },
    rangeSmall: () => cost(() => readRanges(files.small, files.smallBytes)),
    rangeLarge: () => cost(() => readRanges(files.large, files.largeBytes)),
    // What it would be to read each file from its start.
    fromStart: async () => sampledEvery * (await cost(() => readFromStart(files.large, files.largeBytes))),
  });
  const perInput = (ms: readonly number[], { size }: Place) => ms.map((one) => one / size);
  context.measured(
    'B bulk operation',
    ratios(costs.statement, costs.large),
    `${Math.round(costs.large.at(-1) as number)} ms CPU for ${large.size}`,
  );
  context.control(
    'B bulk operation',
    'asks the database about each input',
    ratios(costs.statement, costs.control),
  );
  context.measured(
    'B bulk operation growth',
    ratios(perInput(costs.large, large), perInput(costs.small, small)),
  );
  context.control(
    'B bulk operation growth',
    'asks the database about each input of the larger',
    ratios(perInput(costs.control, large), perInput(costs.small, small)),
  );
  context.measured('B media range', ratios(costs.rangeLarge, costs.rangeSmall));
  context.control(
    'B media range',
    'reads the larger from its start',
    ratios(costs.fromStart, costs.rangeSmall),
  );
}

async function place(server: BenchServer, db: pg.Client, appId: string, size: number): Promise<Place> {
  const app = await makeApp(server, db, appId);
  await fillApp(db, app, size);
  await rest(server, 'POST', `${pathOf(app)}/datasets`, { datasets: [{ id: 'from' }, { id: 'to' }] });
  await db.query(
    `insert into dataset_inputs (app_key, dataset_key, input_key)
     select i.app_key, d.key, i.key from inputs i join datasets d on d.app_key = i.app_key and d.id = 'from'
     where i.app_key = $1 order by i.key`,
    [app.appKey],
  );
  return { ...app, size };
}

const pathOf = ({ appId }: BenchApp) => `/v2/users/${userId}/apps/${appId}`;

async function operate(server: BenchServer, app: Place): Promise<void> {
  const made = await rest<{ bulk_operation: { id: string }[] }>(
    server,
    'POST',
    `${pathOf(app)}/bulk_operations`,
    {
      bulk_operations: [{ dataset: { id: 'from' }, operation: { add_to_dataset: { dataset_id: 'to' } } }],
    },
  );
  const id = made.bulk_operation[0]?.id;
  for (;;) {
    const path = `${pathOf(app)}/bulk_operations/${id}`;
    const { bulk_operation: one } = await rest<{
      bulk_operation: { status: { code: number; details?: string } };
    }>(server, 'GET', path);
    if (one.status.code === 25400) return;
    if (one.status.code === 25401) throw new Error(one.status.details);
    await sleep(50);
  }
}

const intoTo = `insert into dataset_inputs (app_key, dataset_key, input_key)
  select m.app_key, t.key, m.input_key from dataset_inputs m
  join datasets f on f.key = m.dataset_key and f.id = 'from' join datasets t on t.app_key = f.app_key and t.id = 'to'
  where m.app_key = $1`;

const insertAll = (db: pg.Client, app: Place) => db.query(`${intoTo} on conflict do nothing`, [app.appKey]);

/** One in so many inputs, each by itself. */
async function insertEach(db: pg.Client, app: Place): Promise<void> {
  const { rows } = await db.query<{ key: string }>(
    'select key from inputs where app_key = $1 order by key limit $2',
    [app.appKey, app.size / sampledEvery],
  );
  for (const { key } of rows)
    await db.query(`${intoTo} and m.input_key = $2 on conflict do nothing`, [app.appKey, key]);
}

const empty = (db: pg.Client, app: Place) =>
  db.query(
    `delete from dataset_inputs m using datasets d where d.key = m.dataset_key and d.id = 'to' and m.app_key = $1`,
    [app.appKey],
  );

/** Both sides have to give the same before what they cost is compared. */
async function checkFilled(db: pg.Client, app: Place): Promise<void> {
  const { rows } = await db.query<{ n: number }>(
    `select count(*)::int as n from dataset_inputs m join datasets d on d.key = m.dataset_key and d.id = 'to' where m.app_key = $1`,
    [app.appKey],
  );
  if (rows[0]?.n !== app.size) throw new Error(`${rows[0]?.n} of ${app.size} inputs are in the dataset`);
}

/** Two uploads, one ten times the other. */
async function uploads(server: BenchServer, app: Place, smallBytes: number) {
  const send = async (id: string, size: number): Promise<string> => {
    await rest(server, 'POST', `${pathOf(app)}/uploads`, {
      uploads: [{ id, content_name: 'film.bin', content_length: size }],
    });
    const path = `/v2/ext/fovea/users/${userId}/apps/${app.appId}/uploads/${id}/content_parts/1?range_start=0`;
    const reply = await fetch(`${server.url}${path}`, {
      method: 'PUT',
      headers: { authorization: `Key ${pat}` },
      body: new Uint8Array(size).fill(7),
    });
    if (!reply.ok) throw new Error(await reply.text());
    const { upload } = await rest<{ upload: { content_url: string } }>(
      server,
      'GET',
      `${pathOf(app)}/uploads/${id}`,
    );
    return upload.content_url;
  };
  return {
    small: await send('small', smallBytes),
    large: await send('large', smallBytes * times),
    smallBytes,
    largeBytes: smallBytes * times,
  };
}

async function read(url: string, range: string): Promise<number> {
  const reply = await fetch(url, { headers: { authorization: `Key ${pat}`, range } });
  return (await reply.arrayBuffer()).byteLength;
}

/** Where the pieces of a file begin that are read. */
const placesIn = (size: number): number[] =>
  Array.from({ length: reads }, (_, i) => Math.floor(((size - rangeBytes) * i) / reads));

async function readRanges(url: string, size: number): Promise<void> {
  for (const from of placesIn(size)) {
    const got = await read(url, `bytes=${from}-${from + rangeBytes - 1}`);
    if (got !== rangeBytes) throw new Error(`${got} bytes came instead of ${rangeBytes}`);
  }
}

/** Reads one in so many pieces as if the file had to be read up to them. */
async function readFromStart(url: string, size: number): Promise<void> {
  for (const [i, from] of placesIn(size).entries())
    if (i % sampledEvery === sampledEvery / 2) await read(url, `bytes=0-${from + rangeBytes - 1}`);
}
