import type { InputIDConflictResolution } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { pageKeys } from '../common/paging.ts';
import type { InputKind } from '../inputs/index.ts';

export interface JobRow {
  readonly key: number;
  readonly id: string;
  readonly addJobKey: number;
  readonly uploadKey: number | null;
  readonly workerUserKey: number;
  readonly url: string;
  readonly source: Buffer | null;
  readonly inputTemplate: Buffer;
  readonly conflictResolution: InputIDConflictResolution;
  readonly callBackUrl: string;
  readonly statusCode: number;
  readonly statusDetails: string;
  readonly audioCount: number;
  readonly imageCount: number;
  readonly videoCount: number;
  readonly textCount: number;
  readonly pendingArchives: number;
  readonly inProgressArchives: number;
  readonly completedArchives: number;
  readonly failedArchives: number;
  readonly faultCount: number;
  readonly entryCount: number;
  readonly bytesOut: number;
  readonly listPage: string;
  readonly listAfter: string;
  readonly isListed: boolean;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

const columns = sql`j.key, j.id, j.add_job_key as "addJobKey", j.upload_key as "uploadKey", j.worker_user_key as "workerUserKey",
  j.url, j.source, j.input_template as "inputTemplate", j.conflict_resolution as "conflictResolution",
  j.call_back_url as "callBackUrl", j.status_code as "statusCode", j.status_details as "statusDetails",
  j.audio_count as "audioCount", j.image_count as "imageCount", j.video_count as "videoCount", j.text_count as "textCount",
  j.pending_archives as "pendingArchives", j.in_progress_archives as "inProgressArchives",
  j.completed_archives as "completedArchives", j.failed_archives as "failedArchives", j.fault_count as "faultCount",
  j.entry_count as "entryCount", j.bytes_out as "bytesOut", j.list_page as "listPage", j.list_after as "listAfter",
  j.is_listed as "isListed", j.created_at as "createdAt", j.modified_at as "modifiedAt"`;

export interface NewJob {
  readonly id: string;
  readonly addJobKey: number;
  readonly uploadKey: number | null;
  readonly url: string;
  readonly source: Buffer | null;
  readonly inputTemplate: Buffer;
  readonly conflictResolution: InputIDConflictResolution;
  readonly callBackUrl: string;
}

/** A job of an upload has no source to list. */
export async function insertJob(db: Db, grant: AppGrant, job: NewJob): Promise<JobRow> {
  const row = await first<JobRow>(
    db,
    sql`insert into inputs_extraction_jobs as j (app_key, id, add_job_key, upload_key, worker_user_key, url, source,
          input_template, conflict_resolution, call_back_url, is_listed)
        values (${grant.appKey}, ${job.id}, ${job.addJobKey}, ${job.uploadKey}, ${grant.caller.userKey}, ${job.url}, ${job.source},
          ${job.inputTemplate}, ${job.conflictResolution}, ${job.callBackUrl}, ${job.source === null})
        returning ${columns}`,
  );
  return row as JobRow;
}

export function findJob(db: Db, grant: AppGrant, id: string): Promise<JobRow | undefined> {
  return first<JobRow>(
    db,
    sql`select ${columns} from inputs_extraction_jobs j where j.app_key = ${grant.appKey} and j.id = ${id}`,
  );
}

export function jobByKey(db: Db, grant: AppGrant, key: number): Promise<JobRow | undefined> {
  return first<JobRow>(
    db,
    sql`select ${columns} from inputs_extraction_jobs j where j.app_key = ${grant.appKey} and j.key = ${key}`,
  );
}

/** As `jobByKey`, and nobody else changes it until the transaction ends. Taken before add jobs and inputs. */
export function lockJob(db: Db, grant: AppGrant, key: number): Promise<JobRow | undefined> {
  return first<JobRow>(
    db,
    sql`select ${columns} from inputs_extraction_jobs j where j.app_key = ${grant.appKey} and j.key = ${key} for no key update`,
  );
}

/** Jobs that are not over, by what they have in common; locked in key order. */
export function lockOpenJobs(
  db: Db,
  grant: AppGrant,
  by: { ids: readonly string[] } | { addJobKey: number } | { uploadKeys: readonly number[] },
): Promise<JobRow[]> {
  const which =
    'ids' in by
      ? sql`j.id = any(${[...by.ids]}::text[])`
      : 'addJobKey' in by
        ? sql`j.add_job_key = ${by.addJobKey}`
        : sql`j.upload_key = any(${[...by.uploadKeys]}::bigint[])`;
  return rows<JobRow>(
    db,
    sql`select ${columns} from inputs_extraction_jobs j
        where j.app_key = ${grant.appKey} and ${which} and j.status_code in (64000, 64001)
        order by j.key for no key update`,
  );
}

export function jobsByIds(db: Db, grant: AppGrant, ids: readonly string[]): Promise<JobRow[]> {
  return rows<JobRow>(
    db,
    sql`select ${columns} from inputs_extraction_jobs j where j.app_key = ${grant.appKey} and j.id = any(${[...ids]}::text[])`,
  );
}

/** Oldest first. */
export function jobsOfAddJobs(db: Db, grant: AppGrant, addJobKeys: readonly number[]): Promise<JobRow[]> {
  return rows<JobRow>(
    db,
    sql`select ${columns} from inputs_extraction_jobs j
        where j.app_key = ${grant.appKey} and j.add_job_key = any(${[...addJobKeys]}::bigint[]) order by j.key`,
  );
}

/** Newest first. */
export function pageOfJobs(db: Db, grant: AppGrant, page: Page): Promise<JobRow[]> {
  return rows<JobRow>(
    db,
    sql`select ${columns} from ${pageKeys('inputs_extraction_jobs', sql`app_key = ${grant.appKey}`, sql`key desc`, page)} p
        join inputs_extraction_jobs j using (key) order by p.position`,
  );
}

export async function setStatus(
  db: Db,
  grant: AppGrant,
  keys: readonly number[],
  statusCode: number,
  details: string,
): Promise<void> {
  await run(
    db,
    sql`update inputs_extraction_jobs set status_code = ${statusCode}, status_details = ${details}, modified_at = now()
        where app_key = ${grant.appKey} and key = any(${[...keys]}::bigint[])`,
  );
}

/** Ends jobs: credentials are gone with this, and archives that were not finished are none any more. @returns their objects */
export async function endJobs(
  db: Db,
  grant: AppGrant,
  keys: readonly number[],
  statusCode: number,
  details: string,
): Promise<string[]> {
  await run(
    db,
    sql`update inputs_extraction_jobs set status_code = ${statusCode}, status_details = ${details}, source = null,
          failed_archives = failed_archives + pending_archives + in_progress_archives, pending_archives = 0,
          in_progress_archives = 0, modified_at = now()
        where app_key = ${grant.appKey} and key = any(${[...keys]}::bigint[])`,
  );
  const gone = await rows<{ object: string | null }>(
    db,
    sql`delete from inputs_extraction_archives a using inputs_extraction_jobs j
        where j.key = a.job_key and j.app_key = ${grant.appKey} and j.key = any(${[...keys]}::bigint[]) returning a.object`,
  );
  return gone.flatMap(({ object }) => object ?? []);
}

export interface ArchiveRow {
  readonly key: number;
  readonly name: string;
  readonly depth: number;
  readonly object: string | null;
  readonly isBegun: boolean;
  readonly position: number;
  readonly bytesOut: number;
}

const archiveColumns = sql`a.key, a.name, a.depth, a.object, a.is_begun as "isBegun", a.position, a.bytes_out as "bytesOut"`;

/** The archive to go on with: what lies deepest first, so that few of them are open at a time. */
export function nextArchive(db: Db, grant: AppGrant, jobKey: number): Promise<ArchiveRow | undefined> {
  return first<ArchiveRow>(
    db,
    sql`select ${archiveColumns} from inputs_extraction_archives a join inputs_extraction_jobs j on j.key = a.job_key
        where j.app_key = ${grant.appKey} and a.job_key = ${jobKey} order by a.depth desc, a.key limit 1`,
  );
}

export interface NewArchive {
  readonly name: string;
  readonly depth: number;
  readonly object: string | null;
}

export async function insertArchives(
  db: Db,
  grant: AppGrant,
  jobKey: number,
  archives: readonly NewArchive[],
): Promise<void> {
  if (archives.length === 0) return;
  await run(
    db,
    sql`insert into inputs_extraction_archives (job_key, name, depth, object)
        select j.key, n.name, n.depth, n.object from inputs_extraction_jobs j, unnest(
          ${archives.map((n) => n.name)}::text[], ${archives.map((n) => n.depth)}::int[], ${archives.map((n) => n.object)}::text[]
        ) as n(name, depth, object)
        where j.app_key = ${grant.appKey} and j.key = ${jobKey}`,
  );
  await run(
    db,
    sql`update inputs_extraction_jobs set pending_archives = pending_archives + ${archives.length}
        where app_key = ${grant.appKey} and key = ${jobKey}`,
  );
}

/** Marks an archive as begun. Run twice, it counts once. */
export async function beginArchive(
  db: Db,
  grant: AppGrant,
  jobKey: number,
  archiveKey: number,
): Promise<void> {
  await run(
    db,
    sql`with begun as (
          update inputs_extraction_archives a set is_begun = true from inputs_extraction_jobs j
          where j.key = a.job_key and j.app_key = ${grant.appKey} and j.key = ${jobKey} and a.key = ${archiveKey} and not a.is_begun
          returning a.key)
        update inputs_extraction_jobs set pending_archives = pending_archives - 1, in_progress_archives = in_progress_archives + 1,
          modified_at = now()
        where app_key = ${grant.appKey} and key = ${jobKey} and exists (select from begun)`,
  );
}

/** Moves an archive on. @returns false where somebody else did */
export async function advanceArchive(
  db: Db,
  grant: AppGrant,
  archive: ArchiveRow,
  to: { position: number; bytesOut: number },
): Promise<boolean> {
  const moved = await first<{ key: number }>(
    db,
    sql`update inputs_extraction_archives a set position = ${to.position}, bytes_out = ${to.bytesOut} from inputs_extraction_jobs j
        where j.key = a.job_key and j.app_key = ${grant.appKey} and a.key = ${archive.key} and a.position = ${archive.position}
        returning a.key`,
  );
  return moved !== undefined;
}

export async function endArchive(
  db: Db,
  grant: AppGrant,
  jobKey: number,
  archiveKey: number,
  isGood: boolean,
): Promise<void> {
  await run(
    db,
    sql`with gone as (
          delete from inputs_extraction_archives a using inputs_extraction_jobs j
          where j.key = a.job_key and j.app_key = ${grant.appKey} and a.key = ${archiveKey} returning a.key)
        update inputs_extraction_jobs set in_progress_archives = in_progress_archives - 1,
          completed_archives = completed_archives + ${isGood ? 1 : 0}, failed_archives = failed_archives + ${isGood ? 0 : 1},
          modified_at = now()
        where app_key = ${grant.appKey} and key = ${jobKey} and exists (select from gone)`,
  );
}

export interface Progress {
  readonly kinds: Readonly<Record<InputKind, number>>;
  readonly entries: number;
  readonly bytesOut: number;
}

export async function addProgress(
  db: Db,
  grant: AppGrant,
  jobKey: number,
  { kinds, entries, bytesOut }: Progress,
): Promise<void> {
  await run(
    db,
    sql`update inputs_extraction_jobs set audio_count = audio_count + ${kinds.audio}, image_count = image_count + ${kinds.image},
          video_count = video_count + ${kinds.video}, text_count = text_count + ${kinds.text},
          entry_count = entry_count + ${entries}, bytes_out = bytes_out + ${bytesOut}, modified_at = now()
        where app_key = ${grant.appKey} and key = ${jobKey}`,
  );
}

/** Moves the listing on. @returns false where somebody else did */
export async function advanceListing(
  db: Db,
  grant: AppGrant,
  job: JobRow,
  to: { page: string; after: string; isListed: boolean },
): Promise<boolean> {
  const moved = await first<{ key: number }>(
    db,
    sql`update inputs_extraction_jobs set list_page = ${to.page}, list_after = ${to.after}, is_listed = ${to.isListed}
        where app_key = ${grant.appKey} and key = ${job.key} and list_page = ${job.listPage} and list_after = ${job.listAfter}
        returning key`,
  );
  return moved !== undefined;
}

export interface FileFault {
  readonly name: string;
  readonly details: string;
}

/** Names in archives may hold anything; what the database cannot keep, or a log would take for its own, is replaced. */
const shown = (text: string): string =>
  text.slice(0, 1000).replace(/[\u0000-\u001f\u007f\p{Cs}]/gu, '\ufffd');

/** The first ten thousand are kept to be read; the others are counted. */
const faultsKeptMax = 10_000;

export async function addFaults(
  db: Db,
  grant: AppGrant,
  jobKey: number,
  faults: readonly FileFault[],
): Promise<void> {
  if (faults.length === 0) return;
  await run(
    db,
    sql`insert into inputs_extraction_faults (job_key, position, name, details)
        select j.key, j.fault_count + n.position, n.name, n.details from inputs_extraction_jobs j, unnest(
          ${faults.map(({ name }) => shown(name))}::text[], ${faults.map(({ details }) => shown(details))}::text[]
        ) with ordinality as n(name, details, position)
        where j.app_key = ${grant.appKey} and j.key = ${jobKey} and j.fault_count + n.position <= ${faultsKeptMax}`,
  );
  await run(
    db,
    sql`update inputs_extraction_jobs set fault_count = fault_count + ${faults.length}, modified_at = now()
        where app_key = ${grant.appKey} and key = ${jobKey}`,
  );
}

export interface FaultRow extends FileFault {
  readonly position: number;
}

/** Faults of a job behind a position, in the order in which they were found. */
export function faultsOf(
  db: Db,
  grant: AppGrant,
  jobKey: number,
  after: number,
  limit: number,
): Promise<FaultRow[]> {
  return rows<FaultRow>(
    db,
    sql`select f.position, f.name, f.details from inputs_extraction_faults f join inputs_extraction_jobs j on j.key = f.job_key
        where j.app_key = ${grant.appKey} and j.key = ${jobKey} and f.position > ${after} order by f.position limit ${limit}`,
  );
}

/** Which of these objects no archive refers to. */
export async function unknownObjects(db: Db, objects: readonly string[]): Promise<string[]> {
  const found = await rows<{ object: string }>(
    db,
    sql`select object from unnest(${[...objects]}::text[]) as object
        where not exists (select from inputs_extraction_archives a where a.object = object.object)`,
  );
  return found.map(({ object }) => object);
}
