import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, rows, type Sql, sql } from '#store/sql.ts';
import type { HitKind } from './query.ts';

type Condition = Sql<unknown>;

/**
 * Keys of the embeddings that belong to hits, at most `limit` of them, in no order. They come as one value: a row
 * for each would cost more than finding them.
 */
export async function candidateKeys(
  db: Db,
  grant: AppGrant,
  modelVersionKey: number,
  kind: HitKind,
  condition: Condition,
  limit: number,
): Promise<Float64Array> {
  const owners =
    kind === 'input'
      ? sql`join inputs i on i.key = e.input_key`
      : sql`join annotations a on a.key = e.annotation_key join inputs i on i.key = a.input_key`;
  const row = await first<{ keys: Buffer | null }>(
    db,
    sql`select string_agg(int8send(found.key), ''::bytea) as keys from (
          select e.key from embeddings e ${owners}
          where e.app_key = ${grant.appKey} and e.model_version_key = ${modelVersionKey} and ${condition}
          limit ${limit}) found`,
  );
  const bytes = row?.keys ?? Buffer.alloc(0);
  return Float64Array.from(
    { length: bytes.length / 8 },
    (_, i) => bytes.readUInt32BE(i * 8) * 2 ** 32 + bytes.readUInt32BE(i * 8 + 4),
  );
}

/** Whose an embedding is. */
export interface Owner {
  readonly key: number;
  readonly inputKey: number;
  readonly inputId: string;
  readonly annotationKey: number;
}

const columns = 'e.key, i.key as "inputKey", i.id as "inputId", a.key as "annotationKey"';
const embedded =
  'embeddings e join annotations a on a.key = e.annotation_key join inputs i on i.key = a.input_key';

const unfiltered = {
  name: 'searches-owners',
  text: `select ${columns} from ${embedded} where e.key = any($1::bigint[]) and i.app_key = $2`,
};

/** Of the embeddings that still exist and belong to hits; without a condition, of all that still exist. */
export function ownersOf(
  db: Db,
  grant: AppGrant,
  keys: readonly number[],
  condition: Condition | undefined,
): Promise<Owner[]> {
  if (!condition) return db.run<Owner>(unfiltered, [keys, grant.appKey]);
  return rows<Owner>(
    db,
    sql`select ${sql.raw(columns)} from ${sql.raw(embedded)} where e.key = any(${[...keys]}::bigint[]) and ${condition}`,
  );
}
