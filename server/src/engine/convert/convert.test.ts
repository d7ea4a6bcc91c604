import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { OnnxGraph } from './onnx-graph.ts';
import { ProtoWriter } from './protobuf.ts';
import { projectionFile, type RecipeId, readProjection, recipes } from './recipes.ts';
import { readSource } from './sources.ts';
import { readWeights } from './tfjs-weights.ts';

const assetsDir = fileURLToPath(new URL('../../../models', import.meta.url));
const quiet = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 } as const;

interface RecordedOutput {
  shape: number[];
  step: number;
  samples: number[];
}

/** A deterministic picture of whole numbers only, so that no rounding differs between machines. */
function referencePicture(edge: number): Uint8Array {
  const wave = (n: number, half: number) => Math.floor((Math.abs((n % (2 * half)) - half) * 255) / half);
  const pixels = new Uint8Array(edge * edge * 3);
  for (let y = 0; y < edge; y++) {
    for (let x = 0; x < edge; x++) {
      for (let c = 0; c < 3; c++) {
        pixels[(y * edge + x) * 3 + c] = (wave(x + c * 11, 37) + wave(y * 2 + c * 5, 29)) >> 1;
      }
    }
  }
  return pixels;
}

const recorded: RecipeId[] = [
  'object-heads',
  'face-boxes',
  'face-mesh',
  'face-traits',
  'face-expression',
  'body-points',
  'moderation-scores',
  'general-features',
];

test.each(recorded)(
  '%s computes what TensorFlow.js was recorded to compute',
  async (id) => {
    const record = JSON.parse(await readFile(path.join(assetsDir, 'recorded', `${id}.json`), 'utf8')) as {
      outputs: Record<string, RecordedOutput>;
    };
    const session = await InferenceSession.create(await recipes[id].build(assetsDir), quiet);
    const feeds: Record<string, Tensor> = {};
    for (const input of session.inputMetadata) {
      const edge = input.isTensor ? Number(input.shape[1]) : 0;
      feeds[input.name] = new Tensor('uint8', referencePicture(edge), [1, edge, edge, 3]);
    }
    const outputs = await session.run(feeds);
    await session.release();
    expect(Object.keys(outputs).sort()).toEqual(Object.keys(record.outputs).sort());
    for (const [name, wanted] of Object.entries(record.outputs)) {
      const values = outputs[name]?.data as Float32Array;
      expect([...(outputs[name]?.dims ?? [])], name).toEqual(wanted.shape);
      const found = wanted.samples.map((_, index) => values[index * wanted.step] as number);
      expect(cosine(found, wanted.samples), name).toBeGreaterThan(0.9999);
      expect(largestDifference(found, wanted.samples), name).toBeLessThan(0.005 * largest(wanted.samples));
    }
  },
  60_000,
);

test('the general embedding is the features, centred, projected and of length one', async () => {
  const { mean, whitening } = await readProjection(path.join(assetsDir, projectionFile));
  const feeds: Record<string, Tensor> = {};
  for (const edge of [224, 192]) {
    feeds[`image${edge}`] = new Tensor('uint8', referencePicture(edge), [1, edge, edge, 3]);
  }
  const run = async (id: RecipeId) => {
    const session = await InferenceSession.create(await recipes[id].build(assetsDir), quiet);
    return (await session.run(feeds))[session.outputNames[0] as string]?.data as Float32Array;
  };
  const [features, embedding] = await Promise.all([run('general-features'), run('general-embedding')]);
  const projected = Array.from({ length: 256 }, (_, column) =>
    features.reduce(
      (sum, value, row) => sum + (value - (mean[row] ?? 0)) * (whitening[row * 256 + column] ?? 0),
      0,
    ),
  );
  expect(cosine([...embedding], projected)).toBeGreaterThan(0.99999);
  expect(Math.hypot(...embedding)).toBeCloseTo(1, 5);
});

test('the projection is the one that its provenance names', async () => {
  const bytes = await readFile(path.join(assetsDir, projectionFile));
  const provenance = JSON.parse(
    await readFile(path.join(assetsDir, 'general-embed-projection.json'), 'utf8'),
  );
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(provenance.sha256);
});

test('a package file with other contents is refused by name', async () => {
  const wrong = { package: 'nsfwjs', file: 'package.json', sha256: '0'.repeat(64) };
  await expect(readSource(wrong)).rejects.toThrow(/package\.json of nsfwjs is not the version/);
  await expect(readSource({ ...wrong, file: 'no-such-file' })).rejects.toThrow(/has no file no-such-file/);
  await expect(readSource({ ...wrong, package: 'no-such-package' })).rejects.toThrow(/is not installed/);
});

test.each([
  [0, [0x08, 0x00]],
  [1, [0x08, 0x01]],
  [127, [0x08, 0x7f]],
  [128, [0x08, 0x80, 0x01]],
  [300, [0x08, 0xac, 0x02]],
  [-1, [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
])('the varint of %i follows the protobuf rules', (value, bytes) => {
  expect([...new ProtoWriter().int(1, value).finish()]).toEqual(bytes);
});

test('half floats and quantised bytes are widened, and missing or spare bytes are noticed', () => {
  const half = { name: 'h', shape: [4], dtype: 'float32', quantization: { dtype: 'float16' } };
  const byte = {
    name: 'b',
    shape: [2],
    dtype: 'float32',
    quantization: { dtype: 'uint8', scale: 0.5, min: -1 },
  };
  const bytes = Uint8Array.from([0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0x00, 0x7c, 0, 255]);
  const weights = readWeights([half, byte], bytes);
  expect([...(weights.get('h')?.data ?? [])]).toEqual([1, -2, 2 ** -24, Number.POSITIVE_INFINITY]);
  expect([...(weights.get('b')?.data ?? [])]).toEqual([-1, 126.5]);
  expect(() => readWeights([half, byte], bytes.subarray(0, 9))).toThrow(/end inside b/);
  expect(() => readWeights([half], bytes)).toThrow(/2 bytes too many/);
});

test('a graph made by hand runs, and unused constants are left out of the file', async () => {
  const graph = new OnnxGraph();
  const x = graph.input('x', 'float32', ['n', 2]);
  graph.floats(new Float32Array(50_000), [50_000]);
  graph.output('y', graph.node('Mul', [x, graph.floats([3], [])]), 'float32', ['n', 2]);
  const bytes = graph.finish('test');
  expect(bytes.length).toBeLessThan(400);
  const session = await InferenceSession.create(bytes, quiet);
  const { y } = await session.run({ x: new Tensor('float32', Float32Array.from([1, 2, 3, 4]), [2, 2]) });
  expect(y?.data).toEqual(Float32Array.of(3, 6, 9, 12));
});

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (p: readonly number[], q: readonly number[]) =>
    p.reduce((sum, value, i) => sum + value * (q[i] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

function largest(values: readonly number[]): number {
  return Math.max(...values.map(Math.abs));
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  return largest(a.map((value, index) => value - (b[index] ?? 0)));
}
