import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { tinyPng, uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';

let ron: Person;
const path = (tail: string) => `/v2/ext/fovea/users/${ron.userId}/apps/${ron.appId}/datasets/d/${tail}`;
const get = async (tail: string) => (await ron.rest('GET', path(tail))).json;

async function version(id: string) {
  await ron.client.postDatasetVersions({ datasetId: 'd', datasetVersions: [{ id }] });
  const deadline = Date.now() + 15_000;
  for (;;) {
    const { datasetVersion } = await ron.client.getDatasetVersion({ datasetId: 'd', datasetVersionId: id });
    if (datasetVersion?.status?.code === 64015 || Date.now() > deadline) return datasetVersion;
    await sleep(30);
  }
}

async function done(tail: string, body: object = {}) {
  const posted = await ron.rest('POST', path(tail), body);
  expect(posted.json.status).toMatchObject({ code: 10000 });
  const deadline = Date.now() + 30_000;
  for (;;) {
    const { work } = await get(`works/${posted.json.work.id}`);
    if (![64000, 64001].includes(work.status.code) || Date.now() > deadline) return work;
    await sleep(30);
  }
}

const members = async () => {
  const reply = await ron.client.listDatasetInputs({ datasetId: 'd' });
  return reply.datasetInputs.map(({ input }) => input?.id ?? '').sort();
};
const labels = async (inputId: string) =>
  (await ron.client.getInput({ inputId })).input?.data?.concepts.map(({ id, value }) => [id, value]);
const box = { boundingBox: { topRow: 0, leftCol: 0, bottomRow: 0.5, rightCol: 0.5 } };

beforeAll(async () => {
  ron = await signedIn('ron');
  await uploadPictures(ron, ['a', 'b', 'c'], { a: [{ id: 'cat', value: 1 }], b: [{ id: 'cat', value: 1 }] });
  await ron.client.postAnnotations({
    annotations: [{ id: 'box', inputId: 'a', data: { regions: [{ regionInfo: box }] } }],
  });
  await ron.client.postDatasets({ datasets: [{ id: 'd' }] });
  const add = (ids: string[]) =>
    ron.client.postDatasetInputs({ datasetId: 'd', datasetInputs: ids.map((id) => ({ input: { id } })) });
  await add(['a', 'b', 'c']);
  await version('v1');
  await uploadPictures(ron, ['new']);
  await add(['new']);
  await ron.client.deleteInputs({ ids: ['c'] });
  await ron.client.deleteAnnotations({ inputIds: ['a'], ids: ['box'] });
  await ron.client.patchInputs({
    action: 'overwrite',
    inputs: [{ id: 'b', data: { concepts: [{ id: 'dog', value: 1 }] } }],
  });
  await version('v2');
});

describe('differences of versions', () => {
  test('inputs and concepts are counted, and inputs listed in pages', async () => {
    expect(await get('versions/v2/diff?from=v1')).toMatchObject({
      from: 'v1',
      to: 'v2',
      inputs: { added: 1, removed: 1, changed: 2 },
      concepts: { cat: { added: 0, removed: 1 }, dog: { added: 1, removed: 0 } },
    });
    const listed = [];
    for (let after = -1; ; ) {
      const page = await get(`versions/v2/diff/inputs?from=v1&per_page=3&after=${after}`);
      listed.push(...page.inputs);
      if (page.next_after === undefined) break;
      after = page.next_after;
    }
    expect(listed.map(({ id, change }) => [id, change])).toEqual([
      ['a', 'changed'],
      ['b', 'changed'],
      ['c', 'removed'],
      ['new', 'added'],
    ]);
    expect(listed[0]).toMatchObject({ annotations_before: 2, annotations_after: 1, medium_changed: false });
    expect(listed[1]).toMatchObject({ concepts_added: ['dog'], concepts_removed: ['cat'] });
    expect((await get('versions/v2/diff?from=v2')).inputs).toEqual({ added: 0, removed: 0, changed: 0 });
  });

  test('versions that are not there, and those who may not look', async () => {
    expect((await ron.rest('GET', path('versions/v2/diff'))).json.status.code).toBe(11102);
    expect((await ron.rest('GET', path('versions/v2/diff?from=none'))).http).toBe(404);
    const eve = await signedIn('eve');
    expect((await eve.rest('GET', path('versions/v2/diff?from=v1'))).http).toBe(404);
    expect((await fetch(`${ron.url}${path('versions/v2/diff?from=v1')}`)).status).toBe(401);
  });
});

describe('restoring a version', () => {
  test('members and labels are as they were, deleted inputs come back, and the state before is a version', async () => {
    const work = await done('versions/v1/restore');
    expect(work).toMatchObject({
      kind: 'restore',
      status: { code: 64002 },
      version_id: 'v1',
      progress: { done: 3, total: 3 },
    });
    expect(await members()).toEqual(['a', 'b', 'c']);
    expect(await labels('b')).toEqual([['cat', 1]]);
    const { annotations } = await ron.client.listAnnotations({ inputIds: ['a'] });
    expect(annotations.find(({ id }) => id === 'box')?.data?.regions).toHaveLength(1);
    const { input } = await ron.client.getInput({ inputId: 'c' });
    const { prefix, suffix } = input?.data?.image?.hosted ?? { prefix: '', suffix: '' };
    const bytes = await fetch(`${prefix}/orig/${suffix}`, { headers: { authorization: `Key ${ron.pat}` } });
    expect(Buffer.from(await bytes.arrayBuffer()).equals(Buffer.from(tinyPng(2)))).toBe(true);
    expect((await ron.client.listAnnotations({ inputIds: ['c'] })).annotations).toHaveLength(1);
    expect((await get(`versions/${work.kept_version_id}/diff?from=v2`)).inputs).toEqual({
      added: 0,
      removed: 0,
      changed: 0,
    });
    expect((await ron.client.getInput({ inputId: 'new' })).status?.code).toBe(10000);
    const back = await done(`versions/${work.kept_version_id}/restore`);
    expect(back.status.code).toBe(64002);
    expect(await members()).toEqual(['a', 'b', 'new']);
    expect(await labels('b')).toEqual([['dog', 1]]);
  });

  test('members alone, where labels are to stay; a filtered version restores nothing else', async () => {
    await done('versions/v1/restore', { labels: false });
    expect(await members()).toEqual(['a', 'b', 'c']);
    expect(await labels('b')).toEqual([['dog', 1]]);
    const search = {
      query: { filters: [{ annotation: { data: { concepts: [{ id: 'cat', value: 1 }] } } }] },
    };
    await ron.client.postDatasetVersions({
      datasetId: 'd',
      datasetVersions: [
        { id: 'f', dataConfig: { case: 'annotationFilterConfig', value: { annotationFilter: { search } } } },
      ],
    });
    const deadline = Date.now() + 15_000;
    const state = async () =>
      (await ron.client.getDatasetVersion({ datasetId: 'd', datasetVersionId: 'f' })).datasetVersion?.status
        ?.code;
    while ((await state()) !== 64015 && Date.now() < deadline) await sleep(30);
    const refused = await ron.rest('POST', path('versions/f/restore'));
    expect([refused.http, refused.json.status.code]).toEqual([400, 11102]);
  });
});

describe('leaks between splits', () => {
  test('the same bytes in two splits, or in another version, are found', async () => {
    const same = tinyPng(200);
    await ron.client.postInputs({
      inputs: [
        { id: 'train-1', data: { image: { base64: same }, metadata: { split: 'train' } } },
        { id: 'test-1', data: { image: { base64: same }, metadata: { split: 'test' } } },
        { id: 'train-2', data: { image: { base64: same }, metadata: { split: 'train' } } },
        { id: 'test-2', data: { image: { base64: tinyPng(201) }, metadata: { split: 'test' } } },
      ],
    });
    const ids = ['train-1', 'test-1', 'train-2', 'test-2'];
    const deadline = Date.now() + 15_000;
    const ready = async () => (await ron.client.listInputs({ ids, status: { code: 30000 } })).inputs.length;
    while ((await ready()) < ids.length && Date.now() < deadline) await sleep(30);
    await ron.client.postDatasetInputs({
      datasetId: 'd',
      datasetInputs: ids.map((id) => ({ input: { id } })),
    });
    await version('splits');
    const work = await done('versions/splits/leaks');
    expect(work).toMatchObject({ kind: 'leaks', status: { code: 64002 }, found: 2 });
    const { leaks } = await get(`works/${work.id}/leaks`);
    expect(leaks).toEqual([
      { kind: 'same', input: { id: 'train-1', split: 'train' }, other: { id: 'test-1', split: 'test' } },
      { kind: 'same', input: { id: 'test-1', split: 'test' }, other: { id: 'train-2', split: 'train' } },
    ]);
    const paged = await get(`works/${work.id}/leaks?per_page=1`);
    expect((await get(`works/${work.id}/leaks?per_page=1&after=${paged.next_after}`)).leaks).toEqual([
      leaks[1],
    ]);
    const against = await done('versions/splits/leaks', { against: { dataset_id: 'd', version_id: 'v1' } });
    expect(against.found).toBe(3);
    expect((await ron.rest('POST', path('versions/splits/leaks'), { score_min: 7 })).http).toBe(400);
  });
});
