import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { pageKeys } from '../common/paging.ts';

export interface CollectorFields {
  readonly body: Buffer;
  readonly statusCode: number;
  readonly modelVersionKey: number;
  readonly callerUserKey: number;
  readonly sealedKey: Buffer;
}

export interface CollectorRow extends CollectorFields {
  readonly key: number;
  readonly id: string;
  readonly statusDetails: string;
  readonly createdAt: Date;
}

const columns = sql`c.key, c.id, c.body, c.status_code as "statusCode", c.status_details as "statusDetails",
  c.model_version_key as "modelVersionKey", c.caller_user_key as "callerUserKey", c.sealed_key as "sealedKey", c.created_at as "createdAt"`;

export const collectorStatus = { active: 52001, inactive: 52002 } as const;

/** @returns undefined when the id is taken. */
export const insertCollector = (
  db: Db,
  grant: AppGrant,
  id: string,
  c: CollectorFields,
): Promise<CollectorRow | undefined> =>
  first(
    db,
    sql`insert into collectors as c (app_key, id, body, status_code, model_version_key, caller_user_key, sealed_key)
        values (${grant.appKey}, ${id}, ${c.body}, ${c.statusCode}, ${c.modelVersionKey}, ${c.callerUserKey}, ${c.sealedKey})
        on conflict (app_key, id) do nothing returning ${columns}`,
  );

export const findCollector = (db: Db, grant: AppGrant, id: string): Promise<CollectorRow | undefined> =>
  first(db, sql`select ${columns} from collectors c where c.app_key = ${grant.appKey} and c.id = ${id}`);

/** Locks a collector until the commit. */
export const lockCollector = (db: Db, grant: AppGrant, id: string): Promise<CollectorRow | undefined> =>
  first(
    db,
    sql`select ${columns} from collectors c where c.app_key = ${grant.appKey} and c.id = ${id} for update`,
  );

/** A page of the app's collectors, newest first. */
export const pageOfCollectors = (db: Db, grant: AppGrant, page: Page): Promise<CollectorRow[]> =>
  rows(
    db,
    sql`select ${columns} from ${pageKeys('collectors', sql`app_key = ${grant.appKey}`, sql`key desc`, page)} p
        join collectors c using (key) order by p.position`,
  );

export const updateCollector = (
  db: Db,
  grant: AppGrant,
  key: number,
  c: CollectorFields,
): Promise<CollectorRow | undefined> =>
  first(
    db,
    sql`update collectors c set body = ${c.body}, status_code = ${c.statusCode}, status_details = '',
          model_version_key = ${c.modelVersionKey}, caller_user_key = ${c.callerUserKey}, sealed_key = ${c.sealedKey}, modified_at = now()
        where c.app_key = ${grant.appKey} and c.key = ${key} returning ${columns}`,
  );

/** Deletes collectors with what waits on them; `ids` undefined means all. @returns the ids that were there */
export async function deleteCollectors(
  db: Db,
  grant: AppGrant,
  ids: readonly string[] | undefined,
): Promise<Set<string>> {
  const named = ids === undefined ? sql`true` : sql`id = any(${[...ids]}::text[])`;
  const gone = await rows<{ id: string }>(
    db,
    sql`delete from collectors where app_key = ${grant.appKey} and ${named} returning id`,
  );
  return new Set(gone.map(({ id }) => id));
}

/** Notes why the last input could not be posted; '' when it could. */
export async function noteTrouble(db: Db, grant: AppGrant, key: number, details: string): Promise<void> {
  await run(
    db,
    sql`update collectors set status_details = ${details}
        where app_key = ${grant.appKey} and key = ${key} and status_details <> ${details}`,
  );
}

/**
 * Active collectors, in any app, of the predictions that a user makes with a model version. The caller's own grant
 * made the prediction; collectors were allowed when they were made.
 */
export const collectorsOf = (
  db: Db,
  callerUserKey: number,
  modelVersionKey: number,
): Promise<(CollectorRow & { appKey: number })[]> =>
  rows(
    db,
    sql`select ${columns}, c.app_key as "appKey" from collectors c join apps a on a.key = c.app_key
        where c.model_version_key = ${modelVersionKey} and c.caller_user_key = ${callerUserKey}
          and c.status_code = ${collectorStatus.active} and a.deleted_at is null`,
  );

/** @returns the key of the item, or undefined when the collector was deleted meanwhile. */
export async function insertItem(
  db: Db,
  collectorKey: number,
  item: { inputId: string; input: Buffer; output: Buffer },
): Promise<number | undefined> {
  const made = await first<{ key: number }>(
    db,
    sql`insert into collector_items (collector_key, input_id, input, output)
        select key, ${item.inputId}, ${item.input}, ${item.output} from collectors where key = ${collectorKey} for key share
        returning key`,
  );
  return made?.key;
}

export interface ItemRow {
  readonly inputId: string;
  readonly input: Buffer;
  readonly output: Buffer;
  readonly posted: boolean;
}

/** An item with its collector; undefined when it is done, or its collector gone. */
export const findItem = (
  db: Db,
  grant: AppGrant,
  itemKey: number,
): Promise<(CollectorRow & ItemRow) | undefined> =>
  first(
    db,
    sql`select ${columns}, i.input_id as "inputId", i.input, i.output, i.posted
        from collector_items i join collectors c on c.key = i.collector_key
        where c.app_key = ${grant.appKey} and i.key = ${itemKey}`,
  );

export async function markPosted(db: Db, itemKey: number): Promise<void> {
  await run(db, sql`update collector_items set posted = true where key = ${itemKey}`);
}

export async function deleteItem(db: Db, itemKey: number): Promise<void> {
  await run(db, sql`delete from collector_items where key = ${itemKey}`);
}
