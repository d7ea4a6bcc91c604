import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Mortal, openMortal, until } from '#testing/deaths.ts';
import { uploadPictures } from '#testing/inputs.ts';
import { unzipped } from './export/unzipped.testing.ts';

let mortal: Mortal;
const ids = ['a', 'b', 'c', 'd'];

beforeAll(async () => {
  mortal = await openMortal('crash');
  const { client } = mortal.person();
  await client.postApps({
    userAppId: { userId: 'me', appId: '' },
    apps: [{ id: 'crash', defaultWorkflow: { id: 'Empty', appId: 'main', userId: 'clarifai' } }],
  });
  await uploadPictures(mortal.person(), ids, { a: [{ id: 'cat', value: 1 }] });
  await client.postDatasets({ datasets: [{ id: 'd' }] });
  await client.postDatasetInputs({ datasetId: 'd', datasetInputs: ids.map((id) => ({ input: { id } })) });
}, 120_000);
afterAll(() => mortal.stop());

const versionOf = (id: string) => async () => {
  const reply = await mortal.person().client.getDatasetVersion({ datasetId: 'd', datasetVersionId: id });
  return reply.datasetVersion?.status?.code === 64015 ? reply.datasetVersion : undefined;
};

test.each(['snapshot-copied', 'snapshot-counted'])(
  'a version is whole although the server died at %s',
  async (point) => {
    await mortal.dieAt(point, ({ client }) =>
      client.postDatasetVersions({ datasetId: 'd', datasetVersions: [{ id: point, metadata: { n: 1 } }] }),
    );
    const version = await until('the version', versionOf(point));
    expect(version.metrics['']).toMatchObject({ inputsCount: 4n, positiveInputTagsCount: 1n });
  },
  120_000,
);

test.each(['export-begun', 'object-synced', 'export-stored', 'export-done'])(
  'an archive is whole although the server died at %s, and it is the only one',
  async (point) => {
    const asked = { datasetId: 'd', datasetVersionId: point, exports: [{ format: 1 as const }] };
    await mortal.person().client.postDatasetVersions({ datasetId: 'd', datasetVersions: [{ id: point }] });
    await until('the version', versionOf(point));
    await mortal.dieAt(point, ({ client }) => client.putDatasetVersionExports(asked));
    const person = mortal.person();
    const url = await until('the archive', async () => {
      const [made] = (await person.client.putDatasetVersionExports(asked)).exports;
      return made?.status?.code === 64200 ? made.url : undefined;
    });
    const archive = await fetch(url, { headers: { authorization: `Key ${person.pat}` } });
    const files = unzipped(Buffer.from(await archive.arrayBuffer()));
    expect([...files.keys()]).toEqual(['mimetype', 'all/inputs_000000_n4']);
    const folder = join(mortal.dataDir, 'objects', 'exports');
    expect(await readdir(folder)).toHaveLength(1);
    await person.client.deleteDatasetVersions({ datasetId: 'd', datasetVersionIds: [point] });
    await until('the end of the archive', async () =>
      (await readdir(folder)).length === 0 ? true : undefined,
    );
  },
  120_000,
);

test.each(['work-done', 'work-step@2'])(
  'a restore ends although the server died at %s',
  async (point) => {
    const person = mortal.person();
    const id = `to-${point.replace('@', '-')}`;
    await person.client.postDatasetInputs({
      datasetId: 'd',
      datasetInputs: ids.map((one) => ({ input: { id: one } })),
    });
    await person.client.postDatasetVersions({ datasetId: 'd', datasetVersions: [{ id }] });
    await until('the version', versionOf(id));
    await person.client.deleteDatasetInputs({ datasetId: 'd', inputIds: ['a', 'b'] });
    await person.client.patchInputs({ action: 'overwrite', inputs: [{ id: 'a', data: {} }] });
    const path = `/v2/ext/fovea/users/${person.userId}/apps/crash/datasets/d`;
    let work = '';
    await mortal.dieAt(point, async (armed) => {
      const { json } = await armed.rest('POST', `${path}/versions/${id}/restore`);
      work = json.work.id;
    });
    await until('the restore', async () => {
      const { json } = await mortal.person().rest('GET', `${path}/works/${work}`);
      return json.work.status.code === 64002 ? true : undefined;
    });
    const { client } = mortal.person();
    expect((await client.listDatasetInputs({ datasetId: 'd' })).datasetInputs).toHaveLength(4);
    expect((await client.getInput({ inputId: 'a' })).input?.data?.concepts).toMatchObject([{ id: 'cat' }]);
    expect((await client.listAnnotations({ inputIds: ids })).annotations).toHaveLength(4);
  },
  120_000,
);
