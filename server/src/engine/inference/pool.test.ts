import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loopNetwork } from '#testing/hostile-models.ts';
import { OnnxGraph } from '../convert/onnx-graph.ts';
import type { Tensors } from './messages.ts';
import { InferencePool } from './pool.ts';
import { Turns } from './turns.ts';

let folder: string;
let pool: InferencePool;
let square: string;
let picky: string;
let slow: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'fovea-pool-'));
  [square, picky, slow] = await Promise.all([
    save('square', (graph, x) => graph.node('Mul', [x, x])),
    // Gathers row 0 of a one-row table by each value: a value other than 0 or -1 makes the whole run fail.
    save('picky', (graph, x) => {
      const index = graph.node('Cast', [x], { to: 7 });
      return graph.node('Squeeze', [
        graph.node('Gather', [graph.floats([7], [1, 1]), index]),
        graph.int64s([2]),
      ]);
    }),
    save('slow', (graph, x) => {
      let value = graph.node('MatMul', [x, graph.floats(new Float32Array(2 * 900).fill(0.01), [2, 900])]);
      const wide = graph.floats(new Float32Array(900 * 900).fill(0.001), [900, 900]);
      for (let layer = 0; layer < 100; layer++) value = graph.node('MatMul', [value, wide]);
      return graph.node('MatMul', [value, graph.floats(new Float32Array(900 * 2), [900, 2])]);
    }),
  ]);
  pool = new InferencePool({ threads: 1 });
});

afterAll(async () => {
  await pool.close();
  await rm(folder, { recursive: true, force: true });
});

async function save(name: string, build: (graph: OnnxGraph, x: string) => string): Promise<string> {
  const graph = new OnnxGraph();
  const x = graph.input('x', 'float32', ['n', 2]);
  graph.output('y', build(graph, x), 'float32', ['n', 2]);
  const file = path.join(folder, `${name}.onnx`);
  await writeFile(file, graph.finish(name));
  return file;
}

const row = (...values: number[]): Tensors => ({
  x: { type: 'float32', dims: [1, 2], data: Float32Array.from(values) },
});
const numbers = (made: Tensors) => [...((made['y']?.data ?? []) as Float32Array)];

test('items that run together give what they give alone', async () => {
  const alone = [];
  for (let item = 0; item < 20; item++)
    alone.push(numbers(await pool.run('square', square, row(item, item / 3))));
  const together = await Promise.all(
    Array.from({ length: 20 }, (_, item) => pool.run('square', square, row(item, item / 3), { batchMax: 8 })),
  );
  expect(together.map(numbers)).toEqual(alone);
  expect(together.every((made) => made['y']?.dims[0] === 1)).toBe(true);
});

test('feeds that are given away go to the thread with their memory, and the others stay', async () => {
  const [kept, given] = [row(3, 4), row(3, 4)];
  const answers = await Promise.all([
    pool.run('square', square, kept, { batchMax: 8 }),
    pool.run('square', square, given, { batchMax: 8, givesFeeds: true }),
    pool.run('square', square, row(3, 4), { batchMax: 8, givesFeeds: true }),
  ]);
  expect(answers.map(numbers)).toEqual([0, 1, 2].map(() => [9, 16]));
  expect([kept, given].map((feeds) => feeds['x']?.data.length)).toEqual([2, 0]);
});

test('one bad item does not sink those that shared its batch', async () => {
  const busy = pool.run('slow', slow, row(1, 1));
  const items = [row(0, 0), row(5, 5), row(-1, 0), row(0, -1)];
  const settled = await Promise.allSettled(
    items.map((item) => pool.run('picky', picky, item, { batchMax: 8 }).then(numbers)),
  );
  await busy;
  expect(settled.map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  expect(settled[1]).toMatchObject({ reason: { code: 21313, details: expect.stringContaining('picky') } });
  expect(settled[3]).toMatchObject({ value: [7, 7] });
});

test('a file that is no network is refused, and the next item runs', async () => {
  const file = path.join(folder, 'broken.onnx');
  await writeFile(file, 'this is not a network');
  await expect(pool.run('broken', file, row(1, 1))).rejects.toMatchObject({ code: 21313 });
  await expect(pool.describe('missing', path.join(folder, 'missing.onnx'))).rejects.toMatchObject({
    code: 21313,
  });
  expect(numbers(await pool.run('square', square, row(2, 3)))).toEqual([4, 9]);
});

test('a network tells its inputs and outputs, with free dimensions as -1', async () => {
  expect(await pool.describe('square', square)).toEqual({
    inputs: [{ name: 'x', type: 'float32', dims: [-1, 2] }],
    outputs: [{ name: 'y', type: 'float32', dims: [-1, 2] }],
  });
});

test('more waiting items than allowed are refused as busy, and those accepted still finish', async () => {
  const small = new InferencePool({ threads: 1, queueMax: 2 });
  const accepted = [0, 1, 2].map((value) => small.run('slow', slow, row(value, 0)));
  await expect(small.run('slow', slow, row(9, 9))).rejects.toMatchObject({ kind: 'busy', code: 21351 });
  await Promise.all(accepted);
  expect(small.waiting).toBe(0);
  await small.close();
});

test('people go before background work, and an aborted item is dropped from the queue', async () => {
  const order: string[] = [];
  const note = (name: string) => () => void order.push(name);
  const running = pool.run('slow', slow, row(1, 0)).then(note('running'));
  const indexing = pool.run('square', square, row(1, 0), { background: true }).then(note('indexing'));
  const person = pool.run('slow', slow, row(2, 0)).then(note('person'));
  const stop = new AbortController();
  const aborted = pool.run('square', square, row(3, 0), { signal: stop.signal });
  stop.abort();
  await expect(aborted).rejects.toMatchObject({ details: 'The prediction was cancelled.' });
  await Promise.all([running, indexing, person]);
  expect(order).toEqual(['running', 'person', 'indexing']);
});

test('a quick network does not wait for the long runs of another, however many of them are asked for', async () => {
  await pool.run('square', square, row(1, 1));
  for (let n = 0; n < 3; n++) await pool.run('square', square, row(n, 1));
  // Forty rows at once take some hundred milliseconds.
  const long: Tensors = { x: { type: 'float32', dims: [40, 2], data: new Float32Array(80) } };
  await pool.run('slow', slow, long);
  let longs = 0;
  const crowd = Promise.all(
    Array.from({ length: 12 }, async () => {
      await pool.run('slow', slow, long);
      longs += 1;
    }),
  );
  // The first loads the network in the extra thread.
  await pool.run('square', square, row(2, 2));
  for (let n = 0; n < 20; n++)
    expect(numbers(await pool.run('square', square, row(n, 3)))).toEqual([n * n, 9]);
  expect(longs).toBeLessThan(8);
  await crowd;
});

test('networks take turns by the time they were given, and what was idle has saved nothing up', () => {
  const turns = new Turns();
  const files = ['long', 'long', 'long', 'short', 'short'];
  for (let n = 0; n < 30; n++) turns.took('long', 1, 100);
  for (let n = 0; n < 30; n++) turns.took('short', 1, 10);
  const order: string[] = [];
  for (let n = 0; n < 24; n++) {
    const file = files[turns.next(files)] as string;
    order.push(file);
    turns.began(file, 1);
  }
  expect(order.filter((file) => file === 'long')).toHaveLength(3);
  expect([turns.isQuick('short'), turns.isQuick('long'), turns.isQuick('unknown')]).toEqual([
    true,
    false,
    false,
  ]);
  turns.began('late', 1);
  turns.began('late', 1);
  expect(['late', 'short'][turns.next(['late', 'short'])]).toBe('short');
});

test('the event loop stays free while networks run', async () => {
  let ticks = 0;
  const timer = setInterval(() => (ticks += 1), 2);
  const began = performance.now();
  await Promise.all([1, 2, 3].map((value) => pool.run('slow', slow, row(value, 0))));
  clearInterval(timer);
  expect(ticks).toBeGreaterThan((performance.now() - began) / 20);
});

test('closing lets the running item finish, refuses the waiting one and every later one', async () => {
  const closing = new InferencePool({ threads: 1 });
  const running = closing.run('slow', slow, row(1, 0));
  const waiting = closing.run('slow', slow, row(2, 0));
  const refused = expect(waiting).rejects.toMatchObject({ details: 'The server is shutting down.' });
  await closing.close();
  await refused;
  expect((await running)['y']?.dims).toEqual([1, 2]);
  await expect(closing.run('slow', slow, row(3, 0))).rejects.toMatchObject({ kind: 'unavailable' });
});

test('a network that hangs fails its item and those that wait for it, and the next network gets a new thread', async () => {
  const file = path.join(folder, 'loop.onnx');
  await writeFile(file, loopNetwork(0));
  const picture = (brightest: number): Tensors => ({
    pixel_values: { type: 'float32', dims: [1, 3, 8, 8], data: new Float32Array(192).fill(brightest) },
  });
  const watched = new InferencePool({ threads: 1, runMsMax: 1500 });
  // Loaded first: starting a thread on a busy machine counts as well.
  for (let tries = 0; tries < 3; tries += 1) await watched.run('square', square, row(1, 1)).catch(() => {});
  expect((await watched.run('loop', file, picture(0)))['logits']?.dims).toEqual([1, 3]);
  // Millions of rounds: seconds, and not for ever, so that this process can end.
  const long = picture(1e-8);
  const [hung, behind, other] = [
    watched.run('loop', file, long),
    watched.run('loop', file, long),
    watched.run('square', square, row(3, 4)),
  ];
  const began = performance.now();
  await expect(hung).rejects.toMatchObject({ code: 21313, log: expect.stringContaining('longer than') });
  expect(performance.now() - began).toBeLessThan(10_000);
  await expect(behind).rejects.toMatchObject({ code: 21313 });
  expect(numbers(await other)).toEqual([9, 16]);
  // Hung twice: not tried again.
  await expect(watched.run('loop', file, picture(0))).rejects.toMatchObject({
    log: expect.stringContaining('hung before'),
  });
  await watched.close();
});
