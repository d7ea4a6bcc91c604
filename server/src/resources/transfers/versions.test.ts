import { setTimeout as sleep } from 'node:timers/promises';
import { concat, listTree, openZip } from '@fovea/formats';
import sharp from 'sharp';
import { beforeAll, expect, test } from 'vitest';
import { ffmpegPath, numberedClip, numberIn } from '#testing/clips.ts';
import { uploadPictures } from '#testing/inputs.ts';
import { type Json, type Person, signedIn } from '#testing/people.ts';

// A dataset version goes out as it was made, in any format; frames of videos that something is said of are pictures.

let vera: Person;
const base = () => `/v2/ext/fovea/users/${vera.userId}/apps/${vera.appId}`;
const box = (rightCol: number) => ({
  regionInfo: { boundingBox: { topRow: 0.25, leftCol: 0.25, bottomRow: 0.5, rightCol } },
  data: { concepts: [{ id: 'dog', value: 1 }] },
});
const within = { regionInfo: box(0.5).regionInfo, data: { concepts: [{ id: 'ball', value: 1 }] } };

async function until<Seen>(what: string, look: () => Promise<Seen | undefined>): Promise<Seen> {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(50)) {
    const seen = await look();
    if (seen !== undefined) return seen;
  }
  throw new Error(`${what}: not within a minute`);
}

const versionReady = (id: string) =>
  until(`version ${id}`, async () => {
    const reply = await vera.client.getDatasetVersion({ datasetId: 'set', datasetVersionId: id });
    return reply.datasetVersion?.status?.code === 64015 || undefined;
  });

async function filesOf(archive: Buffer): Promise<Map<string, Buffer>> {
  const tree = await openZip({
    size: archive.length,
    read: async (from, to) => archive.subarray(from, to),
    close: async () => {},
  });
  const { paths } = await listTree(tree, () => {});
  const files = new Map<string, Buffer>();
  for (const path of paths) {
    const parts: Uint8Array[] = [];
    for await (const part of tree.stream(path)) parts.push(part);
    files.set(path, Buffer.from(concat(parts)));
  }
  return files;
}

const download = async (url: string) =>
  Buffer.from(await (await fetch(url, { headers: { authorization: `Key ${vera.pat}` } })).arrayBuffer());

async function exported(wanted: object): Promise<{ transfer: Json; files: Map<string, Buffer> }> {
  const begun = await vera.rest('POST', `${base()}/exports`, { dataset_id: 'set', ...wanted });
  expect([begun.http, begun.json.status.details]).toEqual([200, undefined]);
  const path = `${base()}/transfers/${begun.json.transfer.id}`;
  const transfer = await until('the export', async () => {
    const { json } = await vera.rest('GET', path);
    return ['pending', 'running'].includes(json.transfer.state) ? undefined : json.transfer;
  });
  expect([transfer.state, transfer.reason, transfer.problems]).toEqual(['done', '', []]);
  return { transfer, files: await filesOf(await download(`${vera.url}${path}/content`)) };
}

const jsonIn = (files: Map<string, Buffer>, path: string) => JSON.parse(files.get(path)?.toString() ?? '{}');

async function numberShown(jpeg: Buffer): Promise<number | undefined> {
  const { data, info } = await sharp(jpeg).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return numberIn({ width: info.width, height: info.height, pixels: data });
}

beforeAll(async () => {
  vera = await signedIn('vera');
  await uploadPictures(vera, ['a', 'b'], { a: [{ id: 'cat', value: 1 }] });
  await vera.client.postInputs({ inputs: [{ id: 'words', data: { text: { raw: 'no picture' } } }] });
  await vera.client.postAnnotations({
    annotations: [
      {
        id: 'box',
        inputId: 'a',
        data: { regions: [box(1)] },
        annotationInfo: { source: { attributes: { old: true }, score: 0.5 } },
      },
    ],
  });
  await vera.client.postDatasets({ datasets: [{ id: 'set' }] });
  await until('the text', async () => {
    const { input } = await vera.client.getInput({ inputId: 'words' });
    return input?.status?.code === 30000 || undefined;
  });
  await vera.client.postDatasetInputs({
    datasetId: 'set',
    datasetInputs: ['a', 'b', 'words'].map((id) => ({ input: { id } })),
  });
  await vera.client.postDatasetVersions({ datasetId: 'set', datasetVersions: [{ id: 'v1' }] });
  await versionReady('v1');
});

test('a version goes out as it was, whatever became of the dataset since', async () => {
  await vera.client.patchAnnotations({
    action: 'overwrite',
    annotations: [{ id: 'box', inputId: 'a', data: { regions: [box(0.5)] } }],
  });
  await vera.client.deleteDatasetInputs({ datasetId: 'set', inputIds: ['b'] });
  const kept = await exported({ format: 'coco', dataset_version_id: 'v1' });
  const live = await exported({ format: 'coco' });
  const boxIn = ({ files }: typeof kept) => jsonIn(files, 'annotations/instances_default.json');
  expect(boxIn(kept).images.map((one: Json) => one.file_name)).toEqual(['a.png', 'b.png']);
  expect(boxIn(kept).annotations).toMatchObject([
    { bbox: [2, 2, 6, 2], attributes: { old: true }, score: 0.5, source_id: 'box' },
  ]);
  expect(boxIn(live).images.map((one: Json) => one.file_name)).toEqual(['a.png']);
  expect(boxIn(live).annotations).toMatchObject([{ bbox: [2, 2, 2, 2] }]);
  expect(kept.files.get('images/default/b.png')?.subarray(1, 4).toString()).toBe('PNG');
  expect(kept.transfer).toMatchObject({
    dataset_version_id: 'v1',
    report: { images: 2, inputs_left_out: 1 },
  });
  expect(live.transfer.dataset_version_id).toBeUndefined();
});

test.each(['yolo-detect', 'voc', 'datumaro', 'csv'])('a version goes out as %s', async (format) => {
  const { transfer, files } = await exported({ format, dataset_version_id: 'v1' });
  expect(transfer).toMatchObject({ format, report: { images: 2 } });
  expect([...files.keys()].filter((path) => /\b[ab]\.png$/.test(path))).toHaveLength(2);
  expect([...files.values()].some((file) => file.toString('latin1').includes('dog'))).toBe(true);
});

test('an export of a version that is still being made waits for it; of one that is not there it is refused', async () => {
  await vera.client.postDatasetVersions({ datasetId: 'set', datasetVersions: [{ id: 'fresh' }] });
  expect((await exported({ format: 'csv', dataset_version_id: 'fresh' })).transfer.report.images).toBe(1);
  const never = await vera.rest('POST', `${base()}/exports`, {
    dataset_id: 'set',
    dataset_version_id: 'never',
    format: 'csv',
  });
  expect([never.http, never.json.status.code]).toEqual([404, 11101]);
});

test.skipIf(!ffmpegPath)('annotated frames of a video go out as pictures that show them', async () => {
  const clip = await numberedClip({ ending: 'mp4', frames: 60 });
  await vera.client.postInputs({ inputs: [{ id: 'film', data: { video: { base64: clip } } }] });
  await until('the video', async () => {
    const { input } = await vera.client.getInput({ inputId: 'film' });
    return input?.status?.code === 30000 || undefined;
  });
  const frame = (frameInfo: object, region: ReturnType<typeof box>) => ({
    inputId: 'film',
    data: { frames: [{ frameInfo, data: { regions: [region] } }] },
  });
  const posted = await vera.client.postAnnotations({
    annotations: [
      frame({ number: 7 }, box(0.75)),
      frame({ number: 7 }, within),
      frame({ time: 1000 }, box(1)),
      { inputId: 'film', data: { concepts: [{ id: 'match', value: 1 }] } },
    ],
  });
  expect(posted.status?.code).toBe(10000);
  await vera.client.postDatasetInputs({ datasetId: 'set', datasetInputs: [{ input: { id: 'film' } }] });
  await vera.client.postDatasetVersions({ datasetId: 'set', datasetVersions: [{ id: 'v2' }] });
  await versionReady('v2');

  const { transfer, files } = await exported({ format: 'yolo-detect', dataset_version_id: 'v2' });
  expect(transfer.report).toMatchObject({ images: 3, inputs_left_out: 1, said_of_whole_videos: 1 });
  const pictures = [...files.keys()].filter((path) => path.endsWith('.jpg'));
  expect(pictures.map((path) => path.replace(/^.*(film.frame)/, '$1'))).toEqual([
    'film/frame-000007.jpg',
    'film/frame-000025.jpg',
  ]);
  const shown: unknown[] = [];
  for (const path of pictures) shown.push(await numberShown(files.get(path) as Buffer));
  expect(shown).toEqual([7, 25]);

  const archive = await until('the COCO archive', async () => {
    const { exports } = await vera.client.putDatasetVersionExports({
      datasetId: 'set',
      datasetVersionId: 'v2',
      exports: [{ format: 2 }],
    });
    return exports[0]?.status?.code === 64200 ? exports[0] : undefined;
  });
  expect(archive.status?.details).toContain('1 input that is no picture and 1 statement about whole videos');
  const coco = jsonIn(await filesOf(await download(archive.url)), 'annotations/instances_default.json');
  const frames = coco.images.filter((one: Json) => one.frame !== undefined);
  expect(frames.map((one: Json) => [one.file_name, one.frame])).toEqual([
    ['film/frame-000007.jpg', 7],
    ['film/frame-000025.jpg', 25],
  ]);
  expect(
    frames.map((one: Json) => coco.annotations.filter((box: Json) => box.image_id === one.id).length),
  ).toEqual([2, 1]);
  for (const one of frames) expect(await numberShown(await download(one.coco_url))).toBe(one.frame);
});
