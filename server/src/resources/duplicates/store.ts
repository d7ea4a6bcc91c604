import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';

export const searchStatus = { queued: 64000, running: 64001, completed: 64002, failed: 64003 } as const;
export const tier = { same: 1, similar: 2 } as const;

export interface DuplicateSearch {
  readonly key: number;
  readonly id: string;
  readonly datasetKey: number | null;
  readonly datasetId: string | null;
  readonly scoreMin: number;
  readonly statusCode: number;
  readonly statusDetails: string;
  readonly step: string;
  readonly afterKey: number;
  readonly done: number;
  readonly total: number;
  readonly sameGroups: number;
  readonly similarGroups: number;
}

const columns = sql`s.key, s.id, s.dataset_key as "datasetKey", d.id as "datasetId", s.score_min as "scoreMin",
  s.status_code as "statusCode", s.status_details as "statusDetails", s.step, s.after_key as "afterKey", s.done, s.total,
  s.same_groups as "sameGroups", s.similar_groups as "similarGroups"`;

export async function insertSearch(
  db: Db,
  grant: AppGrant,
  search: { id: string; datasetKey: number | null; scoreMin: number },
): Promise<number> {
  const row = await first<{ key: number }>(
    db,
    sql`insert into duplicate_searches (app_key, id, dataset_key, score_min)
        values (${grant.appKey}, ${search.id}, ${search.datasetKey}, ${search.scoreMin}) returning key`,
  );
  return (row as { key: number }).key;
}

export const findSearch = (db: Db, grant: AppGrant, id: string): Promise<DuplicateSearch | undefined> =>
  first<DuplicateSearch>(
    db,
    sql`select ${columns} from duplicate_searches s left join datasets d on d.key = s.dataset_key
        where s.app_key = ${grant.appKey} and s.id = ${id}`,
  );

/** A search that is not over, locked. */
export const lockSearch = (db: Db, grant: AppGrant, key: number): Promise<DuplicateSearch | undefined> =>
  first<DuplicateSearch>(
    db,
    sql`select ${columns} from duplicate_searches s left join datasets d on d.key = s.dataset_key
        where s.app_key = ${grant.appKey} and s.key = ${key}
          and s.status_code in (${searchStatus.queued}, ${searchStatus.running}) for update of s`,
  );

export async function moveSearch(
  db: Db,
  key: number,
  to: Pick<DuplicateSearch, 'step' | 'afterKey' | 'done' | 'total'>,
): Promise<void> {
  await run(
    db,
    sql`update duplicate_searches set status_code = ${searchStatus.running}, step = ${to.step}, after_key = ${to.afterKey},
          done = ${to.done}, total = ${to.total}, modified_at = now() where key = ${key}`,
  );
}

export async function failSearch(db: Db, key: number, details: string): Promise<void> {
  await run(
    db,
    sql`update duplicate_searches set status_code = ${searchStatus.failed}, status_details = ${details}, modified_at = now()
        where key = ${key} and status_code in (${searchStatus.queued}, ${searchStatus.running})`,
  );
}

const isWanted = (search: DuplicateSearch) =>
  search.datasetKey === null
    ? sql`true`
    : sql`exists (select from dataset_inputs m where m.dataset_key = ${search.datasetKey} and m.input_key = i.key)`;

export async function countPictures(db: Db, grant: AppGrant, search: DuplicateSearch): Promise<number> {
  const row = await first<{ n: number }>(
    db,
    sql`select count(*) as n from inputs i where i.app_key = ${grant.appKey} and i.kind = 'image' and i.status_code = 30000
          and ${isWanted(search)}`,
  );
  return row?.n ?? 0;
}

/** The next pictures without a print: of servers that were older when they came. */
export async function withoutPrint(
  db: Db,
  grant: AppGrant,
  search: DuplicateSearch,
  limit: number,
): Promise<number[]> {
  const found = await rows<{ key: number }>(
    db,
    sql`select i.key from inputs i where i.app_key = ${grant.appKey} and i.kind = 'image' and i.status_code = 30000
          and i.key > ${search.afterKey} and ${isWanted(search)}
          and not exists (select from picture_prints p where p.input_key = i.key) order by i.key limit ${limit}`,
  );
  return found.map(({ key }) => key);
}

export interface PrintRow {
  readonly key: number;
  readonly hash: string;
  readonly grey: Buffer;
}

/** The next pictures that are looked at, with their prints. */
export const printsAfter = (
  db: Db,
  grant: AppGrant,
  search: DuplicateSearch,
  limit: number,
): Promise<PrintRow[]> =>
  rows<PrintRow>(
    db,
    sql`select i.key, p.hash::text as hash, p.grey from picture_prints p join inputs i on i.key = p.input_key
        where p.app_key = ${grant.appKey} and p.input_key > ${search.afterKey} and i.status_code = 30000 and ${isWanted(search)}
        order by p.input_key limit ${limit}`,
  );

/** Of these pictures, what they look like; only those that are looked at. */
export const greysOf = (db: Db, grant: AppGrant, search: DuplicateSearch, keys: readonly number[]) =>
  rows<{ key: number; grey: Buffer }>(
    db,
    sql`select i.key, p.grey from picture_prints p join inputs i on i.key = p.input_key
        where p.app_key = ${grant.appKey} and p.input_key = any(${[...keys]}::bigint[]) and i.status_code = 30000 and ${isWanted(search)}`,
  );

/** Keys and hashes of all pictures that are looked at, in key order. */
export const allHashes = (db: Db, grant: AppGrant, search: DuplicateSearch) =>
  rows<{ key: number; hash: string }>(
    db,
    sql`select i.key, p.hash::text as hash from picture_prints p join inputs i on i.key = p.input_key
        where p.app_key = ${grant.appKey} and i.status_code = 30000 and ${isWanted(search)} order by p.input_key`,
  );

/** Links pictures to the first one with the very same bytes. */
export async function linkSameBytes(
  db: Db,
  grant: AppGrant,
  search: DuplicateSearch,
  keys: readonly number[],
): Promise<void> {
  await run(
    db,
    sql`insert into duplicate_pairs (search_key, tier, input_key, other_input_key)
        select ${search.key}, ${tier.same}, o.first, n.key from inputs n join lateral (
          select min(i.key) as first from inputs i where i.media_sha = n.media_sha and i.app_key = ${grant.appKey}
            and i.status_code = 30000 and ${isWanted(search)}) o on o.first < n.key
        where n.app_key = ${grant.appKey} and n.key = any(${[...keys]}::bigint[]) on conflict do nothing`,
  );
}

export async function putPairs(
  db: Db,
  search: DuplicateSearch,
  pairs: readonly { tier: number; one: number; other: number }[],
): Promise<void> {
  if (pairs.length === 0) return;
  await run(
    db,
    sql`insert into duplicate_pairs (search_key, tier, input_key, other_input_key)
        select ${search.key}, p.tier, p.one, p.other
        from unnest(${pairs.map((p) => p.tier)}::smallint[], ${pairs.map((p) => Math.min(p.one, p.other))}::bigint[],
          ${pairs.map((p) => Math.max(p.one, p.other))}::bigint[]) as p(tier, one, other) on conflict do nothing`,
  );
}

export const pairsOf = (db: Db, search: DuplicateSearch) =>
  rows<{ tier: number; one: number; other: number }>(
    db,
    sql`select tier, input_key as one, other_input_key as other from duplicate_pairs where search_key = ${search.key}`,
  );

export async function endSearch(
  db: Db,
  search: DuplicateSearch,
  members: readonly { tier: number; group: number; input: number }[],
  groups: { same: number; similar: number },
): Promise<void> {
  await run(
    db,
    sql`insert into duplicate_members (search_key, tier, group_key, input_key)
        select ${search.key}, m.tier, m.g, m.i from unnest(${members.map((m) => m.tier)}::smallint[],
          ${members.map((m) => m.group)}::bigint[], ${members.map((m) => m.input)}::bigint[]) as m(tier, g, i) on conflict do nothing`,
  );
  await run(db, sql`delete from duplicate_pairs where search_key = ${search.key}`);
  await run(
    db,
    sql`update duplicate_searches set status_code = ${searchStatus.completed}, done = total, same_groups = ${groups.same},
          similar_groups = ${groups.similar}, modified_at = now() where key = ${search.key}`,
  );
}

/** Vectors of whole inputs by one embedder. */
export const wholeVectors = (
  db: Db,
  grant: AppGrant,
  modelVersionKey: number,
  inputKeys: readonly number[],
) =>
  rows<{ inputKey: number; vector: Buffer }>(
    db,
    sql`select a.input_key as "inputKey", e.vector from annotations a join embeddings e on e.annotation_key = a.key
        where a.app_key = ${grant.appKey} and a.input_level and a.input_key = any(${[...inputKeys]}::bigint[])
          and e.model_version_key = ${modelVersionKey}`,
  );

/** The pictures whose whole these vectors are; of other vectors nothing. */
export const picturesOf = (
  db: Db,
  grant: AppGrant,
  search: DuplicateSearch,
  embeddingKeys: readonly number[],
) =>
  rows<{ key: number; inputKey: number }>(
    db,
    sql`select e.key, i.key as "inputKey" from embeddings e join annotations a on a.key = e.annotation_key
        join inputs i on i.key = a.input_key
        where e.app_key = ${grant.appKey} and e.key = any(${[...embeddingKeys]}::bigint[]) and a.input_level
          and i.kind = 'image' and i.status_code = 30000 and ${isWanted(search)}`,
  );

/** Groups after one, in the order of their first pictures, with those of their pictures that are still there. */
export const groupsAfter = (
  db: Db,
  grant: AppGrant,
  search: DuplicateSearch,
  asked: { tier: number; after: number; limit: number },
) =>
  rows<{ group: number; ids: string[] }>(
    db,
    sql`select m.group_key as group, array_agg(i.id order by i.key) as ids
        from (select distinct group_key from duplicate_members where search_key = ${search.key} and tier = ${asked.tier}
              and group_key > ${asked.after} order by group_key limit ${asked.limit}) g
        join duplicate_members m on m.search_key = ${search.key} and m.tier = ${asked.tier} and m.group_key = g.group_key
        left join inputs i on i.key = m.input_key and i.app_key = ${grant.appKey}
        group by 1 order by 1`,
  );
