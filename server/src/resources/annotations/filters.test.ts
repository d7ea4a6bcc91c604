import { beforeAll, expect, test, vi } from 'vitest';
import { uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';

let alice: Person;
const search = (id: string) => ({
  query: { filters: [{ annotation: { data: { concepts: [{ id, value: 1 }] } } }] },
});

beforeAll(async () => {
  alice = await signedIn('alice');
});

test('a filter is kept, listed newest first, changed and deleted', async () => {
  const made = await alice.client.postAnnotationFilters({
    annotationFilters: [{ id: 'cats', search: search('cat') }, { search: search('dog') }],
  });
  expect(made.status?.code).toBe(10000);
  expect(made.annotationFilters[0]).toMatchObject({ id: 'cats', userId: alice.userId, appId: alice.appId });
  const other = made.annotationFilters[1]?.id as string;
  const list = await alice.client.listAnnotationFilters({});
  expect(list.annotationFilters.map(({ id }) => id)).toEqual([other, 'cats']);
  const patched = await alice.client.patchAnnotationFilters({
    action: 'overwrite',
    annotationFilters: [{ id: 'cats', search: search('lion') }],
  });
  expect(patched.status?.code).toBe(10000);
  const got = await alice.client.getAnnotationFilter({ annotationFilterId: 'cats' });
  expect(got.annotationFilter?.search?.query?.filters[0]?.annotation?.data?.concepts[0]?.id).toBe('lion');
  const gone = await alice.client.deleteAnnotationFilters({ annotationFilterIds: ['cats', other] });
  expect(gone.status?.code).toBe(10000);
  expect((await alice.client.getAnnotationFilter({ annotationFilterId: 'cats' })).status?.code).toBe(11101);
});

test('one that cannot be used keeps the whole request from being done', async () => {
  const post = async (
    bad: NonNullable<Parameters<typeof alice.client.postAnnotationFilters>[0]['annotationFilters']>[0],
  ) =>
    (
      await alice.client.postAnnotationFilters({
        annotationFilters: [{ id: 'good', search: search('cat') }, bad],
      })
    ).status?.code;
  expect(await post({ id: 'bad' })).toBe(11102);
  expect(await post({ id: 'a/b', search: search('x') })).toBe(11102);
  const ranked = { query: { ranks: [{ annotation: { data: { concepts: [{ id: 'x', value: 1 }] } } }] } };
  expect(await post({ id: 'bad', search: ranked })).toBe(40002);
  expect(await post({ id: 'good', search: search('x') })).toBe(40010);
  expect((await alice.client.listAnnotationFilters({})).annotationFilters).toEqual([]);
  expect((await alice.client.deleteAnnotationFilters({ annotationFilterIds: ['none'] })).status?.code).toBe(
    11101,
  );
  const nobody = await alice.client.patchAnnotationFilters({
    annotationFilters: [{ id: 'none', search: search('x') }],
  });
  expect(nobody.status?.code).toBe(11101);
});

test('a dataset version holds what the filter of its dataset finds', async () => {
  await uploadPictures(alice, ['p', 'q'], { p: [{ id: 'cat', value: 1 }], q: [{ id: 'dog', value: 1 }] });
  await alice.client.postAnnotationFilters({ annotationFilters: [{ id: 'dogs', search: search('dog') }] });
  await alice.client.postDatasets({ datasets: [{ id: 'd', defaultAnnotationFilter: { id: 'dogs' } }] });
  await alice.client.postDatasetInputs({
    datasetId: 'd',
    datasetInputs: [{ input: { id: 'p' } }, { input: { id: 'q' } }],
  });
  await alice.client.postDatasetVersions({ datasetId: 'd', datasetVersions: [{ id: 'v' }] });
  const metrics = await vi.waitFor(
    async () => {
      const { datasetVersion } = await alice.client.getDatasetVersion({
        datasetId: 'd',
        datasetVersionId: 'v',
      });
      expect(datasetVersion?.status?.code).toBe(64015);
      return datasetVersion?.metrics[''];
    },
    { timeout: 10_000, interval: 20 },
  );
  expect(metrics?.positiveInputTagsCount).toBe(1n);
});
