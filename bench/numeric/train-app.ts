import { chmodSync, copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { annotationKind } from '../../server/src/domain/annotation-kinds.ts';
import { settle } from '../harness/rows.ts';
import type { BenchServer } from '../harness/server.ts';
import type { SearchApp } from './search-app.ts';
import { bytesOf, normalFrom, randomFrom } from './vector-set.ts';

/** Overlapping clusters, one for each class, so that no head can be right everywhere. */
export interface LabelledSet {
  readonly rows: number;
  readonly dims: number;
  readonly classes: number;
  readonly vectors: Float32Array;
  readonly labels: Int32Array;
  readonly file: string;
  readonly labelFile: string;
}

/** `noise` beside centres of length √dims: with 8 and 100 classes about half of all rows can be told right. */
export function makeLabelledSet(
  folder: string,
  name: string,
  options: { rows: number; dims: number; classes: number; noise: number; seed: number },
): LabelledSet {
  const { rows, dims, classes, noise, seed } = options;
  // The centres are those of every set of the same shape: training and held-out rows belong together.
  const centres = Float32Array.from({ length: classes * dims }, normalFrom(randomFrom(77)));
  const normal = normalFrom(randomFrom(seed));
  const vectors = new Float32Array(rows * dims);
  const labels = Int32Array.from({ length: rows }, (_, row) => row % classes);
  for (let row = 0; row < rows; row++) {
    const centre = (labels[row] as number) * dims;
    let sum = 0;
    for (let d = 0; d < dims; d++) {
      const value = (centres[centre + d] as number) + noise * normal();
      vectors[row * dims + d] = value;
      sum += value * value;
    }
    const scale = 1 / Math.sqrt(sum);
    for (let d = 0; d < dims; d++) vectors[row * dims + d] = (vectors[row * dims + d] as number) * scale;
  }
  const file = join(folder, `${name}.f32`);
  const labelFile = join(folder, `${name}.labels`);
  writeFileSync(file, bytesOf(vectors));
  writeFileSync(labelFile, Buffer.from(labels.buffer));
  return { rows, dims, classes, vectors, labels, file, labelFile };
}

const loadSql = {
  inputs: `insert into inputs (key, app_key, id, kind, status_code) overriding system value
    select $2::bigint + row, $1, 'row-' || $2::bigint + row, 'image', 30000 from generate_series(0, $3::int - 1) as row`,
  annotations: `insert into annotations (key, app_key, input_key, input_id, id, input_level, worker_user_key, kinds) overriding system value
    select $2::bigint + row, $1, $2::bigint + row, 'row-' || $2::bigint + row, 'a', true, $4, $5::int from generate_series(0, $3::int - 1) as row`,
  embeddings: `insert into embeddings (key, app_key, model_version_key, input_key, annotation_key, vector) overriding system value
    select $2::bigint + row, $1, $4, $2::bigint + row, $2::bigint + row, pg_read_binary_file('bench-vectors', row * $5::bigint, $5::bigint)
    from generate_series(0, $3::int - 1) as row`,
  concepts: `insert into concepts (app_key, id, name)
    select $1, 'class-' || n, 'class-' || n from generate_series(0, $2::int - 1) as n on conflict do nothing`,
  labels: `insert into annotation_concepts (app_key, annotation_key, input_key, concept_id, value, trusted)
    select $1, $2::bigint + row, $2::bigint + row, 'class-' || row % $4::int, 1, true from generate_series(0, $3::int - 1) as row`,
  dataset: `insert into datasets (app_key, id) values ($1, $2) returning key::int as key`,
  members: `insert into dataset_inputs (app_key, dataset_key, input_key)
    select $1, $2, $3::bigint + row from generate_series(0, $4::int - 1) as row`,
};

/**
 * Writes labelled and embedded inputs, and a dataset of the first `rows` of them for each entry of `datasets`.
 * In bulk, with triggers off: training reads none of the counters.
 */
export async function fillTrainApp(
  server: BenchServer,
  db: pg.Client,
  app: SearchApp,
  set: LabelledSet,
  firstKey: number,
  datasets: Record<string, number>,
): Promise<void> {
  const lent = join(server.dataDir, 'postgres', 'cluster', 'bench-vectors');
  copyFileSync(set.file, lent);
  chmodSync(lent, 0o644);
  await db.query('set session_replication_role = replica');
  await db.query(loadSql.inputs, [app.appKey, firstKey, set.rows]);
  await db.query(loadSql.annotations, [
    app.appKey,
    firstKey,
    set.rows,
    app.userKey,
    // Trainings learn from a version of the dataset, and versions hold annotations that say something.
    annotationKind.concepts,
  ]);
  await db.query(loadSql.embeddings, [app.appKey, firstKey, set.rows, app.modelVersionKey, set.dims * 4]);
  await db.query(loadSql.concepts, [app.appKey, set.classes]);
  await db.query(loadSql.labels, [app.appKey, firstKey, set.rows, set.classes]);
  for (const [id, rows] of Object.entries(datasets)) {
    const made = await db.query<{ key: number }>(loadSql.dataset, [app.appKey, id]);
    await db.query(loadSql.members, [app.appKey, made.rows[0]?.key, firstKey, rows]);
  }
  await db.query('set session_replication_role = origin');
  rmSync(lent);
  await settle(db);
}
