import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import sharp from 'sharp';
import { OnnxGraph } from '../../server/src/engine/convert/onnx-graph.ts';
import type { Tensors } from '../../server/src/engine/inference/messages.ts';
import { InferencePool } from '../../server/src/engine/inference/pool.ts';
import { normalFrom, randomFrom } from './vector-set.ts';

/**
 * What predictions are compared with: a bare loop of sharp and ONNX Runtime on one thread. And our own pool of
 * inference threads by itself, with batches and without.
 */
export type PredictQuestion =
  | { kind: 'bare-open'; model: string }
  | { kind: 'bare-run'; pictures: string[]; repeats: number }
  | { kind: 'pool-open'; folder: string }
  /** `callers` callers at once, each waiting for its answer, until `items` are answered. */
  | { kind: 'pool-head'; items: number; callers: number; batchMax: number }
  /** The same items in batches and one at a time. `shiftBy` compares with a neighbour's answer instead. */
  | { kind: 'pool-compare'; items: number; batchMax: number; shiftBy: number }
  /** Each trial a batch with one item that makes the network fail. Without `pool` a batch is run as it comes. */
  | { kind: 'pool-poison'; trials: number; withPool: boolean };

const edge = 224;
const headDims = 512;
const headClasses = 100;

let session: ort.InferenceSession | undefined;
let pool: InferencePool | undefined;
const files = { head: '', picky: '' };

async function bareRun(pictures: readonly string[], repeats: number) {
  const latenciesMs: number[] = [];
  const scores: number[][] = [];
  const open = session as ort.InferenceSession;
  const bytes = pictures.map((path) => readFileSync(path));
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const picture of bytes) {
      const began = performance.now();
      const raw = await sharp(picture).resize(edge, edge, { fit: 'fill' }).removeAlpha().raw().toBuffer();
      const made = await open.run({ image: new ort.Tensor('uint8', raw, [1, edge, edge, 3]) });
      latenciesMs.push(performance.now() - began);
      if (repeat === 0) scores.push([...((made['scores'] as ort.Tensor).data as Float32Array)]);
    }
  }
  return { latenciesMs, scores };
}

function makeNetworks(folder: string): void {
  const normal = normalFrom(randomFrom(5));
  const head = new OnnxGraph();
  const x = head.input('x', 'float32', ['n', headDims]);
  const weights = head.floats(
    Float32Array.from({ length: headDims * headClasses }, () => 0.05 * normal()),
    [headDims, headClasses],
  );
  head.output('y', head.node('Softmax', [head.node('MatMul', [x, weights])], { axis: 1 }), 'float32', [
    'n',
    headClasses,
  ]);
  // A table of four rows: asking for a row that is not there makes the whole run fail.
  const picky = new OnnxGraph();
  const at = picky.node('Cast', [picky.input('x', 'float32', ['n', 1])], { to: 7 });
  const row = picky.node('Gather', [picky.floats([10, 11, 12, 13], [4, 1]), at]);
  picky.output('y', picky.node('Squeeze', [row, picky.int64s([2])]), 'float32', ['n', 1]);
  for (const [name, graph] of [
    ['head', head],
    ['picky', picky],
  ] as const) {
    files[name] = join(folder, `${name}.onnx`);
    writeFileSync(files[name], graph.finish(name));
  }
}

const headItem = (item: number): Tensors => {
  const random = randomFrom(item + 1);
  return {
    x: {
      type: 'float32',
      dims: [1, headDims],
      data: Float32Array.from({ length: headDims }, () => random() - 0.5),
    },
  };
};

const prepared = Array.from({ length: 256 }, (_, item) => headItem(item));

async function head(items: number, callers: number, batchMax: number) {
  let started = 0;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (started < items) {
        const item = prepared[started++ % prepared.length] as Tensors;
        await (pool as InferencePool).run('head', files.head, item, { batchMax });
      }
    }),
  );
  return { wallMs: performance.now() - began };
}

async function compare(items: number, batchMax: number, shiftBy: number) {
  const run = pool as InferencePool;
  let [largest, equal] = [0, 0];
  for (let from = 0; from < items; from += 64) {
    const some = Array.from({ length: Math.min(64, items - from) }, (_, i) => headItem(from + i));
    const together = await Promise.all(some.map((item) => run.run('head', files.head, item, { batchMax })));
    for (let i = 0; i < some.length; i++) {
      const alone = valuesOf(await run.run('head', files.head, some[i] as Tensors));
      const other = valuesOf(together[(i + shiftBy) % some.length] as Tensors);
      const difference = Math.max(...alone.map((value, c) => Math.abs(value - (other[c] as number))));
      largest = Math.max(largest, difference);
      if (difference === 0) equal++;
    }
  }
  return { largest, equal };
}

const valuesOf = (made: Tensors): number[] => [...((made['y']?.data ?? []) as Float32Array)];

/** @returns how many neighbours of a failing item did not get their own answer */
async function poison(trials: number, withPool: boolean) {
  let [affected, survived] = [0, 0];
  const bare = withPool ? undefined : await ort.InferenceSession.create(files.picky);
  for (let trial = 0; trial < trials; trial++) {
    const bad = trial % 8;
    const wanted = Array.from({ length: 8 }, (_, i) => (i === bad ? 1000 + trial : (trial + i) % 4));
    const answers = bare ? await rawBatch(bare, wanted) : await pooledBatch(wanted);
    for (const [i, answer] of answers.entries()) {
      if (i === bad && answer !== undefined) survived++;
      if (i !== bad && answer !== 10 + (wanted[i] as number)) affected++;
    }
  }
  return { affected, survived };
}

async function pooledBatch(wanted: readonly number[]): Promise<(number | undefined)[]> {
  const item = (value: number): Tensors => ({
    x: { type: 'float32', dims: [1, 1], data: Float32Array.of(value) },
  });
  const made = await Promise.allSettled(
    wanted.map((value) => (pool as InferencePool).run('picky', files.picky, item(value), { batchMax: 8 })),
  );
  return made.map((one) => (one.status === 'fulfilled' ? valuesOf(one.value)[0] : undefined));
}

async function rawBatch(
  bare: ort.InferenceSession,
  wanted: readonly number[],
): Promise<(number | undefined)[]> {
  try {
    const made = await bare.run({
      x: new ort.Tensor('float32', Float32Array.from(wanted), [wanted.length, 1]),
    });
    return [...((made['y'] as ort.Tensor).data as Float32Array)];
  } catch {
    return wanted.map(() => undefined);
  }
}

async function answer(question: PredictQuestion): Promise<object> {
  switch (question.kind) {
    case 'bare-open':
      sharp.concurrency(1);
      session = await ort.InferenceSession.create(question.model, {
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
      });
      return {};
    case 'bare-run':
      return bareRun(question.pictures, question.repeats);
    case 'pool-open':
      makeNetworks(question.folder);
      pool = new InferencePool({ threads: 1 });
      return {};
    case 'pool-head':
      return head(question.items, question.callers, question.batchMax);
    case 'pool-compare':
      return compare(question.items, question.batchMax, question.shiftBy);
    case 'pool-poison':
      return poison(question.trials, question.withPool);
  }
}

process.on('message', (question: PredictQuestion) => {
  answer(question).then(
    (reply) => process.send?.(reply),
    (error) => process.send?.({ error: error instanceof Error ? error.stack : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
