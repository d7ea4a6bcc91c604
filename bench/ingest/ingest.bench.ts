import { join } from 'node:path';
import {
  GetInputCountRequestSchema,
  MultiInputResponseSchema,
  PostInputsRequestSchema,
  SingleInputCountResponseSchema,
} from '@fovea/contract';
import sharp from 'sharp';
import { until } from '../harness/api.ts';
import { type Bench, type BenchContext, scaled } from '../harness/bench.ts';
import { costOf, grpcPlan, inApp, remembering, replyOf } from '../harness/calls.ts';
import { type LoadGenerator, openLoad } from '../harness/load.ts';
import { openPeer, socketOf } from '../harness/peer.ts';
import { cpuDuring } from '../harness/processes.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { makeApp } from '../harness/rows.ts';
import { startServer } from '../harness/server.ts';

const batch = 128;
const appId = 'bench-ingest';

const ingest: Bench = {
  name: 'ingest',
  about: 'what keeping an input costs',
  goals: [
    {
      id: 'P2.1',
      what: 'PostInputs of 128 URLs, inputs per CPU second / raw 128-row INSERTs of the same rows',
      unit: 'x',
      better: 'higher',
      pass: 0.35,
      record: 0.6,
    },
    {
      id: 'P2.4',
      what: '640×480 JPEG uploaded and processed / its sha256 and sharp calls alone',
      unit: 'x',
      better: 'lower',
      pass: 1.4,
      record: 1.15,
    },
  ],
  async run(context) {
    const load = openLoad();
    context.defer(() => load.close());
    await rows(context, load);
    await pictures(context, load);
  },
};
export default ingest;

/** Without the worker role, so that nothing but the acknowledged write is counted. */
async function rows(context: BenchContext, load: LoadGenerator): Promise<void> {
  const server = await startServer({
    main: context.serverMain,
    dataDir: join(context.folder, 'rows'),
    env: { FOVEA_ROLES: 'api' },
  });
  context.defer(() => server.stop());
  const db = await server.database();
  context.defer(() => db.end());
  const app = await makeApp(server, db, appId);
  const peer = openPeer(context, 'ingest-child');
  const socketDir = socketOf(server.dataDir);
  await peer.ask({ kind: 'prepare', socketDir });
  // Enough of them that the bare statements, a quarter as dear, are measured for half a second as well.
  const batches = scaled(context, 100, 4);
  let posted = 0;
  const plan = (count: number, size: number) => {
    const requests = Array.from({ length: count }, () => ({
      ...inApp(appId),
      inputs: Array.from({ length: size }, () => {
        const id = `post-${posted++}`;
        return { id, data: { image: { url: `https://images.example/${id}.jpg` } } };
      }),
    }));
    return grpcPlan(server.url, 'PostInputs', PostInputsRequestSchema, requests, {
      concurrency: 1,
      requestsMax: count,
    });
  };
  const first = await replyOf(load, plan(1, batch), MultiInputResponseSchema);
  const shown = (first.message as { inputs: { id: string; status: { code: number } }[] }).inputs;
  context.sameAnswer(
    'PostInputs',
    shown.map(({ status }) => status.code),
    Array(batch).fill(30001),
  );

  const seen = remembering();
  let inserted = 0;
  const costs = await interleaved(context, {
    ours: seen.side('128 posted', () => costOf(load, server.pid, plan(batches, batch))),
    single: async () => batch * (await costOf(load, server.pid, plan(batches, 1))).treeUs,
    raw: async () => {
      const question = { kind: 'insert', socketDir, appKey: app.appKey, batches, batch, from: inserted };
      inserted += batches * batch;
      return (1000 * (await peer.cpuMs(question, server.pid))) / batches;
    },
  });
  const found = await db.query('select count(*)::int as n from inputs where app_key = $1', [app.appKey]);
  context.sameAnswer('inputs kept', found.rows[0].n, posted);
  context.measured(
    'P2.1',
    ratios(costs.raw, costs.ours),
    `${seen.words('128 posted')}; raw ${Math.round(costs.raw[0] as number)} µs`,
  );
  context.control('P2.1', 'sends inputs one by one', ratios(costs.raw, costs.single));
}

async function pictures(context: BenchContext, load: LoadGenerator): Promise<void> {
  const server = await startServer({ main: context.serverMain, dataDir: join(context.folder, 'pictures') });
  context.defer(() => server.stop());
  const db = await server.database();
  await makeApp(server, db, appId);
  await db.end();
  const jpeg = await picture();
  // Enough of them that what a round costs by itself, whatever it holds, does not count.
  const count = scaled(context, 128, 64);
  let posted = 0;
  const counted = grpcPlan(server.url, 'GetInputCount', GetInputCountRequestSchema, [inApp(appId)], {
    concurrency: 1,
    requestsMax: 1,
  });
  const processed = async () => {
    const { message } = await replyOf(load, counted, SingleInputCountResponseSchema);
    return (message as { counts: { processed: number } }).counts.processed;
  };
  const upload = async () => {
    const requests = [0, 1].map(() => ({
      ...inApp(appId),
      inputs: Array.from({ length: count / 2 }, () => ({
        data: { image: { base64: unlike(jpeg, posted++) } },
      })),
    }));
    await load.run(
      grpcPlan(server.url, 'PostInputs', PostInputsRequestSchema, requests, {
        concurrency: 2,
        requestsMax: 2,
      }),
    );
    await until('pictures are processed', async () => (await processed()) === posted);
  };
  const peer = openPeer(context, 'ingest-child');
  const question = { kind: 'pictures', bytes: jpeg.toString('base64'), count };
  context.sameAnswer('the size of the picture', { width: 640, height: 480 }, await peer.ask(question));
  const costs = await interleaved(context, {
    ours: async () => (1000 * (await cpuDuring(server.pid, upload)).tree) / count,
    alone: async () => (1000 * (await peer.cpuMs(question))) / count,
  });
  context.measured(
    'P2.4',
    ratios(costs.ours, costs.alone),
    `${Math.round(costs.ours[0] as number)} µs CPU a picture, alone ${Math.round(costs.alone[0] as number)}`,
  );
  context.control(
    'P2.4',
    'processes each picture twice',
    ratios(
      costs.ours.map((us) => 2 * us),
      costs.alone,
    ),
  );
}

/** A picture with something in it, about 60 kB. */
function picture(): Promise<Buffer> {
  const [width, height] = [640, 480];
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 3 * (y * width + x);
      pixels[at] = 128 + 100 * Math.sin(x / 17) + 20 * Math.sin((x * y) / 91);
      pixels[at + 1] = 128 + 100 * Math.cos(y / 23) + 20 * Math.sin((x * x) / 57);
      pixels[at + 2] = (x + y) % 256;
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 85 })
    .toBuffer();
}

/** The same picture in other bytes: a comment segment behind the first marker (ITU T.81, B.2.4.5). */
function unlike(jpeg: Buffer, n: number): Uint8Array {
  const words = Buffer.from(`bench ${n} ${process.pid}`);
  const head = Buffer.from([0xff, 0xfe, 0, words.length + 2]);
  return Buffer.concat([jpeg.subarray(0, 2), head, words, jpeg.subarray(2)]);
}
