import { type Dataset, encodePng, formatNamed, writeDataset, zipTo } from '@fovea/formats';
import { rest, until } from '../harness/api.ts';
import { type Bench, type BenchContext, scaled } from '../harness/bench.ts';
import { memoryOf } from '../harness/processes.ts';
import { ratios } from '../harness/rounds.ts';
import { makeApp } from '../harness/rows.ts';
import { type BenchServer, pat, startServer, userId } from '../harness/server.ts';

const appId = 'bench-transfers';
const ext = `/v2/ext/fovea/users/${userId}/apps/${appId}`;
const boxesPerImage = 7;

/**
 * Sets through the front door: uploaded as COCO, taken out as COCO. The full sizes of the goals (118 k and 280 k
 * pictures) take hours here; the shape is the same.
 */
const transfers: Bench = {
  name: 'transfers',
  about: 'sets of other tools in and out',
  goals: [
    {
      id: 'P2.5',
      what: 'export of a COCO set with its pictures / its import, time',
      unit: 'x',
      better: 'lower',
      pass: 1,
      record: 0.4,
      isLatency: true,
    },
    {
      id: 'P2.5m',
      what: 'memory of all processes while it is exported, above what they had',
      unit: 'MB',
      better: 'lower',
      pass: 150,
      record: 64,
    },
    {
      id: 'P2.6',
      what: 'import of 2.8 times as many pictures / import, time',
      unit: 'x',
      better: 'lower',
      pass: 3.1,
      record: 2.9,
      isLatency: true,
    },
  ],
  run,
};
export default transfers;

async function run(context: BenchContext): Promise<void> {
  const server = await startServer({ main: context.serverMain, dataDir: context.folder });
  context.defer(() => server.stop());
  const db = await server.database();
  await makeApp(server, db, appId);
  await db.end();
  const small = scaled(context, 1_000, 40);
  const large = Math.round(small * 2.8);
  const times = { small: [] as number[], large: [] as number[], out: [] as number[] };
  const memory = { above: [] as number[], all: [] as number[] };
  for (let round = 0; round < context.rounds; round++) {
    context.say(`round ${round + 1}: ${small} and ${large} pictures`);
    times.small.push(await importOf(server, small, `small-${round}`));
    times.large.push(await importOf(server, large, `large-${round}`));
    const found = await exportOf(context, server, large, `large-${round}`);
    times.out.push(found.ms);
    memory.above.push(found.aboveMb);
    memory.all.push(found.allMb);
  }
  const perSecond = Math.round((1_000 * large) / (times.large[0] as number));
  context.measured(
    'P2.5',
    ratios(times.out, times.large),
    `import ${perSecond} pictures/s with ${boxesPerImage} boxes each`,
  );
  context.control(
    'P2.5',
    'held against the import of the small set',
    ratios(
      times.out.map((ms, i) => ms + (times.large[i] as number)),
      times.small,
    ),
  );
  context.measured('P2.5m', memory.above, `${large} pictures`);
  context.control('P2.5m', 'counts all that the processes hold', memory.all);
  context.measured('P2.6', ratios(times.large, times.small), `${small} and ${large} pictures`);
  context.control(
    'P2.6',
    'imports the large set twice over',
    ratios(
      times.large.map((ms) => 2 * ms),
      times.small,
    ),
  );
}

/** Pictures of noise-free 64 × 64 pixels, each of its own; boxes of ten classes. */
const setOf = (count: number, name: string): Dataset => ({
  classes: Array.from({ length: 10 }, (_, i) => ({ name: `class ${i}` })),
  async *records() {
    for (let i = 0; i < count; i++) {
      yield {
        id: String(i + 1),
        path: `${name}-${i}.png`,
        split: i % 10 === 0 ? 'val' : 'train',
        width: 64,
        height: 64,
        annotations: Array.from({ length: boxesPerImage }, (_, k) => ({
          id: String(i * boxesPerImage + k + 1),
          label: `class ${(i + k) % 10}`,
          box: { x: k, y: 2 * k, width: 10 + k, height: 12 },
        })),
        async *bytes() {
          const pixels = new Uint8Array(64 * 64).fill(i & 255);
          new DataView(pixels.buffer).setUint32(0, i);
          yield encodePng({ width: 64, height: 64, pixels });
        },
      };
    }
  },
});

/** From the first byte to the end of the job, in milliseconds. */
async function importOf(server: BenchServer, count: number, dataset: string): Promise<number> {
  const parts: Uint8Array[] = [];
  const zip = zipTo(async (bytes) => void parts.push(bytes));
  const coco = formatNamed('coco');
  if (!coco) throw new Error('COCO is not known');
  await writeDataset(setOf(count, dataset), coco, zip, { report: () => {} });
  await zip.finish();
  const body = Buffer.concat(parts);
  const began = performance.now();
  const uploads = [{ id: dataset, content_name: 'set.zip', content_length: body.length }];
  await rest(server, 'POST', `/v2/users/${userId}/apps/${appId}/uploads`, { uploads });
  const partBytes = 8 * 2 ** 20;
  for (let at = 0, n = 1; at < body.length; at += partBytes, n++) {
    const sent = await fetch(`${server.url}${ext}/uploads/${dataset}/content_parts/${n}?range_start=${at}`, {
      method: 'PUT',
      headers: { authorization: `Key ${pat}` },
      body: new Blob([new Uint8Array(body.subarray(at, at + partBytes))]),
    });
    if (!sent.ok) throw new Error(`part ${n}: ${sent.status}`);
    await sent.body?.cancel();
  }
  const { transfer } = await rest<{ transfer: Shown }>(server, 'POST', `${ext}/imports`, {
    upload_id: dataset,
    dataset_id: dataset,
  });
  const done = await ended(server, transfer.id, () => {});
  const ms = performance.now() - began;
  const { inputs_added, annotations_added } = done.progress;
  if (inputs_added !== count || annotations_added !== count * boxesPerImage)
    throw new Error(`imported ${inputs_added} pictures and ${annotations_added} boxes of ${count}`);
  return ms;
}

interface Shown {
  readonly id: string;
  readonly state: string;
  readonly reason: string;
  readonly report: { readonly annotations: number };
  readonly progress: Readonly<Record<string, number>>;
}

async function ended(server: BenchServer, id: string, look: () => void): Promise<Shown> {
  let last: Shown | undefined;
  const isOver = async () => {
    look();
    last = (await rest<{ transfer: Shown }>(server, 'GET', `${ext}/transfers/${id}`)).transfer;
    return !['pending', 'running'].includes(last.state);
  };
  await until(`transfer ${id}`, isOver, 1_800_000);
  if (last?.state !== 'done') throw new Error(`${last?.state}: ${last?.reason}`);
  return last;
}

async function exportOf(context: BenchContext, server: BenchServer, count: number, dataset: string) {
  const before = memoryOf(server.pid).pssMb;
  let peak = before;
  const began = performance.now();
  const { transfer } = await rest<{ transfer: Shown }>(server, 'POST', `${ext}/exports`, {
    dataset_id: dataset,
    format: 'coco',
  });
  const done = await ended(server, transfer.id, () => {
    peak = Math.max(peak, memoryOf(server.pid).pssMb);
  });
  const ms = performance.now() - began;
  context.sameAnswer('boxes exported', done.report.annotations, count * boxesPerImage);
  return { ms, aboveMb: peak - before, allMb: peak };
}
