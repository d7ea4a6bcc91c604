import type { AppGrant } from '#domain/grant.ts';
import { RawColumns, type RawReads, type RawRow } from '#store/postgres/index.ts';
import { type Db, first, rows, sql } from '#store/sql.ts';
import { inputColumns } from '../inputs/index.ts';
import { type Condition, hitRows } from './filter-sql.ts';
import type { HitKind } from './query.ts';
import type { Scene } from './scene.ts';

/**
 * Keys of the embeddings that belong to hits, at most `limit` of them, ascending, and the mark of the moment that they
 * are from. They come as one value: a row for each would cost more than finding them.
 */
export async function candidateKeys(
  db: Db,
  scene: Scene,
  modelVersionKey: number,
  kind: HitKind,
  condition: Condition,
  limit: number,
): Promise<{ keys: Float64Array; mark: string }> {
  const owners =
    kind === 'input'
      ? sql`inputs i on i.key = e.input_key`
      : sql`(${hitRows(scene, kind)}) on a.key = e.annotation_key`;
  const row = await first<{ keys: Buffer | null; mark: string }>(
    db,
    sql`select string_agg(int8send(found.key), ''::bytea) as keys,
          pg_snapshot_xmin(pg_current_snapshot())::text as mark from (
          select e.key from embeddings e join ${owners}
          where e.app_key = ${scene.grant.appKey} and e.model_version_key = ${modelVersionKey} and ${condition}
          limit ${limit}) found`,
  );
  const bytes = row?.keys ?? Buffer.alloc(0);
  const keys = Float64Array.from(
    { length: bytes.length / 8 },
    (_, i) => bytes.readUInt32BE(i * 8) * 2 ** 32 + bytes.readUInt32BE(i * 8 + 4),
  );
  return { keys: keys.sort(), mark: (row as { mark: string }).mark };
}

/** Whose an embedding is. */
export interface Owner {
  readonly key: number;
  readonly inputKey: number;
  readonly inputId: string;
  readonly annotationKey: number;
  readonly annotationId: string;
  readonly inputLevel: boolean;
  readonly inputRow?: RawRow | undefined;
}

const columns =
  'e.key, i.key as "inputKey", i.id as "inputId", a.key as "annotationKey", a.id as "annotationId", a.input_level as "inputLevel"';

const existing = {
  name: 'searches-owners',
  text: `select ${columns} from embeddings e join annotations a on a.key = e.annotation_key join inputs i on i.key = a.input_key
    where e.key = any($1::bigint[]) and i.app_key = $2::bigint`,
};

/** So few that their inputs are read along: a statement more would cost more than rows that are not shown. */
const shownMax = 64;

const existingWithInputs = {
  name: 'searches-owners-with-inputs',
  text: `select ${columns}, i.key, ${inputColumns('$2::bigint')}
    from embeddings e join annotations a on a.key = e.annotation_key join inputs i on i.key = a.input_key
    where e.key = any($1::bigint[]) and i.app_key = $2::bigint`,
};

/** Those that are asked for by one statement, on connections that others need too. */
const keysAtOnce = 2_048;

/** Of the embeddings that still exist in the app. */
export async function ownersOf(db: RawReads, { grant }: Scene, keys: readonly number[]): Promise<Owner[]> {
  const owners: Owner[] = [];
  const read = new RawColumns();
  const areShown = keys.length <= shownMax;
  const statement = areShown ? existingWithInputs : existing;
  for (let from = 0; from < keys.length; from += keysAtOnce)
    for (const row of await db.raw(statement, [keys.slice(from, from + keysAtOnce), grant.appKey])) {
      read.read(row);
      owners.push({
        key: read.int8(),
        inputKey: read.int8(),
        inputId: read.text(),
        annotationKey: read.int8(),
        annotationId: read.text(),
        inputLevel: read.bool(),
        inputRow: areShown ? read.rest() : undefined,
      });
    }
  return owners;
}

/** The same of those that belong to hits. */
export const matchingOwnersOf = (
  db: Db,
  scene: Scene,
  keys: readonly number[],
  condition: Condition,
): Promise<Owner[]> =>
  rows<Owner>(
    db,
    sql`select ${sql.raw(columns)} from embeddings e join (${hitRows(scene, 'annotation')}) on a.key = e.annotation_key
        where e.key = any(${[...keys]}::bigint[]) and ${condition}`,
  );

/** What is known of an app before a search: exact counts that writers keep, and the sizes of some datasets. */
export interface Statistics {
  readonly inputs: number;
  /** Inputs by status code. */
  readonly statuses: Readonly<Record<string, number>>;
  /** By concept: inputs with a trusted label that says yes, and no. */
  readonly labels: Readonly<Record<string, readonly [positive: number, negative: number]>>;
  /** Inputs by dataset id, counted up to 20,000. */
  readonly members: Readonly<Record<string, number>>;
}

const statisticsText = {
  name: 'searches-statistics',
  text: `select
    (select coalesce(sum(n), 0)::float8 from input_tallies where app_key = $1 and bucket = -1) as inputs,
    (select coalesce(jsonb_object_agg(status_code, n), '{}') from input_tallies where app_key = $1 and bucket = -1) as statuses,
    (select coalesce(jsonb_object_agg(concept_id, jsonb_build_array(yes, no)), '{}') from (
      select concept_id, sum(positive) as yes, sum(negative) as no from concept_tallies
      where app_key = $1 and concept_id = any($2::text[]) group by 1) c) as labels,
    (select coalesce(jsonb_object_agg(s.id, (
      select count(*) from (select from dataset_inputs d where d.dataset_key = s.key limit 20000) m)), '{}')
      from datasets s where s.app_key = $1 and s.id = any($3::text[])) as members`,
};

export async function statisticsOf(
  db: Db,
  grant: AppGrant,
  conceptIds: readonly string[],
  datasetIds: readonly string[],
): Promise<Statistics> {
  const [found] = await db.run<Statistics>(statisticsText, [grant.appKey, conceptIds, datasetIds]);
  return found as Statistics;
}
