import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Dataset, Input, Model, Search, User, Workflow } from 'clarifai-nodejs';
import resources from 'clarifai-nodejs-grpc/proto/clarifai/api/resources_pb';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Person, serverUrl, signedIn } from '../server/src/testing/people.ts';
import { until } from './main-job.ts';
import { concepts, drawPictures, type Picture } from './pictures.ts';

/** The SDK `clarifai-nodejs` through its own classes, in the order in which its user would use them. */

// Pictures are really processed and models really trained; a busy machine takes its time.
vi.setConfig({ testTimeout: 120_000 });

const datasetId = 'kinds-of-pictures';
const modelId = 'kinds';
const appId = `sdk-${process.pid}-${Date.now().toString(36)}`;

// The SDK's own way to make a Struct; the package has no types.
const { Struct } = createRequire(import.meta.url)('google-protobuf/google/protobuf/struct_pb.js') as {
  Struct: { fromJavaScript(value: object): NonNullable<ReturnType<resources.OutputInfo['getParams']>> };
};

type Auth = { userId: string; appId: string; pat: string; base: string };

let alice: Person;
let auth: Auth;
let folder: string;
let website: Server;
let pictures: Picture[];
let versionId: string;

const pictureOf = (heldOut: boolean, concept: string) =>
  pictures.find((picture) => picture.heldOut === heldOut && picture.concept === concept) as Picture;
const urlOf = (picture: Picture) =>
  `http://127.0.0.1:${(website.address() as AddressInfo).port}/${picture.id}.jpg`;

beforeAll(async () => {
  // The SDK tells its user of every step.
  for (const level of ['info', 'log', 'warn', 'table'] as const) vi.spyOn(console, level).mockReturnValue();
  alice = await signedIn('alice', { app: false });
  auth = { userId: alice.userId, appId, pat: alice.pat, base: serverUrl() };
  pictures = await drawPictures();
  folder = await mkdtemp(join(tmpdir(), 'fovea-sdk-'));
  for (const { id, concept, heldOut, bytes } of pictures) {
    const place = join(folder, heldOut ? 'held-out' : concept);
    await mkdir(place, { recursive: true });
    await writeFile(join(place, `${id}.jpg`), bytes);
  }
  website = createServer((request, response) => {
    const found = pictures.find(({ id }) => request.url === `/${id}.jpg`);
    response.writeHead(found ? 200 : 404, { 'content-type': 'image/jpeg' }).end(found?.bytes);
  });
  await new Promise<void>((resolve) => website.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  website.close();
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

async function gathered<T>(pages: AsyncGenerator<T[], void, unknown>): Promise<T[]> {
  const items: T[] = [];
  for await (const page of pages) items.push(...page);
  return items;
}

test('User makes an app, lists it and reads it', async () => {
  const user = new User(auth);
  const made = await user.createApp({ appId, baseWorkflow: 'General' });
  expect(made.id).toBe(appId);
  expect(made.userId).toBe(alice.userId);
  expect((await gathered(user.listApps())).map(({ id }) => id)).toContain(appId);
  expect((await user.app({ appId }))?.defaultWorkflow?.id).toBe('General');
});

test('App makes a dataset and lists it', async () => {
  const app = new App({ authConfig: auth });
  const made = await app.createDataset({ datasetId });
  expect([made.id, made.appId, made.userId]).toEqual([datasetId, appId, alice.userId]);
  expect((await app.dataset({ datasetId }))?.id).toBe(datasetId);
  expect((await gathered(app.listDataSets())).map(({ id }) => id)).toEqual([datasetId]);
});

test('Dataset uploads folders of labelled pictures, and keeps every one of them', async () => {
  const dataset = new Dataset({ authConfig: auth, datasetId });
  for (const concept of concepts) {
    await dataset.uploadFromFolder({
      folderPath: join(folder, concept),
      inputType: 'image',
      labels: true,
      batchSize: 5,
    });
  }
  const found = await alice.as({ appId }).listDatasetInputs({ datasetId, perPage: 128 });
  const wanted = pictures.filter((picture) => !picture.heldOut).map(({ id }) => id);
  expect(found.datasetInputs.map(({ input }) => input?.id).sort()).toEqual(wanted.sort());
});

test('the labels are concepts with the ids that the SDK makes', async () => {
  const listed = await gathered(new App({ authConfig: auth }).listConcepts());
  expect(listed.map(({ id, name }) => [id, name]).sort()).toEqual(
    concepts.map((name) => [`id-${name}`, name]),
  );
});

test('Input uploads by file, by URL and by bytes, with labels, places and metadata', async () => {
  const input = new Input({ authConfig: auth });
  const [file, url] = pictures.filter((picture) => picture.heldOut) as [Picture, Picture];
  await input.uploadFromFile({
    inputId: 'by-file',
    imageFile: join(folder, 'held-out', `${file.id}.jpg`),
    labels: ['by file'],
  });
  await input.uploadFromUrl({
    inputId: 'by-url',
    imageUrl: urlOf(url),
    geoInfo: { longitude: 13.4, latitude: 52.5 },
    metadata: { source: 'website' },
  });
  await input.uploadFromBytes({
    inputId: 'by-bytes',
    imageBytes: file.bytes,
    metadata: { source: 'memory', size: 3 },
  });
  await input.uploadText({ inputId: 'words', rawText: 'A sentence.' });
  await until(async () => {
    const { inputs } = await alice.as({ appId }).listInputs({ status: { code: 30000 }, perPage: 128 });
    const ids = inputs.map(({ id }) => id);
    return ['by-file', 'by-url', 'by-bytes', 'words'].every((id) => ids.includes(id));
  });
});

test('Input uploads annotations: boxes and polygons', async () => {
  const input = new Input({ authConfig: auth });
  const left = await input.uploadAnnotations({
    batchAnnot: [
      Input.getBboxProto({ inputId: 'by-file', label: 'corner', bbox: [0, 0, 0.5, 0.5] }),
      Input.getMaskProto({
        inputId: 'by-file',
        label: 'triangle',
        polygons: [
          [
            [0, 0],
            [1, 0],
            [0, 1],
          ],
        ],
      }),
    ],
  });
  expect(left).toEqual([]);
});

test('Input patches labels in', async () => {
  const patch = Input.getInputFromBytes({
    inputId: 'by-bytes',
    imageBytes: pictureOf(true, concepts[0]).bytes,
    labels: ['patched'],
  });
  patch.getData()?.clearImage();
  await new Input({ authConfig: auth }).patchInputs({ inputs: [patch] });
  const { input } = await alice.as({ appId }).getInput({ inputId: 'by-bytes' });
  expect(input?.data?.concepts.map(({ id }) => id)).toEqual(['id-patched']);
});

test('Dataset makes versions and lists them', async () => {
  const dataset = new Dataset({ authConfig: auth, datasetId });
  const version = await dataset.createVersion({ id: 'first', description: 'as uploaded' });
  expect(version.id).toBe('first');
  expect((await gathered(dataset.listVersions())).map(({ id }) => id)).toEqual(['first']);
});

test('Model is made, trained and waited for', async () => {
  const app = new App({ authConfig: auth });
  expect(app.listTrainableModelTypes()).toContain('embedding-classifier');
  const made = await app.createModel({ modelId, params: { modelTypeId: 'embedding-classifier' } });
  expect([made.id, made.modelTypeId, made.modelVersion?.status?.code]).toEqual([
    modelId,
    'embedding-classifier',
    21102,
  ]);
  const wanted = concepts.map((name) => new resources.Concept().setId(`id-${name}`));
  const version = new resources.ModelVersion()
    .setTrainInfo(new resources.TrainInfo().setParams(Struct.fromJavaScript({ dataset_id: datasetId })))
    .setOutputInfo(new resources.OutputInfo().setData(new resources.Data().setConceptsList(wanted)));
  const model = new Model({ authConfig: auth, modelId });
  const queued = await model.createVersion(version);
  versionId = queued?.modelVersion?.id ?? '';
  await until(async () => {
    const now = await app.model({ modelId, modelVersionId: versionId });
    expect([21100, 21101, 21103]).toContain(now?.modelVersion?.status?.code);
    return now?.modelVersion?.status?.code === 21100;
  });
  expect((await gathered(model.listVersions())).map(({ id }) => id)).toContain(versionId);
  expect((await gathered(app.listModels({ onlyInApp: true }))).map(({ id }) => id)).toEqual([modelId]);
});

test('Model predicts by bytes, by file and by URL', async () => {
  const model = new Model({ authConfig: auth, modelId });
  for (const concept of concepts) {
    const picture = pictureOf(true, concept);
    const outputs = [
      await model.predictByBytes({ inputBytes: picture.bytes, inputType: 'image' }),
      await model.predictByFilepath({
        filepath: join(folder, 'held-out', `${picture.id}.jpg`),
        inputType: 'image',
      }),
      await model.predictByUrl({ url: urlOf(picture), inputType: 'image' }),
    ];
    const told = outputs.map(([output]) => output?.data?.conceptsList.map(({ id, value }) => [id, value]));
    expect(told[0]?.[0]?.[0]).toBe(`id-${concept}`);
    expect(told[1]).toEqual(told[0]);
    expect(told[2]).toEqual(told[0]);
  }
});

test('Model of the platform is found by its URL, and takes an output configuration', async () => {
  const model = new Model({
    url: `${serverUrl()}/clarifai/main/models/general-image-detection` as 'https://c/u/a/models/m',
    authConfig: { pat: auth.pat, base: auth.base },
  });
  const outputConfig = new resources.OutputConfig().setMaxConcepts(1);
  const { bytes } = pictureOf(true, concepts[0]);
  const [output] = await model.predictByBytes({ inputBytes: bytes, inputType: 'image', outputConfig });
  expect(output?.status?.code).toBe(10000);
  expect(output?.model?.modelTypeId).toBe('visual-detector');
});

/** Ids of all hits over all pages, as a user of the SDK would gather them. */
async function hitsOf(search: Search, query: Parameters<Search['query']>[0]) {
  const hits = [];
  for await (const page of search.query(query)) hits.push(...page.hitsList);
  return hits.map((hit) => ({ id: hit.input?.id ?? '', score: hit.score }));
}

const searchWith = (topK = 3) => new Search({ authConfig: auth, topK, metric: 'cosine' });

test('Search by the bytes and by the URL of a picture finds its likes, and ends', async () => {
  const picture = pictureOf(false, concepts[0]);
  const byBytes = await hitsOf(searchWith(), { ranks: [{ imageBytes: picture.bytes }] });
  expect(byBytes[0]?.id).toBe(picture.id);
  expect(byBytes[0]?.score).toBeCloseTo(1, 3);
  const ids = byBytes.map(({ id }) => id);
  expect(ids.slice(0, 5).filter((id) => id.startsWith(concepts[0])).length).toBeGreaterThanOrEqual(4);
  const byUrl = await hitsOf(searchWith(), { ranks: [{ imageUrl: urlOf(picture) }] });
  expect(byUrl[0]?.id).toBe(picture.id);
});

test('Search takes one page where a page is asked for', async () => {
  const query = { ranks: [{ imageBytes: pictureOf(false, concepts[1]).bytes }], page: 1, perPage: 2 };
  const pages = searchWith().query(query);
  const first = await pages.next();
  expect(first.value?.hitsList).toHaveLength(2);
});

test.each([
  ['a concept by id', [{ concepts: [{ id: 'id-patched', value: 1 }] }], ['by-bytes']],
  ['a concept by name', [{ concepts: [{ name: 'patched', value: 1 }] }], ['by-bytes']],
  ['metadata', [{ metadata: { source: 'website' } }], ['by-url']],
  ['a place', [{ geoPoint: { longitude: 13.4, latitude: 52.5, geoLimit: 5 } }], ['by-url']],
  ['a kind of input', [{ inputTypes: ['text' as const] }], ['words']],
  ['nothing there', [{ metadata: { source: 'nowhere' } }], []],
])('Search filters by %s', async (_, filters, wanted) => {
  const hits = await hitsOf(searchWith(10), { filters });
  expect([...new Set(hits.map(({ id }) => id))]).toEqual(wanted);
});

test('Search filters by dataset and by status', async () => {
  const inDataset = await hitsOf(searchWith(100), { filters: [{ inputDatasetIds: [datasetId] }] });
  expect(inDataset).toHaveLength(16);
  const processed = await hitsOf(searchWith(100), { filters: [{ inputStatusCode: 30000 }] });
  expect(processed).toHaveLength(20);
});

test('Search filters and ranks at once: the likes of a picture that carry a label', async () => {
  const hits = await hitsOf(searchWith(), {
    ranks: [{ imageBytes: pictureOf(false, concepts[0]).bytes }],
    filters: [{ concepts: [{ id: `id-${concepts[1]}`, value: 1 }] }],
  });
  expect(hits.length).toBeGreaterThan(0);
  expect(hits.every(({ id }) => id.startsWith(concepts[1]))).toBe(true);
});

const workflowYaml = (nodes: string) => `workflow:\n  id: kinds-of-pictures\n  nodes:\n${nodes}`;

test('App makes a workflow from YAML, which predicts, is listed and is exported', async () => {
  const app = new App({ authConfig: auth });
  const config = join(folder, 'workflow.yml');
  await writeFile(
    config,
    workflowYaml(`    - id: embed
      model:
        modelId: general-image-embedding
        userId: clarifai
        appId: main
    - id: tell
      model:
        modelId: ${modelId}
        modelVersionId: ${versionId}
      nodeInputs:
        - nodeId: embed
`),
  );
  const made = await app.createWorkflow({ configFilePath: config, display: true });
  expect(made.nodesList.map(({ id, model }) => [id, model?.id])).toEqual([
    ['embed', 'general-image-embedding'],
    ['tell', modelId],
  ]);
  expect((await app.workflow({ workflowId: made.id }))?.id).toBe(made.id);
  expect((await gathered(app.listWorkflows({ onlyInApp: true }))).map(({ id }) => id)).toContain(made.id);

  const workflow = new Workflow({ authConfig: auth, workflowId: made.id });
  const picture = pictureOf(true, concepts[0]);
  for (const reply of [
    await workflow.predictByBytes(picture.bytes, 'image'),
    await workflow.predictByUrl(urlOf(picture), 'image'),
  ]) {
    const [embedded, told] = reply.resultsList[0]?.outputsList ?? [];
    expect(embedded?.data?.embeddingsList[0]?.numDimensions).toBe(256);
    expect(told?.data?.conceptsList[0]?.id).toBe(`id-${concepts[0]}`);
  }
  const versions = [];
  for await (const page of workflow.listVersions({})) versions.push(...page.workflowVersionsList);
  expect(versions).toHaveLength(1);

  const exported = join(folder, 'exported.yml');
  await workflow.exportWorkflow(exported);
  expect(await readFile(exported, 'utf8')).toContain(`modelId: ${modelId}`);
});

// A model that the YAML describes and the app lacks is made by the SDK at its default address, whatever `base`
// says (App.createWorkflow builds its Model without it), so such a model is made beforehand here.
test('a workflow from YAML may use an operator with parameters of its own', async () => {
  const app = new App({ authConfig: auth });
  await app.createModel({ modelId: 'wide-crop', params: { modelTypeId: 'image-crop' } });
  const outputInfo = new resources.OutputInfo().setParams(Struct.fromJavaScript({ margin: 1.5 }));
  const version = await new Model({ authConfig: auth, modelId: 'wide-crop' }).createVersion(
    new resources.ModelVersion().setOutputInfo(outputInfo),
  );
  expect(version?.modelVersion?.status?.code).toBe(21100);
  const config = join(folder, 'crops.yml');
  await writeFile(
    config,
    workflowYaml(`    - id: detect
      model:
        modelId: general-image-detection
        userId: clarifai
        appId: main
    - id: crop
      model:
        modelId: wide-crop
      nodeInputs:
        - nodeId: detect
`).replace('kinds-of-pictures', 'crops'),
  );
  const made = await app.createWorkflow({ configFilePath: config });
  expect(made.nodesList.map(({ model }) => model?.id)).toEqual(['general-image-detection', 'wide-crop']);
});

test('a workflow that is not there is told in the words that the SDK passes on', async () => {
  const workflow = new Workflow({ authConfig: auth, workflowId: 'no-such-workflow' });
  const { bytes } = pictureOf(true, concepts[0]);
  await expect(workflow.predictByBytes(bytes, 'image')).rejects.toThrow(
    'Workflow Predict failed with response Resource does not exist',
  );
});

test('what was made is deleted, and is gone', async () => {
  const app = new App({ authConfig: auth });
  const user = new User(auth);
  await app.deleteWorkflow({ workflowId: 'kinds-of-pictures' });
  await expect(app.workflow({ workflowId: 'kinds-of-pictures' })).rejects.toThrow('Resource does not exist');
  await new Dataset({ authConfig: auth, datasetId }).deleteVersion('first');
  await app.deleteDataset({ datasetId });
  await new Model({ authConfig: auth, modelId }).deleteVersion(versionId);
  await app.deleteModel({ modelId });
  await expect(app.model({ modelId })).rejects.toThrow('Model does not exist');
  await user.deleteApp({ appId });
  await expect(user.app({ appId })).rejects.toThrow('Resource does not exist');
  expect((await gathered(user.listApps())).map(({ id }) => id)).not.toContain(appId);
});
