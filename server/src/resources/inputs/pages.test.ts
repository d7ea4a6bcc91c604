import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AppGrant } from '#domain/grant.ts';
import { RawColumns } from '#store/postgres/index.ts';
import { openTestDatabase, type TestDatabase } from '#store/postgres/testing.ts';
import { allMigrations } from '../../migrations.ts';
import { inputsOfPage } from './read-store.ts';

// Keys of two apps, far apart from each other, so that pages reach over buckets of 1,024 and groups of 32,768 keys.

let db: TestDatabase;
const apps: number[] = [];
const keys = [
  ...Array.from({ length: 40 }, (_, i) => 1 + i),
  ...Array.from({ length: 30 }, (_, i) => 1000 + 700 * i),
  ...Array.from({ length: 30 }, (_, i) => 32_760 + i),
  ...Array.from({ length: 20 }, (_, i) => 200_000 + 40_000 * i),
];

beforeAll(async () => {
  db = await openTestDatabase(allMigrations);
  await db.query(`insert into users (id) values ('u')`);
  for (const id of ['a', 'b']) {
    const [app] = await db.query<{ key: number }>(
      `insert into apps (user_key, id) select key, $1 from users where id = 'u' returning key`,
      [id],
    );
    apps.push(app?.key as number);
  }
  for (const [i, app] of apps.entries())
    await db.query(
      `insert into inputs (key, app_key, id, kind, status_code) overriding system value
       select 2 * k + $2::int, $1, 'input-' || k, 'text', case when k % 3 = 0 then 30000 else 30001 end from unnest($3::int[]) k`,
      [app, i, keys],
    );
});

afterAll(() => db.close());

async function expectAllPages(app: number): Promise<void> {
  const grant = { appKey: app } as AppGrant;
  for (const status of [undefined, 30000, 30001, 30002]) {
    const all = await db.query<{ id: string }>(
      'select id from inputs where app_key = $1 and ($2::int is null or status_code = $2) order by key desc',
      [app, status ?? null],
    );
    for (const size of [1, 7, 50]) {
      const pages: string[][] = [];
      for (let number = 1; number <= 1 + Math.ceil(all.length / size); number++) {
        const rows = await inputsOfPage(db, grant, status, { number, size });
        pages.push(
          rows.map((row) => {
            const columns = new RawColumns().read(row);
            // A number, the label, and the revision of the names of concepts.
            for (let before = 0; before < 3; before++) columns.next();
            return columns.text();
          }),
        );
      }
      expect(pages.at(-1)).toEqual([]);
      expect(pages.flat()).toEqual(all.map(({ id }) => id));
    }
  }
}

async function expectExactTallies(app: number): Promise<void> {
  const counted = await db.query(
    `select bucket::int, status_code, n::int from input_tallies where app_key = $1 and n <> 0 order by 1, 2`,
    [app],
  );
  const there = await db.query(
    `select b.bucket::int, status_code, count(*)::int as n
     from inputs, lateral (values (key >> 10), (-2 - (key >> 15)), (-1)) b(bucket) where app_key = $1 group by 1, 2 order by 1, 2`,
    [app],
  );
  expect(counted).toEqual(there);
}

test('pages join without gaps or repeats over buckets and groups of keys, of all inputs and of one status', async () => {
  for (const app of apps) {
    await expectExactTallies(app);
    await expectAllPages(app);
  }
}, 60_000);

test('the counts follow changes of status and deletions, and with them the pages', async () => {
  const [app, other] = apps as [number, number];
  await db.query(`update inputs set status_code = 30002 where app_key = $1 and key % 10 = 2`, [app]);
  await db.query(`delete from inputs where app_key = $1 and (key % 7 = 0 or key between 60000 and 70000)`, [
    app,
  ]);
  await expectExactTallies(app);
  await expectAllPages(app);
  await expectExactTallies(other);
}, 60_000);

test('counts of before the groups are added up by the migration that makes these', async () => {
  const old = await openTestDatabase(allMigrations.filter(({ number }) => number < 72));
  try {
    await old.query(`insert into users (id) values ('u')`);
    await old.query(`insert into apps (user_key, id) select key, 'a' from users`);
    await old.query(
      `insert into inputs (key, app_key, id, kind, status_code) overriding system value
       select k, (select max(key) from apps), k, 'text', 30000 + k % 2 from unnest($1::int[]) k`,
      [keys],
    );
    const { sql } = allMigrations.find(({ number }) => number === 72) as { sql: string };
    await old.transaction((tx) => tx.query(sql));
    const groups = await old.query(
      `select bucket::int, status_code, n::int from input_tallies where bucket < -1 and n <> 0 order by 1, 2`,
    );
    const there = await old.query(
      `select (-2 - (key >> 15))::int as bucket, status_code, count(*)::int as n from inputs group by 1, 2 order by 1, 2`,
    );
    expect(groups).toEqual(there);
  } finally {
    await old.close();
  }
});
