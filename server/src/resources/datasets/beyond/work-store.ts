import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { markRestored } from '../erase-store.ts';

export const workStatus = { queued: 64000, running: 64001, completed: 64002, failed: 64003 } as const;

export interface WorkRow {
  readonly key: number;
  readonly datasetKey: number;
  readonly datasetId: string;
  readonly id: string;
  readonly kind: 'restore' | 'leaks';
  readonly versionKey: number;
  readonly versionId: string;
  readonly otherVersionKey: number | null;
  readonly otherVersionId: string | null;
  readonly options: Record<string, unknown>;
  readonly statusCode: number;
  readonly statusDetails: string;
  readonly step: string;
  readonly afterKey: number;
  readonly done: number;
  readonly total: number;
  readonly found: number;
}

const columns = sql`w.key, w.dataset_key as "datasetKey", d.id as "datasetId", w.id, w.kind, w.version_key as "versionKey",
  v.id as "versionId", w.other_version_key as "otherVersionKey", o.id as "otherVersionId", w.options,
  w.status_code as "statusCode", w.status_details as "statusDetails", w.step, w.after_key as "afterKey", w.done, w.total, w.found`;
const joined = sql`join datasets d on d.key = w.dataset_key join dataset_versions v on v.key = w.version_key
  left join dataset_versions o on o.key = w.other_version_key`;

export async function insertWork(
  db: Db,
  grant: AppGrant,
  work: Pick<WorkRow, 'id' | 'kind' | 'datasetKey' | 'versionKey' | 'otherVersionKey' | 'options'>,
): Promise<number> {
  const row = await first<{ key: number }>(
    db,
    sql`insert into dataset_works (app_key, dataset_key, id, kind, version_key, other_version_key, options)
        values (${grant.appKey}, ${work.datasetKey}, ${work.id}, ${work.kind}, ${work.versionKey}, ${work.otherVersionKey},
                ${JSON.stringify(work.options)}::jsonb) returning key`,
  );
  return (row as { key: number }).key;
}

export const findWork = (
  db: Db,
  grant: AppGrant,
  datasetId: string,
  id: string,
): Promise<WorkRow | undefined> =>
  first<WorkRow>(
    db,
    sql`select ${columns} from dataset_works w ${joined}
        where w.app_key = ${grant.appKey} and d.id = ${datasetId} and w.id = ${id}`,
  );

const open = [workStatus.queued, workStatus.running];

/** Work that is not over, locked. */
export const lockWork = (db: Db, grant: AppGrant, key: number): Promise<WorkRow | undefined> =>
  first<WorkRow>(
    db,
    sql`select ${columns} from dataset_works w ${joined}
        where w.key = ${key} and w.app_key = ${grant.appKey} and w.status_code = any(${open}::int[]) for update of w`,
  );

export async function moveWork(
  db: Db,
  key: number,
  to: Pick<WorkRow, 'step' | 'afterKey' | 'done' | 'total' | 'found'>,
): Promise<void> {
  await run(
    db,
    sql`update dataset_works set status_code = ${workStatus.running}, step = ${to.step}, after_key = ${to.afterKey},
          done = ${to.done}, total = ${to.total}, found = ${to.found}, modified_at = now() where key = ${key}`,
  );
}

export async function endWork(db: Db, key: number, statusCode: number, details: string): Promise<void> {
  await run(
    db,
    sql`update dataset_works set status_code = ${statusCode}, status_details = ${details}, modified_at = now()
        where key = ${key} and status_code = any(${open}::int[])`,
  );
}

export async function versionState(
  db: Db,
  versionKey: number,
): Promise<{ statusCode: number; n: number } | undefined> {
  return first(
    db,
    sql`select v.status_code as "statusCode", (select coalesce(sum(c.n), 0)::bigint from dataset_version_chunks l
          join dataset_chunks c on c.key = l.chunk_key where l.version_key = v.key) as n
        from dataset_versions v where v.key = ${versionKey}`,
  );
}

/** Makes inputs anew, with the keys they had, that a version holds and that are gone, unless their id is taken by another. */
export async function reviveInputs(
  db: Db,
  grant: AppGrant,
  kept: readonly { chunkKey: number; inputKey: number }[],
) {
  const revived = await rows<{ key: number }>(
    db,
    sql`insert into inputs (key, app_key, id, kind, status_code, url, media_sha, media, settings) overriding system value
        select i.input_key, ${grant.appKey}, i.input_id, i.kind, 30000, i.url, i.media_sha, i.media, i.settings
        from unnest(${kept.map((k) => k.chunkKey)}::bigint[], ${kept.map((k) => k.inputKey)}::bigint[]) as n(chunk_key, input_key)
        join dataset_chunk_inputs i on i.chunk_key = n.chunk_key and i.input_key = n.input_key
        where i.media_sha is not null and not exists (select from inputs x where x.key = i.input_key)
        order by i.input_key on conflict do nothing returning key`,
  );
  await markRestored(
    db,
    grant,
    revived.map(({ key }) => key),
  );
}

/** Workers and the like of what a version says of inputs. */
export interface SaidRow {
  readonly inputKey: number;
  readonly annotationId: string;
  readonly inputLevel: boolean;
  readonly trusted: boolean;
  readonly workerUserKey: number | null;
  readonly workerModelVersionKey: number | null;
  readonly workerWorkflowVersionKey: number | null;
  readonly taskId: string;
  readonly annotationInfo: Record<string, unknown> | null;
  readonly data: Buffer;
}

export const saidIn = (db: Db, kept: readonly { chunkKey: number; inputKey: number }[]): Promise<SaidRow[]> =>
  rows<SaidRow>(
    db,
    sql`select a.input_key as "inputKey", a.annotation_id as "annotationId", a.input_level as "inputLevel", a.trusted,
          a.worker_user_key as "workerUserKey", a.worker_model_version_key as "workerModelVersionKey",
          a.worker_workflow_version_key as "workerWorkflowVersionKey", a.task_id as "taskId",
          a.annotation_info as "annotationInfo", a.data
        from unnest(${kept.map((k) => k.chunkKey)}::bigint[], ${kept.map((k) => k.inputKey)}::bigint[]) as n(chunk_key, input_key)
        join dataset_chunk_annotations a on a.chunk_key = n.chunk_key and a.input_key = n.input_key
        -- What was worked out while the version was made belongs to it alone.
        where a.annotation_key <> 0`,
  );

/** Trusted, finished annotations of inputs as they are now: what a version without a filter would hold. */
export const presentOf = (db: Db, grant: AppGrant, inputKeys: readonly number[]) =>
  rows<{ key: number; inputKey: number; id: string; inputLevel: boolean; data: Buffer }>(
    db,
    sql`select key, input_key as "inputKey", id, input_level as "inputLevel", data from annotations
        where app_key = ${grant.appKey} and input_key = any(${[...inputKeys]}::bigint[])
          and (input_level or (trusted and status_code = 24150))
        order by key`,
  );

/** The next members of a dataset, and whether a version holds them. */
export const membersAfter = (db: Db, datasetKey: number, versionKey: number, after: number, limit: number) =>
  rows<{ key: number; inputKey: number; isKept: boolean }>(
    db,
    sql`select m.key, m.input_key as "inputKey", exists (
            select from dataset_version_chunks l join dataset_chunk_inputs i on i.chunk_key = l.chunk_key
            where l.version_key = ${versionKey} and l.bucket = m.input_key >> 10 and i.input_key = m.input_key) as "isKept"
        from dataset_inputs m where m.dataset_key = ${datasetKey} and m.key > ${after} order by m.key limit ${limit}`,
  );

/** Of these inputs, those that a version holds under the same id. */
export async function idsHeld(
  db: Db,
  versionKey: number,
  inputKeys: readonly number[],
): Promise<Set<number>> {
  const found = await rows<{ key: number }>(
    db,
    sql`select n.key from inputs n join dataset_version_inputs i on i.version_key = ${versionKey} and i.input_id = n.id
        where n.key = any(${[...inputKeys]}::bigint[])`,
  );
  return new Set(found.map(({ key }) => key));
}

/** Inputs of the other side that show the very same bytes. */
export async function findSameMedia(
  db: Db,
  work: WorkRow,
  kept: readonly { chunkKey: number; inputKey: number }[],
): Promise<void> {
  const other = work.otherVersionKey ?? work.versionKey;
  const elsewhere =
    work.otherVersionKey === null ? sql`o.split <> i.split and o.input_key > i.input_key` : sql`true`;
  await run(
    db,
    sql`insert into dataset_leaks (work_key, input_key, other_input_key, input_id, split, other_input_id, other_split, same)
        select ${work.key}, i.input_key, o.input_key, i.input_id, i.split, o.input_id, o.split, true
        from unnest(${kept.map((k) => k.chunkKey)}::bigint[], ${kept.map((k) => k.inputKey)}::bigint[]) as n(chunk_key, input_key)
        join dataset_chunk_inputs i on i.chunk_key = n.chunk_key and i.input_key = n.input_key
        join dataset_chunk_inputs o on o.media_sha = i.media_sha and o.deleted_at is null
        join dataset_version_chunks l on l.chunk_key = o.chunk_key and l.version_key = ${other}
        where ${elsewhere} on conflict do nothing`,
  );
}

/** Inputs of the other side out of those that look alike. */
export async function keepNear(
  db: Db,
  work: WorkRow,
  input: { inputKey: number; id: string; split: string },
  near: readonly number[],
): Promise<void> {
  const other = work.otherVersionKey ?? work.versionKey;
  const elsewhere =
    work.otherVersionKey === null
      ? sql`o.split <> ${input.split} and o.input_key > ${input.inputKey}`
      : sql`o.input_key <> ${input.inputKey}`;
  await run(
    db,
    sql`insert into dataset_leaks (work_key, input_key, other_input_key, input_id, split, other_input_id, other_split, same)
        select ${work.key}, ${input.inputKey}, o.input_key, ${input.id}, ${input.split}, o.input_id, o.split, false
        from unnest(${[...near]}::bigint[]) as k(key)
        join dataset_version_chunks l on l.version_key = ${other} and l.bucket = k.key >> 10
        join dataset_chunk_inputs o on o.chunk_key = l.chunk_key and o.input_key = k.key
        where ${elsewhere} on conflict do nothing`,
  );
}

export async function countLeaks(db: Db, workKey: number): Promise<number> {
  const row = await first<{ n: number }>(
    db,
    sql`select count(*) as n from dataset_leaks where work_key = ${workKey}`,
  );
  return row?.n ?? 0;
}

export interface LeakRow {
  readonly inputKey: number;
  readonly otherInputKey: number;
  readonly inputId: string;
  readonly split: string;
  readonly otherInputId: string;
  readonly otherSplit: string;
  readonly same: boolean;
}

export const leaksAfter = (
  db: Db,
  grant: AppGrant,
  workKey: number,
  after: { inputKey: number; otherInputKey: number },
  limit: number,
): Promise<LeakRow[]> =>
  rows<LeakRow>(
    db,
    sql`select l.input_key as "inputKey", l.other_input_key as "otherInputKey", l.input_id as "inputId", l.split,
          l.other_input_id as "otherInputId", l.other_split as "otherSplit", l.same
        from dataset_leaks l join dataset_works w on w.key = l.work_key
        where l.work_key = ${workKey} and w.app_key = ${grant.appKey}
          and (l.input_key, l.other_input_key) > (${after.inputKey}, ${after.otherInputKey})
        order by l.input_key, l.other_input_key limit ${limit}`,
  );
