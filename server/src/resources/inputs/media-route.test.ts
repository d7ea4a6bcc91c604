import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { signedIn } from '#testing/people.ts';
import { imageInput, inputOf, picture, settled } from './inputs.testing.ts';

const jpeg = await picture(900, { width: 1500, height: 900 });

async function hostedOf(person: Awaited<ReturnType<typeof signedIn>>, id: string) {
  const hosted = (await inputOf(person, id)).data?.image?.hosted;
  return (size: string) => `${hosted?.prefix}/${size}/${hosted?.suffix}`;
}

test('every size is served to its owner, and to nobody else', async () => {
  const alice = await signedIn('alice');
  const mallory = await signedIn('mallory');
  await alice.client.postInputs({ inputs: [imageInput('p', jpeg)] });
  await settled(alice);
  const url = await hostedOf(alice, 'p');
  const key = { authorization: `Key ${alice.pat}` };
  const lengths: number[] = [];
  for (const size of ['orig', 'large', 'small', 'tiny']) {
    const reply = await fetch(url(size), { headers: key });
    expect([
      reply.status,
      reply.headers.get('content-type'),
      reply.headers.get('x-content-type-options'),
    ]).toEqual([200, 'image/jpeg', 'nosniff']);
    lengths.push((await reply.arrayBuffer()).byteLength);
  }
  expect(lengths).toEqual([...lengths].sort((a, b) => b - a));
  expect(lengths[0]).toBe(jpeg.length);
  const codeFor = async (headers: Record<string, string>, target = url('orig')) =>
    (await fetch(target, { headers })).status;
  expect(await codeFor({})).toBe(404);
  expect(await codeFor({ authorization: 'Key 0123456789abcdef0123456789abcdef' })).toBe(401);
  expect(await codeFor({ authorization: 'Basic abc' })).toBe(401);
  expect(await codeFor({ authorization: `Key ${mallory.pat}` })).toBe(404);
  expect(await codeFor({ cookie: 'a=b; x_clarifai_session_token=nonsense' })).toBe(401);
  expect(await codeFor(key, url('huge'))).toBe(404);
  expect(
    await codeFor(
      key,
      url('orig').replace(/.$/, (c) => (c === '0' ? '1' : '0')),
    ),
  ).toBe(404);
  expect(await codeFor(key, `${url('orig')}/../../../../etc/passwd`)).toBe(404);
  // The same hash under one's own app opens nothing that is not in it.
  const own = url('orig').replace(
    `/users/${alice.userId}/apps/${alice.appId}/`,
    `/users/${mallory.userId}/apps/${mallory.appId}/`,
  );
  expect(await codeFor({ authorization: `Key ${mallory.pat}` }, own)).toBe(404);
});

test('strangers see no media of a public app, and a key that may not read inputs sees none of its own', async () => {
  const alice = await signedIn('alice', { visibility: 50 });
  const bob = await signedIn('bob');
  await alice.client.postInputs({ inputs: [imageInput('p', jpeg)] });
  const opened = await alice.rest('PATCH', `/v2/users/${alice.userId}/apps`, {
    action: 'overwrite',
    apps: [{ id: alice.appId, visibility: { gettable: 50 } }],
  });
  expect(opened.json.status.code).toBe(10000);
  const url = (await inputOf(alice, 'p')).data?.image?.url as string;
  const codeFor = async (pat: string) =>
    (await fetch(url, { headers: { authorization: `Key ${pat}` } })).status;
  expect([await codeFor(alice.pat), await codeFor(bob.pat)]).toEqual([200, 404]);
  const { keys } = await alice.client.postKeys({
    userAppId: { userId: alice.userId, appId: '' },
    keys: [
      {
        description: 'reads inputs',
        scopes: ['Apps_Get', 'Inputs_Get', 'Annotations_Get', 'Concepts_Get'],
        apps: [{ id: alice.appId, userId: alice.userId }],
      },
      {
        description: 'no inputs',
        scopes: ['Concepts_Get'],
        apps: [{ id: alice.appId, userId: alice.userId }],
      },
    ],
  });
  expect([await codeFor(keys[0]?.id as string), await codeFor(keys[1]?.id as string)]).toEqual([200, 404]);
});

test('ranges, HEAD and copies that are still good', async () => {
  const alice = await signedIn('alice');
  await alice.client.postInputs({ inputs: [imageInput('p', jpeg)] });
  const { data } = await inputOf(alice, 'p');
  const url = data?.image?.url as string;
  const ask = (headers: Record<string, string>, method = 'GET') =>
    fetch(url, { method, headers: { authorization: `Key ${alice.pat}`, ...headers } });
  const part = await ask({ range: 'bytes=100-199' });
  expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 100-199/${jpeg.length}`]);
  expect(Buffer.from(await part.arrayBuffer())).toEqual(jpeg.subarray(100, 200));
  expect((await ask({ range: `bytes=${jpeg.length}-` })).status).toBe(416);
  expect((await ask({ range: 'bytes=5-2' })).status).toBe(200);
  const etag = (await ask({})).headers.get('etag') as string;
  expect((await ask({ 'if-none-match': etag })).status).toBe(304);
  const head = await ask({}, 'HEAD');
  expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([
    200,
    String(jpeg.length),
    '',
  ]);
});

test('what is no picture is never shown inline', async () => {
  const alice = await signedIn('alice');
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');
  await alice.client.postInputs({ inputs: [imageInput('svg', svg)] });
  await settled(alice);
  const { data } = await inputOf(alice, 'svg');
  const reply = await fetch(data?.image?.url as string, { headers: { authorization: `Key ${alice.pat}` } });
  expect(reply.headers.get('content-type')).toBe('application/octet-stream');
  expect(reply.headers.get('content-disposition')).toBe('attachment');
  expect(reply.headers.get('content-security-policy')).toContain('sandbox');
});

test('media stay while one input shows them, and are freed with the last', async () => {
  const alice = await signedIn('alice');
  const bytes = await picture(Date.now() % 1_000_000, { width: 120, height: 120 });
  await alice.client.postInputs({ inputs: [imageInput('one', bytes), imageInput('two', bytes)] });
  await settled(alice);
  const url = await hostedOf(alice, 'two');
  const key = { authorization: `Key ${alice.pat}` };
  await alice.client.deleteInputs({ ids: ['one'] });
  await sleep(500);
  expect((await fetch(url('tiny'), { headers: key })).status).toBe(200);
  // Deleted and added again at once, many times over: the bytes that an upload counts on are never freed.
  for (let i = 0; i < 8; i++) {
    await alice.client.deleteInputs({ ids: ['two'] });
    await alice.client.postInputs({ inputs: [imageInput('two', bytes)] });
  }
  await settled(alice);
  await sleep(500);
  expect((await inputOf(alice, 'two')).status?.code).toBe(30000);
  for (const size of ['orig', 'tiny']) expect((await fetch(url(size), { headers: key })).status).toBe(200);
});

const photos = process.env.FOVEA_TEST_PHOTOS;

test.skipIf(!photos)('real photographs are processed, or refused with a reason', async () => {
  const alice = await signedIn('alice');
  const names = (await readdir(photos as string)).filter((name) => /\.(jpe?g|png)$/.test(name));
  const inputs = await Promise.all(
    names.map(async (name) => imageInput(name, await readFile(`${photos}/${name}`))),
  );
  await alice.client.postInputs({ inputs });
  await settled(alice);
  const { inputs: listed } = await alice.client.listInputs({});
  for (const { id, status, data } of listed) {
    expect(status?.code, id).toBe(id.startsWith('truncated') ? 30300 : 30000);
    const sent = inputs.find((one) => one.id === id)?.data.image.base64 as Buffer;
    const reply = await fetch(data?.image?.url as string, { headers: { authorization: `Key ${alice.pat}` } });
    expect(Buffer.from(await reply.arrayBuffer()).equals(sent), id).toBe(true);
  }
});

test('files that are two things at once are served as what they were recognised as, and never run', async () => {
  const alice = await signedIn('alice');
  const page = Buffer.from('<html><script>alert(document.cookie)</script></html>');
  const script = Buffer.from('GIF89a/*\0\0\0*/=1;alert(document.cookie)');
  const medium = (kind: string, base64: Buffer) => ({ [kind]: { base64 } });
  const files: [string, object, string, boolean][] = [
    ['jpeg-page', medium('image', Buffer.concat([jpeg, page])), 'image/jpeg', false],
    ['gif-script', medium('image', script), 'application/octet-stream', true],
    ['page', medium('image', page), 'application/octet-stream', true],
    ['svg', medium('image', Buffer.from('<svg onload="alert(1)"/>')), 'application/octet-stream', true],
    ['pdf', medium('image', Buffer.from('%PDF-1.4 alert')), 'application/octet-stream', true],
    ['film-page', medium('video', page), 'application/octet-stream', true],
    [
      'sound-page',
      medium('audio', Buffer.concat([Buffer.from('ID3'), page])),
      'application/octet-stream',
      true,
    ],
    ['text-page', { text: { raw: page.toString() } }, 'text/plain; charset=utf-8', false],
  ];
  await alice.client.postInputs({ inputs: files.map(([id, data]) => ({ id, data })) });
  await settled(alice);
  for (const [id, , type, isAttachment] of files) {
    const { data } = await inputOf(alice, id);
    const url = (data?.image ?? data?.video ?? data?.audio ?? data?.text)?.url as string;
    const { headers } = await fetch(url, { headers: { authorization: `Key ${alice.pat}` } });
    expect(headers.get('content-type'), id).toBe(type);
    expect(headers.get('x-content-type-options'), id).toBe('nosniff');
    expect(headers.get('content-security-policy'), id).toBe("default-src 'none'; sandbox");
    expect(headers.get('content-disposition'), id).toBe(isAttachment ? 'attachment' : null);
  }
});
