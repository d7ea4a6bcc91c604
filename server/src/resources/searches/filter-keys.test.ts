import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openTestDatabase } from '#store/postgres/testing.ts';
import { tinyPng } from '#testing/inputs.ts';
import { signedIn } from '#testing/people.ts';
import { allMigrations } from '../../migrations.ts';
import { FilterKeys, type FilterMemory, forgetOldChanges, hasChanged, holds, isTold } from './filter-keys.ts';
import type { AnnotationTerms } from './query.ts';

const memory = (length: number): FilterMemory => ({
  keys: Float64Array.from({ length }, (_, i) => i),
  count: length,
  mark: '7',
});

test('what was used last is remembered longest, in a limited room', () => {
  const known = new FilterKeys({ max: 40_000 });
  for (const name of ['a', 'b', 'c', 'd']) known.put(name, memory(1_000));
  expect(known.get('a')?.count).toBe(1_000);
  known.put('e', memory(1_000));
  expect(['a', 'b', 'c', 'd', 'e'].filter((name) => known.get(name))).toEqual(['a', 'c', 'd', 'e']);
  known.put('large', memory(2_000));
  expect(known.get('large')).toBeUndefined();
  known.put('a', memory(3));
  expect(known.get('a')?.count).toBe(3);
});

test('nothing is remembered longer than changes are told of', () => {
  let now = 0;
  const known = new FilterKeys({ now: () => now });
  known.put('a', memory(1));
  now = 299_000;
  expect(known.get('a')).toBeDefined();
  now = 301_000;
  expect(known.get('a')).toBeUndefined();
});

test.each([
  [[], 1, false],
  [[2, 4, 9], 2, true],
  [[2, 4, 9], 9, true],
  [[2, 4, 9], 5, false],
  [[2, 4, 9], 10, false],
])('%j holds %d: %s', (keys, key, there) => {
  expect(holds(Float64Array.from(keys), key)).toBe(there);
});

test.each<[string, AnnotationTerms[], Date | undefined, boolean]>([
  ['no filter is nothing to remember', [], undefined, false],
  ['labels are told of', [{ concepts: [] }], undefined, true],
  ['ids of users are not', [{ concepts: [] }, { userId: 'x' }], undefined, false],
  ['nor those of models', [{ modelVersionId: 'x' }], undefined, false],
  ['nor those of workflows', [{ workflowVersionId: 'x' }], undefined, false],
  ['another time is not remembered', [{ concepts: [] }], new Date(), false],
])('%s', (_, terms, asOf, told) => {
  const filters = terms.map((annotation) => ({ negate: false, annotation, input: {} }));
  expect(isTold({ filters, asOf })).toBe(told);
});

test('a change is told of once it is there, however late it ends', async () => {
  const db = await openTestDatabase(allMigrations);
  const now = async () =>
    (await db.query<{ xmin: string }>('select pg_snapshot_xmin(pg_current_snapshot())::text as xmin'))[0]
      ?.xmin as string;
  try {
    await db.query(`insert into users (id) values ('u')`);
    await db.query(`insert into apps (user_key, id) select key, 'a' from users where id = 'u'`);
    const [app] = await db.query<{ key: number }>(`select key::int from apps where id = 'a'`);
    const appKey = app?.key as number;
    const slow = await db.pool.connect();
    const insert = `insert into inputs (app_key, id, kind, status_code) values ($1, $2, 'image', 30000)`;
    await slow.query('begin');
    await slow.query(insert, [appKey, 'slow']);
    // Looked at while the slow one is open: it is not seen, and what it does counts from its beginning.
    const mark = await now();
    expect(await hasChanged(db, appKey, mark)).toBe(false);
    await slow.query('commit');
    slow.release();
    expect(await hasChanged(db, appKey, mark)).toBe(true);
    expect(await hasChanged(db, appKey + 1, mark)).toBe(false);
    const later = await now();
    expect(await hasChanged(db, appKey, later)).toBe(false);

    // What may still be asked for stays; the rest goes.
    await forgetOldChanges(db);
    await forgetOldChanges(db);
    expect(await hasChanged(db, appKey, mark)).toBe(true);
    await db.query(`update app_change_horizons set at = at - interval '11 minutes'`);
    await forgetOldChanges(db);
    expect(await hasChanged(db, appKey, mark)).toBe(false);
  } finally {
    await db.close();
  }
});

test('a search that was asked before sees every change', async () => {
  const { client } = await signedIn('rita', { workflow: 'General' });
  await client.postDatasets({ datasets: [{ id: 'set' }] });
  const ids = ['one', 'two', 'three'];
  await client.postInputs({
    inputs: ids.map((id, n) => ({ id, data: { image: { base64: tinyPng(60 * n + 20) } } })),
  });
  for (let tries = 0; ; tries++) {
    const { inputs } = await client.listInputs({ ids, perPage: 10 });
    if (inputs.length === 3 && inputs.every(({ status }) => status?.code === 30000)) break;
    if (tries > 300) throw new Error('the inputs were not processed in time');
    await sleep(100);
  }
  const ranks = [{ annotation: { inputId: 'one' } }];
  const found = async (filter: object) => {
    const reply = await client.postInputsSearches({
      foveaExplain: true,
      searches: [{ query: { ranks, filters: [filter] } }],
    });
    expect(reply.status?.details).toBe('');
    return {
      ids: reply.hits.map(({ input }) => input?.id).sort(),
      hasRead: reply.foveaExplain[0]?.stages.some(({ name }) => name === 'matches'),
    };
  };
  const filters = {
    concept: { annotation: { data: { concepts: [{ id: 'thing', value: 1 }] } } },
    metadata: { annotation: { data: { metadata: { shelf: 3 } } } },
    dataset: { input: { datasetIds: ['set'] } },
    negated: { negate: true, annotation: { data: { concepts: [{ id: 'thing', value: 1 }] } } },
  };
  async function expectFound(expected: Record<keyof typeof filters, string[]>) {
    for (const [name, filter] of Object.entries(filters)) {
      const wanted = expected[name as keyof typeof filters].sort();
      // Work in the background may go on a while: then it is read again, and says the same.
      for (let tries = 0; ; tries++) {
        const again = await found(filter);
        expect(again.ids, name).toEqual(wanted);
        if (tries > 0 && !again.hasRead) break;
        if (tries > 100) throw new Error(`${name} is read again and again`);
        await sleep(50);
      }
    }
  }
  await expectFound({ concept: [], metadata: [], dataset: [], negated: ids });
  const data = { concepts: [{ id: 'thing', value: 1 }], metadata: { shelf: 3 } };
  await client.patchInputs({ action: 'merge', inputs: [{ id: 'two', data }] });
  await client.postDatasetInputs({ datasetId: 'set', datasetInputs: [{ input: { id: 'two' } }] });
  await expectFound({ concept: ['two'], metadata: ['two'], dataset: ['two'], negated: ['one', 'three'] });
  await client.patchInputs({ action: 'remove', inputs: [{ id: 'two', data: { concepts: data.concepts } }] });
  await client.deleteDatasetInputs({ datasetId: 'set', inputIds: ['two'] });
  await expectFound({ concept: [], metadata: ['two'], dataset: [], negated: ids });
  await client.deleteInput({ inputId: 'two' });
  await expectFound({ concept: [], metadata: [], dataset: [], negated: ['one', 'three'] });
}, 120_000);
