import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { pageKeys } from '../common/paging.ts';
import type { AddJobRow } from './rows.ts';

const columns = sql`j.key, j.id, j.pending_count as "pendingCount", j.in_progress_count as "inProgressCount",
  j.success_count as "successCount", j.failed_count as "failedCount", j.status_code as "statusCode",
  j.created_at as "createdAt", j.modified_at as "modifiedAt"`;

/** Adds to the pending inputs of a job, which is made where there is none; locks it. Adding reopens a cancelled job. */
export async function addPending(db: Db, grant: AppGrant, id: string, n: number): Promise<AddJobRow> {
  const row = await first<AddJobRow>(
    db,
    sql`insert into inputs_add_jobs as j (app_key, id, pending_count) values (${grant.appKey}, ${id}, ${n})
        on conflict (app_key, id) do update
          set pending_count = j.pending_count + excluded.pending_count, status_code = 64001, modified_at = now()
        returning ${columns}`,
  );
  return row as AddJobRow;
}

/** Makes a job that counts nothing yet; undefined where its id is taken. */
export function insertAddJob(db: Db, grant: AppGrant, id: string): Promise<AddJobRow | undefined> {
  return first<AddJobRow>(
    db,
    sql`insert into inputs_add_jobs as j (app_key, id) values (${grant.appKey}, ${id})
        on conflict (app_key, id) do nothing returning ${columns}`,
  );
}

export function addJobByKey(db: Db, grant: AppGrant, key: number): Promise<AddJobRow | undefined> {
  return first<AddJobRow>(
    db,
    sql`select ${columns} from inputs_add_jobs j where j.app_key = ${grant.appKey} and j.key = ${key}`,
  );
}

/** How many inputs of a job go from one count to another. */
export interface Shift {
  readonly addJobKey: number;
  readonly pending: number;
  readonly inProgress: number;
  readonly success: number;
  readonly failed: number;
}

/** Changes counts of jobs. Locks them in key order; inputs are locked before, tallies after. */
export async function shiftCounts(db: Db, grant: AppGrant, shifts: readonly Shift[]): Promise<void> {
  if (shifts.length === 0) return;
  const ordered = [...shifts].sort((a, b) => a.addJobKey - b.addJobKey);
  await run(
    db,
    sql`with locked as (
          select key from inputs_add_jobs where app_key = ${grant.appKey}
            and key = any(${ordered.map((s) => s.addJobKey)}::bigint[]) order by key for no key update
        )
        update inputs_add_jobs j set
          pending_count = j.pending_count + s.pending, in_progress_count = j.in_progress_count + s.in_progress,
          success_count = j.success_count + s.success, failed_count = j.failed_count + s.failed, modified_at = now()
        from locked, unnest(
          ${ordered.map((s) => s.addJobKey)}::bigint[], ${ordered.map((s) => s.pending)}::bigint[],
          ${ordered.map((s) => s.inProgress)}::bigint[], ${ordered.map((s) => s.success)}::bigint[],
          ${ordered.map((s) => s.failed)}::bigint[]
        ) as s(key, pending, in_progress, success, failed)
        where j.key = locked.key and j.key = s.key`,
  );
}

export function findAddJob(db: Db, grant: AppGrant, id: string): Promise<AddJobRow | undefined> {
  return first<AddJobRow>(
    db,
    sql`select ${columns} from inputs_add_jobs j where j.app_key = ${grant.appKey} and j.id = ${id}`,
  );
}

/** Newest first. */
export function pageOfAddJobs(db: Db, grant: AppGrant, page: Page): Promise<AddJobRow[]> {
  const where = sql`app_key = ${grant.appKey}`;
  return rows<AddJobRow>(
    db,
    sql`select ${columns} from ${pageKeys('inputs_add_jobs', where, sql`key desc`, page)} p
        join inputs_add_jobs j using (key) order by p.position`,
  );
}

/** Row keys of the first inputs of a job that nobody has begun with. */
export async function pendingOf(
  db: Db,
  grant: AppGrant,
  addJobKey: number,
  limit: number,
): Promise<number[]> {
  const found = await rows<{ key: number }>(
    db,
    sql`select key from inputs where app_key = ${grant.appKey} and status_code = 30001 and add_job_key = ${addJobKey} order by key limit ${limit}`,
  );
  return found.map(({ key }) => key);
}

export async function markCancelled(db: Db, grant: AppGrant, addJobKey: number): Promise<void> {
  await run(
    db,
    sql`update inputs_add_jobs set status_code = 64004, modified_at = now() where app_key = ${grant.appKey} and key = ${addJobKey}`,
  );
}
