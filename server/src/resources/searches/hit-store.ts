import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, rows, type Sql, sql } from '#store/sql.ts';
import { conceptIds } from './filter-sql.ts';
import type { Embedder, Found } from './parts.ts';
import type { HitKind, Rank } from './query.ts';

type Condition = Sql<unknown>;
type ConceptRank = Extract<Rank, { kind: 'concepts' }>;

const source = (kind: HitKind): Sql<unknown> =>
  kind === 'input' ? sql`inputs i` : sql`annotations a join inputs i on i.key = a.input_key`;
const key = (kind: HitKind): Sql<unknown> => (kind === 'input' ? sql`i.key` : sql`a.key`);
const annotationKey = (kind: HitKind): Sql<unknown> => (kind === 'input' ? sql`null::bigint` : sql`a.key`);

/** Positions `first`..`last` (0-based, end excluded) of the hits in the order of their making, each with score 1. */
export function hitsInOrder(
  db: Db,
  kind: HitKind,
  condition: Condition,
  from: number,
  until: number,
): Promise<Found[]> {
  return rows<Found>(
    db,
    sql`select "inputKey", "inputId", "annotationKey", 1::float8 as score from (
          select i.key as "inputKey", i.id as "inputId", ${annotationKey(kind)} as "annotationKey", row_number() over (order by ${key(kind)}) as position
          from ${source(kind)} where ${condition} order by ${key(kind)} limit ${until}) walked
        where position > ${from} order by position`,
  );
}

export async function countHits(db: Db, kind: HitKind, condition: Condition): Promise<number> {
  const row = await first<{ n: number }>(
    db,
    sql`select count(*) as n from ${source(kind)} where ${condition}`,
  );
  return row?.n ?? 0;
}

/**
 * The best `limit` hits by what is said of their concepts, surest first.
 * Score of a rank: the surest of its concepts (0 where nothing is said), turned round by `negate` or value 0;
 * several ranks are averaged.
 */
export function hitsByConcepts(
  db: Db,
  grant: AppGrant,
  kind: HitKind,
  condition: Condition,
  ranks: readonly ConceptRank[],
  language: string,
  limit: number,
): Promise<Found[]> {
  return rows<Found>(
    db,
    sql`select i.key as "inputKey", i.id as "inputId", ${annotationKey(kind)} as "annotationKey", ${conceptScore(grant, kind, ranks, language)} as score
        from ${source(kind)} where ${condition} order by score desc, ${key(kind)} limit ${limit}`,
  );
}

/** The same score for given hits: to join with what similarity says. */
export function conceptScores(
  db: Db,
  grant: AppGrant,
  kind: HitKind,
  keys: readonly number[],
  ranks: readonly ConceptRank[],
  language: string,
): Promise<{ key: number; score: number }[]> {
  return rows(
    db,
    sql`select ${key(kind)} as key, ${conceptScore(grant, kind, ranks, language)} as score
        from ${source(kind)} where i.app_key = ${grant.appKey} and ${key(kind)} = any(${[...keys]})`,
  );
}

function conceptScore(
  grant: AppGrant,
  kind: HitKind,
  ranks: readonly ConceptRank[],
  language: string,
): Sql<unknown> {
  const owner = kind === 'input' ? sql`c.input_key = i.key` : sql`c.annotation_key = a.key`;
  const scores = ranks.map((rank) => {
    const surest = rank.concepts.map((term) => {
      // What a person said counts before what a model sees.
      const said = sql`coalesce((select coalesce(max(c.value) filter (where c.trusted), max(c.value)) from annotation_concepts c
        where ${owner} and c.app_key = ${grant.appKey} and c.concept_id ${conceptIds(grant, term, language)}), 0)::float8`;
      return term.value === 0 ? sql`(1 - ${said})` : said;
    });
    const score = sql`greatest(${sql.join(surest)})`;
    return rank.negate ? sql`(1 - ${score})` : score;
  });
  return sql`((${sql.join(scores, sql` + `)}) / ${ranks.length}::float8)`;
}

/** The stored vector of a whole input. */
export async function vectorOfInput(
  db: Db,
  grant: AppGrant,
  inputKey: number,
  modelVersionKey: number,
): Promise<Buffer | undefined> {
  const row = await first<{ vector: Buffer }>(
    db,
    sql`select e.vector from embeddings e join annotations a on a.key = e.annotation_key
        where e.app_key = ${grant.appKey} and e.input_key = ${inputKey} and e.model_version_key = ${modelVersionKey} and a.input_level`,
  );
  return row?.vector;
}

/** A model version whose embeddings this app holds. */
export function storedEmbedder(db: Db, grant: AppGrant, versionId: string): Promise<Embedder | undefined> {
  return first<Embedder>(
    db,
    sql`select v.key as "modelVersionKey", v.builtin from model_versions v where v.id = ${versionId} and v.builtin is not null and exists (
          select from embeddings e where e.app_key = ${grant.appKey} and e.model_version_key = v.key)`,
  );
}

/** Ids of annotations that still exist, each with its input's, by key. */
export async function annotationNames(
  db: Db,
  grant: AppGrant,
  keys: readonly number[],
): Promise<Map<number, string>> {
  if (keys.length === 0) return new Map();
  const found = await rows<{ key: number; name: string }>(
    db,
    sql`select a.key, i.id || '/' || a.id as name from ${source('annotation')}
        where i.app_key = ${grant.appKey} and a.key = any(${[...keys]}::bigint[])`,
  );
  return new Map(found.map((row) => [row.key, row.name]));
}
