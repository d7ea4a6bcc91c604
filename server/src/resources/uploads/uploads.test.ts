import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Person, personWith, signedIn } from '#testing/people.ts';
import { startServer } from '#testing/server.ts';

const begin = async (person: Person, id: string, contentLength: number) => {
  const reply = await person.client.postUploads({
    uploads: [{ id, contentName: 'photos.zip', contentLength: BigInt(contentLength) }],
  });
  return reply.uploads[0];
};

const put = (person: Person, uploadId: string, partNumber: number, rangeStart: number, data: Uint8Array) =>
  person.client.putUploadContentParts({
    uploadId,
    contentParts: [{ partNumber: BigInt(partNumber), rangeStart: BigInt(rangeStart), data }],
  });

const download = (person: Person, url: string, headers: Record<string, string> = {}) =>
  fetch(url, { headers: { authorization: `Key ${person.pat}`, ...headers } });

test('an upload takes its parts in any order, and its content is what was sent', async () => {
  const alice = await signedIn('alice');
  const content = randomBytes(300_000);
  const begun = await begin(alice, 'pack', content.length);
  expect(begun).toMatchObject({
    id: 'pack',
    contentName: 'photos.zip',
    contentUrl: '',
    status: { code: 68000 },
  });
  expect(begun?.expiresAt?.seconds).toBeGreaterThan(begun?.createdAt?.seconds as bigint);
  expect((await put(alice, 'pack', 3, 200_000, content.subarray(200_000))).upload?.status?.code).toBe(68000);
  expect((await put(alice, 'pack', 1, 0, content.subarray(0, 100_000))).upload?.status?.details).toContain(
    '200000 of 300000',
  );
  const whole = (await put(alice, 'pack', 2, 100_000, content.subarray(100_000, 200_000))).upload;
  expect(whole?.status?.code).toBe(68001);
  const found = await alice.client.getUpload({ uploadId: 'pack' });
  expect(found.upload?.contentUrl).toBe(whole?.contentUrl);
  const got = await download(alice, whole?.contentUrl as string);
  expect(Buffer.from(await got.arrayBuffer()).equals(content)).toBe(true);
  const some = await download(alice, whole?.contentUrl as string, { range: 'bytes=99990-200009' });
  expect([some.status, some.headers.get('content-range')]).toEqual([206, 'bytes 99990-200009/300000']);
  expect(Buffer.from(await some.arrayBuffer()).equals(content.subarray(99_990, 200_010))).toBe(true);
  expect((await download(alice, whole?.contentUrl as string, { range: 'bytes=300000-' })).status).toBe(416);
});

test('a part sent again counts once; one that contradicts another is refused and changes nothing', async () => {
  const alice = await signedIn('alice');
  await begin(alice, 'pack', 10);
  await put(alice, 'pack', 1, 0, Buffer.from('01234'));
  expect((await put(alice, 'pack', 1, 0, Buffer.from('01234'))).upload?.status?.details).toContain('5 of 10');
  const refused: [string, number, number, string][] = [
    ['other bytes', 1, 0, '0123X'],
    ['another range', 1, 5, '01234'],
    ['overlap', 2, 4, '456789'],
  ];
  for (const [, number, start, bytes] of refused)
    expect((await put(alice, 'pack', number, start, Buffer.from(bytes))).status?.code).toBe(68006);
  for (const [number, start, bytes] of [
    [2, 8, '89ABC'],
    [0, 5, '5'],
    [2, 5, ''],
  ] as const)
    expect((await put(alice, 'pack', number, start, Buffer.from(bytes))).status?.code).toBe(11102);
  const done = await put(alice, 'pack', 2, 5, Buffer.from('56789'));
  expect(done.upload?.status?.code).toBe(68001);
  // Whoever never heard the answer to the last part sends it again.
  expect((await put(alice, 'pack', 2, 5, Buffer.from('56789'))).upload?.status?.code).toBe(68001);
  expect(await (await download(alice, done.upload?.contentUrl as string)).text()).toBe('0123456789');
});

test('parts sent at the same time are each taken once', async () => {
  const alice = await signedIn('alice');
  const content = randomBytes(40_000);
  await begin(alice, 'pack', content.length);
  const replies = await Promise.all(
    Array.from({ length: 40 }, (_, i) => i % 20).map((i) =>
      put(alice, 'pack', i + 1, i * 2000, content.subarray(i * 2000, (i + 1) * 2000)),
    ),
  );
  expect(replies.map(({ status }) => status?.code)).toEqual(Array(40).fill(10000));
  const { upload } = await alice.client.getUpload({ uploadId: 'pack' });
  expect(upload?.status?.code).toBe(68001);
  const got = await download(alice, upload?.contentUrl as string);
  expect(Buffer.from(await got.arrayBuffer()).equals(content)).toBe(true);
});

test('uploads are listed newest first, belong to their app, and can be deleted', async () => {
  const [alice, bob] = [await signedIn('alice'), await signedIn('bob')];
  for (const id of ['a', 'b', 'c']) await begin(alice, id, 3);
  expect((await alice.client.listUploads({ perPage: 2 })).uploads.map(({ id }) => id)).toEqual(['c', 'b']);
  expect((await alice.client.listUploads({ perPage: 2, page: 2 })).uploads.map(({ id }) => id)).toEqual([
    'a',
  ]);
  const { upload } = await put(alice, 'a', 1, 0, Buffer.from('abc'));
  expect((await bob.client.getUpload({ uploadId: 'a' })).status?.code).toBe(11101);
  expect((await put(bob, 'a', 1, 0, Buffer.from('abc'))).status?.code).toBe(11101);
  expect((await download(bob, upload?.contentUrl as string)).status).toBe(404);
  expect((await fetch(upload?.contentUrl as string)).status).toBe(401);
  expect((await alice.client.deleteUploads({ ids: ['a', 'nobody'] })).status?.code).toBe(11101);
  expect((await download(alice, upload?.contentUrl as string)).status).toBe(200);
  expect((await alice.client.deleteUploads({ ids: ['a', 'b'] })).status?.code).toBe(10000);
  expect((await alice.client.getUpload({ uploadId: 'a' })).status?.code).toBe(11101);
  // Asked for twice, as after a reply that was lost, it is canceled once.
  expect((await alice.client.deleteUploads({ ids: ['b'] })).status?.code).toBe(10000);
  expect((await alice.client.getUpload({ uploadId: 'b' })).upload?.status?.code).toBe(68005);
  expect((await put(alice, 'b', 1, 0, Buffer.from('abc'))).status?.code).toBe(68005);
  expect((await download(alice, upload?.contentUrl as string)).status).toBe(404);
});

test('what an upload cannot be is said with the field', async () => {
  const alice = await signedIn('alice');
  await begin(alice, 'taken', 1);
  for (const [uploads, code, words] of [
    [[], 11102, 'uploads is empty'],
    [[{ contentLength: 0n }], 11102, 'content_length is 0'],
    [[{ contentLength: 2n ** 62n }], 11102, 'content_length'],
    [[{ id: 'a/b', contentLength: 1n }], 11102, 'upload id'],
    [
      [
        { id: 'fresh', contentLength: 1n },
        { id: 'taken', contentLength: 1n },
      ],
      40010,
      "'taken'",
    ],
  ] as const) {
    const { status } = await alice.client.postUploads({ uploads: [...uploads] });
    expect(status).toMatchObject({ code, details: expect.stringContaining(words) });
  }
  expect((await alice.client.getUpload({ uploadId: 'fresh' })).status?.code).toBe(11101);
});

test('over REST a part goes as JSON, or as its bare bytes', async () => {
  const alice = await signedIn('alice');
  const made = await alice.rest('POST', 'uploads', { uploads: [{ id: 'pack', content_length: 8 }] });
  expect(made.json.uploads[0]).toMatchObject({ id: 'pack', content_length: '8', status: { code: 68000 } });
  const data = Buffer.from('0123').toString('base64');
  const json = await alice.rest('PUT', 'uploads/pack/content_parts', {
    content_parts: [{ part_number: 1, range_start: 0, data }],
  });
  expect(json.json.upload.status.code).toBe(68000);
  const raw = `/v2/ext/fovea/users/${alice.userId}/apps/${alice.appId}/uploads/pack/content_parts`;
  expect((await alice.rest('PUT', `${raw}/2`, '4567')).json.status.code).toBe(11102);
  expect((await alice.rest('PUT', `${raw}/x?range_start=4`, '4567')).json.status.code).toBe(11102);
  expect((await alice.rest('PUT', `${raw}/2?range_start=6`, '4567')).json.status.code).toBe(11102);
  expect(
    (await alice.rest('PUT', `${raw}/2?range_start=4`, '4567', { authorization: 'Key nonsense' })).http,
  ).toBe(401);
  const bare = await alice.rest('PUT', `${raw}/2?range_start=4`, '4567');
  expect(bare.json).toMatchObject({
    status: { code: 10000 },
    upload: { id: 'pack', status: { code: 68001 } },
  });
  expect(await (await download(alice, bare.json.upload.content_url)).text()).toBe('01234567');
});

test('large parts as bare bytes do not fill the memory; one that is broken off leaves nothing', async () => {
  const server = await startServer();
  const alice = personWith({ url: server.url, userId: server.userId, pat: server.pat, appId: 'big' });
  try {
    await alice.client.postApps({ userAppId: { userId: 'me', appId: '' }, apps: [{ id: 'big' }] });
    const partBytes = 127 * 2 ** 20;
    const parts = 4;
    await begin(alice, 'pack', parts * partBytes);
    const path = (n: number) =>
      `/v2/ext/fovea/users/${alice.userId}/apps/big/uploads/pack/content_parts/${n + 1}?range_start=${n * partBytes}`;
    const headers = { authorization: `Key ${alice.pat}`, 'content-length': partBytes };
    const broken = httpRequest(server.url + path(0), { method: 'PUT', headers });
    broken.on('error', () => {});
    broken.write(randomBytes(2 ** 20));
    await expect.poll(() => drafts(server.dataDir)).toBe(1);
    broken.destroy();
    await expect.poll(() => drafts(server.dataDir)).toBe(0);
    expect((await alice.client.getUpload({ uploadId: 'pack' })).upload?.status?.details).toContain('0 of');
    const before = await residentMiB(server.process.pid as number);
    for (let n = 0; n < parts; n++) expect(await putZeros(server.url + path(n), headers)).toBe(200);
    // Half of what was sent: buffers wait for the collector, but not all of them.
    expect((await residentMiB(server.process.pid as number)) - before).toBeLessThan((parts * 127) / 2);
    expect((await alice.client.getUpload({ uploadId: 'pack' })).upload?.status?.code).toBe(68001);
  } finally {
    await server.stop();
  }
});

function putZeros(url: string, headers: Record<string, string | number>): Promise<number> {
  const block = Buffer.alloc(2 ** 20);
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { method: 'PUT', headers }, (reply) => {
      reply.resume();
      resolve(reply.statusCode as number);
    });
    sent.on('error', reject);
    const write = (left: number): void => {
      if (left === 0) sent.end();
      else sent.write(block, () => write(left - block.length));
    };
    write(Number(headers['content-length']));
  });
}

async function drafts(dataDir: string): Promise<number> {
  return (await readdir(join(dataDir, 'objects', '.drafts')).catch(() => [])).length;
}

async function residentMiB(pid: number): Promise<number> {
  const found = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''));
  return Number(found?.[1] ?? 0) / 1024;
}

test('an upload expires when its time is over, and quotas hold', async () => {
  const env = {
    FOVEA_UPLOAD_SECONDS_MAX: '1',
    FOVEA_UPLOAD_BYTES_MAX: '2KiB',
    FOVEA_APP_UPLOADS_BYTES_MAX: '3KiB',
  };
  const server = await startServer({ env });
  const alice = personWith({ url: server.url, userId: server.userId, pat: server.pat, appId: 'short' });
  try {
    await alice.client.postApps({ userAppId: { userId: 'me', appId: '' }, apps: [{ id: 'short' }] });
    const post = async (id: string, n: number) =>
      (await alice.client.postUploads({ uploads: [{ id, contentLength: BigInt(n) }] })).status?.details ?? '';
    expect(await post('large', 2049)).toContain('2048');
    expect(await post('one', 2048)).toBe('');
    expect(await post('two', 2048)).toContain('3072');
    await put(alice, 'one', 1, 0, Buffer.from('x'));
    const kept = async () =>
      (
        await readdir(join(server.dataDir, 'objects', 'uploads'), { recursive: true, withFileTypes: true })
      ).filter((found) => found.isFile()).length;
    expect(await kept()).toBe(1);
    while ((await alice.client.getUpload({ uploadId: 'one' })).upload?.status?.code !== 68004)
      await sleep(50);
    const late = await put(alice, 'one', 2, 1, Buffer.from('y'));
    expect(late.status?.code).toBe(68004);
    while ((await kept()) > 0) await sleep(50);
  } finally {
    await server.stop();
  }
});

test.each(['part-kept', 'part-counted', 'object-synced'])(
  'killed at %s, an upload is as the last answer said and can go on',
  async (point) => {
    const first = await startServer();
    const alice = (url: string) => personWith({ url, userId: first.userId, pat: first.pat, appId: 'kills' });
    const before = alice(first.url);
    await before.client.postApps({ userAppId: { userId: 'me', appId: '' }, apps: [{ id: 'kills' }] });
    await begin(before, 'pack', 6);
    await put(before, 'pack', 1, 0, Buffer.from('abc'));
    await first.stop({ keep: true });
    const second = await startServer({ dataDir: first.dataDir, env: { FOVEA_FAILPOINTS: point } });
    await put(alice(second.url), 'pack', 2, 3, Buffer.from('def')).catch(() => {});
    await second.stop({ keep: true });
    const third = await startServer({ dataDir: first.dataDir });
    try {
      const after = alice(third.url);
      const found = (await after.client.getUpload({ uploadId: 'pack' })).upload?.status;
      expect([68000, 68001]).toContain(found?.code);
      const done = await put(after, 'pack', 2, 3, Buffer.from('def'));
      expect(done.upload?.status?.code).toBe(68001);
      expect(await (await download(after, done.upload?.contentUrl as string)).text()).toBe('abcdef');
    } finally {
      await third.stop();
    }
  },
);
