import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatNamed, type ImageRecord, listTree } from '@fovea/formats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tinyPng, uploadPictures } from '../../server/src/testing/inputs.ts';
import { type Person, signedIn } from '../../server/src/testing/people.ts';
import { openTarget, openTemp, openTree } from './files.ts';

const bin = fileURLToPath(new URL('../bin/fovea.mjs', import.meta.url));
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'fovea-cli-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command as a process of its own, away from any server that runs on this machine. */
function fovea(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input = '',
): Promise<Ended> {
  const child = spawn(process.execPath, [bin, ...words], {
    cwd: dir,
    env: {
      PATH: process.env.PATH,
      HOME: dir,
      XDG_CONFIG_HOME: join(dir, 'config'),
      FOVEA_DATA: join(dir, 'none'),
      ...env,
    },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (part) => {
    stdout += part;
  });
  child.stderr.on('data', (part) => {
    stderr += part;
  });
  child.stdin.end(input);
  return new Promise((resolve) =>
    child.once('close', (code) => resolve({ code: code ?? -1, stdout, stderr })),
  );
}

const as = ({ url, pat, appId }: Person) => ({ FOVEA_URL: url, FOVEA_PAT: pat, FOVEA_APP: appId });

const records: ImageRecord[] = [1, 2, 3].map((n) => ({
  id: String(n),
  path: `p${n}.png`,
  split: n === 3 ? 'val' : 'train',
  width: 8,
  height: 8,
  annotations: n === 2 ? [] : [{ id: String(n), label: 'car', box: { x: 1, y: n, width: 4, height: 2 } }],
  async *bytes() {
    yield tinyPng(n);
  },
}));

async function lay(path: string): Promise<void> {
  const temp = await openTemp();
  const target = await openTarget(path, temp.spool);
  const dataset = {
    classes: [{ name: 'car' }],
    async *records() {
      yield* records;
    },
  };
  await formatNamed('coco')?.write(dataset, target, { report: () => {}, withImages: true });
  await target.finish();
  await temp.close();
}

async function laid(path: string): Promise<ImageRecord[]> {
  const temp = await openTemp();
  const tree = await openTree(path, temp.spool);
  const dataset = await formatNamed('coco')?.read(await listTree(tree, () => {}), { report: () => {} });
  const found: ImageRecord[] = [];
  for await (const { bytes, ...record } of dataset?.records() ?? []) found.push(record);
  await tree.close();
  await temp.close();
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

const plain = () => records.map(({ bytes, ...record }) => record);

test('a set is turned into another format and back without a server', async () => {
  await lay(join(dir, 'street'));
  const there = await fovea(['convert', 'street', 'yolo.zip', '--to', 'yolo', '--json']);
  expect([there.code, there.stderr]).toEqual([0, '']);
  expect(JSON.parse(there.stdout)).toMatchObject({
    read: 'coco',
    written: 'yolo-detect',
    images: 3,
    annotations: 2,
    losses: { 'image-ids lost': 3 },
  });
  const back = await fovea(['convert', 'yolo.zip', 'back', '--to', 'coco']);
  expect(back.code).toBe(0);
  expect(
    (await laid(join(dir, 'back'))).map(({ path, annotations }) => [path, annotations.map(({ box }) => box)]),
  ).toEqual(plain().map(({ path, annotations }) => [path, annotations.map(({ box }) => box)]));
  const twice = await fovea(['convert', 'street', 'back', '--to', 'coco']);
  expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining('exists already')]);
});

test('a dry run says what is there and what would be lost, and writes nothing', async () => {
  await lay(join(dir, 'dry'));
  const { code, stdout } = await fovea(['import', 'dry', '--dry-run', '--json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    format: 'coco',
    images: 3,
    emptyImages: 1,
    bySplit: { train: 2, val: 1 },
    losses: { coco: {}, voc: { 'image-ids lost': 3 } },
  });
  const said = await fovea(['convert', 'dry', '--to', 'image-folder', '--dry-run']);
  expect(said.stdout).toContain('box lost (2)');
});

/** Lays files of one foreign set out, and says what a dry run finds there. */
async function foundIn(name: string, files: Readonly<Record<string, string | Uint8Array>>) {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name, path)), { recursive: true });
    writeFileSync(join(dir, name, path), content);
  }
  const { code, stdout } = await fovea(['import', name, '--dry-run', '--json']);
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

test('labels beside the pictures, as Darknet lays them out, are no folders by class', async () => {
  const found = await foundIn('darknet', {
    'obj.data': 'classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n',
    'obj.names': 'cat\ndog\n',
    'train.txt': 'data/obj_train_data/a.png\n',
    'obj_train_data/a.png': tinyPng(1, 16),
    'obj_train_data/a.txt': '1 0.5 0.5 0.25 0.25\n',
    'obj_valid_data/b.png': tinyPng(2, 16),
    'obj_valid_data/b.txt': '0 0.5 0.5 0.5 0.5\n',
  });
  expect(found).toMatchObject({
    format: 'yolo-detect',
    byClass: { cat: 1, dog: 1 },
    byKind: { box: 2 },
    bySplit: { train: 1, val: 1 },
  });
});

test('files of stuff and panoptics are about the same pictures as those of instances', async () => {
  const images = [{ id: 1, file_name: 'a.png', width: 16, height: 16 }];
  const categories = [{ id: 1, name: 'cat' }];
  const one = { id: 7, image_id: 1, category_id: 1, bbox: [1, 1, 4, 4], area: 16, iscrowd: 0 };
  const file = (annotations: object[]) => JSON.stringify({ images, categories, annotations });
  const found = await foundIn('stuff', {
    'annotations/instances_train.json': file([one]),
    'annotations/stuff_train.json': file([one]),
    'annotations/panoptic_train.json': file([]),
    'images/train/a.png': tinyPng(1, 16),
  });
  expect(found).toMatchObject({ format: 'coco', images: 1, annotations: 1, bySplit: { train: 1 } });
});

test('masks of Open Images are no pictures of the set, and it is said that they are not read', async () => {
  const found = await foundIn('masked', {
    'annotations/train-annotations-bbox.csv':
      'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax\na,xclick,cat,1,0.25,0.5,0.25,0.5\n',
    'annotations/train-annotations-object-segmentation.csv':
      'MaskPath,ImageID,LabelName,BoxID\na_cat_0.png,a,cat,0\n',
    'images/train/a.png': tinyPng(1, 16),
    'masks/train/a_cat_0.png': tinyPng(2, 16),
  });
  expect(found).toMatchObject({ format: 'open-images', images: 1, annotations: 1, warnings: 1 });
  expect(found.problems[0].message).toContain('not read');
});

test('a folder goes into a dataset and comes out of it again', async () => {
  const alice = await signedIn('alice');
  await lay(join(dir, 'in'));
  const went = await fovea(['import', 'in', '--dataset', 'street', '--json'], as(alice));
  expect([went.code, went.stderr]).toEqual([0, '']);
  expect(JSON.parse(went.stdout).progress).toMatchObject({
    inputs_added: 3,
    inputs_failed: 0,
    annotations_added: 2,
  });
  const listed = await fovea(['inputs', 'list', '--json'], as(alice));
  expect(JSON.parse(listed.stdout).inputs).toHaveLength(3);
  expect((await fovea(['datasets', 'list'], as(alice))).stdout).toContain('street');
  expect((await fovea(['apps', 'list'], as(alice))).stdout).toContain(alice.appId);
  const out = await fovea(['export', 'street', '--format', 'coco', '-o', 'out.zip'], as(alice));
  expect([out.code, out.stderr]).toEqual([0, '']);
  expect(await laid(join(dir, 'out.zip'))).toEqual(plain());
  const again = await fovea(['import', 'out.zip', '--dataset', 'street', '--json'], as(alice));
  expect(JSON.parse(again.stdout).progress).toMatchObject({ inputs_added: 0, inputs_present: 3 });
});

test('an archive that the server has is imported, after a look that writes nothing', async () => {
  const alice = await signedIn('alice');
  await lay(join(dir, 'there.zip'));
  const archive = readFileSync(join(dir, 'there.zip'));
  const made = await alice.client.postUploads({
    uploads: [{ contentName: 'there.zip', contentLength: BigInt(archive.length) }],
  });
  const id = made.uploads[0]?.id ?? '';
  await alice.client.putUploadContentParts({
    uploadId: id,
    contentParts: [{ partNumber: 1n, rangeStart: 0n, data: archive }],
  });
  const words = ['import', '--upload', id, '--dataset', 'street', '--json'];
  const looked = await fovea([...words, '--dry-run'], as(alice));
  expect([looked.code, looked.stderr]).toEqual([0, '']);
  expect((await alice.client.listInputs({})).inputs).toEqual([]);
  const went = await fovea(words, as(alice));
  expect(JSON.parse(went.stdout).progress).toMatchObject({ inputs_added: 3 });
  expect((await alice.client.getUpload({ uploadId: id })).status?.code).toBe(10000);
  expect((await fovea(['import', '--dataset', 'street'], as(alice))).code).toBe(2);
});

test('versions of a dataset are compared, searched for leaks, and restored', async () => {
  const alice = await signedIn('alice', { workflow: 'General' });
  await lay(join(dir, 'versions'));
  await fovea(['import', 'versions', '--dataset', 'street'], as(alice));
  const version = async (id: string) => {
    await alice.client.postDatasetVersions({ datasetId: 'street', datasetVersions: [{ id }] });
    await expect
      .poll(
        async () =>
          (await alice.client.getDatasetVersion({ datasetId: 'street', datasetVersionId: id })).datasetVersion
            ?.status?.code,
        { timeout: 30_000 },
      )
      .toBe(64015);
  };
  await version('v1');
  const { inputs } = await alice.client.listInputs({});
  const [gone, labelled] = inputs.map(({ id }) => id);
  await alice.client.deleteDatasetInputs({ datasetId: 'street', inputIds: [gone as string] });
  await alice.client.postAnnotations({
    annotations: [{ inputId: labelled as string, data: { concepts: [{ id: 'night', value: 1 }] } }],
  });
  await version('v2');

  const diff = await fovea(['diff', 'street@v1', '@v2', '--json'], as(alice));
  expect([diff.code, diff.stderr]).toEqual([0, '']);
  expect(JSON.parse(diff.stdout)).toMatchObject({
    from: 'v1',
    to: 'v2',
    inputs: { added: 0, removed: 1, changed: 1 },
    concepts: { night: { added: 1, removed: 0 } },
  });
  expect(JSON.parse(diff.stdout).changes).toHaveLength(2);
  expect((await fovea(['diff', 'street@v1', 'street@v2'], as(alice))).stdout).toContain(`- ${gone}`);

  const leaks = await fovea(['leaks', 'street@v1', '--score-min', '0', '--json'], as(alice));
  expect([leaks.code, JSON.parse(leaks.stdout).leaks]).toEqual([0, []]);

  const restored = await fovea(['restore', 'street@v1'], as(alice));
  expect([restored.code, restored.stdout]).toEqual([0, expect.stringContaining('before-restore-')]);
  expect((await alice.client.listDatasetInputs({ datasetId: 'street' })).datasetInputs).toHaveLength(3);

  const missing = await fovea(['diff', 'street@v1', '@none'], as(alice));
  expect([missing.code, missing.stderr]).toEqual([5, expect.stringContaining('none')]);
  const vague = await fovea(['restore', 'street'], as(alice));
  expect([vague.code, vague.stderr]).toEqual([2, expect.stringContaining('DATASET@VERSION')]);
});

test('a version of a dataset goes out by its name', async () => {
  const alice = await signedIn('alice');
  await uploadPictures(alice, ['a', 'b']);
  await alice.client.postDatasets({ datasets: [{ id: 'street' }] });
  await alice.client.postDatasetInputs({
    datasetId: 'street',
    datasetInputs: ['a', 'b'].map((id) => ({ input: { id } })),
  });
  await alice.client.postDatasetVersions({ datasetId: 'street', datasetVersions: [{ id: 'v2' }] });
  await alice.client.deleteDatasetInputs({ datasetId: 'street', inputIds: ['a'] });
  const words = ['export', 'street', '--format', 'coco', '--no-images', '--json', '--version'];
  const kept = await fovea([...words, 'v2'], as(alice));
  expect([kept.code, JSON.parse(kept.stdout)]).toMatchObject([
    0,
    { out: 'street-v2-coco.zip', dataset_version_id: 'v2' },
  ]);
  const never = await fovea([...words, 'v9'], as(alice));
  expect([never.code, never.stdout]).toEqual([5, expect.stringContaining('v9')]);
});

test('a login is kept for its owner alone, and used', async () => {
  const alice = await signedIn('alice');
  const login = await fovea(['login', alice.url, '--name', 'work'], {}, `${alice.pat}\n`);
  expect([login.code, login.stdout]).toEqual([0, expect.stringContaining(`as ${alice.userId}`)]);
  expect(login.stdout + login.stderr).not.toContain(alice.pat);
  const kept = join(dir, 'config', 'fovea', 'contexts.json');
  expect(statSync(kept).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(kept, 'utf8')).current).toBe('work');
  expect((await fovea(['whoami'])).stdout.trim()).toBe(alice.userId);
  expect((await fovea(['status'])).stdout).toContain("the login 'work'");
  expect((await fovea(['context', 'list', '--json'])).stdout).not.toContain(alice.pat);
  expect((await fovea(['context', 'delete', 'work'])).code).toBe(0);
  expect((await fovea(['whoami'])).code).toBe(3);
});

test.each([
  [['imprt'], 2, 'Did you mean `fovea import`?'],
  [['datasets'], 2, '`fovea datasets list`'],
  [['import', '.', '--sparkle'], 2, "Unknown option '--sparkle'"],
  [['convert', 'a', 'b', '--to', 'word'], 2, "'word' is no format"],
  [['import', 'nowhere', '--dry-run'], 5, 'is not there'],
  [['status', '--url', 'http://127.0.0.1:9', '--pat', 'x'], 3, 'cannot be reached'],
  [['status'], 3, 'No server is known'],
])('fovea %j ends with %i and says why', async (words, code, message) => {
  const ended = await fovea(words);
  expect([ended.code, ended.stdout]).toEqual([code, '']);
  expect(ended.stderr).toContain(message);
  const json = await fovea([...words, '--json']);
  expect(JSON.parse(json.stdout)).toEqual({
    error: { message: expect.stringContaining(message), exit_code: code },
  });
});

test('an archive that is none is refused; help and completion answer without a server', async () => {
  writeFileSync(join(dir, 'noise.zip'), 'noise');
  expect((await fovea(['import', 'noise.zip', '--dry-run'])).stderr).toContain('no ZIP archive');
  expect((await fovea(['help', 'export'])).stdout).toContain('--format');
  expect((await fovea(['completion', 'bash'])).stdout).toContain('convert');
});

test('the indexes of an app are listed and compared with its vectors', async () => {
  const ida = await signedIn('ida', { workflow: 'General' });
  await uploadPictures(ida, ['a', 'b']);
  const listed = await fovea(['index', 'list'], as(ida));
  expect(listed.stdout).toMatch(/general-image-embedding +2 +in_process/);
  const verified = await fovea(['index', 'verify', '--repair', '--json'], as(ida));
  expect(verified.code).toBe(0);
  expect(JSON.parse(verified.stdout).indexes).toMatchObject([{ total: 2, missing: 0, differing: 0 }]);
  await ida.client.postInputs({
    inputs: ['a', 'c'].map((id) => ({
      id: `${id}-again`,
      data: { image: { base64: tinyPng(0), allowDuplicateUrl: true } },
    })),
  });
  await expect
    .poll(async () => JSON.parse((await fovea(['duplicates', '--json'], as(ida))).stdout).groups, {
      timeout: 20_000,
    })
    .toEqual([['a', 'a-again', 'c-again']]);
  expect((await fovea(['duplicates', '--score-min', '7'], as(ida))).code).toBe(2);
});
