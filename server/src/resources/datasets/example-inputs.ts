import type { AppGrant } from '#domain/grant.ts';
import { type Db, rows, sql } from '#store/sql.ts';

/** An input of a dataset version that still exists, and what was said of it there. */
export interface ExampleInput {
  readonly inputKey: number;
  readonly inputId: string;
  readonly conceptIds: readonly string[];
}

const perConcept = 3;
const examplesMax = 100;
const unlabelledMax = 6;
/** What is looked through: examples need not be drawn from everything. */
const annotationsMax = 20_000;

/**
 * A few inputs that show what a version holds: the first three of each concept, or, where nothing is labelled, the
 * first few. Of another dataset, or of none, there are none.
 */
export async function exampleInputs(
  db: Db,
  grant: AppGrant,
  datasetId: string,
  versionId: string,
): Promise<ExampleInput[]> {
  const version = sql`(select v.key from dataset_versions v join datasets d on d.key = v.dataset_key
    where d.app_key = ${grant.appKey} and d.id = ${datasetId} and v.id = ${versionId})`;
  const labelled = await rows<ExampleInput>(
    db,
    sql`with looked as (
          select a.input_key, i.id as input_id, a.positive from dataset_version_annotations a join inputs i on i.key = a.input_key
          where a.version_key = ${version} and a.positive <> '{}' order by a.bucket, a.input_key limit ${annotationsMax}),
        ranked as (
          select input_key, concept, row_number() over (partition by concept order by input_key) as place
          from (select distinct input_key, concept from looked, unnest(positive) concept) one)
        select l.input_key as "inputKey", l.input_id as "inputId", array_agg(distinct concept order by concept) as "conceptIds"
        from looked l, unnest(l.positive) concept
        where l.input_key in (select input_key from ranked where place <= ${perConcept})
        group by 1, 2 order by 1 limit ${examplesMax}`,
  );
  if (labelled.length > 0) return labelled;
  return rows<ExampleInput>(
    db,
    sql`select v.input_key as "inputKey", i.id as "inputId", '{}'::text[] as "conceptIds"
        from dataset_version_inputs v join inputs i on i.key = v.input_key
        where v.version_key = ${version} order by v.bucket, v.input_key limit ${unlabelledMax}`,
  );
}
