import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TrainRequest, trainHead } from '#engine/training/index.ts';
import { overlappingClusters } from '#engine/training/testdata.ts';
import { pickRows, VectorSpill } from './vector-store.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-vectors-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const [rows, dims, classes] = [3_000, 64, 10];
const { vectors, classIndex } = overlappingClusters(rows, dims, classes, 3, 1);
const rowAt = (row: number) => vectors.subarray(row * dims, (row + 1) * dims);

async function kept(bytesMax: number): Promise<VectorSpill> {
  const store = new VectorSpill(join(folder, 'work'), bytesMax);
  await store.begin(rows, dims);
  for (let from = 0; from < rows; from += 700)
    await store.add(Array.from({ length: Math.min(700, rows - from) }, (_, i) => rowAt(from + i)));
  return store;
}

async function hashOf(request: Partial<TrainRequest> & Pick<TrainRequest, 'vectors'>): Promise<string> {
  const outcome = await trainHead({ dims, classes, exclusive: true, classIndex, seed: 7, ...request });
  if (outcome.kind !== 'trained') throw new Error(outcome.kind);
  return outcome.hash;
}

test('a head learnt from a file is the head learnt from memory, to the bit, and the file goes away', async () => {
  const [memory, file] = [await kept(rows * dims * 4), await kept(1_000)];
  expect(memory.vectors).toBeInstanceOf(Float32Array);
  expect(file.vectors).toMatchObject({ rows });
  expect(await hashOf({ vectors: file.vectors })).toBe(await hashOf({ vectors: memory.vectors }));
  expect(await pickRows(file.vectors, dims, [0, 5, 2_999])).toEqual(
    await pickRows(memory.vectors, dims, [0, 5, 2_999]),
  );
  await file.remove();
  await memory.remove();
  expect(await readdir(join(folder, 'work'))).toEqual([]);
});

test('a number that is none is found in a file as well', async () => {
  const file = new VectorSpill(join(folder, 'work'), 1_000);
  await file.begin(rows, dims);
  const broken = Float32Array.from(rowAt(0), (value, at) => (at === 9 ? Number.NaN : value));
  await file.add(Array.from({ length: rows }, (_, row) => (row === 2_345 ? broken : rowAt(row))));
  await expect(hashOf({ vectors: file.vectors })).rejects.toThrow('row 2345 holds NaN');
  await file.remove();
});

test('what a process that died left behind is removed by the next large training', async () => {
  const stale = join(folder, 'work', 'left.f32');
  await writeFile(stale, 'x');
  await utimes(stale, new Date(0), new Date(0));
  const next = await kept(1_000);
  expect(await readdir(join(folder, 'work'))).toHaveLength(1);
  await next.remove();
});
