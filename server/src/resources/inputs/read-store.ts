import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import type { InputRow } from './rows.ts';

/**
 * The reads that clients make all the time. Each is one round trip, prepared once per connection: building and
 * planning such a statement costs more than running it.
 */

/** An input with the packed data of its input-level annotation, where it has one. */
export interface LabelledRow extends InputRow {
  readonly label: Buffer | null;
}

// Looked up for each row. As a join it may be merged: that reads the labels of all inputs before the page.
const label = '(select a.data from annotations a where a.input_key = i.key and a.input_level)';
const columns = `i.key, i.id, i.kind, i.status_code as "statusCode", i.status_details as "statusDetails", i.url,
  i.allow_duplicate_url as "allowDuplicateUrl", i.media_sha as "mediaSha", i.media, i.settings,
  i.created_at as "createdAt", i.modified_at as "modifiedAt", ${label} as label`;

/** An input with the names of its concepts, by id. */
export interface NamedRow extends LabelledRow {
  readonly names: Record<string, string> | null;
}

const byId = {
  name: 'inputs-by-id',
  text: `select ${columns}, (
      select jsonb_object_agg(c.id, c.name) from annotations a
      join annotation_concepts l on l.annotation_key = a.key
      join concepts c on c.app_key = l.app_key and c.id = l.concept_id
      where a.input_key = i.key and a.input_level) as names
    from inputs i where i.app_key = $1 and i.id = $2`,
};

export async function namedById(db: Db, grant: AppGrant, id: string): Promise<NamedRow | undefined> {
  const [row] = await db.run<NamedRow>(byId, [grant.appKey, id]);
  return row;
}

const byKeys = {
  name: 'inputs-by-keys',
  text: `select ${columns} from inputs i where i.app_key = $1 and i.key = any($2::bigint[])`,
};

/** In the order of the keys; what is gone meanwhile is left out. */
export async function labelledByKeys(
  db: Db,
  grant: AppGrant,
  keys: readonly number[],
): Promise<LabelledRow[]> {
  if (keys.length === 0) return [];
  const found = await db.run<LabelledRow>(byKeys, [grant.appKey, keys]);
  const byKey = new Map(found.map((row) => [row.key, row]));
  return keys.flatMap((key) => byKey.get(key) ?? []);
}

const newest = {
  name: 'inputs-newest',
  text: `select ${columns} from inputs i where i.app_key = $1 order by i.key desc limit $2`,
};

/** The first page of all inputs of an app, newest first. */
export const newestInputs = (db: Db, grant: AppGrant, size: number): Promise<LabelledRow[]> =>
  db.run<LabelledRow>(newest, [grant.appKey, size]);

const behind = {
  name: 'inputs-behind',
  text: `select ${columns} from inputs i where i.app_key = $1 and i.key > $2 order by i.key limit $3`,
};

/** Inputs behind a row key, oldest first. */
export const inputsBehind = (
  db: Db,
  grant: AppGrant,
  afterKey: number,
  size: number,
): Promise<LabelledRow[]> => db.run<LabelledRow>(behind, [grant.appKey, afterKey, size]);

const keyOf = {
  name: 'inputs-key-of',
  text: 'select key from inputs where app_key = $1 and id = $2',
};

export async function findInputKey(db: Db, grant: AppGrant, id: string): Promise<number | undefined> {
  const [row] = await db.run<{ key: number }>(keyOf, [grant.appKey, id]);
  return row?.key;
}
