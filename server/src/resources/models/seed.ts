import type { AppGrant } from '#domain/grant.ts';
import type { BuiltinModel } from '#engine/index.ts';
import { type Db, first, run, sql } from '#store/sql.ts';
import { wordsOf } from '../common/paging.ts';
import { insertConcepts } from '../concepts/index.ts';
import { type PlatformModel, platformModels } from './platform-models.ts';
import { filedUnder, packModel, packVersion, wordsOfModel } from './translate.ts';

/**
 * Puts the built-in models into the platform's app, and brings those of an earlier start up to date. Keys and
 * ids stay; nothing is written, and no time stamp moves, where nothing changed.
 */
export async function seedModels(db: Db, grant: AppGrant, builtins: readonly BuiltinModel[]): Promise<void> {
  const labels = new Map(builtins.flatMap((builtin) => builtin.labels).map((label) => [label.id, label]));
  await insertConcepts(
    db,
    grant,
    [...labels.values()].map((label) => ({
      ...label,
      language: 'en',
      visibility: 50,
      body: Buffer.alloc(0),
    })),
  );
  for (const one of platformModels(builtins)) await seedModel(db, grant, one);
}

async function seedModel(db: Db, grant: AppGrant, { model, version, builtin }: PlatformModel): Promise<void> {
  const { creator, licenseType, source, featured } = filedUnder(model);
  const key = await first<{ key: number }>(
    db,
    sql`with put as (
          insert into models as m (app_key, id, name, type_id, visibility, toolkits, use_cases, creator, license_type, source,
            featured, body, words)
          values (${grant.appKey}, ${model.id}, ${model.name}, ${model.modelTypeId}, 50, ${model.toolkits}::text[],
            ${model.useCases}::text[], ${creator}, ${licenseType}, ${source}, ${featured}, ${packModel(model)},
            ${wordsOf(wordsOfModel(model, grant.userId))})
          on conflict (app_key, id) do update set name = excluded.name, type_id = excluded.type_id, body = excluded.body,
            toolkits = excluded.toolkits, use_cases = excluded.use_cases, words = excluded.words, modified_at = now()
            where m.body <> excluded.body or m.name <> excluded.name or m.type_id <> excluded.type_id
          returning key)
        select key from put
        union all select key from models where app_key = ${grant.appKey} and id = ${model.id} limit 1`,
  );
  if (!key) throw new Error(`the built-in model ${model.id} could not be stored`);
  const body = packVersion(version);
  const conceptIds = version.outputInfo?.data?.concepts.map((concept) => concept.id) ?? [];
  await run(
    db,
    sql`insert into model_versions as v (app_key, model_key, id, status_code, visibility, builtin, concept_ids, license,
          description, body, completed_at)
        values (${grant.appKey}, ${key.key}, ${version.id}, 21100, 50, ${builtin ?? null}, ${conceptIds}::text[],
          ${version.license}, ${version.description}, ${body}, now())
        on conflict (model_key, id) do update set builtin = excluded.builtin, concept_ids = excluded.concept_ids,
          license = excluded.license, description = excluded.description, body = excluded.body, modified_at = now()
          where v.body <> excluded.body or v.builtin is distinct from excluded.builtin`,
  );
}
