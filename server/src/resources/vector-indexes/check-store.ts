import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, run, sql } from '#store/sql.ts';

export const checkStatus = { queued: 64000, running: 64001, completed: 64002, failed: 64003 } as const;

export interface CheckRow {
  readonly key: number;
  readonly id: string;
  readonly repair: boolean;
  readonly statusCode: number;
  readonly statusDetails: string;
  readonly done: number;
  readonly total: number;
  /** One entry for each index that was looked at. */
  readonly report: readonly object[];
}

const columns = sql`key, id, repair, status_code as "statusCode", status_details as "statusDetails", done, total, report`;

export async function insertCheck(db: Db, grant: AppGrant, id: string, repair: boolean): Promise<number> {
  const row = await first<{ key: number }>(
    db,
    sql`insert into vector_checks (app_key, id, repair) values (${grant.appKey}, ${id}, ${repair}) returning key`,
  );
  return (row as { key: number }).key;
}

export const findCheck = (db: Db, grant: AppGrant, id: string): Promise<CheckRow | undefined> =>
  first<CheckRow>(
    db,
    sql`select ${columns} from vector_checks where app_key = ${grant.appKey} and id = ${id}`,
  );

export const findCheckByKey = (db: Db, grant: AppGrant, key: number): Promise<CheckRow | undefined> =>
  first<CheckRow>(
    db,
    sql`select ${columns} from vector_checks where app_key = ${grant.appKey} and key = ${key}`,
  );

export async function moveCheck(db: Db, key: number, done: number, total: number): Promise<void> {
  await run(
    db,
    sql`update vector_checks set status_code = ${checkStatus.running}, done = ${done}, total = ${total}, modified_at = now()
        where key = ${key}`,
  );
}

export async function endCheck(
  db: Db,
  key: number,
  statusCode: number,
  details: string,
  report: readonly object[],
): Promise<void> {
  await run(
    db,
    sql`update vector_checks set status_code = ${statusCode}, status_details = ${details}, report = ${JSON.stringify(report)}::jsonb,
          done = case when ${statusCode}::int = ${checkStatus.completed} then total else done end, modified_at = now()
        where key = ${key} and status_code in (${checkStatus.queued}, ${checkStatus.running})`,
  );
}
