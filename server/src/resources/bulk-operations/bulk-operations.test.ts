import type { BulkOperation } from '@fovea/contract';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';

type Init = Parameters<Person['client']['postBulkOperations']>[0]['bulkOperations'];
type One = NonNullable<Init>[number];
type Operate = NonNullable<NonNullable<One['operation']>['operation']>;

const ids = ['i0', 'i1', 'i2', 'i3'];
let alice: Person;

beforeAll(async () => {
  alice = await signedIn('alice');
  await uploadPictures(alice, ids, { i0: [{ id: 'cat', value: 1 }] });
  await alice.client.postDatasets({ datasets: [{ id: 'd' }, { id: 'train' }, { id: 'test' }] });
});

const ofInputs = (...inputIds: string[]): One['inputSource'] => ({ case: 'inputIds', value: { inputIds } });
const ofAll: One['inputSource'] = { case: 'search', value: { query: {} } };

async function post(one: One, person = alice): Promise<BulkOperation> {
  const reply = await person.client.postBulkOperations({ bulkOperations: [one] });
  return reply.bulkOperation[0] as BulkOperation;
}

async function done(one: One, person = alice): Promise<BulkOperation> {
  const posted = await post(one, person);
  // It may have begun before the reply was written.
  expect([25402, 25403]).toContain(posted.status?.code);
  expect(posted.status?.details).toBe('');
  return vi.waitFor(
    async () => {
      const { bulkOperation } = await person.client.getBulkOperation({ id: posted.id });
      expect([25402, 25403]).not.toContain(bulkOperation?.status?.code);
      return bulkOperation as BulkOperation;
    },
    { timeout: 20_000, interval: 20 },
  );
}

const run = (inputSource: One['inputSource'], operation: Operate) =>
  done({ inputSource, operation: { operation } });

const labels = async (id: string) =>
  (await alice.client.getInput({ inputId: id })).input?.data?.concepts.map((c) => [c.id, c.value]);
const members = async (datasetId: string) =>
  (await alice.client.listDatasetInputs({ datasetId })).datasetInputs.map(({ input }) => input?.id).sort();

test('labels are put on inputs, new ones are made, old values replaced; progress is exact', async () => {
  const operation = await run(ofInputs('i0', 'i1', 'i2'), {
    case: 'addConcepts',
    value: {
      concepts: [
        { id: 'cat', value: 0 },
        { name: 'grey heron', value: 1 },
      ],
    },
  });
  expect(operation).toMatchObject({
    status: { code: 25400 },
    progress: { processed: 3, lastProcessedId: 'i2' },
    createdBy: alice.userId,
    appId: alice.appId,
  });
  expect(await labels('i0')).toEqual([
    ['cat', 0],
    ['grey heron', 1],
  ]);
  expect(await labels('i3')).toEqual([]);
  const { conceptCounts } = await alice.client.getConceptCounts({});
  expect(conceptCounts.find(({ id }) => id === 'cat')?.conceptTypeCount?.negative).toBe(3);
});

test('inputs come in the order in which they were sent', async () => {
  const cat: Operate = { case: 'addConcepts', value: { concepts: [{ id: 'cat', value: 0 }] } };
  for (const sent of [
    ['i2', 'i0', 'i1'],
    ['i1', 'i2', 'i0'],
    ['i0', 'i1', 'i2'],
  ])
    expect((await run(ofInputs(...sent), cat)).progress?.lastProcessedId).toBe(sent[2]);
});

test('labels go from what the named users made, by default from the own', async () => {
  const carol = await signedIn('carol', { app: false });
  await alice.client.postAnnotations({
    annotations: [
      {
        id: 'by-carol',
        inputId: 'i1',
        data: { concepts: [{ id: 'heron', value: 1 }] },
        worker: { worker: { case: 'user', value: { id: carol.userId } } },
      },
    ],
  });
  await run(ofInputs('i1'), { case: 'addConcepts', value: { concepts: [{ id: 'heron', value: 1 }] } });
  await run(ofAll, { case: 'deleteConcepts', value: { concepts: [{ id: 'heron' }] } });
  const ofCarol = async () =>
    (await alice.client.getAnnotation({ inputId: 'i1', annotationId: 'by-carol' })).annotation?.data?.concepts
      .length;
  expect((await labels('i1'))?.map(([id]) => id)).not.toContain('heron');
  expect(await ofCarol()).toBe(1);
  await run(ofAll, {
    case: 'deleteConcepts',
    value: { concepts: [{ id: 'heron' }], userIds: [carol.userId] },
  });
  expect(await ofCarol()).toBe(0);
});

test('a search for boxes labels the boxes, not their inputs', async () => {
  const region = {
    regionInfo: { boundingBox: { topRow: 0.1, leftCol: 0.1, bottomRow: 0.5, rightCol: 0.5 } },
  };
  await alice.client.postAnnotations({
    annotations: [{ id: 'box', inputId: 'i3', data: { regions: [region] } }],
  });
  const boxes = {
    query: { filters: [{ annotation: { data: { regions: [{ regionInfo: { boundingBox: {} } }] } } }] },
  };
  const operation = await run(
    { case: 'search', value: boxes },
    { case: 'addConcepts', value: { concepts: [{ id: 'beak', value: 1 }] } },
  );
  expect(operation.progress).toMatchObject({ processed: 1, lastProcessedId: 'box' });
  const { annotation } = await alice.client.getAnnotation({ inputId: 'i3', annotationId: 'box' });
  expect(annotation?.data?.regions[0]?.data?.concepts[0]?.id).toBe('beak');
  expect(await labels('i3')).toEqual([]);

  const gone = await done({
    annotationSource: { case: 'annotationSearch', value: boxes },
    operation: { annotationOperation: { case: 'deleteAnnotations', value: {} } },
  });
  expect(gone).toMatchObject({ status: { code: 25400 }, progress: { processed: 1, lastProcessedId: 'box' } });
  const found = await alice.client.getAnnotation({ inputId: 'i3', annotationId: 'box' });
  expect(found.status?.code).toBe(11101);
});

test('metadata and places are put on inputs and taken away', async () => {
  await run(ofInputs('i0'), { case: 'addMetadata', value: { metadata: { a: 1, b: { c: 2, d: 3 } } } });
  await run(ofInputs('i0'), { case: 'addMetadata', value: { metadata: { a: 'new' } } });
  await run(ofInputs('i0'), { case: 'deleteMetadata', value: { metadata: { b: { c: 2 }, a: 'other' } } });
  const geo = { geoPoint: { latitude: 54.5, longitude: 8.25 } };
  await run(ofInputs('i0', 'i1'), { case: 'overwriteGeo', value: { geo } });
  await run(ofInputs('i1'), { case: 'deleteGeo', value: {} });
  const [one, other] = (
    await Promise.all(['i0', 'i1'].map((inputId) => alice.client.getInput({ inputId })))
  ).map(({ input }) => input?.data);
  expect(one?.metadata).toEqual({ a: 'new', b: { d: 3 } });
  expect(one?.geo).toMatchObject(geo);
  expect(other?.geo).toBeUndefined();
});

test('inputs are put into datasets, split over them, and taken out', async () => {
  await run(ofAll, { case: 'addToDataset', value: { datasetId: 'd' } });
  expect(await members('d')).toEqual(ids);
  await run(
    { case: 'dataset', value: { id: 'd' } },
    {
      case: 'splitIntoDatasets',
      value: {
        method: 1,
        datasetSplits: [
          { dataset: { id: 'train' }, methodInfo: { case: 'percentage', value: 75 } },
          { dataset: { id: 'test' }, methodInfo: { case: 'percentage', value: 25 } },
        ],
      },
    },
  );
  const [train, held] = [await members('train'), await members('test')];
  expect([train.length, held.length]).toEqual([3, 1]);
  expect([...train, ...held].sort()).toEqual(ids);
  await run(ofInputs('i0', 'i1'), { case: 'deleteFromDataset', value: { datasetId: 'd' } });
  expect(await members('d')).toEqual(['i2', 'i3']);
});

describe('what cannot be run', () => {
  const add: One['operation'] = {
    operation: { case: 'addConcepts', value: { concepts: [{ id: 'c', value: 1 }] } },
  };
  const with_ = (operation: Operate): One => ({ inputSource: ofAll, operation: { operation } });
  test.each<[string, One, RegExp]>([
    ['no source', { operation: add }, /source is missing/],
    ['no operation', { inputSource: ofAll }, /operation is missing/],
    ['an unknown input', { inputSource: ofInputs('i0', 'nowhere'), operation: add }, /no input 'nowhere'/],
    [
      'a search for nothing in particular',
      { inputSource: { case: 'search', value: {} }, operation: add },
      /query is missing/,
    ],
    [
      'an unknown dataset',
      with_({ case: 'addToDataset', value: { datasetId: 'x' } }),
      /add_to_dataset.dataset_id/,
    ],
    ['no metadata', with_({ case: 'addMetadata', value: {} }), /add_metadata.metadata is empty/],
    [
      'a place beyond the pole',
      with_({ case: 'overwriteGeo', value: { geo: { geoPoint: { latitude: 91, longitude: 0 } } } }),
      /latitude is 91/,
    ],
    [
      'a value above 1',
      with_({ case: 'addConcepts', value: { concepts: [{ id: 'c', value: 2 }] } }),
      /is 2; it goes/,
    ],
    [
      'more than all',
      with_({
        case: 'splitIntoDatasets',
        value: {
          datasetSplits: ['d', 'train'].map((id) => ({
            dataset: { id },
            methodInfo: { case: 'percentage' as const, value: 60 },
          })),
        },
      }),
      /add up to 120/,
    ],
    [
      'annotations without a search',
      { inputSource: ofAll, operation: { annotationOperation: { case: 'deleteAnnotations', value: {} } } },
      /annotation_search is missing/,
    ],
  ])('%s is refused with 25404', async (_title, one, words) => {
    const refused = await post(one);
    expect(refused.status?.code).toBe(25404);
    expect(refused.status?.details).toMatch(words);
  });

  test('it does not keep its neighbours from being run', async () => {
    const reply = await alice.client.postBulkOperations({
      bulkOperations: [{ operation: add }, { inputSource: ofInputs('i0'), operation: add }],
    });
    expect(reply.status?.code).toBe(10010);
    const [refused, taken] = reply.bulkOperation.map(({ status }) => status?.code);
    expect(refused).toBe(25404);
    expect([25402, 25403]).toContain(taken);
  });

  test('an operation of another app is not there', async () => {
    const bob = await signedIn('bob');
    const { id } = await run(ofInputs('i0'), { case: 'deleteGeo', value: {} });
    expect((await bob.client.getBulkOperation({ id })).status?.code).toBe(11101);
    expect((await bob.client.cancelBulkOperations({ ids: [id] })).status?.code).toBe(11101);
    expect((await bob.client.deleteBulkOperations({ ids: [id] })).status?.code).toBe(11101);
  });
});

test('what has ended can be deleted and not cancelled; the list shows the newest first', async () => {
  const first = await run(ofInputs('i0'), { case: 'deleteGeo', value: {} });
  const second = await run(ofInputs('i0'), { case: 'deleteGeo', value: {} });
  const list = async () => (await alice.client.listBulkOperations({})).bulkOperation.map(({ id }) => id);
  expect((await list()).slice(0, 2)).toEqual([second.id, first.id]);
  expect((await alice.client.cancelBulkOperations({ ids: [first.id] })).status?.code).toBe(25404);
  expect((await alice.client.deleteBulkOperations({ ids: [first.id] })).status?.code).toBe(10000);
  expect(await list()).not.toContain(first.id);
  const rest = await alice.rest('GET', 'bulk_operations');
  expect(rest.json.bulk_operation[0].id).toBe(second.id);
});
