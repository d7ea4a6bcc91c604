import { type Db, first, run, sql } from '#store/sql.ts';

/** What can be renamed, and whose ids these are: apps of a user, models and workflows of an app. */
export type Renamable = 'app' | 'model' | 'workflow';

/** The id that a renamed thing has now, if `oldId` is a former one. `scopeKey` is the user's or the app's key. */
export async function findMovedTo(
  db: Db,
  kind: Renamable,
  scopeKey: number,
  oldId: string,
): Promise<string | undefined> {
  const row = await first<{ newId: string }>(
    db,
    sql`select new_id as "newId" from moved_ids where kind = ${kind} and scope_key = ${scopeKey} and old_id = ${oldId}`,
  );
  return row?.newId;
}

/** Leaves word at the old id, and at ids older still; the new id leads nowhere else any more. */
export async function leaveWord(
  tx: Db,
  kind: Renamable,
  scopeKey: number,
  oldId: string,
  newId: string,
): Promise<void> {
  await run(
    tx,
    sql`delete from moved_ids where kind = ${kind} and scope_key = ${scopeKey} and old_id = ${newId}`,
  );
  await run(
    tx,
    sql`update moved_ids set new_id = ${newId} where kind = ${kind} and scope_key = ${scopeKey} and new_id = ${oldId}`,
  );
  await run(
    tx,
    sql`insert into moved_ids (kind, scope_key, old_id, new_id) values (${kind}, ${scopeKey}, ${oldId}, ${newId})
        on conflict (kind, scope_key, old_id) do update set new_id = excluded.new_id`,
  );
}
