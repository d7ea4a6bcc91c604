import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../postgres/testing.ts';
import { migrations } from './index.ts';

let db: TestDatabase;
let app: number;

beforeAll(async () => {
  db = await openTestDatabase(migrations);
  await db.query(`insert into users (id) values ('u')`);
  const [made] = await db.query<{ key: number }>(
    `insert into apps (user_key, id) select key, 'a' from users returning key`,
  );
  app = made?.key as number;
  await db.query(`insert into datasets (app_key, id) select ${app}, 'd' || n from generate_series(1, 2) n`);
});

afterAll(() => db.close());

/** Numbers in 0..1, the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

const stateNow = `select
  (select coalesce(jsonb_agg(to_jsonb(a) - 'annotation_info' order by key), '[]') from annotations a where app_key = $1) as annotations,
  (select coalesce(jsonb_agg(jsonb_build_array(annotation_key, concept_id, position, value) order by annotation_key, concept_id), '[]')
   from annotation_concepts where app_key = $1) as labels,
  (select coalesce(jsonb_agg(jsonb_build_array(dataset_key, input_key) order by key), '[]') from dataset_inputs where app_key = $1) as members`;
const stateThen = stateNow
  .replace('from annotations a where app_key = $1', 'from annotations_as_of($1, $2) a')
  .replace('from annotation_concepts where app_key = $1', 'from labels_as_of($1, $2)')
  .replace('from dataset_inputs where app_key = $1', 'from dataset_inputs_as_of($1, $2)');

test.each([1, 2, 3])('after random writes, every moment is still as it was (seed %i)', async (seed) => {
  const random = seeded(seed);
  const upTo = (n: number) => Math.floor(random() * n);
  const insert = () => `with made as (
    insert into annotations (app_key, input_key, input_id, id, kinds, data)
    select app_key, key, id, 'n' || ${upTo(1e9)} || key, ${upTo(8)}, '\\x0${upTo(10)}' from inputs where app_key = ${app} and key % 3 = ${upTo(3)} returning *)
    insert into annotation_concepts (app_key, annotation_key, input_key, concept_id, value, trusted)
    select app_key, key, input_key, 'c' || ${upTo(3)}, ${upTo(2)}, true from made`;
  const some = `key % 4 = ${'$'}`;
  const steps: (() => string)[] = [
    insert,
    insert,
    () =>
      `update annotations set data = '\\x1${upTo(10)}', modified_at = now() where ${some.replace('$', String(upTo(4)))}`,
    () => `update annotations set status_code = ${24150 + upTo(10)} where key % 5 = ${upTo(5)}`,
    () => `update annotation_concepts set value = 1 - value where annotation_key % 3 = ${upTo(3)}`,
    () => `delete from annotation_concepts where annotation_key % 6 = ${upTo(6)}`,
    () => `delete from annotations where key % 7 = ${upTo(7)}`,
    () => `insert into dataset_inputs (app_key, dataset_key, input_key) select ${app}, d.key, i.key from datasets d, inputs i
      where i.app_key = ${app} and (i.key + d.key) % 3 = ${upTo(3)} on conflict do nothing`,
    () => `delete from dataset_inputs where key % 2 = ${upTo(2)}`,
  ];
  await db.query(`delete from inputs`);
  await db.query(
    `insert into inputs (app_key, id, kind, status_code) select $1, 'i' || n, 'text', 30000 from generate_series(1, 8) n`,
    [app],
  );
  const moments: { at: string; state: object }[] = [];
  for (let i = 0; i < 40; i++) {
    await db.transaction(async (tx) => {
      for (let n = upTo(3); n >= 0; n--) await tx.query((steps[upTo(steps.length)] as () => string)());
    });
    const [state] = await db.query(stateNow, [app]);
    const [clock] = await db.query<{ at: string }>('select clock_timestamp()::text as at');
    moments.push({ at: clock?.at as string, state: state as object });
  }
  for (const { at, state } of moments) {
    const [then] = await db.query(stateThen, [app, at]);
    expect(then).toEqual(state);
  }
  expect(new Set(moments.map(({ state }) => JSON.stringify(state))).size).toBeGreaterThan(20);
});

test('the past of an input goes with it, that of a dataset too', async () => {
  const counts = () =>
    db.query(`select (select count(*) from annotation_versions) as annotations, (select count(*) from label_versions) as labels,
      (select count(*) from dataset_input_versions) as members`);
  const [before] = await counts();
  expect(Object.values(before as object).every((n) => n > 0)).toBe(true);
  await db.query('delete from datasets');
  expect((await counts())[0]).toMatchObject({ members: 0 });
  await db.query('delete from inputs');
  expect((await counts())[0]).toEqual({ annotations: 0, labels: 0, members: 0 });
});

test('two writers of one annotation leave states that follow each other without a gap', async () => {
  await db.query(`insert into inputs (app_key, id, kind, status_code) values ($1, 'x', 'text', 30000)`, [
    app,
  ]);
  await db.query(
    `insert into annotations (app_key, input_key, input_id, id) select app_key, key, id, 'x' from inputs where id = 'x'`,
  );
  let begun = () => {};
  const whenBegun = new Promise<void>((resolve) => {
    begun = resolve;
  });
  let go = () => {};
  const whenFree = new Promise<void>((resolve) => {
    go = resolve;
  });
  // The first to begin is the last to write.
  const early = db.transaction(async (tx) => {
    await tx.query('select now()');
    begun();
    await whenFree;
    await tx.query(`update annotations set data = '\\x01' where id = 'x'`);
  });
  await whenBegun;
  await db.query(`update annotations set data = '\\x02' where id = 'x'`);
  go();
  await early;
  const states = await db.query<{ data: Buffer; chained: boolean; forward: boolean }>(
    `select data, valid_to > valid_from as forward,
       exists (select from annotations a where a.valid_from = v.valid_to) or exists (select from annotation_versions n where n.valid_from = v.valid_to) as chained
     from annotation_versions v where id = 'x' order by valid_from`,
  );
  expect(states.map(({ data }) => data.toString('hex'))).toEqual(['', '02']);
  expect(states.every(({ chained, forward }) => chained && forward)).toBe(true);
});
