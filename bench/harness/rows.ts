import { create, toBinary } from '@bufbuild/protobuf';
import { DataSchema } from '@fovea/contract';
import type pg from 'pg';
import { rest } from './api.ts';
import type { BenchServer } from './server.ts';
import { userId } from './server.ts';

export interface BenchApp {
  readonly appId: string;
  readonly appKey: number;
  readonly userKey: number;
}

/** An app made through the front door. */
export async function makeApp(server: BenchServer, db: pg.Client, appId: string): Promise<BenchApp> {
  await rest(server, 'POST', `/v2/users/${userId}/apps`, {
    apps: [{ id: appId, default_workflow: { id: 'Empty', app_id: 'main', user_id: 'clarifai' } }],
  });
  const { rows } = await db.query<{ key: number; user_key: number }>(
    'select key::int, user_key::int from apps where id = $1 and deleted_at is null',
    [appId],
  );
  const row = rows[0] as { key: number; user_key: number };
  return { appId, appKey: row.key, userKey: row.user_key };
}

const chunk = 100_000;
export const labelledEvery = 10;
export const failedEvery = 50;

/** A processed picture, and what its annotation says when it is labelled. */
const media = Buffer.from(
  toBinary(
    DataSchema,
    create(DataSchema, { image: { imageInfo: { width: 640, height: 480, format: 'jpeg' } } }),
  ),
);
const label = Buffer.from(
  toBinary(DataSchema, create(DataSchema, { concepts: [{ id: 'cat', name: 'cat', value: 1, appId: '' }] })),
);

const chunkSql = {
  inputs: `insert into inputs (app_key, id, kind, status_code, url, media)
    select $1, $2 || lpad(n::text, 8, '0'), 'image', case when n % ${failedEvery} = 0 then 30002 else 30000 end,
      'https://images.example/' || $2 || n || '.jpg', $3 from generate_series($4::int, $5::int) as n`,
  annotations: `insert into annotations (app_key, input_key, input_id, id, input_level, worker_user_key, kinds, data)
    select $1, key, id, md5(key::text), true, $2, 0, case when right(id, 1) = '0' then $3::bytea else '' end
    from inputs where app_key = $1 and key > $4`,
  labels: `insert into annotation_concepts (app_key, annotation_key, input_key, concept_id, value, trusted)
    select $1, key, input_key, 'cat', 1, true from annotations where app_key = $1 and input_key > $2 and right(input_id, 1) = '0'`,
  counted: `insert into input_concepts (input_key, concept_id, app_key, state, positive, negative)
    select i.key, 'cat', $1, input_state(i.status_code), 1, 0 from inputs i
    where i.app_key = $1 and i.key > $2 and right(i.id, 1) = '0'`,
};

/**
 * Fills an app with inputs, one in ten of them labelled `cat`, one in fifty failed. It writes the tables that the
 * server writes, in bulk, with triggers off and their counters written at the end: minutes instead of hours.
 * `prefix` begins the ids, which end in eight digits.
 */
export async function fillApp(db: pg.Client, app: BenchApp, count: number, prefix = 'input-'): Promise<void> {
  const { appKey, userKey } = app;
  await db.query('set session_replication_role = replica');
  await db.query(
    `insert into concepts (app_key, id, name) values ($1, 'cat', 'cat') on conflict do nothing`,
    [appKey],
  );
  for (let from = 1; from <= count; from += chunk) {
    const { rows } = await db.query<{ last: number }>(
      'select coalesce(max(key), 0)::float8 as last from inputs',
    );
    const last = rows[0]?.last;
    await db.query('begin');
    await db.query(chunkSql.inputs, [appKey, prefix, media, from, Math.min(count, from + chunk - 1)]);
    await db.query(chunkSql.annotations, [appKey, userKey, label, last]);
    await db.query(chunkSql.labels, [appKey, last]);
    await db.query(chunkSql.counted, [appKey, last]);
    await db.query('commit');
  }
  await db.query('begin');
  await db.query('delete from input_tallies where app_key = $1', [appKey]);
  await db.query(
    `insert into input_tallies select app_key, key >> 10, status_code, count(*) from inputs where app_key = $1 group by 1, 2, 3
     union all select app_key, -2 - (key >> 15), status_code, count(*) from inputs where app_key = $1 group by 1, 2, 3
     union all select app_key, -1, status_code, count(*) from inputs where app_key = $1 group by 1, 2, 3`,
    [appKey],
  );
  await db.query('delete from concept_tallies where app_key = $1', [appKey]);
  await db.query(
    `insert into concept_tallies (app_key, concept_id, state, slot, positive)
     select app_key, concept_id, state, 0, count(*) from input_concepts where app_key = $1 group by 1, 2, 3`,
    [appKey],
  );
  await db.query('commit');
  await db.query('set session_replication_role = origin');
}

/** As autovacuum leaves a database that has been at rest for a while. */
export async function settle(db: pg.Client): Promise<void> {
  await db.query('vacuum (analyze)');
  await db.query('checkpoint');
}
