import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { tinyPng, uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';

let alice: Person;

beforeAll(async () => {
  alice = await signedIn('alice');
});

const ids = (items: { id: string }[]) => items.map(({ id }) => id);

describe('datasets', () => {
  test('a dataset is made with the owner in it, found by id and listed', async () => {
    const made = await alice.client.postDatasets({
      datasets: [{ id: 'birds', description: 'Waders of the coast', notes: 'n', metadata: { a: 1 } }],
    });
    expect(made.status?.code).toBe(10000);
    expect(made.datasets[0]).toMatchObject({
      id: 'birds',
      appId: alice.appId,
      userId: alice.userId,
      visibility: { gettable: 10 },
    });
    const got = await alice.rest('GET', 'datasets/birds');
    expect(got.http).toBe(200);
    expect(got.json.dataset).toMatchObject({
      id: 'birds',
      description: 'Waders of the coast',
      metadata: { a: 1 },
    });
    expect(got.json.dataset.created_at).toMatch(/\.\d{6}Z$/);
  });

  test('one id that exists refuses the whole batch', async () => {
    const reply = await alice.client.postDatasets({ datasets: [{ id: 'fresh' }, { id: 'birds' }] });
    expect(reply.status?.code).toBe(40010);
    expect((await alice.client.getDataset({ datasetId: 'fresh' })).status?.code).toBe(11101);
  });

  test('a dataset without id gets one; a public one needs a public profile', async () => {
    const reply = await alice.client.postDatasets({ datasets: [{ description: 'no id' }] });
    expect(reply.datasets[0]?.id).toMatch(/^[0-9a-f]{32}$/);
    const open = await alice.client.postDatasets({
      datasets: [{ id: 'open', visibility: { gettable: 50 } }],
    });
    expect(open.status?.details).toContain('user profile has to be set public');
  });

  test('a patch changes what it names and keeps the rest; metadata merges or is replaced', async () => {
    await alice.client.postDatasets({ datasets: [{ id: 'patched', description: 'd', metadata: { a: 1 } }] });
    const merged = await alice.client.patchDatasets({
      action: 'merge',
      datasets: [{ id: 'patched', metadata: { b: 2 } }],
    });
    expect(merged.datasets[0]).toMatchObject({ description: 'd', metadata: { a: 1, b: 2 } });
    const over = await alice.client.patchDatasets({
      action: 'overwrite',
      datasets: [{ id: 'patched', metadata: { c: 3 } }],
    });
    expect(over.datasets[0]?.metadata).toEqual({ c: 3 });
    const cleared = await alice.rest('PATCH', 'datasets', {
      action: 'merge',
      datasets: [{ id: 'patched', description: '' }],
    });
    expect(cleared.json.datasets[0].description).toBeUndefined();
  });

  test('a patch is all or nothing, and removes only an image', async () => {
    const reply = await alice.client.patchDatasets({
      action: 'overwrite',
      datasets: [
        { id: 'birds', description: 'changed' },
        { id: 'nowhere', description: 'x' },
      ],
    });
    expect(reply.status?.code).toBe(11101);
    expect((await alice.client.getDataset({ datasetId: 'birds' })).dataset?.description).toBe(
      'Waders of the coast',
    );
    const image = { url: 'https://example.com/a.png' };
    await alice.client.patchDatasets({ action: 'overwrite', datasets: [{ id: 'birds', image }] });
    const wrong = await alice.client.patchDatasets({
      action: 'remove',
      datasets: [{ id: 'birds', image: { url: 'other' } }],
    });
    expect(wrong.status?.code).toBe(11102);
    const right = await alice.client.patchDatasets({ action: 'remove', datasets: [{ id: 'birds', image }] });
    expect(right.datasets[0]?.image).toBeUndefined();
    expect((await alice.client.patchDatasets({ action: 'x', datasets: [] })).status?.details).toContain(
      'Unrecognized action',
    );
  });

  test('lists are searched by words and prefixes, filtered by part of an id, sorted and paged', async () => {
    const bob = await signedIn('bob');
    await bob.client.postDatasets({
      datasets: [
        { id: 'b-gulls', description: 'satisfied gulls' },
        { id: 'a-terns', notes: 'clarifai' },
        { id: 'c-ducks' },
      ],
    });
    const list = async (filter: Parameters<typeof bob.client.listDatasets>[0]) =>
      ids((await bob.client.listDatasets(filter)).datasets);
    expect(await list({ search: 'satisfy' })).toEqual(['b-gulls']);
    expect(await list({ search: 'clari' })).toEqual(['a-terns']);
    expect(await list({ id: 'UCK' })).toEqual(['c-ducks']);
    expect(await list({ sortBy: { case: 'sortById', value: true }, sortAscending: true })).toEqual([
      'a-terns',
      'b-gulls',
      'c-ducks',
    ]);
    expect(await list({ sortBy: { case: 'sortById', value: true }, page: 2, perPage: 2 })).toEqual([
      'a-terns',
    ]);
    await bob.client.patchDatasets({ action: 'merge', datasets: [{ id: 'a-terns', description: 'new' }] });
    expect((await list({}))[0]).toBe('a-terns');
    expect(await list({ starredOnly: true })).toEqual([]);
    expect(await list({ page: 9 })).toEqual([]);
    expect(
      (await bob.client.listDatasets({ sortBy: { case: 'sortByRelevance', value: true } })).status?.code,
    ).toBe(11102);
  });

  test('deleting an unknown dataset deletes none; deleting none is a success', async () => {
    await alice.client.postDatasets({ datasets: [{ id: 'doomed' }] });
    expect((await alice.client.deleteDatasets({ datasetIds: ['doomed', 'nowhere'] })).status?.code).toBe(
      11101,
    );
    expect((await alice.client.getDataset({ datasetId: 'doomed' })).status?.code).toBe(10000);
    expect((await alice.client.deleteDatasets({ datasetIds: [] })).status?.code).toBe(10000);
    expect((await alice.client.deleteDatasets({ datasetIds: ['doomed'] })).status?.code).toBe(10000);
    expect((await alice.client.getDataset({ datasetId: 'doomed' })).status?.code).toBe(11101);
  });

  test('another user sees none of it', async () => {
    const eve = await signedIn('eve');
    const reply = await eve.as({ userId: alice.userId, appId: alice.appId }).listDatasets({});
    expect(reply.status?.code).not.toBe(10000);
    expect(reply.datasets).toEqual([]);
  });
});

describe('inputs of datasets', () => {
  let dora: Person;
  const members = async (datasetId: string) =>
    (await dora.client.listDatasetInputs({ datasetId })).datasetInputs.map(({ input }) => input?.id);
  const named = (...inputIds: string[]) => inputIds.map((id) => ({ input: { id } }));

  beforeAll(async () => {
    dora = await signedIn('dora');
    await uploadPictures(dora, ['a', 'b', 'c']);
    await dora.client.postDatasets({ datasets: [{ id: 'one' }, { id: 'two' }] });
  });

  test('each input is added on its own: new, twice, in already, missing', async () => {
    const reply = await dora.client.postDatasetInputs({
      datasetId: 'one',
      datasetInputs: named('a', 'a', 'b', 'nowhere'),
    });
    expect(reply.status?.code).toBe(10010);
    expect(reply.datasetInputs.map(({ input }) => input?.status?.code)).toEqual([64100, 64101, 64100, 11101]);
    const again = await dora.client.postDatasetInputs({ datasetId: 'one', datasetInputs: named('a') });
    expect(again.status).toMatchObject({ code: 10020, details: expect.stringContaining("'a'") });
    expect(again.datasetInputs[0]?.input?.status?.code).toBe(64101);
  });

  test('members are listed in full, the last added first, and read one by one', async () => {
    const { datasetInputs } = await dora.client.listDatasetInputs({ datasetId: 'one' });
    expect(datasetInputs.map(({ input }) => input?.id).sort()).toEqual(['a', 'b']);
    expect(datasetInputs[0]?.input?.data?.image?.hosted?.prefix).toBeTruthy();
    expect(datasetInputs[0]?.createdAt).toBeDefined();
    expect(
      (await dora.client.listDatasetInputs({ datasetId: 'one', page: 2, perPage: 1 })).datasetInputs,
    ).toHaveLength(1);
    expect(
      (await dora.client.getDatasetInput({ datasetId: 'one', inputId: 'a' })).datasetInput?.input?.id,
    ).toBe('a');
    expect((await dora.client.getDatasetInput({ datasetId: 'one', inputId: 'c' })).status?.code).toBe(11101);
    expect((await dora.client.listDatasetInputs({ datasetId: 'nowhere' })).status?.code).toBe(11101);
  });

  test('a search over another dataset is answered at once and merges it', async () => {
    const reply = await dora.client.postDatasetInputs({
      datasetId: 'two',
      search: { query: { filters: [{ input: { datasetIds: ['one'] } }] } },
    });
    expect(reply.status?.code).toBe(10000);
    expect(reply.bulkOperation).toMatchObject({
      appId: dora.appId,
      createdBy: dora.userId,
      status: { code: 25402 },
    });
    const deadline = Date.now() + 10_000;
    while ((await members('two')).length < 2 && Date.now() < deadline) await sleep(50);
    expect((await members('two')).sort()).toEqual(['a', 'b']);
  });

  test('a search by concept adds what it finds; one that cannot be run is refused at once', async () => {
    await dora.client.postDatasets({ datasets: [{ id: 'cats' }] });
    await dora.client.patchInputs({
      action: 'merge',
      inputs: [{ id: 'c', data: { concepts: [{ id: 'cat', value: 1 }] } }],
    });
    const filters = [{ annotation: { data: { concepts: [{ id: 'cat', value: 1 }] } } }];
    const reply = await dora.client.postDatasetInputs({ datasetId: 'cats', search: { query: { filters } } });
    expect(reply.status?.code).toBe(10000);
    const deadline = Date.now() + 10_000;
    while ((await members('cats')).length < 1 && Date.now() < deadline) await sleep(50);
    expect(await members('cats')).toEqual(['c']);
    const bad = await dora.client.postDatasetInputs({ datasetId: 'cats', search: { minValue: 7 } });
    expect(bad.status?.code).toBe(40002);
  });

  test('a search over a dataset that does not exist is refused', async () => {
    const search = { query: { filters: [{ input: { datasetIds: ['nowhere'] } }] } };
    expect((await dora.client.postDatasetInputs({ datasetId: 'two', search })).status?.code).toBe(11101);
  });

  test('the search revision of the app moves when inputs come and go, and only then', async () => {
    const revision = async () => (await dora.client.getApp({})).app?.extraInfo?.searchRevisionMarker;
    const marks = [await revision()];
    await dora.client.postDatasets({ datasets: [{ id: 'moving' }] });
    const datasetInputs = named('a');
    for (const step of [
      () => dora.client.postDatasetInputs({ datasetId: 'moving', datasetInputs }),
      () => dora.client.postDatasetInputs({ datasetId: 'moving', datasetInputs }),
      () => dora.client.deleteDatasetInputs({ datasetId: 'moving', inputIds: ['a'] }),
      () => dora.client.deleteDatasetInputs({ datasetId: 'moving', inputIds: ['a'] }),
    ]) {
      await step();
      marks.push(await revision());
    }
    const [start, added, again, gone, goneAgain] = marks;
    expect([added === start, again === added, gone === added, goneAgain === gone]).toEqual([
      false,
      true,
      false,
      true,
    ]);
  });

  test('taking inputs out keeps the inputs, and deleting an input takes it out', async () => {
    const reply = await dora.rest('DELETE', 'datasets/two/inputs', { input_ids: ['a', 'unknown'] });
    expect(reply.json.status.code).toBe(10000);
    expect(await members('two')).toEqual(['b']);
    expect((await dora.client.getInput({ inputId: 'a' })).status?.code).toBe(10000);
    await dora.client.deleteInputs({ ids: ['b'] });
    expect(await members('two')).toEqual([]);
    expect((await dora.client.deleteDatasetInputs({ datasetId: 'two' })).status?.code).toBe(10000);
  });
});

describe('versions', () => {
  let fay: Person;
  const version = async (datasetVersionId: string) =>
    (await fay.client.getDatasetVersion({ datasetId: 'd', datasetVersionId })).datasetVersion;
  async function ready(id: string, more: object = {}) {
    const made = await fay.client.postDatasetVersions({ datasetId: 'd', datasetVersions: [{ id, ...more }] });
    expect(made.datasetVersions[0]).toMatchObject({ id, datasetId: 'd', appId: fay.appId, requestOrigin: 1 });
    const deadline = Date.now() + 15_000;
    for (;;) {
      const found = await version(id);
      if (found?.status?.code === 64015 || Date.now() > deadline) return found;
      await sleep(30);
    }
  }

  beforeAll(async () => {
    fay = await signedIn('fay');
    await uploadPictures(fay, ['a', 'b', 'c'], {
      a: [{ id: 'cat', value: 1 }],
      b: [{ id: 'cat', value: 0 }],
    });
    const regionInfo = { boundingBox: { topRow: 0, leftCol: 0, bottomRow: 0.5, rightCol: 0.5 } };
    const regions = [{ regionInfo, data: { concepts: [{ id: 'dog', value: 1 }] } }];
    await fay.client.postAnnotations({
      annotations: [
        { inputId: 'a', data: { regions } },
        { inputId: 'a', data: { regions } },
        { inputId: 'b', data: { metadata: { x: 1 } } },
      ],
    });
    await fay.client.postDatasets({
      datasets: [{ id: 'd', defaultProcessingInfo: { frameInterpolationInfo: { sampleMs: 40 } } }],
    });
    await fay.client.postDatasetInputs({
      datasetId: 'd',
      datasetInputs: ['a', 'b', 'c'].map((id) => ({ input: { id } })),
    });
  });

  test('a version becomes ready with counts of what was there', async () => {
    const found = await ready('v1', { description: 'first', metadata: { k: 1 } });
    expect(found).toMatchObject({ status: { code: 64015 }, description: 'first', metadata: { k: 1 } });
    expect(found?.processingInfo?.frameInterpolationInfo?.sampleMs).toBe(40);
    expect(found?.metrics['']).toMatchObject({
      inputsCount: 3n,
      unlabeledInputsCount: 2n,
      inputsWithMetadataCount: 1n,
      regionsCount: 2n,
      boundingBoxesCount: 2n,
      regionInputsCount: 1n,
      positiveInputTagsCount: 1n,
      positiveRegionTagsCount: 2n,
      masksCount: 0n,
    });
  });

  test('groups tell inputs apart by type, concept and numbers', async () => {
    const groups = async (filter: object = {}) => {
      const reply = await fay.rest(
        'GET',
        `datasets/d/versions/v1/metrics?${new URLSearchParams(filter as Record<string, string>)}`,
      );
      expect(reply.json.status.code).toBe(10000);
      return reply.json.dataset_version_metrics_groups.map(
        (group: { type: number; value: unknown; metrics: { inputs_count: string } }) => [
          group.type,
          group.value,
          Number(group.metrics.inputs_count),
        ],
      );
    };
    expect(await groups()).toEqual(
      expect.arrayContaining([
        [2, 'image', 3],
        [10, 'cat', 1],
        [10, 'dog', 1],
        [20, 2, 1],
        [20, 0, 2],
      ]),
    );
    expect(await groups({ types: '10' })).toEqual([
      [10, 'cat', 1],
      [10, 'dog', 1],
    ]);
    expect(await groups({ parent_paths: 'elsewhere' })).toEqual([]);
  });

  test('a version stays as it was when labels and membership change', async () => {
    await fay.client.deleteDatasetInputs({ datasetId: 'd', inputIds: ['c'] });
    await fay.client.deleteAnnotations({ inputIds: ['a'] });
    expect((await version('v1'))?.metrics['']).toMatchObject({ inputsCount: 3n, regionsCount: 2n });
    expect((await ready('v2'))?.metrics['']).toMatchObject({ inputsCount: 2n, regionsCount: 0n });
  });

  test('inputs of which nothing is said can be left out', async () => {
    await fay.client.postDatasetInputs({ datasetId: 'd', datasetInputs: [{ input: { id: 'c' } }] });
    const config = { case: 'annotationFilterConfig' as const, value: { ignoreEmptyInputs: true } };
    expect((await ready('v3', { dataConfig: config }))?.metrics['']?.inputsCount).toBe(2n);
  });

  test('a filter chooses the annotations of a version; the filter of the dataset does where it names none', async () => {
    const search = {
      query: { filters: [{ annotation: { data: { concepts: [{ id: 'cat', value: 1 }] } } }] },
    };
    const config = {
      case: 'annotationFilterConfig' as const,
      value: { annotationFilter: { search }, ignoreEmptyInputs: true },
    };
    const found = await ready('filtered', { dataConfig: config });
    expect(found?.metrics['']).toMatchObject({ inputsCount: 1n, positiveInputTagsCount: 1n });
    await fay.client.patchDatasets({
      action: 'merge',
      datasets: [{ id: 'd', defaultAnnotationFilter: { search } }],
    });
    const byDefault = await ready('by-default');
    expect(byDefault?.metrics['']).toMatchObject({ inputsCount: 3n, unlabeledInputsCount: 2n });
    expect(byDefault?.dataConfig.case).toBe('annotationFilterConfig');
    const unknown = { ...config, value: { annotationFilter: { id: 'no-such-filter' } } };
    const refused = await fay.client.postDatasetVersions({
      datasetId: 'd',
      datasetVersions: [{ dataConfig: unknown }],
    });
    expect(refused.status?.code).toBe(11101);
    const ranked = {
      ...config,
      value: {
        annotationFilter: {
          search: { query: { ranks: [{ annotation: { data: { concepts: [{ id: 'cat', value: 1 }] } } }] } },
        },
      },
    };
    const unusable = await fay.client.postDatasetVersions({
      datasetId: 'd',
      datasetVersions: [{ dataConfig: ranked }],
    });
    expect(unusable.status?.code).toBe(40002);
  });

  test('inputs that name their split are counted by split, and masks, points and places are counted, too', async () => {
    await fay.client.postDatasets({ datasets: [{ id: 'split' }] });
    await uploadPictures(fay, ['s1', 's2']);
    await fay.client.patchInputs({
      action: 'merge',
      inputs: [
        { id: 's1', data: { metadata: { split: 'train' } } },
        { id: 's2', data: { metadata: { split: 'test' } } },
      ],
    });
    const region = (regionInfo: object) => ({ inputId: 's1', data: { regions: [{ regionInfo }] } });
    await fay.client.postAnnotations({
      annotations: [
        region({ point: { row: 0.95, col: 0.05 } }),
        region({
          polygon: {
            points: [
              { row: 0, col: 0 },
              { row: 0.01, col: 0.01 },
              { row: 0, col: 0.01 },
            ],
          },
        }),
      ],
    });
    await fay.client.postDatasetInputs({
      datasetId: 'split',
      datasetInputs: ['s1', 's2'].map((id) => ({ input: { id } })),
    });
    await fay.client.postDatasetVersions({ datasetId: 'split', datasetVersions: [{ id: 'v' }] });
    const read = async () =>
      (await fay.client.getDatasetVersion({ datasetId: 'split', datasetVersionId: 'v' })).datasetVersion;
    const deadline = Date.now() + 15_000;
    while ((await read())?.status?.code !== 64015 && Date.now() < deadline) await sleep(30);
    const metrics = (await read())?.metrics ?? {};
    expect(Object.keys(metrics).sort()).toEqual(['', 'test', 'train']);
    expect(metrics.train).toMatchObject({ inputsCount: 1n, pointsCount: 1n, polygonsCount: 1n });
    expect(metrics.test).toMatchObject({ inputsCount: 1n, regionsCount: 0n });
    const matrix = metrics['']?.regionLocationMatrix;
    expect(matrix?.nCols).toBe(10n);
    expect(matrix?.data.flatMap((n, cell) => (n > 0n ? [[cell, n]] : []))).toEqual([
      [0, 1n],
      [90, 1n],
    ]);
    const groups = await fay.client.listDatasetVersionMetricsGroups({
      datasetId: 'split',
      datasetVersionId: 'v',
      parentPaths: ['train'],
      types: [22, 30, 31],
    });
    expect(groups.datasetVersionMetricsGroups.map(({ type, parentPath }) => [type, parentPath])).toEqual([
      [22, 'train'],
      [30, 'train'],
      [31, 'train'],
    ]);
  });

  test('a version counts inputs that are deleted since, and shows nothing of them', async () => {
    await fay.client.postDatasets({ datasets: [{ id: 'kept' }] });
    // A medium that another input shows would stay.
    await fay.client.postInputs({ inputs: [{ id: 'k1', data: { image: { base64: tinyPng(177) } } }] });
    await fay.client.postDatasetInputs({ datasetId: 'kept', datasetInputs: [{ input: { id: 'k1' } }] });
    await fay.client.postDatasetVersions({ datasetId: 'kept', datasetVersions: [{ id: 'v' }] });
    const read = async () =>
      (await fay.client.getDatasetVersion({ datasetId: 'kept', datasetVersionId: 'v' })).datasetVersion;
    const deadline = Date.now() + 15_000;
    while ((await read())?.status?.code !== 64015 && Date.now() < deadline) await sleep(30);
    const { input } = await fay.client.getInput({ inputId: 'k1' });
    await fay.client.deleteInputs({ ids: ['k1'] });
    const { prefix, suffix } = input?.data?.image?.hosted ?? { prefix: '', suffix: '' };
    const headers = { authorization: `Key ${fay.pat}` };
    expect((await fetch(`${prefix}/orig/${suffix}`, { headers })).status).toBe(404);
    expect((await read())?.metrics['']?.inputsCount).toBe(1n);
  });

  test('a version of what a model says holds its predictions', async () => {
    const model = { id: 'general-image-recognition', userId: 'clarifai', appId: 'main' };
    const dataConfig = { case: 'modelPredictConfig' as const, value: { model } };
    const found = await ready('predicted', { dataConfig });
    expect(found?.status?.code).toBe(64015);
    expect(found?.metrics['']?.inputsCount).toBe(3n);
    const pinned = found?.dataConfig.case === 'modelPredictConfig' ? found.dataConfig.value.model : undefined;
    expect(pinned?.modelVersion?.id).toMatch(/./);
    const missing = await fay.client.postDatasetVersions({
      datasetId: 'd',
      datasetVersions: [{ dataConfig: { case: 'modelPredictConfig', value: { model: { id: 'none' } } } }],
    });
    expect(missing.status?.code).toBe(21200);
  });

  test('even an empty dataset has a group, so that those who wait for one do not hang', async () => {
    await fay.client.postDatasets({ datasets: [{ id: 'empty' }] });
    await fay.client.postDatasetVersions({ datasetId: 'empty', datasetVersions: [{ id: 'v' }] });
    const deadline = Date.now() + 15_000;
    const read = () =>
      fay.client.listDatasetVersionMetricsGroups({ datasetId: 'empty', datasetVersionId: 'v' });
    while ((await read()).datasetVersionMetricsGroups.length === 0 && Date.now() < deadline) await sleep(30);
    expect((await read()).datasetVersionMetricsGroups).toHaveLength(1);
  });

  test('versions are listed latest first, the dataset shows the latest, and they are patched and deleted', async () => {
    const listed = await fay.client.listDatasetVersions({ datasetId: 'd' });
    expect(ids(listed.datasetVersions)).toEqual(['predicted', 'by-default', 'filtered', 'v3', 'v2', 'v1']);
    expect((await fay.client.getDataset({ datasetId: 'd' })).dataset?.version?.id).toBe('predicted');
    expect(
      (await fay.client.listDatasetVersions({ datasetId: 'd', requestOrigins: [2] })).datasetVersions,
    ).toEqual([]);
    const patched = await fay.client.patchDatasetVersions({
      datasetId: 'd',
      action: 'overwrite',
      datasetVersions: [{ id: 'v1', description: 'renamed' }],
    });
    expect(patched.datasetVersions[0]).toMatchObject({ description: 'renamed', metadata: { k: 1 } });
    const again = await fay.client.postDatasetVersions({ datasetId: 'd', datasetVersions: [{ id: 'v1' }] });
    expect(again.status?.code).toBe(40010);
    expect(
      (await fay.client.deleteDatasetVersions({ datasetId: 'd', datasetVersionIds: ['v1', 'zz'] })).status
        ?.code,
    ).toBe(11101);
    expect(
      (await fay.client.deleteDatasetVersions({ datasetId: 'd', datasetVersionIds: ['v1'] })).status?.code,
    ).toBe(10000);
    expect(
      (await fay.client.getDatasetVersion({ datasetId: 'd', datasetVersionId: 'v1' })).status?.code,
    ).toBe(11101);
  });
});
