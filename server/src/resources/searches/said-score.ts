import { type Sql, sql } from '#store/sql.ts';
import { textQuery } from '../common/text.ts';
import type { Condition } from './filter-sql.ts';
import type { ConceptRank, HitKind, SaidRank, WordRank } from './query.ts';
import { anyWord, type Scene } from './scene.ts';

/**
 * Scores that the database makes: of concepts and of words. Several ranks are averaged, `negate` turns a score round.
 *
 * A concept scores what the surest trusted label says of it, or else what the surest model does, or 0; asked for
 * with value 0, one less that. A rank of several concepts scores the best of them. Words score the share of them
 * that the texts of the hit hold.
 */
export function saidScore(scene: Scene, kind: HitKind, ranks: readonly SaidRank[]): Sql<unknown> {
  const scores = ranks.map((rank) => rankScore(scene, kind, rank));
  return sql`((${sql.join(scores, sql` + `)}) / ${ranks.length}::float8)`;
}

/** The score of one rank, 0..1. */
export function rankScore(scene: Scene, kind: HitKind, rank: SaidRank): Sql<unknown> {
  const score = rank.kind === 'concepts' ? conceptScore(scene, kind, rank) : wordScore(scene, kind, rank);
  return rank.negate ? sql`(1 - ${score})` : score;
}

/** Labels `c`, or texts `t`, of the hit. */
const ownedBy = (kind: HitKind, alias: 'c' | 't'): Condition =>
  kind === 'input'
    ? sql`${sql.ref(`${alias}.input_key`)} = i.key`
    : sql`${sql.ref(`${alias}.annotation_key`)} = a.key`;

/** What is said of each of some concepts, where anything is: rows `said` of (value). */
const sayings = ({ grant, labels }: Scene, kind: HitKind, ids: readonly string[]): Sql<unknown> =>
  sql`(select coalesce(max(c.value) filter (where c.trusted), max(c.value))::float8 as value from ${labels} c
    where ${ownedBy(kind, 'c')} and c.app_key = ${grant.appKey} and c.concept_id = any(${[...ids]}::text[])
    group by c.concept_id) said`;

function conceptScore(scene: Scene, kind: HitKind, { concepts }: ConceptRank): Sql<unknown> {
  const idsWhere = (isAbsent: boolean) => [
    ...new Set(concepts.filter(({ value }) => (value === 0) === isAbsent).flatMap(scene.idsOf)),
  ];
  const [present, absent] = [idsWhere(false), idsWhere(true)];
  const scores = [sql`0::float8`];
  if (present.length > 0)
    scores.push(sql`coalesce((select max(value) from ${sayings(scene, kind, present)}), 0)`);
  // A concept that nobody knows is absent everywhere.
  if (concepts.some((term) => term.value === 0 && scene.idsOf(term).length === 0))
    scores.push(sql`1::float8`);
  else if (absent.length > 0)
    scores.push(sql`(select case when count(*) < ${absent.length} then 1 else 1 - min(value) end
      from ${sayings(scene, kind, absent)})`);
  return sql`greatest(${sql.join(scores)})`;
}

function wordScore(scene: Scene, kind: HitKind, rank: WordRank): Sql<unknown> {
  const words = scene.wordsOf(rank);
  const found = words.map((word) => sql`max((t.words @@ ${textQuery(scene.textLanguage, word)})::int)`);
  return sql`coalesce((select (${sql.join(found, sql` + `)}) / ${words.length}::float8
    from ${scene.texts} t where ${ownedBy(kind, 't')}), 0)`;
}

/** That each word rank finds one of its words at least; undefined without such ranks. */
export function wordsFound(scene: Scene, kind: HitKind, ranks: readonly SaidRank[]): Condition | undefined {
  const met = ranks.flatMap((rank) => {
    if (rank.kind !== 'words' || rank.negate) return [];
    const inApp = sql`t.app_keys @> array[${scene.grant.appKey}::bigint]`;
    // The index would walk through all texts of the app to meet a few; it does not look behind "is true".
    return sql`exists (select from ${scene.texts} t where ${ownedBy(kind, 't')}
      and ${scene.isRare(rank) ? sql`(${inApp}) is true` : inApp}
      and t.words @@ (${anyWord(scene.textLanguage, scene.wordsOf(rank))}))`;
  });
  return met.length === 0 ? undefined : sql.join(met, sql` and `);
}

/** The words of a rank that the texts of the hit hold. */
export function foundWords(scene: Scene, kind: HitKind, rank: SaidRank): Sql<unknown> {
  if (rank.kind !== 'words') return sql`'{}'::text[]`;
  const found = scene.wordsOf(rank).map(
    (word) => sql`case when exists (select from ${scene.texts} t where ${ownedBy(kind, 't')}
      and t.words @@ ${textQuery(scene.textLanguage, word)}) then ${word}::text end`,
  );
  return sql`array_remove(array[${sql.join(found)}], null)`;
}

/** What the index knows of hits that score above 0; undefined where any hit may. */
export function canBeAboveZero(
  scene: Scene,
  kind: HitKind,
  ranks: readonly SaidRank[],
): Condition | undefined {
  const ids: string[] = [];
  for (const rank of ranks) {
    if (rank.negate) return undefined;
    if (rank.kind === 'words') continue;
    if (rank.concepts.some(({ value }) => value === 0)) return undefined;
    ids.push(...rank.concepts.flatMap(scene.idsOf));
  }
  // Words were asked for already; where they are the only ranks, nothing more is known.
  if (ranks.some(({ kind: one }) => one === 'words')) return undefined;
  return sql`exists (select from ${scene.labels} c where ${ownedBy(kind, 'c')} and c.app_key = ${scene.grant.appKey}
    and c.concept_id = any(${ids}::text[]) and c.value > 0)`;
}
