import { type Dataset, encodePng } from '@fovea/formats';
import { rest } from '../harness/api.ts';
import { type Bench, type BenchContext, scaled } from '../harness/bench.ts';
import { memoryOf } from '../harness/processes.ts';
import { ratios } from '../harness/rounds.ts';
import { makeApp } from '../harness/rows.ts';
import { type BenchServer, startServer } from '../harness/server.ts';
import { ended, extensions, startImport, upload, zipOf } from './import.ts';

const appId = 'bench-transfers';
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
  const body = await zipOf(setOf(count, dataset));
  const began = performance.now();
  await upload(server, appId, dataset, body);
  const { progress } = await ended(server, appId, await startImport(server, appId, dataset, dataset));
  const ms = performance.now() - began;
  const { inputs_added, annotations_added } = progress;
  if (inputs_added !== count || annotations_added !== count * boxesPerImage)
    throw new Error(`imported ${inputs_added} pictures and ${annotations_added} boxes of ${count}`);
  return ms;
}

async function exportOf(context: BenchContext, server: BenchServer, count: number, dataset: string) {
  const before = memoryOf(server.pid).pssMb;
  let peak = before;
  const began = performance.now();
  const { transfer } = await rest<{ transfer: { id: string } }>(
    server,
    'POST',
    `${extensions(appId)}/exports`,
    { dataset_id: dataset, format: 'coco' },
  );
  const done = await ended(server, appId, transfer.id, () => {
    peak = Math.max(peak, memoryOf(server.pid).pssMb);
  });
  const ms = performance.now() - began;
  context.sameAnswer('boxes exported', done.report.annotations, count * boxesPerImage);
  return { ms, aboveMb: peak - before, allMb: peak };
}
