import { rm } from 'node:fs/promises';
import { timestampFromDate } from '@fovea/contract';
import { afterAll, expect, test } from 'vitest';
import { openDatabase } from '#store/postgres/index.ts';
import { until } from '#testing/deaths.ts';
import { personWith } from '#testing/people.ts';
import { startServer, type TestServer } from '#testing/server.ts';

let server: TestServer | undefined;
let dataDir = '';
afterAll(async () => {
  await server?.stop();
  if (dataDir) await rm(dataDir, { recursive: true, force: true });
});

const person = ({ url, userId, pat }: TestServer) => personWith({ url, userId, pat, appId: 'old' });

test('what was stored before words, clusters and tracks were searched is found after the next start', async () => {
  server = await startServer();
  dataDir = server.dataDir;
  const before = person(server);
  await before.client.postApps({ userAppId: { userId: server.userId, appId: '' }, apps: [{ id: 'old' }] });
  await before.client.postInputs({ inputs: [{ id: 'poem', data: { text: { raw: 'the quick zorp' } } }] });
  await until('the text', async () => {
    const { input } = await before.client.getInput({ inputId: 'poem' });
    return input?.status?.code === 30000 ? true : undefined;
  });
  const note = { id: 'note', inputId: 'poem', data: { text: { raw: 'blick' }, clusters: [{ id: 'c1' }] } };
  expect((await before.client.postAnnotations({ annotations: [note] })).status?.code).toBe(10000);
  const then = new Date(Date.now() + 5);
  await until('the next moment', async () => (Date.now() > then.getTime() + 5 ? true : undefined));
  await before.client.patchAnnotations({
    action: 'overwrite',
    annotations: [{ ...note, data: { text: { raw: 'quon' } } }],
  });
  await server.stop({ keep: true });

  const db = await openDatabase({ dataDir });
  await db.query('delete from annotation_texts');
  await db.query('delete from annotation_marks');
  await db.query('delete from annotation_text_versions');
  await db.query('delete from annotation_mark_versions');
  await db.query('delete from job_schedules');
  await db.query('update search_term_backfills set next_key = 0, until_key = 1000000');
  await db.close();

  server = await startServer({ dataDir });
  const { client } = person(server);
  const found = async (data: object, asOf?: Date) => {
    const { hits, status } = await client.postInputsSearches({
      searches: [
        {
          query: { filters: [{ annotation: { data } }] },
          ...(asOf ? { asOf: timestampFromDate(asOf) } : {}),
        },
      ],
    });
    expect(status?.code).toBe(10000);
    return hits.map(({ input }) => input?.id);
  };
  await until('the back-fill', async () =>
    (await found({ text: { raw: 'zorp' } })).length > 0 ? true : undefined,
  );
  expect(await found({ text: { raw: 'quon' } })).toEqual(['poem']);
  expect(await found({ text: { raw: 'blick' } })).toEqual([]);
  expect(await found({ text: { raw: 'blick' } }, then)).toEqual(['poem']);
  expect(await found({ clusters: [{ id: 'c1' }] })).toEqual([]);
  expect(await found({ clusters: [{ id: 'c1' }] }, then)).toEqual(['poem']);
}, 300_000);
