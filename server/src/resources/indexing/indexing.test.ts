import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ffmpegPath, made } from '#testing/clips.ts';
import { openIndexedApp } from './indexing.testing.ts';
import { packVector, unpackVector } from './vector.ts';

let app: Awaited<ReturnType<typeof openIndexedApp>>;
beforeAll(async () => {
  app = await openIndexedApp();
});
afterAll(() => app.close());

const plain = (background: string, width = 200) =>
  sharp({ create: { width, height: 150, channels: 3, background } })
    .png()
    .toBuffer();
const halves = async (left: string, right: string) =>
  sharp(await plain(left))
    .composite([{ input: await plain(right, 100), left: 100, top: 0 }])
    .png()
    .toBuffer();
const image = (id: string, base64: Buffer) => ({ id, data: { image: { base64 } } });
const box = (leftCol: number, rightCol: number) => ({
  regions: [{ regionInfo: { boundingBox: { topRow: 0, leftCol, bottomRow: 1, rightCol } } }],
});
const cosine = (a: Float32Array | undefined, b: Float32Array | undefined): number =>
  a && b ? a.reduce((sum, x, i) => sum + x * (b[i] as number), 0) : Number.NaN;

test('a processed picture has a vector of length one, and one that could not be read has none', async () => {
  await app.post([image('blue', await plain('blue')), image('junk', Buffer.from('junk'))]);
  const vector = await app.vectorOf('blue');
  expect(vector).toHaveLength(256);
  expect(cosine(vector, vector)).toBeCloseTo(1, 5);
  expect(await app.vectorOf('junk')).toBeUndefined();
});

test('a box is embedded by what it shows, and again when it moves; a label without place has no vector', async () => {
  await app.post([image('half', await halves('red', 'blue'))]);
  const blue = await app.vectorOf('blue');
  const [boxed, label] = await app.annotate([
    { inputId: 'half', data: box(0.5, 1) },
    { inputId: 'half', data: { concepts: [{ id: 'x', value: 1 }] } },
  ]);
  expect(cosine(await app.vectorOfAnnotation(boxed?.id as string), blue)).toBeGreaterThan(0.99);
  expect(await app.vectorOfAnnotation(label?.id as string)).toBeUndefined();
  await app.patch([{ id: boxed?.id as string, inputId: 'half', data: box(0, 0.5) }]);
  expect(cosine(await app.vectorOfAnnotation(boxed?.id as string), blue)).toBeLessThan(0.9);
});

test('after a change of the embedder a walk gives everything the vectors that are missing', async () => {
  app.chosen.modelVersionKey = 2;
  expect(await app.vectorOf('half')).toBeUndefined();
  await app.reindex();
  expect(await app.vectorOf('half')).toHaveLength(256);
  const counts = await app.db.query(
    'select model_version_key as v, count(*) as n from embeddings group by 1 order by 1',
  );
  expect(counts).toEqual([
    { v: 1, n: 3 },
    { v: 2, n: 3 },
  ]);
});

test('deleting inputs removes their vectors and, with the last that shows them, the files of their media', async () => {
  await app.post([image('twin', await plain('blue'))]);
  const before = await app.files();
  await app.delete(['blue']);
  expect(await app.files()).toBe(before);
  await app.delete(['half', 'twin', 'junk']);
  expect(await app.files()).toBe(0);
  expect(await app.db.query('select from embeddings')).toEqual([]);
  expect(await app.db.query('select kind, last_error from jobs')).toEqual([]);
});

test('vectors are stored as little-endian float32 of length one', () => {
  const packed = packVector(Float32Array.of(3, 0, 4));
  expect(packed.readFloatLE(0)).toBeCloseTo(0.6);
  expect([...unpackVector(packed)].map((x) => Math.round(x * 10) / 10)).toEqual([0.6, 0, 0.8]);
  expect([...unpackVector(packVector(new Float32Array(2)))]).toEqual([0, 0]);
});

test.skipIf(!ffmpegPath)(
  'a video has vectors of its frames and of what people mark in them, again after a change, and leaves nothing',
  async () => {
    const before = await app.files();
    const film = await made('mp4', Buffer.alloc(0), [
      ...[
        '-f',
        'lavfi',
        '-i',
        'color=c=red:s=160x120:r=10:d=2',
        '-f',
        'lavfi',
        '-i',
        'color=c=blue:s=160x120:r=10:d=2',
      ],
      ...['-filter_complex', '[0:v][1:v]concat=n=2', '-c:v', 'libx264', '-pix_fmt', 'yuv420p'],
    ]);
    await app.post([{ id: 'film', data: { video: { base64: film } } }]);
    expect(await app.files()).toBe(before + 5);
    const vectors = () =>
      app.db.query<{ vector: Buffer }>(
        `select e.vector from embeddings e join annotations a on a.key = e.annotation_key
       where a.input_id = 'film' and not a.input_level and a.worker_model_version_key = $1 order by a.key`,
        [app.chosen.modelVersionKey],
      );
    const frames = (await vectors()).map(({ vector }) => unpackVector(vector));
    expect(frames).toHaveLength(4);
    expect(cosine(frames[0], frames[1])).toBeGreaterThan(0.99);
    expect(cosine(frames[1], frames[2])).toBeLessThan(0.95);
    const whole = await app.vectorOf('film');
    expect(cosine(whole, whole)).toBeCloseTo(1, 4);
    const [marked] = await app.annotate([
      { inputId: 'film', data: { frames: [{ frameInfo: { time: 3500 }, data: { ...box(0.1, 0.6) } }] } },
    ]);
    const own = await app.vectorOfAnnotation(marked?.id as string);
    expect(cosine(own, frames[3])).toBeGreaterThan(cosine(own, frames[0]));

    app.chosen.modelVersionKey = app.chosen.modelVersionKey === 1 ? 2 : 1;
    expect(await vectors()).toEqual([]);
    await app.reindex();
    expect((await vectors()).map(({ vector }) => cosine(unpackVector(vector), frames[0]) > 0.99)).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(await app.vectorOfAnnotation(marked?.id as string)).toHaveLength(256);
    expect(await app.vectorOf('film')).toHaveLength(256);

    await app.delete(['film']);
    expect(await app.files()).toBe(before);
  },
);
