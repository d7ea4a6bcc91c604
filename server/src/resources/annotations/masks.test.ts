import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tinyPng, uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';
import { pngOf } from '#testing/png.ts';
import { isLike } from './masks.ts';

let alice: Person;
let host: Server;
let base: string;
const mask = Buffer.from(tinyPng(200));
const wide = pngOf(
  20,
  8,
  Array.from({ length: 8 }, () => Buffer.alloc(61)),
);

beforeAll(async () => {
  alice = await signedIn('alice');
  await uploadPictures(alice, ['one']);
  host = createServer((request, response) => {
    if (request.url === '/mask.png') response.end(mask);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(host.address() as AddressInfo).port}`;
});

afterAll(() => void host.close());

const post = async (image: { url?: string; base64?: Uint8Array }, frame = false) => {
  const regions = [{ regionInfo: { mask: { image } } }];
  const data = frame ? { frames: [{ frameInfo: { time: 40 }, data: { regions } }] } : { regions };
  const reply = await alice.client.postAnnotations({ annotations: [{ inputId: 'one', data }] });
  return reply.annotations[0];
};

test('a mask named by its URL is fetched, kept, and hosted for those who may read annotations', async () => {
  const posted = await post({ url: `${base}/mask.png` });
  const image = posted?.data?.regions[0]?.regionInfo?.mask?.image;
  expect(Buffer.from(image?.base64 ?? [])).toEqual(mask);
  const { prefix, suffix, sizes } = image?.hosted ?? { prefix: '', suffix: '', sizes: [] };
  expect(sizes).toEqual(['orig']);
  const url = `${prefix}/orig/${suffix}`;
  const fetched = await fetch(url, { headers: { authorization: `Key ${alice.pat}` } });
  expect([fetched.status, fetched.headers.get('content-type')]).toEqual([200, 'image/png']);
  expect(Buffer.from(await fetched.arrayBuffer())).toEqual(mask);
  const bob = await signedIn('bob');
  expect((await fetch(url, { headers: { authorization: `Key ${bob.pat}` } })).status).toBe(404);
  expect((await fetch(url)).status).toBe(401);
  const [listed] = (await alice.client.listAnnotations({ perPage: 1 })).annotations;
  expect(listed?.data?.regions[0]?.regionInfo?.mask?.image?.hosted?.prefix).toBe(prefix);
});

test.each([
  [
    'what is no picture',
    { base64: Buffer.from('hello') },
    /regions\[0\].region_info.mask.image is not a picture/,
  ],
  ['one of another shape', { base64: wide }, /20 x 8 pixels, shaped unlike its input \(8 x 8\)/],
  ['a URL that leads nowhere', { url: '/none' }, /mask.image.url: .* 404/],
])('%s is refused with 24155 and the field', async (_title, image, words) => {
  const refused = await post('url' in image ? { url: base + image.url } : image);
  expect(refused?.status).toMatchObject({ code: 24155, details: expect.stringMatching(words) });
});

test('inside a frame the field is named with it', async () => {
  const refused = await post({ base64: wide }, true);
  expect(refused?.status?.details).toContain('data.frames[0].data.regions[0].region_info.mask.image');
});

test.each([
  [100, 50, 1000, 500, true],
  [333, 250, 1000, 751, true],
  [500, 1000, 1000, 500, false],
  [10, 8, 8, 8, false],
])('a mask of %i x %i on a picture of %i x %i: %s', (width, height, inputWidth, inputHeight, fits) => {
  expect(isLike({ width, height }, { width: inputWidth, height: inputHeight })).toBe(fits);
});

test('what was agreed on an annotation is kept, and changed by a patch', async () => {
  const info = { agreed: 2, of: ['a', 'b'] };
  const data = { concepts: [{ id: 'cat', value: 1 }] };
  await alice.client.postAnnotations({
    annotations: [{ id: 'c', inputId: 'one', data, consensusInfo: info }],
  });
  const read = async () =>
    (await alice.client.getAnnotation({ inputId: 'one', annotationId: 'c' })).annotation?.consensusInfo;
  expect(await read()).toEqual(info);
  await alice.client.patchAnnotations({ action: 'merge', annotations: [{ id: 'c', inputId: 'one', data }] });
  expect(await read()).toEqual(info);
  await alice.client.patchAnnotations({
    action: 'merge',
    annotations: [{ id: 'c', inputId: 'one', consensusInfo: { agreed: 3 } }],
  });
  expect(await read()).toEqual({ agreed: 3 });
});

test('two models with versions of one id are told apart by the model; else the worker is ambiguous', async () => {
  const embedders = { modelTypeId: 'embedding-classifier' };
  await alice.client.postModels({ models: ['m1', 'm2'].map((id) => ({ id, ...embedders })) });
  for (const modelId of ['m1', 'm2'])
    await alice.client.postModelVersions({ modelId, modelVersions: [{ id: 'v' }] });
  const say = async (modelId: string) => {
    const model = { id: modelId, modelVersion: { id: 'v' } };
    const reply = await alice.client.postAnnotations({
      annotations: [
        {
          inputId: 'one',
          data: { concepts: [{ id: 'cat', value: 1 }] },
          worker: { worker: { case: 'model', value: model } },
        },
      ],
    });
    return reply.annotations[0];
  };
  expect((await say('m2'))?.worker?.worker).toMatchObject({ case: 'model', value: { id: 'm2' } });
  expect((await say('m1'))?.worker?.worker).toMatchObject({ case: 'model', value: { id: 'm1' } });
  expect((await say(''))?.status).toMatchObject({ code: 24155, details: expect.stringContaining('several') });
});
