import { chmodSync, copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { FilterSchema, PostInputsSearchesRequestSchema } from '@fovea/contract';
import type pg from 'pg';
import { rest } from '../harness/api.ts';
import { inApp } from '../harness/calls.ts';
import { settle } from '../harness/rows.ts';
import { type BenchServer, userId } from '../harness/server.ts';
import { type Correlation, correlations, matchesOf, shares, type VectorSet } from './vector-set.ts';

/** The kinds of filters that keep the same rows by other means. */
export const filterKinds = ['concept', 'metadata', 'geo', 'dataset', 'and'] as const;
export type FilterKind = (typeof filterKinds)[number];

export interface SearchApp {
  readonly appId: string;
  readonly appKey: number;
  readonly userKey: number;
  readonly modelVersionKey: number;
  /** Row 0's key; input, annotation and embedding of a row have the same. */
  readonly firstKey: number;
}

export const inputIdOf = (row: number): string => `row-${row}`;
export const rowOf = (inputId: string): number => Number(inputId.slice(4));

/** An app whose inputs are indexed by the general embedder. */
export async function makeEmbeddedApp(server: BenchServer, db: pg.Client, appId: string): Promise<SearchApp> {
  await rest(server, 'POST', `/v2/users/${userId}/apps`, {
    apps: [{ id: appId, default_workflow: { id: 'General', app_id: 'main', user_id: 'clarifai' } }],
  });
  const { rows } = await db.query<{ app: number; owner: number; version: number }>(
    `select a.key::int as app, a.user_key::int as owner,
       (select v.key::int from model_versions v where v.builtin = 'general-image-embedding' order by v.key limit 1) as version
     from apps a where a.id = $1 and a.deleted_at is null`,
    [appId],
  );
  const { app, owner, version } = rows[0] as { app: number; owner: number; version: number };
  return { appId, appKey: app, userKey: owner, modelVersionKey: version, firstKey: 1_000_000 };
}

const loadSql = {
  rows: `create temp table bench_rows as
    select * from unnest($1::int[], $2::int[]) with ordinality as r(random, aligned, row)`,
  kept: `create temp table bench_kept as
    select (r.row - 1)::int as row, c.correlation, l.level::int as level, c.correlation || '-' || l.level as name
    from bench_rows r
    cross join lateral (values ('random', r.random), ('aligned', r.aligned), ('opposed', $2::int - 1 - r.aligned)) c(correlation, place)
    join unnest($1::int[]) with ordinality as l(matches, level) on c.place < l.matches`,
  inputs: `insert into inputs (key, app_key, id, kind, status_code) overriding system value
    select $2::bigint + row - 1, $1, 'row-' || row - 1, 'image', 30000 from bench_rows order by row`,
  annotations: `insert into annotations
      (key, app_key, input_key, input_id, id, input_level, worker_user_key, metadata, latitude, longitude) overriding system value
    select $2::bigint + r.row - 1, $1, $2::bigint + r.row - 1, 'row-' || r.row - 1, 'a', true, $3,
      (select jsonb_object_agg(correlation, levels) from (
        select correlation, jsonb_agg(level order by level) as levels from bench_kept k where k.row = r.row - 1 group by 1) said),
      -80 + 160 * r.random::float8 / $4::int, -170 + 340 * r.aligned::float8 / $4::int
    from bench_rows r order by r.row`,
  embeddings: `insert into embeddings (key, app_key, model_version_key, input_key, annotation_key, vector) overriding system value
    select $2::bigint + r.row - 1, $1, $3, $2::bigint + r.row - 1, $2::bigint + r.row - 1,
      pg_read_binary_file($4, (r.row - 1) * $5::bigint, $5::bigint)
    from bench_rows r order by r.row`,
  concepts: `insert into concepts (app_key, id, name) select distinct $1::bigint, name, name from bench_kept`,
  labels: `insert into annotation_concepts (app_key, annotation_key, input_key, concept_id, value, trusted)
    select $1, $2::bigint + row, $2::bigint + row, name, 1, true from bench_kept order by row`,
  datasets: `insert into datasets (app_key, id) select distinct $1::bigint, name from bench_kept`,
  members: `insert into dataset_inputs (app_key, dataset_key, input_key)
    select $1, d.key, $2::bigint + k.row from bench_kept k join datasets d on d.app_key = $1 and d.id = k.name order by k.row`,
};

/**
 * Writes the rows that the server would write for these vectors, in bulk and with triggers off; the counters of
 * labels are not kept, no search reads them. Vectors are read by PostgreSQL itself.
 */
export async function fillSearchApp(
  server: BenchServer,
  db: pg.Client,
  app: SearchApp,
  set: VectorSet,
): Promise<void> {
  const { appKey, firstKey, userKey, modelVersionKey } = app;
  // A file in its own folder is what PostgreSQL can always read: it may run as somebody else.
  const lent = join(server.dataDir, 'postgres', 'cluster', 'bench-vectors');
  copyFileSync(set.file, lent);
  chmodSync(lent, 0o644);
  await db.query('set session_replication_role = replica');
  await db.query(loadSql.rows, [[...set.places.random], [...set.places.aligned]]);
  await db.query(loadSql.kept, [shares.map((share) => matchesOf(set, share)), set.rows]);
  await db.query('create index on bench_kept (row)');
  await db.query('analyze bench_kept');
  await db.query(loadSql.inputs, [appKey, firstKey]);
  await db.query(loadSql.annotations, [appKey, firstKey, userKey, set.rows]);
  await db.query(loadSql.embeddings, [appKey, firstKey, modelVersionKey, 'bench-vectors', set.dims * 4]);
  rmSync(lent);
  await db.query(loadSql.concepts, [appKey]);
  await db.query(loadSql.labels, [appKey, firstKey]);
  await db.query(loadSql.datasets, [appKey]);
  await db.query(loadSql.members, [appKey, firstKey]);
  await db.query('drop table bench_rows, bench_kept');
  await db.query('set session_replication_role = origin');
  await settle(db);
}

type Filter = MessageInitShape<typeof FilterSchema>;
type Request = MessageInitShape<typeof PostInputsSearchesRequestSchema>;

/** One cell of the sweep: a filter of one kind that keeps a share of the rows. */
export interface Cell {
  readonly kind: FilterKind;
  readonly correlation: Correlation;
  readonly share: number;
}

export const allCells = (): Cell[] =>
  filterKinds.flatMap((kind) =>
    correlations.flatMap((correlation) => shares.map((share) => ({ kind, correlation, share }))),
  );

export const cellName = ({ kind, correlation, share }: Cell): string =>
  `${kind}/${correlation}/${share * 100} %`;

export function filtersOf(set: VectorSet, { kind, correlation, share }: Cell): Filter[] {
  const level = shares.indexOf(share as (typeof shares)[number]) + 1;
  const name = `${correlation}-${level}`;
  const concept = (id: string): Filter => ({ annotation: { data: { concepts: [{ id, value: 1 }] } } });
  switch (kind) {
    case 'concept':
      return [concept(name)];
    case 'metadata':
      return [{ annotation: { data: { metadata: { [correlation]: [level] } } } }];
    case 'geo':
      return [geoFilter(set, correlation, share)];
    case 'dataset':
      return [{ input: { datasetIds: [name] } }];
    case 'and':
      // The looser half keeps the next larger share, so that both have to be met.
      return [concept(`${correlation}-${Math.max(1, level - 1)}`), geoFilter(set, correlation, share)];
  }
}

function geoFilter(set: VectorSet, correlation: Correlation, share: number): Filter {
  const matches = matchesOf(set, share);
  const at = (place: number) => (place - 0.5) / set.rows;
  const [south, north] = correlation === 'random' ? [-85, -80 + 160 * at(matches)] : [-85, 85];
  const [west, east] =
    correlation === 'aligned'
      ? [-175, -170 + 340 * at(matches)]
      : correlation === 'opposed'
        ? [-170 + 340 * at(set.rows - matches), 175]
        : [-175, 175];
  const corner = (latitude: number, longitude: number) => ({ geoPoint: { latitude, longitude } });
  return { annotation: { data: { geo: { geoBox: [corner(south, west), corner(north, east)] } } } };
}

/** The ten nearest to a vector, with filters or without. */
export const searchRequest = (
  app: SearchApp,
  vector: Float32Array,
  filters: Filter[] = [],
  perPage = 10,
): Request => ({
  ...inApp(app.appId),
  searches: [
    {
      query: {
        ranks: [
          { annotation: { data: { embeddings: [{ vector: [...vector], numDimensions: vector.length }] } } },
        ],
        filters,
      },
    },
  ],
  pagination: { page: 1, perPage },
});
