import { randomBytes } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { type Data, DatasetSchema, DatasetVersionSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import type { Queryable, Tx } from '#store/postgres/index.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { bucketOf } from '../common/buckets.ts';
import { packBody } from '../common/translate.ts';
import { putPredictions } from './chunk-store.ts';
import { predictedRows } from './predicted.ts';
import { countChunk, settle } from './snapshot.ts';
import { linkChunks } from './snapshot-store.ts';
import { requestOrigin, startVersion } from './start-version.ts';
import { packVersion } from './version.ts';
import { insertVersion } from './version-store.ts';

export interface MadeVersion {
  readonly key: number;
  readonly id: string;
}

/** A version of a dataset as it is now, to judge a model by; filled in the background like any other. */
export async function addTruthVersion(
  tx: Queryable,
  grant: AppGrant,
  datasetKey: number,
  description: string,
): Promise<MadeVersion> {
  const version = packVersion(create(DatasetVersionSchema, { id: newId(), description }));
  const key = await startVersion(tx, grant, datasetKey, version, requestOrigin.evalGroundTruth);
  return { key, id: version.id };
}

/**
 * A version of a dataset as it is now, to train a model on.
 *
 * @param datasetId empty for all inputs of the app
 * @returns undefined when the app has no such dataset
 */
export async function addTrainingVersion(
  tx: Queryable,
  grant: AppGrant,
  datasetId: string,
  description: string,
): Promise<(MadeVersion & { readonly datasetId: string }) | undefined> {
  const found =
    datasetId === ''
      ? await datasetOfApp(tx, grant)
      : await first<{ key: number; id: string }>(
          tx,
          sql`select key, id from datasets where app_key = ${grant.appKey} and id = ${datasetId} for key share`,
        );
  if (!found) return undefined;
  const version = packVersion(create(DatasetVersionSchema, { id: newId(), description }));
  const key = await startVersion(tx, grant, found.key, version, requestOrigin.training);
  return { key, id: version.id, datasetId: found.id };
}

const ofAppId = 'all-inputs';

/** The dataset, in no list, that holds all inputs of the app: found, or made with an id that is free. */
async function datasetOfApp(
  tx: Queryable,
  grant: AppGrant,
): Promise<{ key: number; id: string } | undefined> {
  const body = packBody(
    DatasetSchema,
    create(DatasetSchema, { description: 'All inputs of the app, as trainings without a dataset saw them' }),
    [],
  );
  for (const id of [ofAppId, `${ofAppId}-${newId()}`]) {
    await run(
      tx,
      sql`insert into datasets (app_key, id, body, of_app) values (${grant.appKey}, ${id}, ${body}, true)
          on conflict do nothing`,
    );
    const found = await first<{ key: number; id: string }>(
      tx,
      sql`select key, id from datasets where app_key = ${grant.appKey} and of_app for key share`,
    );
    if (found) return found;
  }
  return undefined;
}

/** What a model said of one input. */
export interface PredictedInput {
  readonly inputKey: number;
  readonly data: Data;
}

/**
 * A version with the inputs of another, and what a model said of them for annotations. Made whole in the caller's
 * transaction; its chunks are its own, for nobody will ask the same again.
 *
 * @param pages what the model said, some inputs at a time
 * @returns undefined when the other version is gone
 */
export async function addPredictionsVersion(
  tx: Tx,
  grant: AppGrant,
  made: { truthVersionKey: number; modelVersionKey: number; description: string },
  pages: AsyncIterable<readonly PredictedInput[]>,
): Promise<MadeVersion | undefined> {
  const truth = await first<{ datasetKey: number }>(
    tx,
    sql`select dataset_key as "datasetKey" from dataset_versions
        where app_key = ${grant.appKey} and key = ${made.truthVersionKey} for share`,
  );
  if (!truth) return undefined;
  const version = packVersion(
    create(DatasetVersionSchema, { id: newId(), description: made.description }),
    made.modelVersionKey,
  );
  const origin = requestOrigin.evalPredictions;
  const key = (await insertVersion(tx, grant, truth.datasetKey, version, origin)) as number;
  const chunks = await copyChunks(tx, grant, truth.datasetKey, made.truthVersionKey);
  for await (const page of pages) await insertPredictions(tx, chunks, made.modelVersionKey, page);
  for (const chunkKey of chunks.values()) await countChunk(tx, chunkKey, []);
  await linkChunks(
    tx,
    key,
    [...chunks].map(([bucket, chunkKey]) => ({ bucket, chunkKey })),
  );
  await settle(tx, key, [...chunks.keys()]);
  return { key, id: version.id };
}

/** Chunks with the inputs of a version and no annotations. @returns the new ones by bucket */
async function copyChunks(
  tx: Tx,
  grant: AppGrant,
  datasetKey: number,
  versionKey: number,
): Promise<Map<number, number>> {
  const made = await rows<{ bucket: number; key: number }>(
    tx,
    sql`insert into dataset_chunks (app_key, dataset_key, bucket, fingerprint, n)
        select ${grant.appKey}, ${datasetKey}, bucket, ${randomBytes(32)}, 0 from dataset_version_chunks
        where version_key = ${versionKey} order by bucket returning bucket, key`,
  );
  await run(
    tx,
    sql`insert into dataset_chunk_inputs (chunk_key, input_key, input_id, kind, split, url, media_sha, media, settings, deleted_at, erased)
        select n.key, i.input_key, i.input_id, i.kind, i.split, i.url, i.media_sha, i.media, i.settings, i.deleted_at, i.erased
        from unnest(${made.map(({ bucket }) => bucket)}::bigint[], ${made.map(({ key }) => key)}::bigint[]) n(bucket, key)
        join dataset_version_chunks l on l.version_key = ${versionKey} and l.bucket = n.bucket
        join dataset_chunk_inputs i on i.chunk_key = l.chunk_key order by i.input_key`,
  );
  return new Map(made.map(({ bucket, key }) => [bucket, key]));
}

async function insertPredictions(
  tx: Tx,
  chunks: ReadonlyMap<number, number>,
  modelVersionKey: number,
  page: readonly PredictedInput[],
): Promise<void> {
  const byChunk = new Map<number, PredictedInput[]>();
  for (const one of page) {
    const chunkKey = chunks.get(bucketOf(one.inputKey));
    if (chunkKey === undefined) continue;
    const list = byChunk.get(chunkKey);
    if (list) list.push(one);
    else byChunk.set(chunkKey, [one]);
  }
  for (const [chunkKey, inputs] of byChunk) {
    const said = inputs.flatMap(({ inputKey, data }) =>
      predictedRows(data).map((row) => ({ ...row, inputKey, id: newId() })),
    );
    await putPredictions(tx, chunkKey, modelVersionKey, said);
  }
}

export interface KnownVersion extends MadeVersion {
  readonly statusCode: number;
}

/** A dataset and the version named; `undefined` where either is missing. */
export async function findDatasetAndVersion(
  db: Db,
  grant: AppGrant,
  datasetId: string,
  versionId: string,
): Promise<{ datasetKey: number; version: KnownVersion | undefined } | undefined> {
  const dataset = await first<{ key: number }>(
    db,
    sql`select key from datasets where app_key = ${grant.appKey} and id = ${datasetId}`,
  );
  if (!dataset) return undefined;
  const version = await first<KnownVersion>(
    db,
    sql`select key, id, status_code as "statusCode" from dataset_versions
        where app_key = ${grant.appKey} and dataset_key = ${dataset.key} and id = ${versionId}`,
  );
  return { datasetKey: dataset.key, version };
}

/** Versions by key. They were found under their own app's grant when they were written down. */
export async function versionsNamed(db: Db, keys: readonly number[]): Promise<Map<number, KnownVersion>> {
  if (keys.length === 0) return new Map();
  const found = await rows<KnownVersion>(
    db,
    sql`select key, id, status_code as "statusCode" from dataset_versions where key = any(${[...keys]}::bigint[])`,
  );
  return new Map(found.map((version) => [version.key, version]));
}
