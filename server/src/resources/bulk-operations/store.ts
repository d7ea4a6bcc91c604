import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { pageKeys } from '../common/paging.ts';
import { type Chunk, operationStatus, type TargetKind } from './operation.ts';

export interface OperationRow {
  readonly key: number;
  readonly id: string;
  readonly body: Buffer;
  readonly statusCode: number;
  readonly statusDetails: string;
  readonly processed: number;
  readonly lastProcessedId: string;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

const columns = sql`o.key, o.id, o.body, o.status_code as "statusCode", o.status_details as "statusDetails", o.processed,
  o.last_processed_id as "lastProcessedId", u.id as "createdBy", o.created_at as "createdAt", o.modified_at as "modifiedAt"`;

const isOpen = sql`status_code in (${sql.lit(operationStatus.pending)}, ${sql.lit(operationStatus.inProgress)})`;

/** @returns its row key, or undefined when the id is taken. */
export async function insertOperation(
  db: Db,
  grant: AppGrant,
  id: string,
  body: Buffer,
): Promise<number | undefined> {
  const made = await first<{ key: number }>(
    db,
    sql`insert into bulk_operations (app_key, id, body, user_key) values (${grant.appKey}, ${id}, ${body}, ${grant.caller.userKey})
        on conflict (app_key, id) do nothing returning key`,
  );
  return made?.key;
}

export const operationsById = (db: Db, grant: AppGrant, ids: readonly string[]): Promise<OperationRow[]> =>
  rows(
    db,
    sql`select ${columns} from bulk_operations o join users u on u.key = o.user_key
        where o.app_key = ${grant.appKey} and o.id = any(${[...ids]}::text[]) order by o.key`,
  );

/** A page of the app's operations, newest first. */
export const pageOfOperations = (db: Db, grant: AppGrant, page: Page): Promise<OperationRow[]> =>
  rows(
    db,
    sql`select ${columns} from ${pageKeys('bulk_operations', sql`app_key = ${grant.appKey}`, sql`key desc`, page)} p
        join bulk_operations o using (key) join users u on u.key = o.user_key order by p.position`,
  );

/** Locks operations until the commit, in key order. */
export const lockOperations = (
  db: Db,
  grant: AppGrant,
  ids: readonly string[],
): Promise<Pick<OperationRow, 'key' | 'id' | 'statusCode'>[]> =>
  rows(
    db,
    sql`select key, id, status_code as "statusCode" from bulk_operations
        where app_key = ${grant.appKey} and id = any(${[...ids]}::text[]) order by key for update`,
  );

export async function deleteOperations(db: Db, grant: AppGrant, keys: readonly number[]): Promise<void> {
  await run(
    db,
    sql`delete from bulk_operations where app_key = ${grant.appKey} and key = any(${[...keys]}::bigint[])`,
  );
}

/** Ends operations that are still open; nothing more of them is done. */
export async function endOperations(
  db: Db,
  appKey: number,
  keys: readonly number[],
  statusCode: number,
  details = '',
): Promise<void> {
  await run(
    db,
    sql`with ended as (
          update bulk_operations set status_code = ${statusCode}, status_details = ${details}, modified_at = now()
          where app_key = ${appKey} and key = any(${[...keys]}::bigint[]) and ${isOpen} returning key)
        delete from bulk_operation_chunks where operation_key in (select key from ended)`,
  );
}

export interface OpenOperation {
  readonly key: number;
  readonly body: Buffer;
  readonly prepared: boolean;
  readonly userKey: number;
  readonly userId: string;
}

/** An operation that still has something to do; undefined when it ended or is gone. */
export const findOpen = (db: Db, appKey: number, key: number): Promise<OpenOperation | undefined> =>
  first(
    db,
    sql`select o.key, o.body, o.prepared, u.key as "userKey", u.id as "userId"
        from bulk_operations o join users u on u.key = o.user_key where o.app_key = ${appKey} and o.key = ${key} and ${isOpen}`,
  );

/** Locks an open operation until the commit: who wants to cancel it waits for the step to end. */
export async function lockOpen(
  db: Db,
  grant: AppGrant,
  key: number,
): Promise<{ prepared: boolean } | undefined> {
  return first(
    db,
    sql`select prepared from bulk_operations where app_key = ${grant.appKey} and key = ${key} and ${isOpen} for update`,
  );
}

/** Puts down what is to be done. Nothing to do ends the operation at once. */
export async function keepChunks(
  db: Db,
  grant: AppGrant,
  key: number,
  chunks: readonly Chunk[],
): Promise<void> {
  for (const [position, { datasetId, keys }] of chunks.entries()) {
    await run(
      db,
      sql`insert into bulk_operation_chunks (operation_key, position, dataset_id, keys)
          values (${key}, ${position}, ${datasetId}, ${[...keys]})`,
    );
  }
  await run(
    db,
    sql`update bulk_operations set prepared = true, modified_at = now(),
          status_code = ${chunks.length > 0 ? operationStatus.inProgress : operationStatus.success}
        where app_key = ${grant.appKey} and key = ${key}`,
  );
}

export const nextChunk = (db: Db, key: number): Promise<(Chunk & { position: number }) | undefined> =>
  first(
    db,
    sql`select position, dataset_id as "datasetId", keys from bulk_operation_chunks
        where operation_key = ${key} order by position limit 1`,
  );

/** The id of an input or annotation; undefined when it is gone. */
export async function idOfTarget(db: Db, grant: AppGrant, kind: TargetKind, key: number | undefined) {
  const table = sql.table(kind === 'input' ? 'inputs' : 'annotations');
  const found = await first<{ id: string }>(
    db,
    sql`select id from ${table} where app_key = ${grant.appKey} and key = ${key ?? 0}`,
  );
  return found?.id;
}

/** Counts a chunk as done; with the last one the operation has succeeded. */
export async function finishChunk(
  db: Db,
  grant: AppGrant,
  key: number,
  chunk: Chunk & { position: number },
  lastId: string | undefined,
): Promise<void> {
  await run(
    db,
    sql`delete from bulk_operation_chunks where operation_key = ${key} and position = ${chunk.position}`,
  );
  await run(
    db,
    sql`update bulk_operations set processed = processed + ${chunk.keys.length}, modified_at = now(),
          last_processed_id = coalesce(${lastId ?? null}, last_processed_id),
          status_code = case when exists (select from bulk_operation_chunks where operation_key = ${key})
            then status_code else ${operationStatus.success} end
        where app_key = ${grant.appKey} and key = ${key}`,
  );
}

/** Row keys of the inputs of a dataset, in the order they were added. */
export async function keysOfDataset(db: Db, grant: AppGrant, datasetId: string): Promise<number[]> {
  const found = await rows<{ key: number }>(
    db,
    sql`select m.input_key as key from datasets d join dataset_inputs m on m.dataset_key = d.key
        where d.app_key = ${grant.appKey} and d.id = ${datasetId} order by m.key`,
  );
  return found.map(({ key }) => key);
}
