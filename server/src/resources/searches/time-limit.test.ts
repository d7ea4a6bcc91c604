import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '#testing/deaths.ts';
import { uploadPictures } from '#testing/inputs.ts';
import { type Person, personWith } from '#testing/people.ts';
import { startServer, type TestServer } from '#testing/server.ts';

let server: TestServer;
let person: Person;
let database: pg.Client;

beforeAll(async () => {
  server = await startServer({ env: { FOVEA_SEARCH_SECONDS_MAX: '1', FOVEA_LOG_LEVEL: 'debug' } });
  const { url, userId, pat, dataDir } = server;
  person = personWith({ url, userId, pat, appId: 'slow' });
  await person.client.postApps({
    userAppId: { userId, appId: '' },
    apps: [{ id: 'slow', defaultWorkflowId: 'General' }],
  });
  await uploadPictures(person, ['a', 'b']);
  const lines = (await readFile(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8')).split('\n');
  database = new pg.Client({ host: lines[4], user: 'fovea', database: 'fovea' });
  await database.connect();
});
afterAll(async () => {
  await database?.end();
  await server?.stop();
});

test('the log tells how a search was planned, and upon what', async () => {
  await person.client.postInputsSearches({
    searches: [
      {
        query: {
          filters: [{ input: { status: { code: 30000 } } }],
          ranks: [{ annotation: { inputId: 'a' } }],
        },
      },
    ],
  });
  const told = await until('a line in the log', async () =>
    server
      .output()
      .split('\n')
      .find((line) => line.includes('"msg":"searched"')),
  );
  expect(JSON.parse(told)).toMatchObject({ way: 'filter_then_score', share: 1, size: 2 });
});

const searches: [string, object][] = [
  ['by a filter', { filters: [{ annotation: { trusted: true } }] }],
  ['by a rank', { ranks: [{ annotation: { data: { concepts: [{ id: 'cat', value: 1 }] } } }] }],
  ['by likeness', { ranks: [{ annotation: { inputId: 'a' } }] }],
];

test.each(searches)(
  'a search %s that takes too long is stopped in words, and hinders nobody',
  async (_, query) => {
    const ask = () => person.client.postInputsSearches({ searches: [{ query }] });
    expect((await ask()).status?.code).toBe(10000);
    // Whoever reads annotations or labels waits, as behind a table that is far too large.
    await database.query('begin; lock table annotations, annotation_concepts in access exclusive mode');
    try {
      const replies = await Promise.all(Array.from({ length: 6 }, ask));
      for (const { status } of replies) {
        expect(status?.code).toBe(40011);
        expect(status?.details).toContain('Narrow it');
      }
      const listed = await person.client.listConcepts({});
      expect(listed.status?.code).toBe(10000);
    } finally {
      await database.query('rollback');
    }
    await until('the search', async () => ((await ask()).status?.code === 10000 ? true : undefined));
  },
);
