import { chmodSync, copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { type BenchContext, scaled } from '../harness/bench.ts';
import { settle } from '../harness/rows.ts';
import type { BenchServer } from '../harness/server.ts';
import { inputIdOf, makeEmbeddedApp, type SearchApp } from './search-app.ts';
import { clientOf, rowsFound } from './search-sweep.ts';
import { bytesOf, randomFrom, recallOf } from './vector-set.ts';

/** Few numbers a vector: what is looked at here is which hits come, not what they cost. */
const dims = 8;
const hits = 20;
/** Labelled inputs; as many of them among the nearest as chance has it. */
const labelled = 40;
/** So many were joined once where more than 200,000 match. */
const nearestOnly = 10_000;

/**
 * A rank by a vector together with one by a label, over more matches than are read at once, beside plain arithmetic over
 * all of them.
 */
export async function joinedRanks(context: BenchContext, server: BenchServer, db: pg.Client): Promise<void> {
  const rows = scaled(context, 250_000, 210_000);
  const app = await makeEmbeddedApp(server, db, 'ranks-joined');
  const random = randomFrom(7);
  const vectors = Float32Array.from({ length: rows * dims }, () => random() - 0.5);
  for (let row = 0; row < rows; row++) normalise(vectors.subarray(row * dims, (row + 1) * dims));
  const chosen = new Set(Array.from({ length: labelled }, () => Math.floor(random() * rows)));
  await fill(context, server, db, app, vectors, chosen);

  const client = clientOf(server, app);
  const [right, narrow]: [number[], number[]] = [[], []];
  for (let n = 0; n < Math.max(2, context.rounds); n++) {
    const query = normalise(Float32Array.from({ length: dims }, () => random() - 0.5));
    const all = Array.from({ length: rows }, (_, row) => ({ row, near: nearTo(vectors, row, query) }));
    const best = (some: typeof all) =>
      some
        .map(({ row, near }) => ({ row, score: (near + (chosen.has(row) ? 1 : 0)) / 2 }))
        .sort((a, b) => b.score - a.score || a.row - b.row)
        .slice(0, hits)
        .map(({ row }) => row);
    const wanted = best(all);
    const nearest = [...all].sort((a, b) => b.near - a.near).slice(0, nearestOnly);
    narrow.push(recallOf(best(nearest), wanted));
    const vector = { data: { embeddings: [{ vector: [...query], numDimensions: dims }] } };
    const concept = { data: { concepts: [{ id: 'rare', value: 1 }] } };
    const found = await rowsFound(client, {
      userAppId: { userId: 'admin', appId: app.appId },
      searches: [{ query: { ranks: [{ annotation: vector }, { annotation: concept }] } }],
      pagination: { page: 1, perPage: hits },
    });
    right.push(recallOf(found, wanted));
  }
  context.measured('joined ranks', right, `${rows} matches, ${labelled} of them labelled, ${hits} hits`);
  context.control('joined ranks', `joins the nearest ${nearestOnly} only`, narrow);
}

function normalise(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  for (let d = 0; d < vector.length; d++) vector[d] = (vector[d] as number) / length;
  return vector;
}

function nearTo(vectors: Float32Array, row: number, query: Float32Array): number {
  let dot = 0;
  for (let d = 0; d < dims; d++) dot += (vectors[row * dims + d] as number) * (query[d] as number);
  return (1 + dot) / 2;
}

const fillSql = {
  inputs: `insert into inputs (key, app_key, id, kind, status_code) overriding system value
    select $2::bigint + n, $1, 'row-' || n, 'image', 30000 from generate_series(0, $3::int - 1) as n`,
  annotations: `insert into annotations (key, app_key, input_key, input_id, id, input_level, worker_user_key) overriding system value
    select key, $1, key, id, 'a', true, $2 from inputs where app_key = $1`,
  embeddings: `insert into embeddings (key, app_key, model_version_key, input_key, annotation_key, vector) overriding system value
    select key, $1, $2, key, key, pg_read_binary_file($3, (key - $4::bigint) * $5::bigint, $5::bigint)
    from inputs where app_key = $1`,
  concept: `insert into concepts (app_key, id, name) values ($1, 'rare', 'rare')`,
  labels: `insert into annotation_concepts (app_key, annotation_key, input_key, concept_id, value, trusted)
    select $1, key, key, 'rare', 1, true from inputs where app_key = $1 and id = any($2::text[])`,
};

async function fill(
  context: BenchContext,
  server: BenchServer,
  db: pg.Client,
  app: SearchApp,
  vectors: Float32Array,
  chosen: ReadonlySet<number>,
): Promise<void> {
  const { appKey, userKey, modelVersionKey } = app;
  const firstKey = 50_000_000;
  const file = join(context.folder, 'joined.f32');
  writeFileSync(file, bytesOf(vectors));
  const lent = join(server.dataDir, 'postgres', 'cluster', 'bench-joined');
  copyFileSync(file, lent);
  chmodSync(lent, 0o644);
  await db.query('set statement_timeout = 0');
  await db.query('set session_replication_role = replica');
  await db.query(fillSql.inputs, [appKey, firstKey, vectors.length / dims]);
  await db.query(fillSql.annotations, [appKey, userKey]);
  await db.query(fillSql.embeddings, [appKey, modelVersionKey, 'bench-joined', firstKey, dims * 4]);
  await db.query(fillSql.concept, [appKey]);
  await db.query(fillSql.labels, [appKey, [...chosen].map(inputIdOf)]);
  await db.query('set session_replication_role = origin');
  rmSync(lent);
  await settle(db);
}
