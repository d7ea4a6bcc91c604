import { ListInputsRequestSchema } from '@fovea/contract';
import { type Dataset, encodePng } from '@fovea/formats';
import type pg from 'pg';
import { type Bench, type BenchContext, scaled } from '../harness/bench.ts';
import { grpcPlan, inApp } from '../harness/calls.ts';
import { quantileOf } from '../harness/judge.ts';
import { type LoadGenerator, openLoad } from '../harness/load.ts';
import { cpuDuring, heldStill } from '../harness/processes.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { makeApp } from '../harness/rows.ts';
import { type BenchServer, openServer } from '../harness/server.ts';
import { ended, startImport, upload, zipOf } from './import.ts';

const appId = 'bench-boxes';
const datasetId = 'set';
/** As many as a picture of COCO has. */
const boxesPerImage = 7;
const times = 5;

/**
 * The JSON of a COCO set whose pictures are there already, so that what is compared is rows with rows. The goal
 * speaks of 118,000 pictures and 860,000 boxes; as many would take half an hour here.
 */
const boxes: Bench = {
  name: 'boxes',
  about: 'the JSON of a COCO set over pictures that are there, and what others feel of it',
  goals: [
    {
      id: 'P2.3',
      what: 'boxes of a COCO JSON imported, rows per CPU second / COPY of the same rows into the same indexed tables',
      unit: 'x',
      better: 'higher',
      pass: 0.3,
      record: 0.6,
    },
    {
      id: 'P2.7',
      what: 'p95 of ListInputs while boxes are imported / idle',
      unit: 'x',
      better: 'lower',
      pass: 4,
      record: 2,
      isLatency: true,
    },
    {
      id: 'B import',
      what: `boxes imported, per box: ${times} times the pictures / once`,
      unit: 'x',
      better: 'lower',
      pass: 1.05,
      record: 0.9,
    },
  ],
  run,
};
export default boxes;

async function run(context: BenchContext): Promise<void> {
  const { server, db } = await openServer(context);
  await makeApp(server, db, appId);
  const pictures = scaled(context, 2_000, 100);
  await upload(server, appId, 'pictures', await zipOf(setOf(pictures, undefined)));
  await ended(server, appId, await startImport(server, appId, 'pictures', datasetId));
  await makeCopies(db);
  context.say(`${pictures} pictures are there`);
  await rows(context, server, db, pictures);
  await traffic(context, server, pictures);
}

let sets = 0;

/** An archive with nothing but a JSON of boxes, each set with ids of its own. */
async function sent(server: BenchServer, pictures: number): Promise<string> {
  const id = `boxes-${sets++}`;
  await upload(server, appId, id, await zipOf(setOf(pictures, sets * 10_000_000)));
  return id;
}

/** `firstId` undefined: the pictures without boxes; else the boxes without the pictures' bytes. */
const setOf = (count: number, firstId: number | undefined): Dataset => ({
  classes: Array.from({ length: 10 }, (_, i) => ({ name: `class ${i}` })),
  async *records() {
    for (let i = 0; i < count; i++) {
      const picture = { id: String(i + 1), path: `picture-${i}.png`, split: 'train', width: 64, height: 64 };
      if (firstId !== undefined)
        yield {
          ...picture,
          annotations: Array.from({ length: boxesPerImage }, (_, k) => ({
            id: String(firstId + i * boxesPerImage + k),
            label: `class ${(i + k) % 10}`,
            box: { x: k, y: 2 * k, width: 10 + k, height: 12 },
          })),
        };
      else
        yield {
          ...picture,
          annotations: [],
          async *bytes() {
            const pixels = new Uint8Array(64 * 64).fill(i & 255);
            new DataView(pixels.buffer).setUint32(0, i);
            yield encodePng({ width: 64, height: 64, pixels });
          },
        };
    }
  },
});

async function rows(context: BenchContext, server: BenchServer, db: pg.Client, pictures: number) {
  const imported = async (count: number, doneTimes = 1) => {
    const uploads: string[] = [];
    for (let n = 0; n < doneTimes; n++) uploads.push(await sent(server, count));
    const { tree } = await cpuDuring(server.pid, async () => {
      for (const id of uploads) {
        const { progress } = await ended(server, appId, await startImport(server, appId, id, datasetId));
        context.sameAnswer('boxes imported', progress['annotations_added'], count * boxesPerImage);
      }
    });
    return tree;
  };
  const few = Math.round(pictures / times);
  const costs = await interleaved(context, {
    small: () => imported(few),
    ours: () => imported(pictures),
    copy: () => copyCost(context, server, db, pictures * boxesPerImage),
  });
  const perSecond = Math.round((1000 * pictures * boxesPerImage) / (costs.ours[0] as number));
  context.measured('P2.3', ratios(costs.copy, costs.ours), `${perSecond} boxes per CPU second`);
  const single = await oneByOne(db, server.pid, pictures);
  context.control(
    'P2.3',
    'writes each box in a transaction of its own',
    costs.copy.map((ms) => ms / single),
  );
  const perBox = costs.ours.map((ms) => ms / times);
  context.measured('B import', ratios(perBox, costs.small));
  // Were each batch to look at all that was imported before, the cost would grow with the square.
  context.control(
    'B import',
    'imports the larger set twice over',
    ratios(
      perBox.map((ms) => 2 * ms),
      costs.small,
    ),
  );
}

const copies = { a: 'bench-copy-annotations', l: 'bench-copy-labels' };

/** Tables as the server's, without what it adds to them: triggers and references. */
async function makeCopies(db: pg.Client): Promise<void> {
  await db.query('create schema raw');
  for (const table of ['annotations', 'annotation_concepts'])
    await db.query(`create table raw.${table} (like public.${table} including all)`);
}

/** Milliseconds of CPU of COPY for the rows that were imported last. */
async function copyCost(
  context: BenchContext,
  server: BenchServer,
  db: pg.Client,
  count: number,
): Promise<number> {
  const own = `select key from annotations where not input_level order by key desc limit ${count}`;
  // Its own folder is where PostgreSQL may always write and read, and where what it starts begins.
  await db.query(
    `copy (select a.* from annotations a where a.key in (${own}) order by a.key) to program 'cat > ${copies.a}' (format binary)`,
  );
  await db.query(
    `copy (select l.* from annotation_concepts l where l.annotation_key in (${own}) order by l.annotation_key)
     to program 'cat > ${copies.l}' (format binary)`,
  );
  await db.query('truncate raw.annotations, raw.annotation_concepts');
  let copied = 0;
  const { tree } = await cpuDuring(server.pid, async () => {
    await db.query('begin');
    copied += (await db.query(`copy raw.annotations from '${copies.a}' (format binary)`)).rowCount ?? 0;
    copied +=
      (await db.query(`copy raw.annotation_concepts from '${copies.l}' (format binary)`)).rowCount ?? 0;
    await db.query('commit');
  });
  context.sameAnswer('rows copied', copied, 2 * count);
  return Math.max(10, tree);
}

/** What the same rows cost when each is committed by itself. */
async function oneByOne(db: pg.Client, serverPid: number, pictures: number): Promise<number> {
  const sample = Math.min(500, pictures);
  const { rows: keys } = await db.query<{ key: string }>(
    'select key from annotations where not input_level order by key desc limit $1',
    [sample],
  );
  const { tree } = await cpuDuring(serverPid, async () => {
    for (const { key } of keys) {
      await db.query('select * from annotations where key = $1 for update', [key]);
      await db.query('update annotations set modified_at = now() where key = $1', [key]);
      await db.query('update annotation_concepts set position = position where annotation_key = $1', [key]);
    }
  });
  return (Math.max(10, tree) * pictures * boxesPerImage) / sample;
}

async function traffic(context: BenchContext, server: BenchServer, pictures: number): Promise<void> {
  const load = openLoad();
  context.defer(() => load.close());
  const idle: number[] = [];
  const busy: number[] = [];
  for (let round = 0; round <= context.rounds; round++) {
    idle.push(await p95(load, server));
    const importing = await openImports(server, pictures);
    busy.push(await p95(load, server));
    await importing.end();
  }
  const usualMs = idle[1] as number;
  context.measured('P2.7', ratios(busy, idle).slice(1), `idle ${usualMs.toFixed(1)} ms`);
  const release = heldStill(server.pid, { forMs: 10 * usualMs, everyMs: 40 * usualMs });
  const broken = await p95(load, server).finally(release);
  context.control('P2.7', 'the server is held still again and again, for ten usual answers each', [
    broken / usualMs,
  ]);
}

/** Sets that wait to be imported while others are measured: more than any server takes in that time. */
const setsWaiting = 6;

/**
 * Imports set after set. `end` waits for the one under way.
 *
 * @throws Error, from `end`, where there was nothing left to import
 */
async function openImports(server: BenchServer, pictures: number): Promise<{ end(): Promise<void> }> {
  const waiting: string[] = [];
  for (let n = 0; n < setsWaiting; n++) waiting.push(await sent(server, pictures));
  let isEnding = false;
  const work = (async () => {
    while (!isEnding) {
      const next = waiting.pop();
      if (next === undefined) throw new Error('everything was imported before the measure was done');
      await ended(server, appId, await startImport(server, appId, next, datasetId));
    }
  })();
  work.catch(() => {});
  return {
    end: () => {
      isEnding = true;
      return work;
    },
  };
}

/** Milliseconds that 95 % of the calls stay below, at a rate that an idle server has no trouble with. */
async function p95(load: LoadGenerator, server: BenchServer): Promise<number> {
  const request = { ...inApp(appId), page: 1, perPage: 128 };
  const { latenciesMs } = await load.run(
    grpcPlan(server.url, 'ListInputs', ListInputsRequestSchema, [request], {
      concurrency: 1,
      requestsMax: 75,
      ratePerSecond: 25,
    }),
  );
  return quantileOf(latenciesMs, 0.95);
}
