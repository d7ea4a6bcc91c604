import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Annotation,
  compact,
  concat,
  type Dataset,
  fit,
  formatNamed,
  type ImageRecord,
  listTree,
  maskFromBitmap,
  openZip,
  writeDataset,
  zipTo,
} from '@fovea/formats';
import { expect, test } from 'vitest';
import { tinyPng } from '#testing/inputs.ts';
import { type Person, personWith, signedIn } from '#testing/people.ts';
import { startServer } from '#testing/server.ts';

const side = 16;
const bytesOf = (shade: number) =>
  async function* () {
    yield tinyPng(shade, side);
  };

/** One of everything that this server holds. */
const everything: Annotation[] = [
  {
    id: '11',
    label: 'car',
    box: { x: 1, y: 2, width: 4, height: 5 },
    attributes: { colour: 'red', old: true },
  },
  { id: '12', label: 'car', box: { x: 2, y: 2, width: 6, height: 4, rotation: 30 }, score: 0.75 },
  { id: '13', label: 'tree', polygons: [[1, 1, 9, 1, 9, 8.5]] },
  {
    id: '14',
    label: 'tree',
    mask: maskFromBitmap(
      Array.from({ length: side * side }, (_, i) => Number(i % 7 === 0)),
      side,
      side,
    ),
    crowd: true,
  },
  {
    id: '15',
    label: 'person',
    keypoints: [
      { x: 1, y: 2, visibility: 2 },
      { x: 3, y: 4, visibility: 1 },
      { x: 0, y: 0, visibility: 0 },
    ],
  },
  {
    id: '25',
    label: 'person',
    box: { x: 0, y: 1, width: 9, height: 12 },
    polygons: [[1, 2, 8, 2, 8, 12, 1, 12]],
    keypoints: [
      { x: 2, y: 3, visibility: 2 },
      { x: 4, y: 5, visibility: 2 },
      { x: 6, y: 7, visibility: 1 },
    ],
  },
  {
    id: '26',
    label: 'person',
    mask: maskFromBitmap(
      Array.from({ length: side * side }, (_, i) => Number(i % 5 === 0)),
      side,
      side,
    ),
    keypoints: [
      { x: 2, y: 3, visibility: 2 },
      { x: 4, y: 5, visibility: 2 },
      { x: 6, y: 7, visibility: 2 },
    ],
  },
  { id: '27', label: 'tree', box: { x: 0, y: 0, width: 12, height: 12 }, polygons: [[2, 2, 9, 2, 9, 8.5]] },
  { id: '16', text: 'a street, seen from above' },
  { id: '17', label: 'outdoors' },
];

const classes = [
  { name: 'tree' },
  { name: 'car', supercategory: 'vehicle' },
  {
    name: 'person',
    keypoints: ['head', 'hand', 'foot'],
    skeleton: [
      [0, 1],
      [0, 2],
    ] as const,
  },
  { name: 'outdoors' },
  { name: 'never seen' },
];

const set = (records: readonly ImageRecord[]): Dataset => ({
  classes,
  async *records() {
    yield* records;
  },
});

const street: ImageRecord[] = [
  {
    id: '1',
    path: 'a/street.png',
    split: 'train',
    width: side,
    height: side,
    annotations: everything,
    bytes: bytesOf(10),
  },
  {
    id: '2',
    path: 'empty.png',
    split: 'val',
    width: side,
    height: side,
    annotations: [],
    bytes: bytesOf(20),
  },
  {
    id: '3',
    path: 'b/street.png',
    split: 'val',
    width: side,
    height: side,
    attributes: { camera: 'left' },
    annotations: [{ id: '18', label: 'car', box: { x: 0, y: 0, width: 16, height: 16 } }],
    bytes: bytesOf(30),
  },
];

async function archiveOf(dataset: Dataset, name: string): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const zip = zipTo(async (bytes) => void parts.push(bytes));
  const format = formatNamed(name);
  if (!format) throw new Error(name);
  await writeDataset(dataset, format, zip, { report: () => {} });
  await zip.finish();
  return Buffer.from(concat(parts));
}

async function recordsIn(archive: Buffer, name: string): Promise<ImageRecord[]> {
  const file = {
    size: archive.length,
    read: async (a: number, b: number) => archive.subarray(a, b),
    close: async () => {},
  };
  const listing = await listTree(await openZip(file), () => {});
  const dataset = await formatNamed(name)?.read(listing, {
    report: (problem) => expect(problem).toBeUndefined(),
  });
  const records: ImageRecord[] = [];
  for await (const record of dataset?.records() ?? []) records.push(record);
  return records;
}

const base = ({ url, userId, appId }: Person) => `${url}/v2/ext/fovea/users/${userId}/apps/${appId}`;
const headers = ({ pat }: Person) => ({ authorization: `Key ${pat}`, 'content-type': 'application/json' });

async function ask(person: Person, verb: string, path: string, body?: object) {
  const reply = await fetch(`${base(person)}${path}`, {
    method: verb,
    headers: headers(person),
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return {
    code: reply.status,
    body: (await reply.json()) as {
      status: { code: number; details?: string };
      transfer: Shown;
      transfers: Shown[];
    },
  };
}

interface Shown {
  id: string;
  state: string;
  format: string;
  reason: string;
  report: Record<string, unknown> & { losses: Record<string, Record<string, number>> };
  problems: { path: string; message: string; code: string }[];
  progress: Record<string, number | string>;
}

async function upload(person: Person, id: string, archive: Buffer): Promise<void> {
  await person.client.postUploads({
    uploads: [{ id, contentName: 'set.zip', contentLength: BigInt(archive.length) }],
  });
  const sent = await fetch(`${base(person)}/uploads/${id}/content_parts/1?range_start=0`, {
    method: 'PUT',
    headers: headers(person),
    body: new Blob([new Uint8Array(archive)]),
  });
  expect(sent.status).toBe(200);
}

async function ended(person: Person, id: string): Promise<Shown> {
  const deadline = Date.now() + 90_000;
  for (;;) {
    const { body } = await ask(person, 'GET', `/transfers/${id}`);
    if (!['pending', 'running'].includes(body.transfer.state)) return body.transfer;
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(body.transfer)}`);
    await sleep(50);
  }
}

async function imported(person: Person, archive: Buffer, wanted: object): Promise<Shown> {
  const id = `up-${Math.random().toString(36).slice(2)}`;
  await upload(person, id, archive);
  const { code, body } = await ask(person, 'POST', '/imports', { upload_id: id, ...wanted });
  expect([code, body.status.details]).toEqual([200, undefined]);
  return ended(person, body.transfer.id);
}

async function exported(person: Person, wanted: { dataset_id: string; format: string }) {
  const { code, body } = await ask(person, 'POST', '/exports', wanted);
  expect(code).toBe(200);
  const transfer = await ended(person, body.transfer.id);
  expect([transfer.state, transfer.reason, transfer.problems]).toEqual(['done', '', []]);
  const reply = await fetch(`${base(person)}/transfers/${transfer.id}/content`, { headers: headers(person) });
  return { transfer, archive: Buffer.from(await reply.arrayBuffer()) };
}

/** To compare: coordinates to a hundredth of a pixel, since single precision is what is stored. */
const plain = (records: readonly ImageRecord[]) =>
  records
    .map(({ bytes, ...rest }) => JSON.parse(JSON.stringify(rest, rounded)))
    .map((record) => ({ ...record, annotations: record.annotations.sort(byText) }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
const rounded = (_: string, value: unknown) =>
  typeof value === 'number'
    ? Math.round(value * 100) / 100 + 0
    : typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
const byText = (a: unknown, b: unknown) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

test('a set goes in, and comes out as it went in, with its ids, its empty pictures and its original bytes', async () => {
  const alice = await signedIn('alice');
  const coco = await archiveOf(set(street), 'coco');
  const dry = await imported(alice, coco, { dataset_id: 'street', dry_run: true });
  expect(dry).toMatchObject({
    state: 'done',
    format: 'coco',
    report: {
      images: 3,
      emptyImages: 1,
      annotations: 11,
      byClass: { car: 3, tree: 3, 'never seen': 0 },
      bySplit: { train: 1, val: 2 },
    },
  });
  expect(dry.report.losses['coco']).toEqual({});
  expect(dry.report.losses['fovea']).toEqual({});
  expect(dry.report.losses['yolo-detect']).toMatchObject({ 'mask became box': 2, 'text lost': 1 });
  expect((await alice.client.listInputs({})).inputs).toEqual([]);

  const done = await imported(alice, coco, { dataset_id: 'street' });
  expect([done.state, done.reason, done.problems]).toEqual(['done', '', []]);
  expect(done.progress).toMatchObject({
    images: 3,
    inputs_added: 3,
    inputs_present: 0,
    inputs_failed: 0,
    annotations_added: 11,
    annotations_failed: 0,
  });
  expect((await alice.client.listDatasetInputs({ datasetId: 'street' })).datasetInputs).toHaveLength(3);

  const again = await imported(alice, coco, { dataset_id: 'street' });
  expect(again.progress).toMatchObject({ inputs_added: 0, inputs_present: 3, annotations_added: 11 });
  expect((await alice.client.listInputs({})).inputs).toHaveLength(3);
  expect(
    (await alice.client.listAnnotations({ perPage: 100 })).annotations.filter(
      ({ data }) => data?.regions.length,
    ),
  ).toHaveLength(9);

  const { transfer, archive } = await exported(alice, { dataset_id: 'street', format: 'coco' });
  expect(transfer.report.losses['coco']).toEqual({});
  const back = await recordsIn(archive, 'coco');
  expect(plain(back)).toEqual(plain(street));
  for (const record of back) {
    const original = street.find(({ path }) => path === record.path);
    expect(await contentOf(record)).toEqual(await contentOf(original as ImageRecord));
  }
  const second = await exported(alice, { dataset_id: 'street', format: 'coco' });
  expect(second.archive.equals(archive)).toBe(true);
});

async function contentOf({ bytes }: ImageRecord): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of bytes?.() ?? []) parts.push(part);
  return Buffer.from(concat(parts));
}

test('COCO goes in, YOLO comes out, goes in again, and is equal in all that YOLO can say', async () => {
  const alice = await signedIn('alice');
  await imported(alice, await archiveOf(set(street), 'coco'), { dataset_id: 'one' });
  const { archive } = await exported(alice, { dataset_id: 'one', format: 'yolo-segment' });
  const yolo = formatNamed('yolo-segment');
  const hoped = street.flatMap((record) => (yolo && fit(record, yolo.holds, () => {})) ?? []);
  const second = await imported(alice, archive, { dataset_id: 'two' });
  expect(second).toMatchObject({
    state: 'done',
    format: 'yolo-segment',
    progress: { inputs_added: 3, inputs_failed: 0, annotations_failed: 0 },
  });
  const again = await exported(alice, { dataset_id: 'two', format: 'yolo-segment' });
  // The places of turned boxes lie over the edge and are moved to it by the first import.
  const inside = (records: ImageRecord[]) =>
    records.map((record) => ({
      ...record,
      annotations: record.annotations.map(
        (one) =>
          compact<Annotation>({
            ...one,
            id: undefined,
            polygons: one.polygons?.map((ring) => ring.map((value) => Math.min(side, Math.max(0, value)))),
          }) as Annotation,
      ),
    }));
  const shown = (records: ImageRecord[]) => plain(inside(records)).map(({ id, ...rest }) => rest);
  expect(shown(await recordsIn(again.archive, 'yolo-segment'))).toEqual(shown(hoped));
});

test('what an import cannot keep is told before, and words beside a box stay with it', async () => {
  const alice = await signedIn('alice');
  const box = { x: 1, y: 1, width: 6, height: 6 };
  const pieces = [
    [1, 1, 5, 1, 5, 5],
    [8, 8, 12, 8, 12, 12],
  ];
  const annotations = [
    { id: '31', label: 'car', box, text: 'AB 12' },
    { id: '32', label: 'car', polygons: pieces, area: 30 },
  ];
  const [first] = street as [ImageRecord];
  const csv = await archiveOf(set([{ ...first, annotations }]), 'csv');
  const done = await imported(alice, csv, { dataset_id: 'words' });
  expect(done.report.losses['fovea']).toEqual({ 'pieces became objects': 1, 'area lost': 1 });
  const { archive } = await exported(alice, { dataset_id: 'words', format: 'csv' });
  const [back] = await recordsIn(archive, 'csv');
  const shown = back?.annotations.map(({ id, ...one }) => one) ?? [];
  expect(shown).toEqual([
    { label: 'car', box, text: 'AB 12' },
    { label: 'car', polygons: [pieces[0]] },
    { label: 'car', polygons: [pieces[1]] },
  ]);
});

test('downloads go on where they broke off', async () => {
  const alice = await signedIn('alice');
  await imported(alice, await archiveOf(set(street), 'coco'), { dataset_id: 'street' });
  const { transfer, archive } = await exported(alice, { dataset_id: 'street', format: 'voc' });
  const url = `${base(alice)}/transfers/${transfer.id}/content`;
  const tail = await fetch(url, { headers: { ...headers(alice), range: 'bytes=100-' } });
  expect([tail.status, tail.headers.get('content-range')]).toEqual([
    206,
    `bytes 100-${archive.length - 1}/${archive.length}`,
  ]);
  expect(Buffer.from(await tail.arrayBuffer()).equals(archive.subarray(100))).toBe(true);
  expect((await fetch(url)).status).toBe(401);
  const eve = await signedIn('eve');
  expect((await fetch(url, { headers: headers(eve) })).status).toBe(404);
  expect((await ask(alice, 'DELETE', `/transfers/${transfer.id}`)).code).toBe(200);
  expect((await fetch(url, { headers: headers(alice) })).status).toBe(404);
});

test('one bad picture is told and left out; the rest goes in', async () => {
  const alice = await signedIn('alice');
  const broken = async function* () {
    yield Buffer.from('no picture at all');
  };
  const mixed: ImageRecord[] = [
    ...street,
    {
      id: '4',
      path: 'broken.png',
      split: 'val',
      width: side,
      height: side,
      annotations: [{ id: '20', label: 'car', box: { x: 1, y: 1, width: 2, height: 2 } }],
      bytes: broken,
    },
    { id: '5', path: 'missing.png', split: 'val', width: side, height: side, annotations: [] },
  ];
  const done = await imported(alice, await archiveOf(set(mixed), 'coco'), { dataset_id: 'mixed' });
  expect(done).toMatchObject({
    state: 'done',
    progress: { images: 5, annotations_added: 11, annotations_failed: 1 },
  });
  expect(done.problems.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['missing.png', 'broken.png']),
  );
  expect(
    (await alice.client.listDatasetInputs({ datasetId: 'mixed' })).datasetInputs.length,
  ).toBeGreaterThanOrEqual(3);
});

test('what cannot be done is said before anything is begun, or ends the transfer with its reason', async () => {
  const alice = await signedIn('alice');
  const wrong: [string, object][] = [
    ['/imports', { dataset_id: 'x', upload_id: 'none' }],
    ['/imports', { dataset_id: 'x' }],
    ['/exports', { dataset_id: 'none', format: 'coco' }],
    ['/exports', { dataset_id: 'none', format: 'word' }],
  ];
  for (const [path, body] of wrong) {
    const { code, body: reply } = await ask(alice, 'POST', path, body);
    expect([400, 404]).toContain(code);
    expect(reply.status.details).not.toBe('');
  }
  await upload(alice, 'noise', Buffer.from('this is no archive'));
  const { body } = await ask(alice, 'POST', '/imports', { dataset_id: 'x', upload_id: 'noise' });
  expect(await ended(alice, body.transfer.id)).toMatchObject({
    state: 'failed',
    reason: expect.stringContaining('no ZIP archive'),
  });
  const parts: Uint8Array[] = [];
  const zip = zipTo(async (bytes) => void parts.push(bytes));
  await zip.add('readme.md', [Buffer.from('hello')]);
  await zip.finish();
  const unknown = await imported(alice, Buffer.from(concat(parts)), { dataset_id: 'x' });
  expect(unknown).toMatchObject({ state: 'failed', reason: expect.stringContaining('folders by class') });
  const eve = await signedIn('eve');
  const theirs = await fetch(`${base(alice)}/transfers`, { headers: headers(eve) });
  expect(theirs.status).toBe(404);
  expect((await ask(alice, 'GET', '/transfers')).body.transfers.map(({ state }) => state)).toEqual([
    'failed',
    'failed',
  ]);
});

test('an import that the process did not survive goes on, and counts right', async () => {
  const first = await startServer();
  const alice = personWith({ url: first.url, userId: first.userId, pat: first.pat, appId: 'killed' });
  await alice.client.postApps({
    userAppId: { userId: 'me', appId: '' },
    apps: [{ id: 'killed', defaultWorkflow: { id: 'Empty', appId: 'main', userId: 'clarifai' } }],
  });
  const many = Array.from(
    { length: 150 },
    (_, i): ImageRecord => ({
      id: String(i + 1),
      path: `p${i}.png`,
      width: side,
      height: side,
      annotations: [
        { id: String(i + 1), label: `c${i % 5}`, box: { x: 1, y: 1, width: 2 + (i % 9), height: 3 } },
      ],
      bytes: bytesOf(i),
    }),
  );
  const archive = await archiveOf(set(many), 'coco');
  await upload(alice, 'many', archive);
  const { body } = await ask(alice, 'POST', '/imports', { dataset_id: 'many', upload_id: 'many' });
  let server = first;
  let person = alice;
  // Dies twice: among the inputs and among the annotations.
  for (const phase of ['inputs', 'annotations']) {
    for (;;) {
      const { transfer } = (await ask(person, 'GET', `/transfers/${body.transfer.id}`)).body;
      if (transfer.progress['phase'] === phase && Number(transfer.progress['phase_done']) > 0) break;
      if (transfer.state === 'done') break;
      await sleep(5);
    }
    server.process.kill('SIGKILL');
    await new Promise((resolve) => server.process.once('close', resolve));
    server = await startServer({ dataDir: server.dataDir });
    person = personWith({ url: server.url, userId: server.userId, pat: server.pat, appId: 'killed' });
  }
  const done = await ended(person, body.transfer.id);
  expect(done).toMatchObject({
    state: 'done',
    progress: {
      images: 150,
      inputs_added: 150,
      inputs_present: 0,
      inputs_failed: 0,
      annotations_added: 150,
      annotations_failed: 0,
    },
    problems: [],
  });
  const { archive: back } = await exported(person, { dataset_id: 'many', format: 'coco' });
  expect(plain(await recordsIn(back, 'coco'))).toEqual(plain(many));
  await server.stop();
});
