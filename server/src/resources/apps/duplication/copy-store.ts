import { type Db, first, rows, run, type Sql, sql } from '#store/sql.ts';
import type { Field } from './duplication.ts';

/**
 * Copying rows from one app to another, a chunk per statement, inside the database. They run by the keys in the
 * duplication's row, which its maker was granted. An id that the destination has already stays as it is.
 */

export interface Copying {
  readonly key: number;
  readonly sourceAppKey: number;
  readonly destAppKey: number;
  readonly isNewApp: boolean;
}

/** The keys of the chunk that was looked at; `last` undefined when there was none. */
export interface Chunk {
  readonly last: number | undefined;
  /** Rows that were looked at. */
  readonly n: number;
}

const chunkOf = (found: readonly { key: number }[]): Chunk => ({
  last: found.at(-1)?.key,
  n: found.length,
});

/** Rows to copy, by field. */
export async function countRows(db: Db, copying: Copying, field: Field): Promise<number> {
  const from: Record<Field, Sql<unknown>> = {
    concepts: sql`concepts where app_key = ${copying.sourceAppKey}`,
    models: sql`models where app_key = ${copying.sourceAppKey}`,
    workflows: sql`workflows where app_key = ${copying.sourceAppKey}`,
    inputs: sql`inputs where app_key = ${copying.sourceAppKey} and ${settled}`,
    annotations: sql`annotations where app_key = ${copying.sourceAppKey} and not input_level`,
    installed_module_versions: sql`(select 1 where false) nothing`,
  };
  return (await first<{ n: number }>(db, sql`select count(*) as n from ${from[field]}`))?.n ?? 0;
}

/** Inputs whose processing is over. */
const settled = sql`status_code not in (30001, 30003)`;

export async function countUnsettled(db: Db, { sourceAppKey }: Copying): Promise<number> {
  const row = await first<{ n: number }>(
    db,
    sql`select count(*) as n from inputs where app_key = ${sourceAppKey} and status_code in (30001, 30003)`,
  );
  return row?.n ?? 0;
}

const keysAfter = (db: Db, table: string, where: Sql<unknown>, after: number, limit: number) =>
  rows<{ key: number }>(
    db,
    sql`select key from ${sql.table(table)} where ${where} and key > ${after} order by key limit ${limit} for key share`,
  );

export async function copyConcepts(db: Db, copying: Copying, after: number, limit: number): Promise<Chunk> {
  const { sourceAppKey, destAppKey } = copying;
  const found = await keysAfter(db, 'concepts', sql`app_key = ${sourceAppKey}`, after, limit);
  const keys = found.map(({ key }) => key);
  await run(
    db,
    sql`insert into concepts (app_key, id, name, language, body)
        select ${destAppKey}, id, name, language, body from concepts where key = any(${keys}::bigint[]) order by key
        on conflict (app_key, id) do nothing`,
  );
  await run(
    db,
    sql`insert into concept_languages (app_key, concept_id, id, name, definition)
        select ${destAppKey}, l.concept_id, l.id, l.name, l.definition
        from concepts c join concept_languages l on l.app_key = c.app_key and l.concept_id = c.id
        where c.key = any(${keys}::bigint[]) on conflict do nothing`,
  );
  return chunkOf(found);
}

/** What relates the concepts, once all are there. */
export async function copyRelations(db: Db, { sourceAppKey, destAppKey }: Copying): Promise<void> {
  await run(
    db,
    sql`insert into knowledge_graphs (app_key, id, body)
        select ${destAppKey}, id, body from knowledge_graphs where app_key = ${sourceAppKey} order by key
        on conflict (app_key, id) do nothing`,
  );
  await run(
    db,
    sql`insert into concept_relations (app_key, id, knowledge_graph_id, predicate, subject_id, object_id)
        select ${destAppKey}, r.id, r.knowledge_graph_id, r.predicate, r.subject_id, r.object_id
        from concept_relations r
        join concepts s on s.app_key = ${destAppKey} and s.id = r.subject_id
        join concepts o on o.app_key = ${destAppKey} and o.id = r.object_id
        where r.app_key = ${sourceAppKey} order by r.key on conflict do nothing`,
  );
}

/** Models with their versions; those whose training waits or runs stay behind. Trained heads are shared. */
export async function copyModels(db: Db, copying: Copying, after: number, limit: number): Promise<Chunk> {
  const { key, sourceAppKey, destAppKey } = copying;
  const found = await keysAfter(db, 'models', sql`app_key = ${sourceAppKey}`, after, limit);
  const keys = found.map((row) => row.key);
  await run(
    db,
    sql`with made as (
          insert into models (app_key, id, name, type_id, body, words, toolkits, use_cases, languages, creator, license_type, source)
          select ${destAppKey}, id, name, type_id, body, words, toolkits, use_cases, languages, creator, license_type, source
          from models where key = any(${keys}::bigint[]) order by key
          on conflict (app_key, id) do nothing returning key, id)
        insert into app_duplication_rows (duplication_key, kind, source_key, dest_key)
        select ${key}, 'model', s.key, m.key from made m join models s on s.app_key = ${sourceAppKey} and s.id = m.id
        on conflict do nothing`,
  );
  await run(
    db,
    sql`with made as (
          insert into model_versions (app_key, model_key, id, status_code, status_details, builtin, head_sha,
            base_model_version_key, concept_ids, license, description, input_count, percent_completed, body, metrics,
            train_log, completed_at)
          select ${destAppKey}, m.dest_key, v.id, v.status_code, v.status_details, v.builtin, v.head_sha,
            coalesce(b.dest_key, v.base_model_version_key), v.concept_ids, v.license, v.description, v.input_count,
            v.percent_completed, v.body, v.metrics, v.train_log, v.completed_at
          from app_duplication_rows m join model_versions v on v.model_key = m.source_key
          left join app_duplication_rows b
            on b.duplication_key = ${key} and b.kind = 'model_version' and b.source_key = v.base_model_version_key
          where m.duplication_key = ${key} and m.kind = 'model' and m.source_key = any(${keys}::bigint[])
            and v.status_code not in (21101, 21103)
          order by v.key on conflict (model_key, id) do nothing returning key, model_key, id)
        insert into app_duplication_rows (duplication_key, kind, source_key, dest_key)
        select ${key}, 'model_version', v.key, n.key from made n
        join app_duplication_rows m on m.duplication_key = ${key} and m.kind = 'model' and m.dest_key = n.model_key
        join model_versions v on v.model_key = m.source_key and v.id = n.id on conflict do nothing`,
  );
  return chunkOf(found);
}

export interface WorkflowCopy {
  readonly destWorkflowKey: number;
  readonly id: string;
  readonly modelVersionKeys: readonly number[];
  readonly body: Buffer;
}

/**
 * Workflows without their versions.
 *
 * @returns the versions that are still to be written, the oldest first, pinned to copied models where there are any
 */
export async function copyWorkflows(
  db: Db,
  copying: Copying,
  after: number,
  limit: number,
): Promise<Chunk & { versions: WorkflowCopy[] }> {
  const { key, sourceAppKey, destAppKey } = copying;
  const found = await keysAfter(db, 'workflows', sql`app_key = ${sourceAppKey}`, after, limit);
  const keys = found.map((row) => row.key);
  // A new app has a copy of the default workflow already, of which only the newest version is there.
  const onConflict = copying.isNewApp ? sql`do update set id = w.id` : sql`do nothing`;
  await run(
    db,
    sql`with made as (
          insert into workflows as w (app_key, id, body, words)
          select ${destAppKey}, id, body, words from workflows where key = any(${keys}::bigint[]) order by key
          on conflict (app_key, id) ${onConflict} returning w.key, w.id)
        insert into app_duplication_rows (duplication_key, kind, source_key, dest_key)
        select ${key}, 'workflow', s.key, m.key from made m join workflows s on s.app_key = ${sourceAppKey} and s.id = m.id
        on conflict do nothing`,
  );
  const versions = await rows<WorkflowCopy>(
    db,
    sql`select m.dest_key as "destWorkflowKey", v.id, v.body,
          array(select coalesce(c.dest_key, k.key) from unnest(v.model_version_keys) with ordinality as k(key, position)
            left join app_duplication_rows c
              on c.duplication_key = ${key} and c.kind = 'model_version' and c.source_key = k.key
            order by k.position) as "modelVersionKeys"
        from app_duplication_rows m join workflow_versions v on v.workflow_key = m.source_key
        where m.duplication_key = ${key} and m.kind = 'workflow' and m.source_key = any(${keys}::bigint[]) order by v.key`,
  );
  return { ...chunkOf(found), versions };
}

export async function insertWorkflowCopies(
  db: Db,
  { destAppKey }: Copying,
  copies: readonly WorkflowCopy[],
): Promise<void> {
  for (const copy of copies)
    await run(
      db,
      sql`insert into workflow_versions (app_key, workflow_key, id, model_version_keys, body)
          values (${destAppKey}, ${copy.destWorkflowKey}, ${copy.id}, ${[...copy.modelVersionKeys]}::bigint[], ${copy.body})
          on conflict (workflow_key, id) do nothing`,
    );
}

/** Ids of models that were copied: nodes that name them are to name the copies. */
export async function copiedModelIds(db: Db, { key }: Copying): Promise<Set<string>> {
  const found = await rows<{ id: string }>(
    db,
    sql`select m.id from app_duplication_rows r join models m on m.key = r.source_key
        where r.duplication_key = ${key} and r.kind = 'model'`,
  );
  return new Set(found.map(({ id }) => id));
}

export interface AnnotationToCopy {
  readonly key: number;
  readonly inputKey: number;
  readonly inputId: string;
  readonly id: string;
  readonly inputLevel: boolean;
  readonly trusted: boolean;
  readonly statusCode: number;
  readonly workerUserKey: number | null;
  readonly workerModelVersionKey: number | null;
  readonly workerWorkflowVersionKey: number | null;
  readonly annotationInfo: Record<string, unknown> | null;
  readonly consensusInfo: Record<string, unknown> | null;
  readonly data: Buffer;
}

/** Rows of annotations with `inputKey` the copy's input, and workers the copies of models where there are any. */
const annotationRows = (key: number, which: Sql<unknown>) => sql`
  select a.key, m.dest_key as "inputKey", a.input_id as "inputId", a.id, a.input_level as "inputLevel", a.trusted,
    a.status_code as "statusCode", a.worker_user_key as "workerUserKey",
    coalesce(v.dest_key, a.worker_model_version_key) as "workerModelVersionKey",
    a.worker_workflow_version_key as "workerWorkflowVersionKey", a.annotation_info as "annotationInfo",
    a.consensus_info as "consensusInfo", a.data
  from annotations a
  join app_duplication_rows m on m.duplication_key = ${key} and m.kind = 'input' and m.source_key = a.input_key
  left join app_duplication_rows v
    on v.duplication_key = ${key} and v.kind = 'model_version' and v.source_key = a.worker_model_version_key
  where ${which} order by a.key`;

/**
 * Inputs, whose media the copies share. They are held until the commit, so that no medium is freed in between.
 *
 * @returns the annotations of the inputs as wholes that are still to be written
 */
export async function copyInputs(
  db: Db,
  copying: Copying,
  after: number,
  limit: number,
): Promise<Chunk & { wholes: AnnotationToCopy[] }> {
  const { key, sourceAppKey, destAppKey } = copying;
  const found = await keysAfter(db, 'inputs', sql`app_key = ${sourceAppKey} and ${settled}`, after, limit);
  const keys = found.map((row) => row.key);
  await run(
    db,
    sql`with made as (
          insert into inputs (app_key, id, kind, status_code, status_details, url, allow_duplicate_url, media_sha,
            media_size, media, settings)
          select ${destAppKey}, id, kind, status_code, status_details, url, allow_duplicate_url, media_sha, media_size,
            media, settings
          from inputs where key = any(${keys}::bigint[]) order by key
          on conflict (app_key, id) do nothing returning key, id)
        insert into app_duplication_rows (duplication_key, kind, source_key, dest_key)
        select ${key}, 'input', s.key, m.key from made m join inputs s on s.app_key = ${sourceAppKey} and s.id = m.id
        on conflict do nothing`,
  );
  const wholes = await rows<AnnotationToCopy>(
    db,
    annotationRows(key, sql`a.input_key = any(${keys}::bigint[]) and a.input_level`),
  );
  return { ...chunkOf(found), wholes };
}

/** The next annotations of inputs that were copied, by key and by size: masks are large. */
export async function annotationsAfter(
  db: Db,
  { key, sourceAppKey }: Copying,
  after: number,
  limit: number,
  bytesMax: number,
): Promise<Chunk & { annotations: AnnotationToCopy[] }> {
  const found = await rows<{ key: number; bytes: number }>(
    db,
    sql`select key, octet_length(data) as bytes from annotations
        where app_key = ${sourceAppKey} and not input_level and key > ${after} order by key limit ${limit}`,
  );
  let bytes = 0;
  const some = found.filter((row, i) => {
    bytes += row.bytes;
    return i === 0 || bytes <= bytesMax;
  });
  const keys = some.map((row) => row.key);
  const annotations = await rows<AnnotationToCopy>(
    db,
    annotationRows(
      key,
      sql`a.key = any(${keys}::bigint[]) and a.app_key = ${sourceAppKey} and not a.input_level`,
    ),
  );
  return { ...chunkOf(some), annotations };
}

/** Vectors and words of annotations that were copied, so that the copies are found at once. */
export async function copyVectors(
  db: Db,
  { key, destAppKey }: Copying,
  annotationKeys: readonly number[],
): Promise<void> {
  await run(
    db,
    sql`insert into embeddings (app_key, model_version_key, input_key, annotation_key, vector)
        select ${destAppKey}, e.model_version_key, d.input_key, d.key, e.vector
        from embeddings e join annotations a on a.key = e.annotation_key
        join app_duplication_rows m on m.duplication_key = ${key} and m.kind = 'input' and m.source_key = a.input_key
        join annotations d on d.input_key = m.dest_key and d.id = a.id
        where e.annotation_key = any(${[...annotationKeys]}::bigint[]) order by d.key
        on conflict (annotation_key, model_version_key) do nothing`,
  );
  // Vectors of a change that is not at its end do not serve in the copy either.
  await run(
    db,
    sql`insert into app_embedders (app_key, serving_key) select ${destAppKey}, serving_key from app_embedders
        where app_key = (select app_key from annotations where key = any(${[...annotationKeys]}::bigint[]) limit 1)
        on conflict do nothing`,
  );
  // The words of the inputs' own texts; those of annotations were written with the copies.
  await run(
    db,
    sql`insert into annotation_texts (annotation_key, source, input_key, app_keys, words)
        select d.key, t.source, d.input_key, array[${destAppKey}::bigint], t.words
        from annotation_texts t join annotations a on a.key = t.annotation_key
        join app_duplication_rows m on m.duplication_key = ${key} and m.kind = 'input' and m.source_key = a.input_key
        join annotations d on d.input_key = m.dest_key and d.id = a.id
        where t.annotation_key = any(${[...annotationKeys]}::bigint[]) and t.source = 'input' order by d.key
        on conflict (annotation_key, source) do nothing`,
  );
}
