import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { signedIn } from '#testing/people.ts';
import {
  codesOf,
  imageInput,
  inputOf,
  picture,
  settled,
  textInput,
  urlInput,
  webServer,
} from './inputs.testing.ts';

let web: Awaited<ReturnType<typeof webServer>>;
const png = await picture(1, { width: 300, height: 200, format: 'png' });

beforeAll(async () => {
  web = await webServer({
    '/a.jpg': await picture(2, { width: 1600, height: 1200 }),
    '/b.jpg': await picture(3),
    '/page.html': Buffer.from('<!doctype html><title>no picture</title>'),
    '/binary.txt': Buffer.of(1, 0, 2, 0, 0, 3),
    '/gone.jpg': 410,
    '/large.jpg': Buffer.alloc(20_000_001, 0xff),
  });
});
afterAll(() => web.close());

const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex');

test('a picture posted as bytes is readable at once, processed soon, and its original is byte for byte what was sent', async () => {
  const alice = await signedIn('alice');
  const reply = await alice.client.postInputs({ inputs: [imageInput('shore.png', png)] });
  expect([reply.status?.code, ...codesOf(reply)]).toEqual([10000, 30001]);
  expect((await inputOf(alice, 'shore.png')).id).toBe('shore.png');
  await settled(alice);
  const { data, status } = await inputOf(alice, 'shore.png');
  expect(status).toMatchObject({ code: 30000, description: 'Download complete' });
  const { hosted, imageInfo, url, base64, hostedImageInfo } = data?.image ?? {};
  expect(imageInfo).toMatchObject({ width: 300, height: 200, format: 'PNG', colorMode: 'RGB' });
  expect(base64?.length).toBe(0);
  expect(hosted).toMatchObject({ sizes: ['orig', 'tiny', 'small', 'large'], crossorigin: 'use-credentials' });
  expect(url).toBe(`${hosted?.prefix}/orig/${hosted?.suffix}`);
  expect(hosted?.suffix).toMatch(
    new RegExp(`^users/${alice.userId}/apps/${alice.appId}/inputs/image/[0-9a-f]{64}$`),
  );
  expect(hostedImageInfo?.tiny).toMatchObject({ width: 100, height: 67, format: 'JPEG' });
  const original = await fetch(url as string, { headers: { authorization: `Key ${alice.pat}` } });
  expect(original.headers.get('content-type')).toBe('image/png');
  expect(md5(Buffer.from(await original.arrayBuffer()))).toBe(md5(png));
  expect(data?.text).toBeUndefined();
});

test('over REST an input shows its canonical shape, and a label without value counts as present', async () => {
  const alice = await signedIn('alice');
  const body = {
    inputs: [
      {
        id: 'demo1',
        data: {
          image: { base64: png.toString('base64') },
          concepts: [
            { id: 'cat', name: 'Cat' },
            { id: 'dog', value: 0 },
          ],
          metadata: { place: { city: 'Riga' }, tags: ['a'] },
          geo: { geo_point: { longitude: -30, latitude: 40 } },
        },
      },
    ],
  };
  const posted = await alice.rest('POST', 'inputs', body);
  expect(posted.json.status).toMatchObject({ code: 10000, description: 'Ok' });
  await settled(alice);
  const { json } = await alice.rest('GET', 'inputs/demo1');
  expect(json.input.data).toMatchObject({
    concepts: [
      { id: 'cat', name: 'Cat', value: 1, app_id: alice.appId },
      { id: 'dog', name: 'dog', value: 0 },
    ],
    metadata: { place: { city: 'Riga' }, tags: ['a'] },
    geo: { geo_point: { longitude: -30, latitude: 40 } },
  });
  expect(json.input.status).toMatchObject({ code: 30000 });
  expect(Object.keys(json.input.data).sort()).toEqual(['concepts', 'geo', 'image', 'metadata']);
  expect(json.input.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  const { concepts } = await alice.client.listConcepts({});
  expect(concepts.map(({ id }) => id).sort()).toEqual(['cat', 'dog']);
});

test('one bad input in a batch does not sink its neighbours', async () => {
  const alice = await signedIn('alice');
  const reply = await alice.client.postInputs({
    inputs: [
      imageInput('good', png),
      { id: 'empty' },
      { id: 'hollow', data: { image: {} } },
      imageInput('good', png),
      { id: 'a/b', data: { image: { base64: png } } },
      { id: 'label', data: { image: { base64: png }, concepts: [{ id: 'x', value: 7 }] } },
      { id: 'place', data: { image: { base64: png }, geo: { geoPoint: { latitude: 91, longitude: 0 } } } },
      { ...imageInput('club', png), datasetIds: ['nowhere'] },
      urlInput('ftp', 'ftp://example.org/a.jpg'),
      { id: 'two', data: { image: { base64: png }, video: { url: 'https://example.org/a.mp4' } } },
      textInput('text', 'hello'),
    ],
  });
  expect(reply.status?.code).toBe(10010);
  expect(codesOf(reply)).toEqual([
    30001, 30104, 30104, 40010, 30104, 30104, 30104, 11101, 30106, 30104, 30001,
  ]);
  expect(reply.inputs[3]?.status?.details).toBe('Input has a duplicate ID.');
  expect(reply.inputs[7]?.status?.details).toContain("'nowhere'");
  expect(reply.inputs.map(({ id }) => id)[8]).toBe('ftp');
  const { inputs } = await alice.client.listInputs({});
  expect(inputs.map(({ id }) => id)).toEqual(['text', 'good']);
});

test.each([
  ['regions', { regions: [{ regionInfo: { boundingBox: { bottomRow: 1, rightCol: 1 } } }] }],
  ['frames', { frames: [{ frameInfo: { time: 10 } }] }],
  ['time_segments', { timeSegments: [{ timeInfo: { endTime: 10 } }] }],
  ['tracks', { tracks: [{ id: 't' }] }],
])('%s that come with an input are not lost without a word: the item is refused', async (name, said) => {
  const alice = await signedIn('alice');
  const reply = await alice.client.postInputs({
    inputs: [{ id: 'said', data: { ...imageInput('', png).data, ...said } }, imageInput('plain', png)],
  });
  expect(reply.status?.code).toBe(10010);
  expect(reply.inputs[0]?.status).toMatchObject({
    code: 30104,
    details: expect.stringMatching(`data\\.${name} .*PostAnnotations`),
  });
  expect(codesOf(reply)[1]).toBeLessThan(30004);
  expect((await alice.client.getInput({ inputId: 'said' })).status?.code).toBe(11101);
});

test('an id that exists is refused with the words that clients compare, or gets a suffix where that is asked for', async () => {
  const alice = await signedIn('alice');
  await alice.client.postInputs({ inputs: [imageInput('cat', png)] });
  const again = await alice.client.postInputs({ inputs: [imageInput('cat', png)] });
  expect(again.status).toMatchObject({
    code: 10020,
    details: expect.stringContaining('Input has a duplicate ID.'),
  });
  expect(again.inputs[0]?.status).toMatchObject({ code: 40010, details: 'Input has a duplicate ID.' });
  const suffixed = async () =>
    (
      await alice.client.postInputs({
        inputs: [imageInput('cat', png), imageInput('cat', png)],
        inputIdConflictResolution: 2,
      })
    ).inputs;
  const [first, twin] = await suffixed();
  expect([first?.id, first?.status?.code, twin?.status?.code]).toEqual(['cat-1', 30001, 40010]);
  for (let n = 2; n <= 9; n++) await suffixed();
  expect((await suffixed())[0]?.id).toMatch(/^cat-[0-9a-f]{12}$/);
});

test('a URL is taken once per app unless duplicates are allowed', async () => {
  const alice = await signedIn('alice');
  const url = `${web.url}/a.jpg`;
  const reply = await alice.client.postInputs({
    inputs: [
      urlInput('one', url),
      urlInput('two', url),
      urlInput('three', url, true),
      urlInput('four', `${web.url}/b.jpg`),
    ],
  });
  expect(codesOf(reply)).toEqual([30001, 30100, 30001, 30001]);
  expect(
    codesOf(await alice.client.postInputs({ inputs: [urlInput('five', url), urlInput('one', url, true)] })),
  ).toEqual([30100, 40010]);
  await settled(alice);
  const { data, status } = await inputOf(alice, 'one');
  expect([status?.code, data?.image?.url]).toEqual([30000, url]);
  expect(data?.image?.imageInfo).toMatchObject({
    width: 1600,
    height: 1200,
    format: 'JPEG',
    colorMode: 'YUV',
  });
  expect(data?.image?.hostedImageInfo.large).toMatchObject({ width: 1024, height: 768 });
});

test('two uploads of the same URL or id at the same time leave one input', async () => {
  const alice = await signedIn('alice');
  const url = `${web.url}/b.jpg`;
  const replies = await Promise.all(
    Array.from({ length: 6 }, (_, i) =>
      alice.client.postInputs({ inputs: [urlInput(`url-${i}`, url), textInput('same', `text ${i}`)] }),
    ),
  );
  const codes = replies.flatMap(codesOf).sort();
  expect(codes).toEqual([30001, 30001, ...Array(5).fill(30100), ...Array(5).fill(40010)]);
  await settled(alice);
  expect((await alice.client.getInputCount({})).counts?.processed).toBe(2);
});

test('what cannot be fetched or decoded ends in a status that says why, and the rest is processed', async () => {
  const alice = await signedIn('alice');
  const bomb = await (await import('sharp'))
    .default({
      create: { width: 15_000, height: 15_000, channels: 3, background: '#123456' },
    })
    .png({ compressionLevel: 9 })
    .toBuffer();
  const cases = [
    [urlInput('private', 'http://10.1.2.3/a.jpg'), 30106],
    [urlInput('metadata', 'http://169.254.169.254/latest/meta-data/'), 30106],
    [urlInput('refused', 'http://127.0.0.1:9/a.jpg'), 39996],
    [urlInput('status', `${web.url}/gone.jpg`), 30002],
    [urlInput('huge', `${web.url}/large.jpg`), 30105],
    [urlInput('page', `${web.url}/page.html`), 30101],
    [imageInput('junk', Buffer.from('this is no picture')), 30101],
    [imageInput('svg', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')), 30101],
    [imageInput('cut', png.subarray(0, 2000)), 30300],
    [imageInput('bomb', bomb), 30105],
    [{ id: 'film', data: { video: { base64: Buffer.from('this is no film') } } }, 30101],
    [{ id: 'binary', data: { text: { url: `${web.url}/binary.txt` } } }, 30300],
    [imageInput('fine', png), 30000],
  ] as const;
  const reply = await alice.client.postInputs({ inputs: cases.map(([input]) => input) });
  expect(reply.status?.code).toBe(10000);
  await settled(alice);
  const { inputs } = await alice.client.listInputs({});
  const found = Object.fromEntries(inputs.map(({ id, status }) => [id, status?.code]));
  expect(found).toEqual(Object.fromEntries(cases.map(([{ id }, code]) => [id, code])));
  for (const { id, status } of inputs) if (id !== 'fine') expect(status?.details, id).toMatch(/\w{3,}.*\.$/);
  expect(inputs.find(({ id }) => id === 'private')?.status?.details).toContain('10.1.2.3');
  const { counts } = await alice.client.getInputCount({});
  expect(counts).toMatchObject({ processed: 1, errors: cases.length - 1, toProcess: 0, processing: 0 });
});

test('bytes over the limit are refused at once', async () => {
  const alice = await signedIn('alice');
  const reply = await alice.client.postInputs({
    inputs: [imageInput('fat', Buffer.alloc(20_000_001)), textInput('thin', 'x')],
  });
  expect(codesOf(reply)).toEqual([30105, 30001]);
});

test('a request with more than 128 inputs, or none, is refused as a whole', async () => {
  const alice = await signedIn('alice');
  const inputs = Array.from({ length: 129 }, (_, i) => textInput(`t${i}`, 'x'));
  const reply = await alice.client.postInputs({ inputs });
  expect(reply.status).toMatchObject({ code: 11102 });
  expect(reply.status?.details).toContain('129');
  expect((await alice.client.postInputs({ inputs: [] })).status?.code).toBe(11102);
  expect((await alice.client.listInputs({})).inputs).toEqual([]);
});

test('a text is hosted, and a text beside a picture stays with it', async () => {
  const alice = await signedIn('alice');
  const raw = 'Liels paldies, Ülo! 🐟';
  await alice.client.postInputs({
    inputs: [textInput('note', raw), { id: 'both', data: { image: { base64: png }, text: { raw } } }],
  });
  await settled(alice);
  const { data } = await inputOf(alice, 'note');
  expect(data?.text).toMatchObject({
    textInfo: { charCount: [...raw].length, encoding: 'UTF-8' },
    hosted: { sizes: ['orig'] },
  });
  expect(data?.image).toBeUndefined();
  const original = await fetch(data?.text?.url as string, { headers: { authorization: `Key ${alice.pat}` } });
  expect(await original.text()).toBe(raw);
  expect(original.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  const both = (await inputOf(alice, 'both')).data;
  expect([both?.text?.raw, both?.image?.imageInfo?.width]).toEqual([raw, 300]);
});

test("the URL of this app's own hosted original adds the same picture again without fetching it", async () => {
  const alice = await signedIn('alice');
  const bob = await signedIn('bob');
  await alice.client.postInputs({ inputs: [imageInput('first', png)] });
  const url = (await inputOf(alice, 'first')).data?.image?.url as string;
  expect(codesOf(await alice.client.postInputs({ inputs: [urlInput('copy', url)] }))).toEqual([30001]);
  await settled(alice);
  expect((await inputOf(alice, 'copy')).status?.code).toBe(30000);
  // For anybody else it is a URL like any other, and the hosted picture is not shown to strangers.
  await bob.client.postInputs({ inputs: [urlInput('theft', url)] });
  await settled(bob);
  expect((await inputOf(bob, 'theft')).status?.code).not.toBe(30000);
});
