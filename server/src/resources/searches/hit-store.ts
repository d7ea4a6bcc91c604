import { placeKinds } from '#domain/annotation-kinds.ts';
import type { Embedder } from '#domain/app-embedders.ts';
import { embedderName } from '#domain/embedder-name.ts';
import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, rows, type Sql, sql } from '#store/sql.ts';
import { allOf } from '../common/paging.ts';
import { type Condition, hitKey, hitRows, keysOfMatches } from './filter-sql.ts';
import type { Found } from './parts.ts';
import type { ConceptRank, Filter, HitKind, SaidRank } from './query.ts';
import { canBeAboveZero, foundWords, rankScore, saidScore, wordsFound } from './said-score.ts';
import type { Scene } from './scene.ts';

const hitColumns = (kind: HitKind): Sql<unknown> =>
  sql`i.key as "inputKey", i.id as "inputId", ${
    kind === 'input'
      ? sql`null::bigint as "annotationKey", null as "annotationId"`
      : sql`a.key as "annotationKey", a.id as "annotationId"`
  }, ${hitKey(kind)} as "hitKey"`;

const shown = sql`"inputKey", "inputId", "annotationKey", "annotationId"`;

/**
 * Positions `from`..`until` (0-based, end excluded) of the hits in the order of their making, each with score 1. The
 * database walks the inputs where it expects to find enough soon.
 */
export function hitsInOrder(
  db: Db,
  scene: Scene,
  kind: HitKind,
  condition: Condition,
  from: number,
  until: number,
): Promise<Found[]> {
  return rows<Found>(
    db,
    sql`select ${shown}, 1::float8 as score from (
          select ${hitColumns(kind)}, row_number() over (order by ${hitKey(kind)}) as position
          from ${hitRows(scene, kind)} where ${condition} order by ${hitKey(kind)} limit ${until}) walked
        where position > ${from} order by position`,
  );
}

/**
 * The same from all matches, whose keys are read first. The database cannot walk the inputs instead: it would where the
 * matches are few and far from the beginning, for it takes them to be spread evenly.
 *
 * @param most rows that are read for it; a match may have several
 * @returns undefined where there are more
 */
export async function hitsPutInOrder(
  db: Db,
  scene: Scene,
  kind: HitKind,
  filters: readonly Filter[],
  from: number,
  until: number,
  most: number,
): Promise<Found[] | undefined> {
  const found = await rows<Found & { n: number; hitKey: number }>(
    db,
    sql`with matches as materialized (${keysOfMatches(scene, kind, filters)} limit ${most + 1})
        select ${hitColumns(kind)}, 1::float8 as score, (select count(*) from matches) as n from (
          select key, row_number() over (order by key) as position from (
            select distinct key from matches order by key limit ${until}) first) placed, ${hitRows(scene, kind)}
        where ${hitKey(kind)} = placed.key and position > ${from} order by position`,
  );
  if (found.some(({ n }) => n > most)) return undefined;
  return found.map(({ n: _n, hitKey: _key, ...hit }) => hit);
}

export async function countHits(db: Db, scene: Scene, kind: HitKind, condition: Condition): Promise<number> {
  const row = await first<{ n: number }>(
    db,
    sql`select count(*) as n from ${hitRows(scene, kind)} where ${condition}`,
  );
  return row?.n ?? 0;
}

/** How many hits of a filter have a vector of this model. */
export async function countEmbedded(
  db: Db,
  scene: Scene,
  kind: HitKind,
  condition: Condition,
  modelVersionKey: number,
): Promise<number> {
  const owner = kind === 'input' ? sql`e.input_key = i.key` : sql`e.annotation_key = a.key`;
  return countHits(
    db,
    scene,
    kind,
    allOf([
      condition,
      sql`exists (select from embeddings e where e.model_version_key = ${modelVersionKey} and ${owner})`,
    ]),
  );
}

/**
 * The best `limit` hits by what is said of them (said-score.ts), surest first, equal ones in the order of their making.
 *
 * Those of which something is said are few and found by the index; where they do not fill the page, others follow
 * in order with a score of 0.
 */
export async function hitsBySaid(
  db: Db,
  scene: Scene,
  kind: HitKind,
  condition: Condition,
  ranks: readonly SaidRank[],
  minScore: number,
  limit: number,
): Promise<Found[]> {
  const score = saidScore(scene, kind, ranks);
  const meeting = allOf([condition, wordsFound(scene, kind, ranks)]);
  const worthIt = canBeAboveZero(scene, kind, ranks);
  const best = (among: Condition, above: Condition) =>
    rows<Found>(
      db,
      sql`select ${shown}, score from (
            select ${hitColumns(kind)}, ${score} as score from ${hitRows(scene, kind)} where ${among}) scored
          where ${above} order by score desc, "hitKey" limit ${limit}`,
    );
  // No score lies below 0; asked for all the same, each would be made twice.
  if (!worthIt) return best(meeting, minScore > 0 ? sql`score >= ${minScore}` : sql`true`);
  const found = await best(allOf([meeting, worthIt]), sql`score > 0 and score >= ${minScore}`);
  if (found.length >= limit || minScore > 0) return found;
  const others = await rows<Found>(
    db,
    sql`select ${shown}, 0::float8 as score from (
          select ${hitColumns(kind)} from ${hitRows(scene, kind)} where ${meeting} and ${score} = 0
          order by ${hitKey(kind)} limit ${limit - found.length}) walked order by "hitKey"`,
  );
  return [...found, ...others];
}

export async function countBySaid(
  db: Db,
  scene: Scene,
  kind: HitKind,
  condition: Condition,
  ranks: readonly SaidRank[],
  minScore: number,
): Promise<number> {
  const enough = minScore > 0 ? sql`${saidScore(scene, kind, ranks)} >= ${minScore}` : undefined;
  return countHits(db, scene, kind, allOf([condition, wordsFound(scene, kind, ranks), enough]));
}

/** The same score for given hits: to join with what similarity says. Hits without any of the words are missing. */
export async function saidScores(
  db: Db,
  scene: Scene,
  kind: HitKind,
  keys: readonly number[],
  ranks: readonly SaidRank[],
): Promise<Map<number, number>> {
  const found = await rows<{ key: number; score: number }>(
    db,
    sql`select ${hitKey(kind)} as key, ${saidScore(scene, kind, ranks)} as score from ${hitRows(scene, kind)}
        where ${allOf([
          sql`i.app_key = ${scene.grant.appKey}`,
          sql`${hitKey(kind)} = any(${[...keys]}::bigint[])`,
          wordsFound(scene, kind, ranks),
        ])}`,
  );
  return new Map(found.map(({ key, score }) => [key, score]));
}

/** The stored vector of an input as a whole, or of one annotation of it. */
export async function vectorOfInput(
  db: Db,
  grant: AppGrant,
  inputKey: number,
  annotationId: string,
  modelVersionKey: number,
): Promise<Buffer | undefined> {
  const row = await first<{ vector: Buffer }>(
    db,
    sql`select e.vector from embeddings e join annotations a on a.key = e.annotation_key
        where e.app_key = ${grant.appKey} and e.input_key = ${inputKey} and e.model_version_key = ${modelVersionKey}
          and ${annotationId === '' ? sql`a.input_level` : sql`a.id = ${annotationId}`}`,
  );
  return row?.vector;
}

const examplesMax = 1_000;

/**
 * Vectors of what people labelled with one of these concepts, each once, newest first, 1,000 at most. A label of the
 * whole picture, in whichever annotation, stands for the picture's own vector.
 */
export async function vectorsLabelled(
  db: Db,
  { grant, annotations, labels }: Scene,
  conceptIds: readonly string[],
  modelVersionKey: number,
): Promise<Buffer[]> {
  const labelled = sql`c.app_key = ${grant.appKey} and c.concept_id = any(${[...conceptIds]}::text[])
    and c.trusted and c.value >= 0.5`;
  const made = sql`e.app_key = ${grant.appKey} and e.model_version_key = ${modelVersionKey}`;
  const found = await rows<{ vector: Buffer }>(
    db,
    sql`select e.vector from (
          select e.key from ${labels} c join embeddings e on e.annotation_key = c.annotation_key
          where ${labelled} and ${made}
          union
          select e.key from ${labels} c
          join ${annotations} a on a.key = c.annotation_key and not a.input_level and a.kinds & ${placeKinds} = 0
          join annotations w on w.input_key = c.input_key and w.input_level
          join embeddings e on e.annotation_key = w.key
          where ${labelled} and ${made}
          order by key desc limit ${examplesMax}) newest
        join embeddings e using (key)`,
  );
  return found.map(({ vector }) => vector);
}

/** A model version whose embeddings this app holds. */
export async function storedEmbedder(
  db: Db,
  grant: AppGrant,
  versionId: string,
): Promise<Embedder | undefined> {
  const found = await first<{ modelVersionKey: number; builtin: string; headSha: Buffer | null }>(
    db,
    sql`select v.key as "modelVersionKey", v.builtin, v.head_sha as "headSha" from model_versions v
        where v.id = ${versionId} and v.builtin is not null and exists (
          select from embeddings e where e.app_key = ${grant.appKey} and e.model_version_key = v.key)`,
  );
  return (
    found && { modelVersionKey: found.modelVersionKey, builtin: embedderName(found.builtin, found.headSha) }
  );
}

/** What one rank says of a hit, and what decided. */
export interface Said {
  readonly score: number;
  readonly conceptId: string;
  readonly trusted: boolean;
  readonly words: readonly string[];
}

/** By the key of each hit, what a rank says of it. */
export async function signalsOf(
  db: Db,
  scene: Scene,
  kind: HitKind,
  keys: readonly number[],
  rank: SaidRank,
): Promise<Map<number, Said>> {
  const scored = await rows<{ key: number; score: number; words: string[] }>(
    db,
    sql`select ${hitKey(kind)} as key, ${rankScore(scene, kind, rank)} as score, ${foundWords(scene, kind, rank)} as words
        from ${hitRows(scene, kind)}
        where i.app_key = ${scene.grant.appKey} and ${hitKey(kind)} = any(${[...keys]}::bigint[])`,
  );
  const labels = rank.kind === 'concepts' ? await surestLabels(db, scene, kind, keys, rank) : new Map();
  return new Map(
    scored.map(({ key, score, words }): [number, Said] => {
      const { conceptId = '', trusted = false } = labels.get(key) ?? {};
      return [key, { score, words, conceptId, trusted }];
    }),
  );
}

/** By the key of each hit, the label that a concept rank goes by: of people before models, then the surest. */
async function surestLabels(
  db: Db,
  scene: Scene,
  kind: HitKind,
  keys: readonly number[],
  { concepts }: ConceptRank,
): Promise<Map<number, { conceptId: string; trusted: boolean }>> {
  const owner = kind === 'input' ? sql`c.input_key` : sql`c.annotation_key`;
  const found = await rows<{ key: number; conceptId: string; trusted: boolean }>(
    db,
    sql`select distinct on (key) key, concept_id as "conceptId", trusted from (
          select distinct on (${owner}, c.concept_id) ${owner} as key, c.concept_id, c.trusted, c.value from ${scene.labels} c
          where c.app_key = ${scene.grant.appKey} and ${owner} = any(${[...keys]}::bigint[])
            and c.concept_id = any(${concepts.flatMap(scene.idsOf)}::text[])
          order by ${owner}, c.concept_id, c.trusted desc, c.value desc) surest
        order by key, value desc, concept_id`,
  );
  return new Map(found.map(({ key, conceptId, trusted }) => [key, { conceptId, trusted }]));
}
