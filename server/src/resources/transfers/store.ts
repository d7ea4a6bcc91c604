import type { Problem } from '@fovea/formats';
import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import type { Cursor, TransferCounts, TransferKind, TransferRow, TransferState } from './transfer.ts';

const columns = sql`t.key, t.id, t.kind, t.state, t.dataset_id as "datasetId", t.format, t.dry_run as "dryRun",
  t.with_images as "withImages", t.upload_id as "uploadId", t.version_id as "versionId", t.cursor, t.counts, t.report, t.problems, t.reason,
  t.object_key as "objectKey", t.size_bytes as "sizeBytes", t.created_at as "createdAt", t.modified_at as "modifiedAt"`;

export interface NewTransfer {
  readonly id: string;
  readonly kind: TransferKind;
  readonly datasetId: string;
  readonly format: string;
  readonly dryRun: boolean;
  readonly withImages: boolean;
  readonly uploadId: string;
  /** Empty for the dataset as it is. */
  readonly versionId: string;
}

/** @returns undefined when the id is taken */
export const insertTransfer = (db: Db, grant: AppGrant, one: NewTransfer): Promise<TransferRow | undefined> =>
  first<TransferRow>(
    db,
    sql`insert into transfers as t (app_key, id, kind, dataset_id, format, dry_run, with_images, upload_id, version_id)
        values (${grant.appKey}, ${one.id}, ${one.kind}, ${one.datasetId}, ${one.format}, ${one.dryRun},
                ${one.withImages}, ${one.uploadId}, ${one.versionId})
        on conflict (app_key, id) do nothing returning ${columns}`,
  );

export const findTransfer = (db: Db, grant: AppGrant, id: string): Promise<TransferRow | undefined> =>
  first<TransferRow>(
    db,
    sql`select ${columns} from transfers t where t.app_key = ${grant.appKey} and t.id = ${id}`,
  );

export const transferByKey = (db: Db, grant: AppGrant, key: number): Promise<TransferRow | undefined> =>
  first<TransferRow>(
    db,
    sql`select ${columns} from transfers t where t.app_key = ${grant.appKey} and t.key = ${key}`,
  );

/** The newest first, those made before the one of key `before`. */
export const transfersBefore = (
  db: Db,
  grant: AppGrant,
  before: number,
  limit: number,
): Promise<TransferRow[]> =>
  rows<TransferRow>(
    db,
    sql`select ${columns} from transfers t where t.app_key = ${grant.appKey} and t.key < ${before}
        order by t.key desc limit ${limit}`,
  );

export interface Step {
  readonly state?: TransferState;
  readonly cursor?: Cursor;
  readonly counts?: TransferCounts;
  readonly format?: string;
  readonly report?: object;
  /** Added to those there are, up to a thousand in all. */
  readonly problems?: readonly Problem[];
  readonly reason?: string;
  readonly sizeBytes?: number;
  readonly objectKey?: string;
}

export const problemsMax = 1_000;

/** Takes a step of one that is still open. @returns false when it was cancelled or is gone */
export async function takeStep(db: Db, grant: AppGrant, key: number, step: Step): Promise<boolean> {
  const json = (value: unknown) => (value === undefined ? null : JSON.stringify(value));
  const row = await first(
    db,
    sql`update transfers t set state = coalesce(${step.state ?? null}, t.state),
          cursor = coalesce(${json(step.cursor)}::jsonb, t.cursor),
          counts = coalesce(${json(step.counts)}::jsonb, t.counts),
          format = coalesce(${step.format ?? null}, t.format),
          report = t.report || coalesce(${json(step.report)}::jsonb, '{}'::jsonb),
          problems = case when jsonb_array_length(t.problems) >= ${problemsMax} then t.problems
            else t.problems || coalesce(${json(step.problems)}::jsonb, '[]'::jsonb) end,
          reason = coalesce(${step.reason ?? null}, t.reason),
          size_bytes = coalesce(${step.sizeBytes ?? null}::bigint, t.size_bytes),
          object_key = coalesce(${step.objectKey ?? null}, t.object_key), modified_at = now()
        where t.key = ${key} and t.app_key = ${grant.appKey} and t.state in ('pending', 'running') returning t.key`,
  );
  return row !== undefined;
}

export const cancelTransfer = (db: Db, grant: AppGrant, id: string): Promise<TransferRow | undefined> =>
  first<TransferRow>(
    db,
    sql`update transfers t set state = 'cancelled', modified_at = now()
        where t.app_key = ${grant.appKey} and t.id = ${id} and t.state in ('pending', 'running') returning ${columns}`,
  );

export async function deleteTransfer(db: Db, grant: AppGrant, id: string): Promise<void> {
  await run(db, sql`delete from transfers where app_key = ${grant.appKey} and id = ${id}`);
}

/** The next inputs of a dataset that are processed, in the order in which they came. */
export const membersAfter = (
  db: Db,
  grant: AppGrant,
  datasetKey: number,
  afterKey: number,
  limit: number,
): Promise<{ key: number; id: string; kind: string }[]> =>
  rows(
    db,
    sql`select i.key, i.id, i.kind from dataset_inputs m join inputs i on i.key = m.input_key
        where m.dataset_key = ${datasetKey} and i.app_key = ${grant.appKey} and m.input_key > ${afterKey}
        order by m.input_key limit ${limit}`,
  );

/** Row keys of what is trusted and finished about inputs, oldest first. */
export async function annotationKeysOf(
  db: Db,
  grant: AppGrant,
  inputKeys: readonly number[],
): Promise<number[]> {
  const found = await rows<{ key: number }>(
    db,
    sql`select a.key from annotations a join inputs i on i.key = a.input_key
        where i.app_key = ${grant.appKey} and a.input_key = any(${[...inputKeys]}::bigint[]) and a.trusted and a.status_code = 24150
        order by a.key`,
  );
  return found.map(({ key }) => key);
}

/** Where the archives of an app lie in the object store. */
export async function archivesOfApp(db: Db, appKey: number): Promise<string[]> {
  const found = await rows<{ key: string }>(
    db,
    sql`select object_key as key from transfers where app_key = ${appKey} and object_key <> ''`,
  );
  return found.map(({ key }) => key);
}

/**
 * Takes the archives away from exports of datasets that hold these inputs or ever held them, and ends those that are
 * being written. @returns where the archives lie in the object store
 */
export async function dropArchivesWith(
  db: Db,
  grant: AppGrant,
  inputKeys: readonly number[],
): Promise<string[]> {
  const found = await rows<{ key: string }>(
    db,
    sql`with held as (
          select d.id from datasets d where d.app_key = ${grant.appKey} and d.key in (
            select dataset_key from dataset_inputs where input_key = any(${[...inputKeys]}::bigint[])
            union select dataset_key from dataset_input_versions where input_key = any(${[...inputKeys]}::bigint[]))
        ), old as (
          select key, object_key from transfers
          where app_key = ${grant.appKey} and kind = 'export' and dataset_id in (select id from held)
            and (object_key <> '' or state = 'running') order by key for update
        )
        update transfers t set object_key = '', size_bytes = 0, modified_at = now(),
          state = case t.state when 'running' then 'failed' else t.state end,
          reason = 'Inputs that the archive held were deleted since; export again.'
        from old where t.key = old.key returning old.object_key as key`,
  );
  return found.map(({ key }) => key).filter((key) => key !== '');
}
