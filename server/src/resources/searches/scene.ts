import type { AppGrant } from '#domain/grant.ts';
import { grouped } from '#domain/grouped.ts';
import { type Db, first, rows, type Sql, sql } from '#store/sql.ts';
import {
  annotationsAsOf,
  datasetInputsAsOf,
  labelsAsOf,
  marksAsOf,
  textsAsOf,
} from '../annotations/index.ts';
import { dictionaryOf, textQuery, withSpaces } from '../common/text.ts';
import { searchFault } from './faults.ts';
import type { SearchParts } from './parts.ts';
import { type ConceptTerm, conceptsAsked, type SearchTree, type WordRank } from './query.ts';

/** What a search looks at: whose rows, of which moment, and what the names in the query stand for. */
export interface Scene {
  readonly grant: AppGrant;
  /** Tables, or their state at an earlier time. */
  readonly annotations: Sql<unknown>;
  readonly labels: Sql<unknown>;
  readonly members: Sql<unknown>;
  readonly texts: Sql<unknown>;
  readonly marks: Sql<unknown>;
  readonly asOf: Date | undefined;
  /** Language of the words that texts are searched for. */
  readonly textLanguage: string;
  /** Ids of the concepts that a term means; none where nothing has that name. */
  readonly idsOf: (term: ConceptTerm) => readonly string[];
  /** Words that a rank scores by, one at least. */
  readonly wordsOf: (rank: WordRank) => readonly string[];
  /** Whether the words of a rank are so rare that they are looked up in all apps sooner than in one. */
  readonly isRare: (rank: WordRank) => boolean;
  /** The hash of the medium that this server hosts for the app under a URL. */
  readonly hostedAt: (url: string) => Buffer | undefined;
}

/** More words of a rank than this are not looked at. */
const wordsMax = 16;

export async function openScene(
  { reads: db, hostedAt }: Pick<SearchParts, 'reads' | 'hostedAt'>,
  grant: AppGrant,
  tree: SearchTree,
): Promise<Scene> {
  const { language, asOf } = tree;
  const names = [...new Set(conceptsAsked(tree).flatMap(({ id, name }) => (id ? [] : name)))];
  const found = names.length === 0 ? [] : await conceptsNamed(db, grant, names, language);
  const idsByName = grouped(found, ({ name }) => name);
  const textLanguage = language || grant.defaultLanguage;
  const words = new Map<WordRank, readonly string[]>();
  const rare = new Set<WordRank>();
  const tables = asOf ? tablesAsOf(grant, asOf) : tablesNow;
  for (const rank of tree.ranks) {
    if (rank.kind !== 'words') continue;
    const telling = await tellingWords(db, textLanguage, rank.words);
    words.set(rank, telling);
    if (!asOf && !rank.negate && (await areRare(db, textLanguage, telling))) rare.add(rank);
  }
  return {
    grant,
    asOf,
    ...tables,
    textLanguage,
    idsOf: ({ id, name }) => (id ? [id] : (idsByName.get(name) ?? []).map((one) => one.id)),
    wordsOf: (rank) => words.get(rank) ?? [rank.words],
    isRare: (rank) => rare.has(rank),
    hostedAt: (url) => hostedAt(grant, url),
  };
}

/** Words that say something in the language; where none does, all of them. */
async function tellingWords(db: Db, language: string, typed: string): Promise<readonly string[]> {
  const all = withSpaces(typed.toLowerCase()).match(/[\p{L}\p{N}]+/gu);
  const words = [...new Set(all ?? [])].slice(0, wordsMax);
  if (words.length === 0) throw searchFault.noWords();
  const telling = await rows<{ word: string }>(
    db,
    sql`select word from unnest(${words}::text[]) with ordinality as w(word, position)
        where numnode(plainto_tsquery(${dictionaryOf(language)}::regconfig, word)) > 0 order by position`,
  );
  return telling.length > 0 ? telling.map(({ word }) => word) : words;
}

/**
 * Texts of all apps that are looked at for rare words. One that is of another app costs a microsecond; where the index
 * meets words and app instead, each that is found costs 25, in a large app, for its list of texts is long.
 */
const rareMax = 5_000;

/** What the planner expects of the words alone: it knows the common ones by its statistics, and looks into no table. */
async function areRare(db: Db, language: string, words: readonly string[]): Promise<boolean> {
  const plan = await first<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(
    db,
    sql`explain (format json) select from annotation_texts t where t.words @@ (${anyWord(language, words)})`,
  );
  return plan !== undefined && plan['QUERY PLAN'][0].Plan['Plan Rows'] <= rareMax;
}

/** What texts are asked for that hold one of these words. */
export const anyWord = (language: string, words: readonly string[]): Sql<unknown> =>
  sql.join(
    words.map((word) => textQuery(language, word)),
    sql` || `,
  );

/** Whether words can be looked for: some text is in the app. */
export async function hasTexts(db: Db, { grant, texts }: Pick<Scene, 'grant' | 'texts'>): Promise<boolean> {
  const found = await rows(
    db,
    sql`select from ${texts} t where t.app_keys @> array[${grant.appKey}::bigint] limit 1`,
  );
  return found.length > 0;
}

const tablesNow = {
  annotations: sql`annotations`,
  labels: sql`annotation_concepts`,
  members: sql`dataset_inputs`,
  texts: sql`annotation_texts`,
  marks: sql`annotation_marks`,
};

const tablesAsOf = (grant: AppGrant, at: Date): typeof tablesNow => ({
  annotations: annotationsAsOf(grant, at),
  labels: labelsAsOf(grant, at),
  members: datasetInputsAsOf(grant, at),
  texts: textsAsOf(grant, at),
  marks: marksAsOf(grant, at),
});

/**
 * Concepts by name, of the app and of the platform, whose concepts built-in models speak. In another language than
 * the app's a concept has its translated name, or its own where it has no translation.
 */
function conceptsNamed(
  db: Db,
  grant: AppGrant,
  names: readonly string[],
  language: string,
): Promise<{ id: string; name: string }[]> {
  const apps = sql`(${grant.appKey}::bigint, (select a.key from apps a join users u on u.key = a.user_key
      where u.id = 'clarifai' and a.id = 'main' and a.deleted_at is null))`;
  if (language === '' || language === grant.defaultLanguage)
    return rows(
      db,
      sql`select distinct c.id, c.name from concepts c where c.name = any(${[...names]}::text[]) and c.app_key in ${apps}`,
    );
  const translated = sql`select from concept_languages l
    where l.app_key = c.app_key and l.concept_id = c.id and l.id = ${language}`;
  return rows(
    db,
    sql`select l.concept_id as id, l.name from concept_languages l
        where l.id = ${language} and l.name = any(${[...names]}::text[]) and l.app_key in ${apps}
        union select c.id, c.name from concepts c
        where c.name = any(${[...names]}::text[]) and c.app_key in ${apps} and not exists (${translated})`,
  );
}
