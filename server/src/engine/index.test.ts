import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hasPhotos, photoPath } from '#testing/photos.ts';
import { OnnxGraph } from './convert/onnx-graph.ts';
import { type Engine, openEngine, type PredictedRegion } from './index.ts';

/** Real photographs are not part of the repository; without them these tests are skipped. */
const withPhotos = test.skipIf(!hasPhotos);
const photo = async (name: string) => ({ bytes: await readFile(photoPath(name)) });

let dataDir: string;
let engine: Engine;
const progress: string[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'fovea-engine-'));
  engine = await openEngine({
    dataDir,
    threads: 2,
    optIn: { faces: true },
    log: () => {},
    onProgress: (text) => progress.push(text),
  });
});

afterAll(async () => {
  await engine.close();
  await rm(dataDir, { recursive: true, force: true });
});

const names = (regions: PredictedRegion[] | undefined) => regions?.map((region) => region.concepts[0]?.name);

function plain(width: number, height: number, background: string): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();
}

test('docs/MODELS.md lists every built-in model', async () => {
  const page = await readFile(path.resolve(import.meta.dirname, '../../../docs/MODELS.md'), 'utf8');
  for (const { id } of engine.builtins()) expect(page).toContain(`\`${id}\``);
});

test('every built-in model says what it is, what it cannot do, and under which licence it stands', () => {
  const builtins = engine.builtins();
  expect(builtins.length).toBeGreaterThanOrEqual(12);
  for (const { id, card, labels, typeId } of builtins) {
    expect(
      Object.values(card).every((text) => text.length > 3),
      id,
    ).toBe(true);
    expect(new Set(labels.map((label) => label.id)).size, id).toBe(labels.length);
    expect(
      labels.every((label) => /^ai_[0-9a-z]{8}$/.test(label.id)),
      id,
    ).toBe(true);
    expect(typeId).toMatch(/^[a-z-]+$/);
  }
  expect(new Set(builtins.map(({ fingerprint }) => fingerprint)).size).toBe(builtins.length);
  expect(builtins.every(({ fingerprint }) => /^[0-9a-f]{16}$/.test(fingerprint))).toBe(true);
  const ids = builtins.flatMap(({ id, aliases }) => [id, ...aliases]);
  expect(new Set(ids).size).toBe(ids.length);
});

test('concept ids of the public vocabulary never change', () => {
  const labels = engine.builtins().find(({ id }) => id === 'general-image-recognition')?.labels ?? [];
  expect(labels).toHaveLength(80);
  expect([labels[0], labels[15]]).toMatchInlineSnapshot(`
    [
      {
        "id": "ai_y9n41a90",
        "name": "person",
      },
      {
        "id": "ai_lcyahc5d",
        "name": "cat",
      },
    ]
  `);
});

test("faces are nobody else's business until the operator says so", async () => {
  const shy = await openEngine({ dataDir, threads: 1, log: () => {} });
  const off = shy
    .builtins()
    .filter(({ enabled }) => !enabled)
    .map(({ id }) => id);
  expect(off).toEqual([
    'face-embedding',
    'age-demographics-recognition',
    'gender-demographics-recognition',
    'face-sentiment-recognition',
  ]);
  const image = { bytes: await plain(32, 32, 'red') };
  await expect(shy.predict('face-embedding', image)).rejects.toMatchObject({
    kind: 'forbidden',
    code: 21353,
  });
  await expect(shy.predict('no-such-model', image)).rejects.toMatchObject({ kind: 'not_found', code: 21200 });
  await expect(shy.embed('color-recognition', image)).rejects.toMatchObject({ code: 21202 });
  await shy.close();
});

test('an embedding has 256 numbers, length one, and is the same alone, in a crowd and under its old id', async () => {
  const bytes = await plain(300, 200, '#3366aa');
  const alone = await engine.embed('general-image-embedding', { bytes });
  expect(alone).toHaveLength(256);
  expect(Math.hypot(...alone)).toBeCloseTo(1, 5);
  const crowd = await Promise.all(
    Array.from({ length: 8 }, () =>
      engine.embed('bbb5f41425b8468d9b7a554ff10f8581', { bytes: Buffer.from(bytes) }),
    ),
  );
  for (const other of crowd) expect(other).toEqual(alone);
});

test('a network is made once, kept under the data folder, and found again by the next start', async () => {
  await engine.prepare('general-image-detection');
  const made = await readdir(path.join(dataDir, 'models'));
  expect(made.filter((name) => /^object-heads-[0-9a-f]{16}\.onnx$/.test(name))).toHaveLength(1);
  expect(made.filter((name) => name.endsWith('.part'))).toEqual([]);
  expect(progress.filter((text) => text.includes('object-heads'))).toHaveLength(1);
  const again: string[] = [];
  const next = await openEngine({
    dataDir,
    threads: 1,
    log: () => {},
    onProgress: (text) => again.push(text),
  });
  await next.prepare('general-image-detection');
  await next.close();
  expect(again).toEqual([]);
});

test('a data folder that cannot be written ends in a clear fault, not in a hang', async () => {
  const file = path.join(dataDir, 'a-file');
  await writeFile(file, '');
  const stuck = await openEngine({ dataDir: file, threads: 1, log: () => {} });
  await expect(stuck.prepare('face-detection')).rejects.toMatchObject({ code: 21350 });
  await stuck.close();
});

test.each([
  ['#ff0000', 'Red'],
  ['#ffffff', 'White'],
  ['#2f4f4f', 'DarkSlateGray'],
] as const)('a picture all of %s is called %s', async (hex, w3cName) => {
  const { colors } = await engine.predict('color-recognition', { bytes: await plain(50, 40, hex) });
  expect(colors).toEqual([{ hex, w3cHex: hex, w3cName, value: 1 }]);
});

test('colors of a picture come by their share', async () => {
  const blue = await plain(25, 100, '#0000ff');
  const bytes = await sharp(await plain(100, 100, '#ffff00'))
    .composite([{ input: blue, left: 0, top: 0 }])
    .png()
    .toBuffer();
  const { colors = [] } = await engine.predict('color-recognition', { bytes });
  expect(colors.slice(0, 2).map(({ w3cName }) => w3cName)).toEqual(['Yellow', 'Blue']);
  expect(colors[0]?.value).toBeCloseTo(0.75, 1);
});

test("a damaged image fails with the contract's code whatever the model", async () => {
  const image = { bytes: Buffer.from('no image at all') };
  for (const { id } of engine.builtins()) {
    await expect(engine.predict(id, image), id).rejects.toMatchObject({ code: 30101 });
  }
});

test('an own network is described and run', async () => {
  const graph = new OnnxGraph();
  const x = graph.input('x', 'float32', ['n', 3]);
  graph.output('sum', graph.node('ReduceSum', [x, graph.int64s([1])], { keepdims: 0 }), 'float32', ['n']);
  const file = path.join(dataDir, 'own.onnx');
  await writeFile(file, graph.finish('own'));
  expect((await engine.describeOnnx(file)).inputs).toEqual([{ name: 'x', type: 'float32', dims: [-1, 3] }]);
  const feeds = { x: { type: 'float32', dims: [1, 3], data: Float32Array.of(1, 2, 4) } } as const;
  const { sum } = await engine.runOnnx(file, feeds, { batchMax: 4 });
  expect(sum?.data).toEqual(Float32Array.of(7));
});

withPhotos.each([
  ['chelsea.png', 'cat'],
  ['astronaut.png', 'person'],
  ['coffee.png', 'cup'],
  ['motorcycle_left.png', 'motorcycle'],
])('%s shows a %s', async (file, name) => {
  const image = await photo(file);
  const { regions = [] } = await engine.predict('general-image-detection', image);
  expect(names(regions)).toContain(name);
  for (const { box } of regions) {
    expect(box.top).toBeLessThan(box.bottom);
    expect(box.left).toBeLessThan(box.right);
    expect(Math.min(...Object.values(box))).toBeGreaterThanOrEqual(0);
    expect(Math.max(...Object.values(box))).toBeLessThanOrEqual(1);
  }
  const { concepts = [] } = await engine.predict('aaa03c23b3724a16a56b629203edc62c', image);
  expect(concepts).toHaveLength(80);
  expect(concepts.slice(0, 3).map((concept) => concept.name)).toContain(name);
});

withPhotos('the astronaut has one face where it is, with eyes above the mouth', async () => {
  const image = await photo('astronaut.png');
  const { regions = [] } = await engine.predict('face-detection', image);
  expect(regions).toHaveLength(1);
  const [face] = regions as [PredictedRegion];
  expect(face.value).toBeGreaterThan(0.8);
  expect((face.box.left + face.box.right) / 2).toBeCloseTo(0.43, 1);
  expect((face.box.top + face.box.bottom) / 2).toBeCloseTo(0.22, 1);
  const row = (name: string) => face.keypoints?.find((point) => point.name === name)?.row ?? 0;
  expect(row('left_eye')).toBeLessThan(row('mouth'));
  const { regions: meshes = [] } = await engine.predict('face-landmarks', image);
  expect(meshes[0]?.keypoints).toHaveLength(468);
  const inside = meshes[0]?.keypoints?.filter(
    ({ row: r, col: c }) => r > 0.05 && r < 0.4 && c > 0.3 && c < 0.6,
  );
  expect(inside?.length).toBeGreaterThan(450);
});

withPhotos("the astronaut's body has shoulders below the nose", async () => {
  const { regions = [] } = await engine.predict('body-pose-detection', await photo('astronaut.png'));
  const points = new Map(regions[0]?.keypoints?.map((point) => [point.name, point]));
  expect(points.size).toBe(17);
  expect(points.get('nose')?.row).toBeLessThan(points.get('left_shoulder')?.row ?? 0);
  expect(points.get('nose')?.col).toBeCloseTo(0.43, 1);
});

withPhotos('the astronaut looks like a cheerful woman', async () => {
  const image = await photo('astronaut.png');
  const first = async (model: string) => (await engine.predict(model, image)).regions?.[0];
  expect((await first('gender-demographics-recognition'))?.concepts[0]?.name).toBe('Feminine');
  expect((await first('face-sentiment-recognition'))?.concepts[0]?.name).toBe('happiness');
  const age = await first('age-demographics-recognition');
  expect(age?.ageYears).toBeGreaterThan(15);
  expect(age?.ageYears).toBeLessThan(50);
  expect(age?.concepts.reduce((sum, concept) => sum + concept.value, 0)).toBeCloseTo(1, 3);
});

withPhotos('a face is recognised although the picture is turned and shrunk', async () => {
  const { bytes } = await photo('astronaut.png');
  const tilted = await sharp(bytes).rotate(18, { background: 'black' }).resize(400).jpeg().toBuffer();
  const [upright, turned] = await Promise.all(
    [bytes, tilted].map(
      async (one) => (await engine.predict('face-embedding', { bytes: one })).regions?.[0]?.embedding,
    ),
  );
  const cosine = upright?.reduce((sum, value, index) => sum + value * (turned?.[index] ?? 0), 0);
  expect(cosine).toBeGreaterThan(0.8);
});

withPhotos.each(['coffee.png', 'rocket.jpg', 'motorcycle_left.png', 'chelsea.png'])(
  '%s is safe and has no face',
  async (file) => {
    const image = await photo(file);
    const { concepts = [] } = await engine.predict('moderation-recognition', image);
    expect(concepts[0]?.name).toBe('safe');
    expect((await engine.predict('face-detection', image)).regions).toEqual([]);
  },
);

withPhotos('two pictures of one thing lie closer than pictures of two things', async () => {
  const { bytes } = await photo('chelsea.png');
  const mirrored = await sharp(bytes)
    .flop()
    .extract({ left: 40, top: 20, width: 380, height: 260 })
    .jpeg()
    .toBuffer();
  const [cat, sameCat, cup] = await Promise.all(
    [bytes, mirrored, (await photo('coffee.png')).bytes].map((one) =>
      engine.embed('general-image-embedding', { bytes: one }),
    ),
  );
  const cosine = (a?: Float32Array, b?: Float32Array) =>
    a?.reduce((sum, value, i) => sum + value * (b?.[i] ?? 0), 0) ?? 0;
  expect(cosine(cat, sameCat)).toBeGreaterThan(cosine(cat, cup) + 0.2);
});
