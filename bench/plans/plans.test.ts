import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AppGrant, type Caller } from '../../server/src/domain/grant.ts';
import { seal } from '../../server/src/domain/grant-seal.ts';
import { claim } from '../../server/src/jobs/leases.ts';
import { allMigrations } from '../../server/src/migrations.ts';
import { conceptName } from '../../server/src/resources/concepts/names-store.ts';
import { conceptCounts, conceptsById } from '../../server/src/resources/concepts/store.ts';
import { membersOf } from '../../server/src/resources/datasets/chunk-store.ts';
import { annotationsOfVersion, inputsOfVersion } from '../../server/src/resources/evaluations/truth-store.ts';
import {
  findApp,
  findCollaboration,
  findCredential,
} from '../../server/src/resources/identity/lookup-store.ts';
import {
  findInputKey,
  inputById,
  inputsBehind,
  inputsByKeys,
  inputsOfPage,
} from '../../server/src/resources/inputs/read-store.ts';
import {
  countsByStatus,
  findInputs,
  pageOfIds,
  takenIds,
  takenUrls,
} from '../../server/src/resources/inputs/store.ts';
import {
  labelPages,
  picturesAfter,
  regionPages,
} from '../../server/src/resources/models/training/data-store.ts';
import { hitCondition } from '../../server/src/resources/searches/filter-sql.ts';
import { hitsBySaid, hitsInOrder, hitsPutInOrder } from '../../server/src/resources/searches/hit-store.ts';
import { readMax } from '../../server/src/resources/searches/plan.ts';
import { readQuery } from '../../server/src/resources/searches/read-query.ts';
import { openScene } from '../../server/src/resources/searches/scene.ts';
import type { Queryable, RawReads, RawStatement, RawValue } from '../../server/src/store/postgres/index.ts';
import { openTestDatabase, type TestDatabase } from '../../server/src/store/postgres/testing.ts';
import { fillApp } from '../harness/rows.ts';
import { explained, type PlanFacts, type Statement } from './explain.ts';

const rowsUnindexedMax = 1000;
const inputsOfApp = 30_000;

let database: TestDatabase;
let client: pg.PoolClient;
let grant: AppGrant;
let datasetKey: number;
let versionKey: number;
const userKey = 1;
const textsOfWord = 10;

beforeAll(async () => {
  database = await openTestDatabase(allMigrations);
  client = await database.pool.connect();
  await client.query(`insert into users (id) select 'user-' || n from generate_series(1, 3000) as n`);
  await client.query(
    `insert into apps (user_key, id) select 1 + n % 100, 'app-' || n from generate_series(1, 3000) as n`,
  );
  await client.query(
    `insert into keys (hash, sealed, user_key, app_key, type, scopes)
     select sha256(('key ' || key)::bytea), '', user_key, key, 'app_key', '{All}' from apps`,
  );
  await client.query(
    `insert into collaborators (id, app_key, user_key, scopes) select 'c-' || key, key, 1 + key % 3000, '{All}' from apps`,
  );
  const { rows } = await client.query<{ key: number }>(
    'select key::int from apps where user_key = $1 order by key limit 3',
    [userKey],
  );
  const [large, small, other] = rows.map(({ key }) => ({ appKey: key, userKey, appId: `app-${key}` }));
  await fillApp(client as never, large as never, inputsOfApp);
  await fillApp(client as never, small as never, 300, 'few-');
  await fillApp(client as never, other as never, 20_000, 'other-');
  await client.query(
    `insert into concepts (app_key, id, name) select $1, 'concept-' || n, 'concept ' || n from generate_series(1, 3000) as n`,
    [large?.appKey],
  );
  await client.query(
    `insert into jobs (kind, payload) select case when n % 10 = 0 then 'inputs.process' else 'datasets.version' end, '{}'
     from generate_series(1, 20000) as n`,
  );
  await client.query(
    `insert into concept_tallies (app_key, concept_id, state, slot, positive)
     select app_key, id, 0, slot, 1 from concepts, generate_series(1, 2) as slot on conflict do nothing`,
  );
  await client.query(
    `insert into input_tallies select key, bucket, 30000, 1024 from apps, generate_series(0, 9) as bucket on conflict do nothing`,
  );
  // The last inputs, so that who walks from the first one reads the whole app.
  const labelLast = (concept: string) =>
    client.query(
      `insert into annotation_concepts (app_key, annotation_key, input_key, concept_id, position, value, trusted)
       select app_key, key, input_key, $3, 9, 1, true from annotations where app_key = $1 order by key desc limit $2`,
      [large?.appKey, rareInputs, concept],
    );
  await labelLast('rare');
  // Every text holds one word; another is in ten of them.
  await client.query(
    `insert into annotation_texts (annotation_key, source, input_key, app_keys, words)
     select key, 'input', input_key, array[app_key], to_tsvector('simple', 'common word' || key % ($2::int / ${textsOfWord}))
     from annotations where app_key = $1`,
    [large?.appKey, inputsOfApp],
  );
  const { rows: made } = await client.query<{ key: number }>(
    `insert into datasets (app_key, id) values ($1, 'all') returning key::int`,
    [large?.appKey],
  );
  datasetKey = made[0]?.key as number;
  await client.query(
    'insert into dataset_inputs (app_key, dataset_key, input_key) select app_key, $2, key from inputs where app_key = $1',
    [large?.appKey, datasetKey],
  );
  versionKey = await makeVersion(large?.appKey as number);
  await client.query('vacuum (analyze)');
  // The statistics know nothing of these.
  await labelLast('late');
  grant = grantOn(large?.appKey as number);
}, 180_000);

afterAll(async () => {
  client?.release();
  await database?.close();
});

/** Of all inputs, each with one annotation. */
async function makeVersion(appKey: number): Promise<number> {
  const { rows } = await client.query<{ key: number }>(
    `insert into dataset_versions (app_key, dataset_key, id, status_code) values ($1, $2, 'v', 64015) returning key::int`,
    [appKey, datasetKey],
  );
  const key = rows[0]?.key as number;
  await client.query(
    `insert into dataset_chunks (app_key, dataset_key, bucket, fingerprint, n)
     select $1, $2, key >> 10, '', count(*) from inputs where app_key = $1 group by 3`,
    [appKey, datasetKey],
  );
  await client.query('insert into dataset_version_chunks select $1, bucket, key from dataset_chunks', [key]);
  await client.query(
    `insert into dataset_chunk_inputs (chunk_key, input_key, input_id, kind)
     select c.key, i.key, i.id, i.kind from inputs i join dataset_chunks c on c.bucket = i.key >> 10 where i.app_key = $1`,
    [appKey],
  );
  await client.query(
    `insert into dataset_chunk_annotations (chunk_key, input_key, annotation_key, annotation_id, input_level, kinds, positive, negative, data)
     select c.key, a.input_key, a.key, a.id, a.input_level, 0, '{cat}', '{}', ''
     from annotations a join dataset_chunks c on c.bucket = a.input_key >> 10 where a.app_key = $1`,
    [appKey],
  );
  return key;
}

function grantOn(appKey: number): AppGrant {
  const caller: Caller = {
    userKey,
    userId: 'user-1',
    credential: 'pat',
    credentialKey: 1,
    scopes: new Set(['All']),
    endpoints: new Set(),
    onlyAppKey: undefined,
  };
  return new AppGrant(seal, {
    caller,
    userKey,
    userId: 'user-1',
    role: 'owner',
    scopes: caller.scopes,
    appKey,
    appId: 'large',
    defaultLanguage: 'en',
  });
}

const rareInputs = 200;

type Recording = Queryable & RawReads;

/** Runs store functions on the real database and remembers what they asked it. */
async function statementsOf(work: (db: Recording) => Promise<unknown>): Promise<Statement[]> {
  const asked: Statement[] = [];
  const recording = {
    query: (text: string, values: unknown[] = []) => {
      asked.push({ text, values });
      return database.query(text, values);
    },
    run: (statement: { name: string; text: string }, values: unknown[] = []) => {
      asked.push({ text: statement.text, values });
      return database.run(statement, values);
    },
    raw: (statement: RawStatement, values: readonly RawValue[]) => {
      asked.push({ text: statement.text, values });
      return database.raw(statement, values);
    },
    rawTogether: (statement: RawStatement, number: number, text: string) => {
      asked.push({ text: statement.text, values: [[number], [text]] });
      return database.rawTogether(statement, number, text);
    },
  };
  await work(recording as unknown as Recording);
  return asked;
}

const id = (n: number) => `input-${String(n).padStart(8, '0')}`;
const page = (number: number, size = 128) => ({ number, size });
const hash = () => Buffer.from('00', 'hex');

async function labelled(db: Recording, id: string) {
  const filter = { negate: false, annotation: { concepts: [{ id, name: '', value: 0.5 }] }, input: {} };
  const tree = { ...readQuery(undefined), filters: [filter] };
  const scene = await openScene({ reads: db, hostedAt: () => undefined }, grant, tree);
  return { scene, filters: tree.filters, condition: hitCondition(scene, 'input', tree.filters) };
}

/**
 * `aside`: rows that a statement may read beside three for each that it returns, where its way of finding them is
 * bounded by something other than the rows returned.
 */
type Row = [name: string, work: (db: Recording) => Promise<unknown>, indexes: string[], aside?: number];

const statements: Row[] = [
  [
    'GetInput',
    (db) => inputById(db, grant, id(20_000)),
    ['inputs_app_key_id_key', 'annotations_input_level'],
  ],
  [
    'ListInputs, first page',
    (db) => inputsOfPage(db, grant, undefined, page(1)),
    ['inputs_order', 'annotations_input_level'],
  ],
  // One bucket of 1,024 keys is walked as far as the page, and the tallies of all buckets of the app are added up.
  ['ListInputs, a deep page', (db) => inputsOfPage(db, grant, undefined, page(200)), ['inputs_order'], 1300],
  ['ListInputs of one status', (db) => inputsOfPage(db, grant, 30002, page(2)), ['inputs_status'], 1300],
  [
    'ListInputs by ids',
    (db) => pageOfIds(db, grant, { ids: [id(1), id(2), id(3)] }, page(1)),
    ['inputs_app_key_id_key'],
  ],
  [
    'inputs of a page',
    (db) =>
      inputsByKeys(
        db,
        grant,
        Array.from({ length: 128 }, (_, i) => 100 + 7 * i),
      ),
    ['annotations_input_level'],
  ],
  ['StreamInputs', (db) => inputsBehind(db, grant, 5000, 1000), ['inputs_order', 'annotations_input_level']],
  ['the cursor of StreamInputs', (db) => findInputKey(db, grant, id(7)), ['inputs_app_key_id_key']],
  ['GetInputCount', (db) => countsByStatus(db, grant), ['input_tallies_pkey']],
  // Beside each concept its key in the order of the page, and its tallies: up to 64, two here.
  [
    'GetConceptCounts',
    (db) => conceptCounts(db, grant, page(1)),
    ['concepts_order', 'concept_tallies_pkey'],
    256,
  ],
  ['the name of a concept', (db) => conceptName(db, grant, 'cat'), ['concepts_app_key_id_key']],
  [
    'names of concepts',
    (db) => conceptsById(db, grant, ['concept-1', 'concept-2', 'cat']),
    ['concepts_app_key_id_key'],
  ],
  ['ids that are taken', (db) => takenIds(db, grant, [id(1), id(2), 'new']), ['inputs_app_key_id_key']],
  [
    'URLs that are taken',
    (db) => takenUrls(db, grant, ['https://images.example/input-9.jpg', 'https://images.example/no']),
    ['inputs_url'],
  ],
  ['the key of a call', (db) => findCredential(db, hash()), ['keys_hash_key']],
  ['the app of a call', (db) => findApp(db, userKey, 'app-200'), ['apps_id']],
  ['a collaborator', (db) => findCollaboration(db, grant.appKey, userKey), []],
  // A batch of four: each looked at by two conditions, locked, and written.
  ['a worker taking jobs', (db) => claim(db, 'inputs.process', 4, 1000, randomUUID()), ['jobs_next'], 16],
  [
    'PostInputsSearches by concept',
    async (db) => {
      const { scene, condition } = await labelled(db, 'cat');
      return hitsInOrder(db, scene, 'input', condition, 0, 20);
    },
    [],
    // One input in ten is labelled; the walk reads until it has found enough of them, three tables at a time.
    20 * 10 * 3,
  ],
  ...['rare', 'late'].map(rarely),
];

/** All matches are read from the labels and put in order; only inputs of the page are read. */
function rarely(concept: string): Row {
  const search = async (db: Recording) => {
    const { scene, filters } = await labelled(db, concept);
    return hitsPutInOrder(db, scene, 'input', filters, 0, 20, readMax);
  };
  const name = `PostInputsSearches by a concept that few have (${concept})`;
  return [name, search, ['annotation_concepts_find'], rareInputs * 3];
}

test.each(statements)(
  '%s is found by an index, reading little more than it returns',
  async (_name, work, indexes, aside = 0) => {
    const asked = await statementsOf(work);
    expect(asked).toHaveLength(1);
    for (const mode of ['custom', 'generic'] as const) {
      const facts = await explained(client, asked[0] as Statement, mode);
      expect(troubleWith(facts, indexes, aside), `${mode} plan: ${JSON.stringify(facts)}`).toEqual([]);
    }
  },
);

test('a word that few texts hold is looked up by itself, a common one within its app', async () => {
  const ranked = async (words: string) => {
    const rank = { kind: 'words', at: 0, negate: false, words, modelVersionId: '' } as const;
    const tree = { ...readQuery(undefined), ranks: [rank] };
    const scene = await openScene({ reads: database, hostedAt: () => undefined }, grant, tree);
    const condition = hitCondition(scene, 'input', []);
    const [asked] = await statementsOf((db) => hitsBySaid(db, scene, 'input', condition, [rank], 0, 10));
    return { isRare: scene.isRare(rank), asked: asked as Statement };
  };
  expect((await ranked('common')).isRare).toBe(false);
  const { isRare, asked } = await ranked('word7');
  expect(isRare).toBe(true);
  const facts = await explained(client, asked, 'custom');
  expect(troubleWith(facts, ['annotation_texts_find'], 0), JSON.stringify(facts)).toEqual([]);
});

const fewOfVersion = Array.from({ length: 500 }, (_, i) => 20_001 + i);

test.each([
  ['members', (db: Recording) => membersOf(db, datasetKey, 20)],
  ['inputs', (db: Recording) => inputsOfVersion(db, grant, versionKey, 20_000, 500)],
  ['annotations', (db: Recording) => annotationsOfVersion(db, versionKey, fewOfVersion)],
  ['pictures', (db: Recording) => picturesAfter(db, grant, scope(), { afterKey: 20_000, limit: 500 })],
  // The last statement: the first one says which chunks are next.
  ['labels', (db: Recording) => labelPages(db, grant, scope(), ['cat']).next()],
  ['regions', (db: Recording) => regionPages(db, grant, scope(), ['cat']).next()],
])(
  '%s of a version are found in the chunks that hold them, however many others it has',
  async (_name, work) => {
    const asked = await statementsOf(work);
    for (const mode of ['custom', 'generic'] as const) {
      const facts = await explained(client, asked.at(-1) as Statement, mode);
      // Five chunks of 1,024 at most, their rows in four tables and something to spare; all of it would be 30 chunks.
      expect(facts.rowsRead, `${mode} plan: ${JSON.stringify(facts)}`).toBeLessThan(5 * 1024 * 5);
    }
  },
);

const scope = () => ({ kind: 'version', key: versionKey }) as const;

// Autovacuum looks at the tables one by one, in the middle of anything: no statistics may make these read all labels.
test.each([
  ['of labels alone are fresh', ['analyze annotation_concepts']],
  ['of inputs alone are fresh', ['analyze inputs']],
  [
    'are none at all',
    ["delete from pg_statistic where starelid in ('inputs'::regclass, 'annotation_concepts'::regclass)"],
  ],
])('a search by a label that few have reads no more where statistics %s', async (_case, before) => {
  for (const concept of ['rare', 'late']) {
    const [, work, indexes, aside] = rarely(concept);
    const [asked] = await statementsOf(work);
    for (const mode of ['custom', 'generic'] as const) {
      const facts = await explained(client, asked as Statement, mode, before);
      const words = `${concept}, ${mode} plan: ${JSON.stringify(facts)}`;
      expect(troubleWith(facts, indexes, aside ?? 0), words).toEqual([]);
    }
  }
});

// A server that takes in its first thousands knows nothing of them yet: what every upload asks must not read them all.
test.each([
  ['ids that are taken', (db: Recording) => takenIds(db, grant, [id(1), id(2), 'new'])],
  ['inputs by id', (db: Recording) => findInputs(db, grant, [id(1), id(2), 'new'])],
  [
    'URLs that are taken',
    (db: Recording) =>
      takenUrls(db, grant, ['https://images.example/input-9.jpg', 'https://images.example/no']),
  ],
])('%s are found one by one where the planner has not looked at the table', async (_name, work) => {
  const [asked] = await statementsOf(work);
  const unknown = [
    "delete from pg_statistic where starelid = 'inputs'::regclass",
    "update pg_class set reltuples = 1, relpages = 1 where oid = 'inputs'::regclass",
  ];
  for (const mode of ['custom', 'generic'] as const) {
    const facts = await explained(client, asked as Statement, mode, unknown);
    expect(troubleWith(facts, [], 0), `${mode} plan: ${JSON.stringify(facts)}`).toEqual([]);
  }
});

function troubleWith(facts: PlanFacts, indexes: readonly string[], aside: number): string[] {
  const trouble = indexes
    .filter((name) => !facts.indexes.includes(name))
    .map((name) => `does not use ${name}`);
  if (facts.rowsScannedMost > rowsUnindexedMax)
    trouble.push(`scans ${facts.rowsScannedMost} rows of a table`);
  if (facts.rowsSortedMost > rowsUnindexedMax) trouble.push(`sorts ${facts.rowsSortedMost} rows`);
  const rowsMax = 3 * Math.max(1, facts.rowsReturned) + aside;
  if (facts.rowsRead > rowsMax) trouble.push(`reads ${facts.rowsRead} rows for ${facts.rowsReturned}`);
  return trouble;
}

test('a statement that scans, sorts or counts past rows is caught', async () => {
  const bad: [string, unknown[], RegExp][] = [
    [
      'select id from inputs where app_key = $1 order by status_details, id limit 10',
      [grant.appKey],
      /sorts/,
    ],
    ['select id from inputs where url like $1', ['%zz%'], /scans/],
    [
      'select id from inputs where app_key = $1 order by key desc limit 10 offset 5000',
      [grant.appKey],
      /reads/,
    ],
    ['select count(*) from inputs where app_key = $1', [grant.appKey], /reads/],
  ];
  for (const [text, values, words] of bad) {
    const facts = await explained(client, { text, values }, 'custom');
    expect(troubleWith(facts, [], 0).join('; '), text).toMatch(words);
  }
});
