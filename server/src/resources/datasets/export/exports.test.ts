import { setTimeout as sleep } from 'node:timers/promises';
import { fromBinary } from '@bufbuild/protobuf';
import { type Input, InputBatchSchema } from '@fovea/contract';
import { beforeAll, describe, expect, test } from 'vitest';
import { tinyPng, uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';
import { pngOf } from '#testing/png.ts';
import { unzipped } from './unzipped.testing.ts';

let ella: Person;
const format = { protobuf: 1, coco: 2, json: 3 } as const;
const place = { datasetId: 'd', datasetVersionId: 'v' };

async function exported(wanted: 1 | 2 | 3, more: object = {}, at = place) {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const reply = await ella.client.putDatasetVersionExports({
      ...at,
      exports: [{ format: wanted, ...more }],
    });
    expect(reply.status?.code).toBe(10000);
    const [one] = reply.exports;
    if (![64201, 64203].includes(one?.status?.code ?? 0) || Date.now() > deadline) return one;
    await sleep(30);
  }
}

const download = (url: string, headers: Record<string, string> = {}) =>
  fetch(url, { headers: { authorization: `Key ${ella.pat}`, ...headers } });

/** A black and white mask, 8 pixels square, whose right half is covered. */
const halfMask = pngOf(
  8,
  8,
  Array.from({ length: 8 }, () =>
    Buffer.from([0, ...Array.from({ length: 24 }, (_, i) => (i < 12 ? 0 : 255))]),
  ),
);

beforeAll(async () => {
  ella = await signedIn('ella');
  await ella.client.postConcepts({ concepts: [{ id: 'c1', name: 'Cat' }] });
  await uploadPictures(ella, ['a', 'b', 'plain'], { a: [{ id: 'c1', value: 1 }] });
  await ella.client.postInputs({ inputs: [{ id: 't', data: { text: { raw: 'so it is said' } } }] });
  await ella.client.patchInputs({
    action: 'merge',
    inputs: [
      { id: 'a', data: { metadata: { split: 'train', n: 1 } } },
      { id: 'b', data: { metadata: { split: 'test' } } },
    ],
  });
  const concepts = [{ id: 'dog', value: 1 }];
  const region = (regionInfo: object) => ({
    inputId: 'a',
    data: { regions: [{ regionInfo, data: { concepts } }] },
  });
  const posted = await ella.client.postAnnotations({
    annotations: [
      region({ boundingBox: { topRow: 0.25, leftCol: 0.5, bottomRow: 0.75, rightCol: 1 } }),
      region({
        polygon: {
          points: [
            { row: 0, col: 0 },
            { row: 0, col: 0.5 },
            { row: 0.5, col: 0.5 },
          ],
        },
      }),
      region({ mask: { image: { base64: halfMask } } }),
      { inputId: 'b', data: { concepts } },
    ],
  });
  expect(posted.status?.code).toBe(10000);
  await ella.client.postDatasets({ datasets: [{ id: 'd' }] });
  const deadline = Date.now() + 15_000;
  while (
    (await ella.client.getInput({ inputId: 't' })).input?.status?.code !== 30000 &&
    Date.now() < deadline
  )
    await sleep(30);
  await ella.client.postDatasetInputs({
    datasetId: 'd',
    datasetInputs: ['a', 'b', 'plain', 't'].map((id) => ({ input: { id } })),
  });
  await ella.client.postDatasetVersions({ datasetId: 'd', datasetVersions: [{ id: 'v' }] });
});

describe('exports', () => {
  test('the archive is what the official reader demands, and holds what went in', async () => {
    const made = await exported(format.protobuf);
    expect(made).toMatchObject({ status: { code: 64200 }, format: 1 });
    const reply = await download(made?.url ?? '');
    expect(reply.headers.get('content-type')).toBe('application/zip');
    const bytes = Buffer.from(await reply.arrayBuffer());
    expect(bytes.length).toBe(Number(made?.size));
    const files = unzipped(bytes);
    expect(files.get('mimetype')?.toString()).toBe('application/x.clarifai-data+protobuf');
    files.delete('mimetype');
    expect([...files.keys()]).toEqual([
      'all/inputs_000000_n2',
      'test/inputs_000000_n1',
      'train/inputs_000000_n1',
    ]);
    const inputs = [...files.values()].flatMap((file) => fromBinary(InputBatchSchema, file).inputs);
    const byId = new Map(inputs.map((input) => [input.id, input]));
    expect([...byId.keys()].sort()).toEqual(['a', 'b', 'plain', 't']);
    const a = byId.get('a') as Input;
    expect(a.data?.concepts).toMatchObject([{ id: 'c1', name: 'Cat', value: 1 }]);
    expect(a.data?.metadata).toEqual({ split: 'train', n: 1 });
    expect(a.data?.regions.map(({ regionInfo }) => Object.keys(regionInfo ?? {}).length)).toHaveLength(3);
    expect(a.data?.regions[0]).toMatchObject({
      regionInfo: { boundingBox: { topRow: 0.25, rightCol: 1 } },
      data: { concepts: [{ id: 'dog', name: 'dog' }] },
    });
    expect([a.status, a.createdAt]).toEqual([undefined, undefined]);
    expect(byId.get('b')?.data?.concepts).toMatchObject([{ id: 'dog' }]);
    const { prefix = '', suffix = '', sizes } = byId.get('plain')?.data?.image?.hosted ?? {};
    expect(sizes).toContain('orig');
    const original = await download(`${prefix}/orig/${suffix}`);
    expect(Buffer.from(await original.arrayBuffer()).equals(Buffer.from(tinyPng(2)))).toBe(true);
  });

  test('the same in JSON', async () => {
    const made = await exported(format.json);
    const files = unzipped(Buffer.from(await (await download(made?.url ?? '')).arrayBuffer()));
    expect(files.get('mimetype')?.toString()).toBe('application/x.clarifai-data+json');
    const batch = JSON.parse(files.get('train/inputs_000000_n1')?.toString() ?? '');
    expect(batch.inputs[0]).toMatchObject({
      id: 'a',
      data: { concepts: [{ id: 'c1' }], image: { hosted: {} } },
    });
  });

  test('COCO has boxes, polygons and masks in pixels', async () => {
    const made = await exported(format.coco);
    expect(made?.status).toMatchObject({
      code: 64200,
      details: expect.stringContaining('1 input that is no picture'),
    });
    const files = unzipped(Buffer.from(await (await download(made?.url ?? '')).arrayBuffer()));
    expect([...files.keys()].sort()).toEqual([
      'annotations/instances_default.json',
      'annotations/instances_train.json',
      'annotations/labels_test.json',
      'annotations/labels_train.json',
    ]);
    const file = (name: string) => JSON.parse(files.get(`annotations/${name}.json`)?.toString() ?? '');
    const coco = file('instances_train');
    expect(coco.categories).toMatchObject([
      { id: 1, name: 'Cat', source_id: 'c1' },
      { id: 2, name: 'dog' },
    ]);
    expect(coco.images).toMatchObject([
      { file_name: 'a.png', width: 8, height: 8, source_id: 'a', attributes: { n: 1 } },
    ]);
    const linked = await download(coco.images[0].coco_url);
    expect(Buffer.from(await linked.arrayBuffer()).equals(Buffer.from(tinyPng(0)))).toBe(true);
    const [box, polygon, mask] = coco.annotations;
    expect(box).toMatchObject({ category_id: 2, bbox: [4, 2, 4, 4], area: 16, iscrowd: 0 });
    expect(polygon).toMatchObject({ segmentation: [[0, 0, 4, 0, 4, 4]], area: 8, bbox: [0, 0, 4, 4] });
    expect(mask).toMatchObject({
      segmentation: { size: [8, 8], counts: 'P1P1' },
      area: 32,
      bbox: [4, 0, 4, 8],
    });
    expect(file('labels_train').annotations).toMatchObject([{ category_id: 1 }]);
    expect(file('labels_test').annotations).toMatchObject([{ category_id: 2 }]);
    expect(file('instances_default').images).toMatchObject([{ file_name: 'plain.png' }]);
  });

  test('asking again is a look, and the version tells what there is', async () => {
    const [first, again] = [await exported(format.protobuf), await exported(format.protobuf)];
    expect(again).toEqual(first);
    const { datasetVersion } = await ella.client.getDatasetVersion(place);
    expect(datasetVersion?.exportInfo).toMatchObject({
      clarifaiDataProtobuf: { status: { code: 64200 }, url: first?.url },
      coco: { status: { code: 64200 } },
      clarifaiDataJson: { status: { code: 64200 } },
    });
  });

  test('an archive is served in ranges, to members alone', async () => {
    const { url = '' } = (await exported(format.protobuf)) ?? {};
    const whole = Buffer.from(await (await download(url)).arrayBuffer());
    const part = await download(url, { range: 'bytes=10-' });
    expect([part.status, part.headers.get('content-range')]).toEqual([
      206,
      `bytes 10-${whole.length - 1}/${whole.length}`,
    ]);
    expect(Buffer.from(await part.arrayBuffer()).equals(whole.subarray(10))).toBe(true);
    const etag = part.headers.get('etag') ?? '';
    expect((await download(url, { range: 'bytes=0-4', 'if-range': etag })).status).toBe(206);
    expect((await download(url, { range: 'bytes=0-4', 'if-range': '"other"' })).status).toBe(200);
    const mallory = await signedIn('mallory');
    expect((await fetch(url, { headers: { authorization: `Key ${mallory.pat}` } })).status).toBe(404);
    expect((await fetch(url)).status).toBe(401);
    expect((await download(url.replace('/v/', '/none/'))).status).toBe(404);
  });

  test('a version that is not there, a format nobody knows, and an archive whose version is gone', async () => {
    const put = async (request: object) => (await ella.client.putDatasetVersionExports(request)).status?.code;
    expect(await put({ ...place, datasetVersionId: 'none', exports: [{ format: 1 }] })).toBe(11101);
    expect(await put({ ...place, exports: [{ format: 9 }] })).toBe(11102);
    expect(await put(place)).toBe(11102);
    await ella.client.postDatasetVersions({ datasetId: 'd', datasetVersions: [{ id: 'w' }] });
    const { url = '' } = (await exported(format.json, {}, { ...place, datasetVersionId: 'w' })) ?? {};
    expect((await download(url)).status).toBe(200);
    await ella.client.deleteDatasetVersions({ datasetId: 'd', datasetVersionIds: ['w'] });
    expect((await download(url)).status).toBe(404);
  });
});
