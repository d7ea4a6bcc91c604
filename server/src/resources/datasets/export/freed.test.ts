import { mkdir, mkdtemp, readdir, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '#testing/deaths.ts';
import { type Person, personWith } from '#testing/people.ts';
import { startServer, type TestServer } from '#testing/server.ts';

let server: TestServer;
let person: Person;
let folder: string;
const owner = { userId: 'admin', appId: 'leaving' };
const archives = async () => (await readdir(folder)).sort();

beforeAll(async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'fovea-test-'));
  folder = join(dataDir, 'objects', 'exports');
  await mkdir(folder, { recursive: true });
  // What a server left that died between storing an archive and saying so, long ago and just now.
  for (const name of ['forgotten', 'fresh']) await writeFile(join(folder, name), name);
  const longAgo = new Date(Date.now() - 48 * 3_600_000);
  await utimes(join(folder, 'forgotten'), longAgo, longAgo);
  server = await startServer({ dataDir });
  person = personWith({ ...owner, url: server.url, pat: server.pat });
});
afterAll(() => server.stop());

test('archives that nobody refers to are swept, once they are old', async () => {
  await until('the sweep', async () => ((await archives()).includes('forgotten') ? undefined : true));
  expect(await archives()).toEqual(['fresh']);
  expect(server.output()).not.toContain('sweepArchives');
});

test('the archives of an app go with it', async () => {
  const { client } = person;
  const defaultWorkflow = { id: 'Empty', appId: 'main', userId: 'clarifai' };
  await client.postApps({
    userAppId: { userId: 'me', appId: '' },
    apps: [{ id: owner.appId, defaultWorkflow }],
  });
  await client.postInputs({ inputs: [{ id: 't', data: { text: { raw: 'text' } } }] });
  await client.postDatasets({ datasets: [{ id: 'd' }] });
  await client.postDatasetVersions({ datasetId: 'd', datasetVersions: [{ id: 'v' }] });
  const exports = [{ format: 1 as const }];
  await until('the archive', async () => {
    const reply = await client.putDatasetVersionExports({ datasetId: 'd', datasetVersionId: 'v', exports });
    return reply.exports[0]?.status?.code === 64200 || undefined;
  });
  expect(await archives()).toHaveLength(2);
  expect((await client.deleteApp({})).status?.code).toBe(10000);
  await until('its end', async () => ((await archives()).length === 1 ? true : undefined));
  expect(await archives()).toEqual(['fresh']);
});
