import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { allOf, contains, pageKeys, wildcard } from '../common/paging.ts';
import type { ConceptMention, ConceptRow, NewConcept } from './concept.ts';

const columns = sql`c.id, c.name, c.language, c.visibility, c.body, c.created_at as "createdAt", c.modified_at as "modifiedAt"`;

/** Inserts concepts in the order sent. @returns those stored; an id that existed is missing from them. */
export function insertConcepts(
  db: Db,
  grant: AppGrant,
  concepts: readonly NewConcept[],
): Promise<ConceptRow[]> {
  return rows<ConceptRow>(
    db,
    sql`insert into concepts as c (app_key, id, name, language, visibility, body)
        select ${grant.appKey}, n.id, n.name, n.language, n.visibility, n.body from unnest(
          ${concepts.map((c) => c.id)}::text[], ${concepts.map((c) => c.name)}::text[],
          ${concepts.map((c) => c.language)}::text[], ${concepts.map((c) => c.visibility)}::smallint[],
          ${concepts.map((c) => c.body)}::bytea[]) with ordinality 
            as n(id, name, language, visibility, body, position)
        order by n.position
        on conflict (app_key, id) do nothing
        returning ${columns}`,
  );
}

/** Makes the concepts that labels mention and the app does not know yet. Locks nothing that exists. */
export async function ensureConcepts(
  db: Db,
  grant: AppGrant,
  mentions: readonly ConceptMention[],
): Promise<void> {
  if (mentions.length === 0) return;
  await run(
    db,
    sql`insert into concepts (app_key, id, name, language)
        select ${grant.appKey}, m.id, m.name, ${grant.defaultLanguage}
        from unnest(${mentions.map((m) => m.id)}::text[], ${mentions.map((m) => m.name)}::text[]) as m(id, name)
        order by m.id
        on conflict (app_key, id) do nothing`,
  );
}

export function findConcept(db: Db, grant: AppGrant, id: string): Promise<ConceptRow | undefined> {
  return first<ConceptRow>(
    db,
    sql`select ${columns} from concepts c
        where c.app_key = ${grant.appKey} and c.id = ${id} and c.visibility >= ${grant.visibleFrom}`,
  );
}

/** Locks the concept until the transaction ends, so that two patches do not lose each other. */
export const lockConcept = (db: Db, grant: AppGrant, id: string): Promise<ConceptRow | undefined> =>
  first<ConceptRow>(
    db,
    sql`select ${columns} from concepts c where c.app_key = ${grant.appKey} and c.id = ${id} for update`,
  );

const byIds = {
  name: 'concepts-by-ids',
  text: `select c.id, c.name, c.language, c.visibility, c.body, c.created_at as "createdAt", c.modified_at as "modifiedAt"
         from concepts c where c.app_key = $1 and c.id = any($2::text[])`,
};

/** Prepared: every reply that shows labels asks for their names. */
export const conceptsById = (db: Db, grant: AppGrant, ids: readonly string[]): Promise<ConceptRow[]> =>
  db.run<ConceptRow>(byIds, [grant.appKey, ids]);

/** Ids of concepts with one of these names; the oldest first where a name is used twice. */
export function conceptIdsByName(db: Db, grant: AppGrant, names: readonly string[]) {
  return rows<{ name: string; id: string }>(
    db,
    sql`select distinct on (name) name, id from concepts
        where app_key = ${grant.appKey} and name = any(${[...names]}) order by name, key`,
  );
}

/** A page of an app's concepts in the order of their making, optionally by part of an id or a name pattern. */
export function pageOfConcepts(
  db: Db,
  grant: AppGrant,
  filter: { idPart?: string; namePattern?: string },
  page: Page,
): Promise<ConceptRow[]> {
  const where = allOf([
    sql`app_key = ${grant.appKey} and visibility >= ${grant.visibleFrom}`,
    filter.idPart ? contains(sql`id`, filter.idPart) : undefined,
    filter.namePattern ? wildcard(sql`name`, filter.namePattern) : undefined,
  ]);
  return rows<ConceptRow>(
    db,
    sql`select ${columns} from ${pageKeys('concepts', where, sql`key`, page)} p join concepts c using (key) order by p.position`,
  );
}

/** Concepts with a name like the pattern in a language other than their own. */
export function pageOfConceptsInLanguage(
  db: Db,
  grant: AppGrant,
  language: string,
  namePattern: string,
  page: Page,
) {
  const where = allOf([
    sql`app_key = ${grant.appKey} and visibility >= ${grant.visibleFrom}`,
    sql`(language = ${language} and ${wildcard(sql`name`, namePattern)}) or id in (
      select l.concept_id from concept_languages l
      where l.app_key = ${grant.appKey} and l.id = ${language} and ${wildcard(sql`l.name`, namePattern)})`,
  ]);
  return rows<ConceptRow>(
    db,
    sql`select ${columns} from ${pageKeys('concepts', where, sql`key`, page)} p join concepts c using (key) order by p.position`,
  );
}

/** Overwrites what the patch names; columns left undefined stay. @returns undefined when the concept is missing. */
export function updateConcept(
  db: Db,
  grant: AppGrant,
  id: string,
  patch: { name?: string; visibility?: number; body: Buffer },
): Promise<ConceptRow | undefined> {
  return first<ConceptRow>(
    db,
    sql`update concepts c set
          name = coalesce(${patch.name ?? null}, c.name),
          visibility = coalesce(${patch.visibility ?? null}::smallint, c.visibility),
          body = ${patch.body}, modified_at = now()
        where c.app_key = ${grant.appKey} and c.id = ${id}
        returning ${columns}`,
  );
}

export interface ConceptCountRow {
  readonly id: string;
  readonly name: string;
  readonly status: 'processed' | 'to_process' | 'processing' | 'errors' | null;
  readonly positive: number;
  readonly negative: number;
}

/**
 * Inputs per concept, status and sign, over trusted labels, for a page of concepts; an input counts once. Reads the
 * tallies that the label writers keep (at most 64 rows a concept), so the cost does not grow with the labels.
 */
export function conceptCounts(db: Db, grant: AppGrant, page: Page): Promise<ConceptCountRow[]> {
  return rows<ConceptCountRow>(
    db,
    sql`select c.id, c.name, l.status, coalesce(l.positive, 0)::bigint as positive, coalesce(l.negative, 0)::bigint as negative
        from ${pageKeys('concepts', sql`app_key = ${grant.appKey}`, sql`key`, page)} p
        join concepts c using (key)
        left join lateral (
          select case t.state when 0 then 'processed' when 1 then 'to_process' when 2 then 'processing' else 'errors' end as status,
                 sum(t.positive) as positive, sum(t.negative) as negative
          from concept_tallies t where t.app_key = c.app_key and t.concept_id = c.id group by t.state) l on true
        order by p.position`,
  );
}

export interface LanguageRow {
  readonly id: string;
  readonly name: string;
  readonly definition: string;
}

export function languagesOf(db: Db, grant: AppGrant, conceptId: string): Promise<LanguageRow[]> {
  return rows<LanguageRow>(
    db,
    sql`select id, name, definition from concept_languages
        where app_key = ${grant.appKey} and concept_id = ${conceptId} order by created_at, id`,
  );
}

/** @returns the languages stored; with `replace` false, those that existed already are missing from them. */
export function putLanguages(
  db: Db,
  grant: AppGrant,
  conceptId: string,
  languages: readonly LanguageRow[],
  replace: boolean,
): Promise<LanguageRow[]> {
  const conflict = replace
    ? sql`do update set name = coalesce(nullif(excluded.name, ''), l.name),
            definition = coalesce(nullif(excluded.definition, ''), l.definition), modified_at = now()`
    : sql`do nothing`;
  return rows<LanguageRow>(
    db,
    sql`insert into concept_languages as l (app_key, concept_id, id, name, definition)
        select ${grant.appKey}, ${conceptId}, n.* from unnest(
          ${languages.map((l) => l.id)}::text[], ${languages.map((l) => l.name)}::text[],
          ${languages.map((l) => l.definition)}::text[]) as n
        on conflict (app_key, concept_id, id) ${conflict}
        returning id, name, definition`,
  );
}
