import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Person, personWith } from '#testing/people.ts';
import { startServer, type TestServer } from '#testing/server.ts';

/** More than two chunks of 1,000. */
const inputCount = 2_200;
const appId = 'many';
let server: TestServer;
let admin: Person;

const failed = { timeout: 60_000, interval: 50 };

async function startAgain(env: NodeJS.ProcessEnv = {}): Promise<void> {
  const dataDir = server?.dataDir;
  server = await startServer({ env, ...(dataDir ? { dataDir } : {}) });
  admin = personWith({ url: server.url, userId: server.userId, pat: server.pat, appId });
}

beforeAll(async () => {
  await startAgain();
  await admin.client.postApps({
    userAppId: { userId: 'me', appId: '' },
    apps: [{ id: appId, defaultWorkflow: { id: 'Empty', appId: 'main', userId: 'clarifai' } }],
  });
  await admin.client.postDatasets({ datasets: [{ id: 'all' }] });
  for (let at = 0; at < inputCount; at += 110) {
    const inputs = Array.from({ length: 110 }, (_, i) => ({
      id: `t${at + i}`,
      data: { text: { raw: `text ${at + i}` } },
    }));
    expect((await admin.client.postInputs({ inputs })).status?.code).toBe(10000);
  }
  await vi.waitFor(async () => {
    const { counts } = await admin.client.getInputCount({});
    expect(counts?.processed).toBe(inputCount);
  }, failed);
}, 120_000);

afterAll(() => server.stop());

const all = { case: 'search' as const, value: { query: {} } };
const status = async (id: string) =>
  (await admin.client.getBulkOperation({ id })).bulkOperation?.status?.code;

test.each(['bulk-searched', 'bulk-prepared', 'bulk-applied@2', 'bulk-batch-done@2'])(
  'killed at %s, an operation goes on where it was and touches nothing twice',
  async (point) => {
    await server.stop({ keep: true });
    await startAgain({ FOVEA_FAILPOINTS: point });
    const id = `op-${point.replace('@', '-')}`;
    const concept = `c-${point.replace('@', '-')}`;
    const dead = new Promise((resolve) => server.process.once('close', resolve));
    const reply = await admin.client.postBulkOperations({
      bulkOperations: [
        {
          id,
          inputSource: all,
          operation: {
            operation: { case: 'addConcepts', value: { concepts: [{ id: concept, value: 1 }] } },
          },
        },
      ],
    });
    expect(reply.status?.code).toBe(10000);
    await dead;
    await startAgain();
    await vi.waitFor(async () => expect(await status(id)).toBe(25400), failed);
    const { bulkOperation } = await admin.client.getBulkOperation({ id });
    expect(bulkOperation?.progress?.processed).toBe(inputCount);
    const { conceptCounts } = await admin.client.getConceptCounts({});
    expect(conceptCounts.find((count) => count.id === concept)?.conceptTypeCount?.positive).toBe(inputCount);
    // Its history would show a second touch.
    const { json } = await admin.rest('GET', 'inputs/t7/history');
    const touched = json.events.filter((event: { after?: { data?: { concepts?: { id: string }[] } } }) =>
      event.after?.data?.concepts?.some((c) => c.id === concept),
    );
    expect(touched[0].event).toBe('changed');
    expect(
      json.events.filter((event: { after: object; before: object }) => event.after && event.before).length,
    ).toBe((await admin.client.listBulkOperations({})).bulkOperation.length);
  },
  120_000,
);

test('what waits can be cancelled but not deleted, and is not run after that', async () => {
  await server.stop({ keep: true });
  await startAgain({ FOVEA_ROLES: 'api' });
  const operation = { operation: { case: 'addToDataset' as const, value: { datasetId: 'all' } } };
  await admin.client.postBulkOperations({ bulkOperations: [{ id: 'late', inputSource: all, operation }] });
  expect((await admin.client.deleteBulkOperations({ ids: ['late'] })).status?.code).toBe(25404);
  const cancelled = await admin.client.cancelBulkOperations({ ids: ['late'] });
  expect(cancelled.bulkOperation[0]?.status?.code).toBe(25405);
  expect((await admin.client.cancelBulkOperations({ ids: ['late'] })).status?.code).toBe(25404);
  await server.stop({ keep: true });
  await startAgain();
  await admin.client.postBulkOperations({
    bulkOperations: [
      { id: 'next', inputSource: { case: 'inputIds', value: { inputIds: ['t1'] } }, operation },
    ],
  });
  await vi.waitFor(async () => expect(await status('next')).toBe(25400), failed);
  const { datasetInputs } = await admin.client.listDatasetInputs({ datasetId: 'all' });
  expect(datasetInputs.map(({ input }) => input?.id)).toEqual(['t1']);
  expect(await status('late')).toBe(25405);
  expect((await admin.client.deleteBulkOperations({ ids: ['late'] })).status?.code).toBe(10000);
}, 120_000);
