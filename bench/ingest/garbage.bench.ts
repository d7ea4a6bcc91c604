import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { rest, until } from '../harness/api.ts';
import { type Bench, type BenchContext, scaled } from '../harness/bench.ts';
import { cpuDuring } from '../harness/processes.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { type BenchApp, fillApp, makeApp, settle } from '../harness/rows.ts';
import { type BenchServer, startServer, userId } from '../harness/server.ts';

const times = 10;
const deletedPerRound = 500;

const garbage: Bench = {
  name: 'garbage',
  about: 'media of deleted inputs leave the store, whatever else is in it',
  goals: [
    {
      id: 'B garbage',
      what: `500 inputs deleted and their media freed: 50,000 media in the store / 5,000`,
      unit: 'x',
      better: 'lower',
      pass: 2,
      record: 1.1,
    },
  ],
  run,
};
export default garbage;

interface Place extends BenchApp {
  readonly server: BenchServer;
  readonly db: pg.Client;
  readonly size: number;
  deleted: number;
}

async function run(context: BenchContext): Promise<void> {
  const small = await openPlace(
    context,
    'garbage-small',
    scaled(context, 5_000, deletedPerRound * (context.rounds + 2)),
  );
  const large = await openPlace(context, 'garbage-large', small.size * times);
  const costs = await interleaved(context, {
    small: () => free(context, small),
    large: () => free(context, large),
    sweepSmall: () => sweep(small),
    sweepLarge: () => sweep(large),
  });
  context.measured(
    'B garbage',
    ratios(costs.large, costs.small),
    `${Math.round(costs.large.at(-1) as number)} ms CPU for ${deletedPerRound}`,
  );
  // What looks for leftovers once a day does look at everything.
  context.control('B garbage', 'walks through the whole store', ratios(costs.sweepLarge, costs.sweepSmall));
}

const inputId = (n: number) => `input-${String(n).padStart(8, '0')}`;
const shaOf = (appId: string, id: string) => createHash('sha256').update(`${appId} ${id}`).digest();
const fileOf = ({ server, appId }: Place, n: number): string => {
  const hash = shaOf(appId, inputId(n)).toString('hex');
  return join(server.dataDir, 'objects', 'media', 'orig', hash.slice(0, 2), hash);
};

/** A server of its own with an app whose inputs have a medium each. */
async function openPlace(context: BenchContext, appId: string, size: number): Promise<Place> {
  const server = await startServer({ main: context.serverMain, dataDir: join(context.folder, appId) });
  context.defer(() => server.stop());
  const db = await server.database();
  context.defer(() => db.end());
  const app = await makeApp(server, db, appId);
  await fillApp(db, app, size);
  await db.query('set session_replication_role = replica');
  await db.query(
    `update inputs set media_sha = sha256(convert_to($2 || ' ' || id, 'UTF8')), media_size = 9 where app_key = $1`,
    [app.appKey, appId],
  );
  await db.query('set session_replication_role = origin');
  const place = { ...app, server, db, size, deleted: 0 };
  for (let n = 1; n <= size; n++) {
    const file = fileOf(place, n);
    if (n <= 4096) mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, 'a medium.');
  }
  await settle(db);
  return place;
}

async function free(context: BenchContext, place: Place): Promise<number> {
  const from = place.deleted + 1;
  const numbers = Array.from({ length: deletedPerRound }, (_, i) => from + i);
  place.deleted += deletedPerRound;
  const { tree } = await cpuDuring(place.server.pid, async () => {
    const ids = numbers.map(inputId);
    await rest(place.server, 'DELETE', `/v2/users/${userId}/apps/${place.appId}/inputs`, { ids });
    await until('media are freed', async () => (await waiting(place, 'inputs.freeMedia')) === 0);
  });
  const left = numbers.filter((n) => existsSync(fileOf(place, n))).length;
  context.sameAnswer('media that are left', [left, existsSync(fileOf(place, place.size))], [0, true]);
  return Math.max(10, tree);
}

async function sweep(place: Place): Promise<number> {
  const { tree } = await cpuDuring(place.server.pid, async () => {
    const { rows } = await place.db.query<{ id: string }>(
      `insert into jobs (kind) values ('inputs.sweepMedia') returning id`,
    );
    await place.db.query(`select pg_notify('fovea_jobs', '{"kind": "inputs.sweepMedia", "delayMs": 0}')`);
    await until('the store was looked through', async () => {
      const left = await place.db.query('select from jobs where id = $1', [rows[0]?.id]);
      return left.rowCount === 0;
    });
  });
  return Math.max(10, tree);
}

async function waiting({ db }: Place, kind: string): Promise<number> {
  const { rows } = await db.query<{ n: number }>('select count(*)::int as n from jobs where kind = $1', [
    kind,
  ]);
  return rows[0]?.n ?? 0;
}
