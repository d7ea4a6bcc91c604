import type { AppGrant } from '#domain/grant.ts';
import { type Db, rows, sql } from '#store/sql.ts';

/** Those of some concepts that the app can rank by with an embedder: something labelled so has a vector of it. */
export async function rankableConcepts(
  db: Db,
  grant: AppGrant,
  conceptIds: readonly string[],
  modelVersionKey: number,
): Promise<Set<string>> {
  const found = await rows<{ id: string }>(
    db,
    sql`select w.id from unnest(${[...conceptIds]}::text[]) as w(id) where exists (
          select from annotation_concepts c join embeddings e on e.annotation_key = c.annotation_key
          where c.app_key = ${grant.appKey} and c.concept_id = w.id and c.trusted and c.value >= 0.5
            and e.model_version_key = ${modelVersionKey})`,
  );
  return new Set(found.map(({ id }) => id));
}
