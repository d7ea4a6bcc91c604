import type { Concept } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { type Db, rows, sql } from '#store/sql.ts';
import { commonFault } from '../common/faults.ts';
import { conceptsById, ensureConcepts } from '../concepts/index.ts';

/**
 * Makes the concepts that a model names, and completes each mention with the name, app and owner that the app
 * knows it by.
 *
 * @throws Fault 11007 when there is a concept to make and the key may not
 */
export async function settleConcepts(db: Db, grant: AppGrant, mentions: Concept[]): Promise<void> {
  if (mentions.length === 0) return;
  const ids = mentions.map((one) => one.id);
  const known = new Map((await conceptsById(db, grant, ids)).map((row) => [row.id, row.name]));
  const unknown = mentions.filter((one) => !known.has(one.id));
  if (unknown.length > 0 && !grant.holds('Concepts_Add')) {
    throw commonFault.scopeNeeded('Concepts_Add', `to make the concept '${unknown[0]?.id}'`);
  }
  await ensureConcepts(db, grant, unknown);
  for (const mention of mentions) {
    mention.name = known.get(mention.id) ?? mention.name;
    mention.appId = grant.appId;
    mention.userId = grant.userId;
  }
}

/** Names of concepts in a language, by id, for those that have one. */
export async function conceptNamesIn(
  db: Db,
  grant: AppGrant,
  language: string,
  ids: readonly string[],
): Promise<Map<string, string>> {
  if (language === '' || ids.length === 0) return new Map();
  const found = await rows<{ id: string; name: string }>(
    db,
    sql`select concept_id as id, name from concept_languages
        where app_key = ${grant.appKey} and id = ${language} and concept_id = any(${[...ids]}::text[])`,
  );
  return new Map(found.map((row) => [row.id, row.name]));
}
