import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import S3rver from 's3rver';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesOf, contentKey, type ObjectStore, openFileObjects, openS3Objects } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'fovea-objects-'));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const large = randomBytes(11 * 1024 * 1024);
const filesRoot = join(folder, 'files');
const draftsIn = () => readdirSync(join(filesRoot, '.drafts'));

let s3Server: S3rver;
let s3Port = 0;

beforeAll(async () => {
  s3Server = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory: join(folder, 's3'),
    configureBuckets: [{ name: 'fovea', configs: [] }],
  });
  s3Port = (await s3Server.run()).port;
});

afterAll(async () => {
  await s3Server.close();
  rmSync(folder, { recursive: true });
});

const openS3 = (prefix: string) =>
  openS3Objects({
    endpoint: `http://127.0.0.1:${s3Port}`,
    bucket: 'fovea',
    region: 'us-east-1',
    prefix,
    forcePathStyle: true,
    accessKeyId: 'S3RVER',
    secretAccessKey: 'S3RVER',
  });

/** A body that fails half-way, as an upload does when its client goes away. */
const broken = () =>
  Readable.from(
    (async function* () {
      yield randomBytes(9 * 1024 * 1024);
      throw new Error('the client went away');
    })(),
  );

const slices = (bytes: Buffer) =>
  Readable.from(Array.from({ length: 11 }, (_, i) => bytes.subarray(i << 20, (i + 1) << 20)));

describe.each([
  ['files', async () => openFileObjects(filesRoot), 4],
  // The test server cannot cut a listing short: it names the next page with a cipher that OpenSSL 3 has dropped.
  ['S3', () => openS3(''), 100],
  ['S3 with a prefix', () => openS3('tenant/'), 100],
] as const)('objects in %s', (_name, open, pageSize) => {
  let store: ObjectStore;

  beforeAll(async () => {
    store = await open();
    await store.ready();
  });

  const read = async (key: string, range?: { firstByte: number; lastByte?: number }) => {
    const object = await store.get(key, range);
    return object && bytesOf(object);
  };

  test.each([
    ['bytes', () => Buffer.from('a cat'), Buffer.from('a cat')],
    ['nothing', () => Buffer.alloc(0), Buffer.alloc(0)],
    [
      'a view into larger memory',
      () => new Uint8Array(Buffer.from('xxa catxx')).subarray(2, 7),
      Buffer.from('a cat'),
    ],
    ['a large stream', () => slices(large), large],
  ])('%s come back as they were put', async (_what, body, expected) => {
    expect(await store.put('exports/one.bin', body())).toEqual({ sizeBytes: expected.length });
    expect((await read('exports/one.bin'))?.equals(expected)).toBe(true);
    const content = await store.putContent(body());
    expect(content).toEqual({ sha256: sha256(expected), sizeBytes: expected.length });
    expect((await read(contentKey(content.sha256)))?.equals(expected)).toBe(true);
    expect(await store.stat('exports/one.bin')).toMatchObject({
      key: 'exports/one.bin',
      sizeBytes: expected.length,
    });
  });

  test('the same content twice is one object', async () => {
    const [one, two] = await Promise.all([
      store.putContent(Buffer.from('twin')),
      store.putContent(Readable.from([Buffer.from('twin')])),
    ]);
    expect(one).toEqual(two);
    expect(await store.list(contentKey(one.sha256), '', 10)).toHaveLength(1);
  });

  test.each([
    [{ firstByte: 0, lastByte: 1 }, '01'],
    [{ firstByte: 3, lastByte: 5 }, '345'],
    [{ firstByte: 7 }, '789'],
    [{ firstByte: 8, lastByte: 99 }, '89'],
  ])('bytes %o can be read alone', async (range, expected) => {
    await store.put('digits', Buffer.from('0123456789'));
    const object = await store.get('digits', range);
    expect(object?.sizeBytes).toBe(10);
    expect(object && String(await bytesOf(object))).toBe(expected);
  });

  test('a range behind the end is refused', async () => {
    await store.put('digits', Buffer.from('0123456789'));
    await expect(store.get('digits', { firstByte: 10 })).rejects.toBeInstanceOf(RangeError);
  });

  test('what is not there is undefined, and deleting it is fine', async () => {
    expect(await store.get('no/such')).toBeUndefined();
    expect(await store.stat('no/such')).toBeUndefined();
    await store.delete('no/such');
    await store.put('gone', Buffer.from('x'));
    await store.delete('gone');
    expect(await store.stat('gone')).toBeUndefined();
  });

  test('keys are listed in byte order, page by page, below a prefix', async () => {
    const keys = ['list/a', 'list/a.b', 'list/b/c', 'list/b/a/x', 'list/c', 'lisu'];
    for (const key of keys) await store.put(key, Buffer.from(key));
    const expected = ['list/a', 'list/a.b', 'list/b/a/x', 'list/b/c', 'list/c'];
    const listed: string[] = [];
    for (;;) {
      const page = await store.list('list/', listed.at(-1) ?? '', pageSize);
      if (page.length === 0) break;
      listed.push(...page.map(({ key }) => key));
    }
    expect(listed).toEqual(expected);
    expect((await store.list('list/b', '', 10)).map(({ key }) => key)).toEqual(['list/b/a/x', 'list/b/c']);
  });

  test('a body that is too large or breaks off leaves no object', async () => {
    const limit = { sizeBytesMax: 10 };
    for (const body of [
      () => Buffer.alloc(11),
      () => Readable.from([Buffer.alloc(6), Buffer.alloc(6)]),
      () => slices(large),
    ]) {
      await expect(store.put('refused', body(), limit)).rejects.toMatchObject({ name: 'ObjectTooLarge' });
      await expect(store.putContent(body(), limit)).rejects.toMatchObject({ name: 'ObjectTooLarge' });
    }
    await expect(store.put('refused', broken())).rejects.toThrow('the client went away');
    await expect(store.putContent(broken())).rejects.toThrow('the client went away');
    expect(await store.stat('refused')).toBeUndefined();
  });

  test.each([
    '',
    '/etc/passwd',
    '../x',
    'a/../b',
    'a//b',
    'a/',
    './a',
    'a/.hidden',
    'a\0b',
    'a b',
    'ä',
    'a\\b',
    'x'.repeat(513),
  ])('the key %j is refused', async (key) => {
    await expect(store.put(key, Buffer.from('x'))).rejects.toBeInstanceOf(TypeError);
    await expect(store.get(key)).rejects.toBeInstanceOf(TypeError);
    await expect(store.delete(key)).rejects.toBeInstanceOf(TypeError);
  });
});

test('a flipped bit in stored content is noticed before the last bytes are handed out', async () => {
  const store = openFileObjects(filesRoot);
  const { sha256: hash } = await store.putContent(large);
  const file = join(filesRoot, contentKey(hash));
  const bytes = readFileSync(file);
  bytes[5] = (bytes[5] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  const object = await store.get(contentKey(hash));
  await expect(object && bytesOf(object)).rejects.toMatchObject({ name: 'ObjectDamaged' });
});

test('a folder is listed where its keys belong, not where its name does', async () => {
  const store = openFileObjects(join(folder, 'order'));
  for (const key of ['b/c', 'b-', 'b0']) await store.put(key, Buffer.from(key));
  expect((await store.list('', '', 10)).map(({ key }) => key)).toEqual(['b-', 'b/c', 'b0']);
  expect((await store.list('', 'b-', 10)).map(({ key }) => key)).toEqual(['b/c', 'b0']);
});

test('content put again counts as new for a sweep, and no draft is left behind', async () => {
  const store = openFileObjects(filesRoot);
  const { sha256: hash } = await store.putContent(Buffer.from('swept'));
  const before = statSync(join(filesRoot, contentKey(hash))).mtimeMs;
  await new Promise((resolve) => setTimeout(resolve, 15));
  await store.putContent(Readable.from([Buffer.from('swept')]));
  expect((await store.stat(contentKey(hash)))?.modifiedAt.getTime()).toBeGreaterThan(before);
  expect(draftsIn()).toEqual([]);
});
