import { fromBinary } from '@bufbuild/protobuf';
import { type EvalMetrics, EvalMetricsSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { firstPosition, type Page } from '#domain/page.ts';
import { type Db, first, rows, sql } from '#store/sql.ts';
import { allOf, pageKeys } from '../common/paging.ts';
import type { NewVersion, VersionRow } from './model.ts';
import { readVersionColumns, type VersionColumns, versionColumns } from './version-columns.ts';

const read = (row: VersionColumns | undefined) => (row ? readVersionColumns(row) : undefined);

/** Adds a version, the newest from now on. @returns undefined when the model has a version of this id */
export async function insertVersion(
  db: Db,
  grant: AppGrant,
  modelKey: number,
  version: NewVersion,
): Promise<VersionRow | undefined> {
  const row = await first<VersionColumns>(
    db,
    sql`with v as (
          insert into model_versions (app_key, model_key, id, status_code, status_details, visibility, builtin, head_sha,
            base_model_version_key, concept_ids, license, description, input_count, body, train_log_token, completed_at)
          values (${grant.appKey}, ${modelKey}, ${version.id}, ${version.statusCode}, ${version.statusDetails},
            ${version.visibility}, ${version.builtin ?? null}, ${version.headSha ?? null},
            ${version.baseModelVersionKey ?? null}, ${[...version.conceptIds]}::text[], ${version.license},
            ${version.description}, ${version.inputCount ?? 0}, ${version.body}, ${version.trainLogToken ?? ''},
            case when ${version.statusCode}::int = 21100 then now() end)
          on conflict (model_key, id) do nothing returning *)
        select ${versionColumns} from v`,
  );
  return read(row);
}

/** A version by id, or the newest; with `trainedOnly` the newest trained one. `lock` keeps it as it is until the commit. */
export async function findVersion(
  db: Db,
  grant: AppGrant,
  modelKey: number,
  wanted: { id?: string; trainedOnly?: boolean; lock?: boolean } = {},
): Promise<VersionRow | undefined> {
  const row = await first<VersionColumns>(
    db,
    sql`select ${versionColumns} from model_versions v
        where v.app_key = ${grant.appKey} and v.model_key = ${modelKey} and v.visibility >= ${grant.visibleFrom}
          ${wanted.id ? sql`and v.id = ${wanted.id}` : sql``}
          ${wanted.trainedOnly ? sql`and v.status_code = 21100` : sql``}
        order by v.key desc limit 1 ${wanted.lock ? sql`for no key update` : sql``}`,
  );
  return read(row);
}

export async function findVersionByKey(
  db: Db,
  grant: AppGrant,
  key: number,
): Promise<VersionRow | undefined> {
  const row = await first<VersionColumns>(
    db,
    sql`select ${versionColumns} from model_versions v where v.app_key = ${grant.appKey} and v.key = ${key}`,
  );
  return read(row);
}

export type VersionSort = 'status_code' | 'num_inputs' | 'description' | 'created_at';

export async function pageOfVersions(
  db: Db,
  grant: AppGrant,
  modelKey: number,
  filter: { conceptIds: readonly string[]; trainedOnly: boolean },
  sort: { by: VersionSort; ascending: boolean },
  page: Page,
): Promise<VersionRow[]> {
  const where = allOf([
    sql`app_key = ${grant.appKey} and model_key = ${modelKey} and visibility >= ${grant.visibleFrom}`,
    filter.conceptIds.length > 0 ? sql`concept_ids @> ${[...filter.conceptIds]}::text[]` : undefined,
    filter.trainedOnly ? sql`status_code = 21100` : undefined,
  ]);
  const way = sort.ascending ? sql`asc` : sql`desc`;
  const column = {
    status_code: sql`status_code ${way}, `,
    num_inputs: sql`input_count ${way}, `,
    description: sql`description ${way}, `,
    created_at: sql``,
  }[sort.by];
  const found = await rows<VersionColumns>(
    db,
    sql`select ${versionColumns} from ${pageKeys('model_versions', where, sql`${column}key ${way}`, page)} p
        join model_versions v using (key) order by p.position`,
  );
  return found.map((row) => readVersionColumns(row) as VersionRow);
}

export async function updateVersion(
  db: Db,
  grant: AppGrant,
  key: number,
  patch: Pick<VersionRow, 'visibility' | 'license' | 'description' | 'body'>,
): Promise<VersionRow | undefined> {
  const row = await first<VersionColumns>(
    db,
    sql`with v as (
          update model_versions set visibility = ${patch.visibility}, license = ${patch.license},
            description = ${patch.description}, body = ${patch.body}, modified_at = now()
          where app_key = ${grant.appKey} and key = ${key} returning *)
        select ${versionColumns} from v`,
  );
  return read(row);
}

/** Sets the visibility of versions by id. @returns the ids that were found */
export async function showVersions(
  db: Db,
  grant: AppGrant,
  modelKey: number,
  ids: readonly string[],
  visibility: number,
): Promise<string[]> {
  const found = await rows<{ id: string }>(
    db,
    sql`update model_versions set visibility = ${visibility}, modified_at = now()
        where app_key = ${grant.appKey} and model_key = ${modelKey} and id = any(${[...ids]}::text[]) returning id`,
  );
  return found.map((row) => row.id);
}

export async function deleteVersion(db: Db, grant: AppGrant, modelKey: number, id: string): Promise<boolean> {
  const gone = await first(
    db,
    sql`delete from model_versions where app_key = ${grant.appKey} and model_key = ${modelKey} and id = ${id} returning key`,
  );
  return gone !== undefined;
}

/** Id of the type that a version's model is of. */
export async function typeOfModel(db: Db, grant: AppGrant, modelKey: number): Promise<string> {
  const row = await first<{ typeId: string }>(
    db,
    sql`select type_id as "typeId" from models where app_key = ${grant.appKey} and key = ${modelKey}`,
  );
  return row?.typeId ?? '';
}

/** Says that training runs, and how far it is. @returns false when the version is gone, or was ended already */
export async function setProgress(
  db: Db,
  grant: AppGrant,
  key: number,
  percent: number,
  log: string,
): Promise<boolean> {
  const row = await first(
    db,
    sql`update model_versions set status_code = 21101, percent_completed = ${percent}, train_log = ${log}, modified_at = now()
        where app_key = ${grant.appKey} and key = ${key} and status_code in (21101, 21103) returning key`,
  );
  return row !== undefined;
}

export interface TrainingResult {
  readonly code: number;
  readonly details: string;
  readonly log: string;
  /** What makes the version predict: the trained head, and the network that it stands on. */
  readonly head?: {
    readonly sha: Buffer;
    readonly builtin: string;
    /** Version of the embedder, where it stands on one. */
    readonly baseModelVersionKey: number | null;
    readonly conceptIds: readonly string[];
    /** The version's message, where training settled what was left open. */
    readonly body: Buffer;
  };
  readonly inputCount?: number;
  readonly metrics?: Uint8Array;
  /** How long it took, without the time it waited. */
  readonly tookMs?: number;
}

/** The end of a training. @returns false when the version is gone or was ended already */
export async function endTraining(
  db: Db,
  grant: AppGrant,
  key: number,
  result: TrainingResult,
): Promise<boolean> {
  const { head } = result;
  const row = await first(
    db,
    sql`update model_versions set status_code = ${result.code}, status_details = ${result.details},
          train_log = ${result.log}, input_count = ${result.inputCount ?? 0}, percent_completed = ${head ? 100 : 0},
          head_sha = ${head?.sha ?? null}, builtin = ${head?.builtin ?? null},
          base_model_version_key = ${head?.baseModelVersionKey ?? null},
          concept_ids = coalesce(${head ? [...head.conceptIds] : null}::text[], concept_ids), body = coalesce(${head?.body ?? null}, body),
          training_ms = ${head ? (result.tookMs ?? null) : null}, metrics = ${result.metrics ? Buffer.from(result.metrics) : null}, modified_at = now(), completed_at = now()
        where app_key = ${grant.appKey} and key = ${key} and status_code in (21101, 21103) returning key`,
  );
  return row !== undefined;
}

/** Where an upload stands: the version waits for bytes, is built, or is refused. @returns false when it was ended already */
export async function setUploadStatus(
  db: Db,
  grant: AppGrant,
  key: number,
  to: { code: number; details?: string; percent?: number },
): Promise<boolean> {
  const row = await first(
    db,
    sql`update model_versions set status_code = ${to.code}, status_details = ${to.details ?? ''},
          percent_completed = ${to.percent ?? 0}, modified_at = now()
        where app_key = ${grant.appKey} and key = ${key} and status_code in (21104, 21107) returning key`,
  );
  return row !== undefined;
}

/** A brought version is ready. @returns false when it is gone or was ended already */
export async function endBuild(
  db: Db,
  grant: AppGrant,
  key: number,
  built: Pick<VersionRow, 'builtin' | 'headSha' | 'conceptIds' | 'body' | 'license' | 'description'>,
): Promise<boolean> {
  const row = await first(
    db,
    sql`update model_versions set status_code = 21100, status_details = '', percent_completed = 100,
          builtin = ${built.builtin}, head_sha = ${built.headSha}, concept_ids = ${[...built.conceptIds]}::text[],
          body = ${built.body}, license = ${built.license}, description = ${built.description},
          modified_at = now(), completed_at = now()
        where app_key = ${grant.appKey} and key = ${key} and status_code = 21107 returning key`,
  );
  return row !== undefined;
}

/** What training found out about a version; undefined where nobody judged it. */
export async function trainingMetricsOf(
  db: Db,
  grant: AppGrant,
  key: number,
): Promise<EvalMetrics | undefined> {
  const row = await first<{ metrics: Buffer | null }>(
    db,
    sql`select metrics from model_versions where app_key = ${grant.appKey} and key = ${key}`,
  );
  return row?.metrics ? fromBinary(EvalMetricsSchema, row.metrics) : undefined;
}

/**
 * The training log behind a token. The token is the proof: official clients fetch the log without signing in
 * (SEMANTICS trap 20), so this look-up has no grant.
 */
export async function trainLogOf(db: Db, token: string): Promise<string | undefined> {
  const row = await first<{ log: string }>(
    db,
    sql`select train_log as log from model_versions where train_log_token = ${token} and train_log_token <> ''`,
  );
  return row?.log;
}

/** What the training of a version said, line by line, oldest first. */
export const trainLinesOf = (db: Db, grant: AppGrant, versionKey: number) => {
  const lines = async (): Promise<string[]> => {
    const row = await first<{ log: string }>(
      db,
      sql`select train_log as log from model_versions where app_key = ${grant.appKey} and key = ${versionKey}`,
    );
    return (row?.log ?? '').split('\n').filter((line) => line !== '');
  };
  return {
    count: async () => (await lines()).length,
    page: async (page: Page) => (await lines()).slice(firstPosition(page), firstPosition(page) + page.size),
  };
};
