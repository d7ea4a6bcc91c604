import { type AppEmbedders, appEmbedders, type Embedder } from '#domain/app-embedders.ts';
import { embedderName } from '#domain/embedder-name.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { RawColumns, type RawReads, type RawRow } from '#store/postgres/index.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { allOf, pageKeys } from '../common/paging.ts';
import type { WorkflowVersionRow } from './workflow.ts';

const columns = sql`v.key, v.workflow_key as "workflowKey", v.id, v.visibility, v.model_version_keys as "modelVersionKeys",
  v.body, v.created_at as "createdAt", v.modified_at as "modifiedAt",
  exists (select 1 from unnest(v.model_version_keys) pinned(key)
    where not exists (select 1 from model_versions m where m.key = pinned.key)) as "isDeprecated"`;

export interface NewWorkflowVersion {
  readonly id: string;
  readonly visibility: number;
  readonly modelVersionKeys: readonly number[];
  readonly body: Buffer;
}

/** @returns undefined when the workflow has a version of this id */
export function insertWorkflowVersion(
  db: Db,
  appKey: number,
  workflowKey: number,
  version: NewWorkflowVersion,
): Promise<WorkflowVersionRow | undefined> {
  return first<WorkflowVersionRow>(
    db,
    sql`with v as (
          insert into workflow_versions (app_key, workflow_key, id, visibility, model_version_keys, body)
          values (${appKey}, ${workflowKey}, ${version.id}, ${version.visibility},
            ${[...version.modelVersionKeys]}::bigint[], ${version.body})
          on conflict (workflow_key, id) do nothing returning *)
        select ${columns} from v`,
  );
}

export const workflowVersionByKey = (db: Db, grant: AppGrant, key: number) =>
  first<WorkflowVersionRow>(
    db,
    sql`select ${columns} from workflow_versions v where v.app_key = ${grant.appKey} and v.key = ${key}`,
  );

/** A version by id, or the newest. */
export function findWorkflowVersion(
  db: Db,
  grant: AppGrant,
  workflowKey: number,
  id = '',
): Promise<WorkflowVersionRow | undefined> {
  return first<WorkflowVersionRow>(
    db,
    sql`select ${columns} from workflow_versions v
        where v.workflow_key = ${workflowKey} and v.visibility >= ${grant.visibleFrom}
          ${id ? sql`and v.id = ${id}` : sql``}
        order by v.key desc limit 1`,
  );
}

/** The newest version of each of these workflows, by workflow key. */
export async function newestVersions(
  db: Db,
  visibleFrom: number,
  workflowKeys: readonly number[],
): Promise<Map<number, WorkflowVersionRow>> {
  const found = await rows<WorkflowVersionRow>(
    db,
    sql`select distinct on (v.workflow_key) ${columns} from workflow_versions v
        where v.workflow_key = any(${[...workflowKeys]}::bigint[]) and v.visibility >= ${visibleFrom}
        order by v.workflow_key, v.key desc`,
  );
  return new Map(found.map((row) => [row.workflowKey, row]));
}

export function pageOfWorkflowVersions(
  db: Db,
  grant: AppGrant,
  workflowKey: number,
  page: Page,
): Promise<WorkflowVersionRow[]> {
  const where = allOf([
    sql`workflow_key = ${workflowKey} and app_key = ${grant.appKey} and visibility >= ${grant.visibleFrom}`,
  ]);
  return rows<WorkflowVersionRow>(
    db,
    sql`select ${columns} from ${pageKeys('workflow_versions', where, sql`key desc`, page)} p
        join workflow_versions v using (key) order by p.position`,
  );
}

export function updateWorkflowVersion(
  db: Db,
  grant: AppGrant,
  key: number,
  patch: { visibility: number; body: Buffer },
): Promise<WorkflowVersionRow | undefined> {
  return first<WorkflowVersionRow>(
    db,
    sql`with v as (
          update workflow_versions set visibility = ${patch.visibility}, body = ${patch.body}, modified_at = now()
          where app_key = ${grant.appKey} and key = ${key} returning *)
        select ${columns} from v`,
  );
}

/** @returns the ids deleted */
export async function deleteWorkflowVersionRows(
  db: Db,
  grant: AppGrant,
  workflowKey: number,
  ids: readonly string[],
): Promise<string[]> {
  const gone = await rows<{ id: string }>(
    db,
    sql`delete from workflow_versions
        where app_key = ${grant.appKey} and workflow_key = ${workflowKey} and id = any(${[...ids]}::text[]) returning id`,
  );
  return gone.map((row) => row.id);
}

export const touchWorkflow = (db: Db, grant: AppGrant, key: number) =>
  run(db, sql`update workflows set modified_at = now() where app_key = ${grant.appKey} and key = ${key}`);

interface EmbedderRow {
  readonly isKept: boolean;
  readonly modelVersionKey: number;
  readonly builtin: string;
  readonly headSha: Buffer | null;
  readonly comingKey: number | null;
}

/** Asked before every search by likeness: planning it took longer than running it. */
const embeddersText = {
  name: 'app-embedders',
  text: `(select false as "isKept", m.key as "modelVersionKey", m.builtin, m.head_sha as "headSha", null::bigint as "comingKey"
    from apps a
    join lateral (
      select model_version_keys from workflow_versions
      where workflow_key = a.default_workflow_key order by key desc limit 1) v on true
    cross join lateral unnest(v.model_version_keys) with ordinality as pinned(key, position)
    join model_versions m on m.key = pinned.key
    join models o on o.key = m.model_key
    where a.key = $1::bigint and m.builtin is not null and o.type_id = 'visual-embedder'
      and (m.head_sha is not null or o.use_cases @> '{image-embedding}')
    order by pinned.position limit 1)
    union all
    select true, m.key, m.builtin, m.head_sha, s.coming_key
    from app_embedders s join model_versions m on m.key = s.serving_key
    where s.app_key = $1::bigint and m.builtin is not null`,
};

/** Version of the first node of the app's base workflow that turns whole pictures into embeddings, and what serves. */
export async function findEmbedders(db: Db & Partial<RawReads>, grant: AppGrant): Promise<AppEmbedders> {
  const found = db.raw
    ? (await db.raw(embeddersText, [grant.appKey])).map(embedderRow)
    : await db.run<EmbedderRow>(embeddersText, [grant.appKey]);
  const [base, kept] = [found.find((row) => !row.isKept), found.find((row) => row.isKept)];
  return appEmbedders(base && embedderOf(base), kept && embedderOf(kept), kept?.comingKey ?? undefined);
}

function embedderRow(row: RawRow): EmbedderRow {
  const columns = new RawColumns().read(row);
  const [isKept, modelVersionKey, builtin] = [columns.bool(), columns.int8(), columns.text()];
  const headSha = columns.next() ? columns.bytes.subarray(columns.start, columns.end) : null;
  return { isKept, modelVersionKey, builtin, headSha, comingKey: columns.int8OrNull() };
}

const embedderOf = ({ modelVersionKey, builtin, headSha }: EmbedderRow): Embedder => ({
  modelVersionKey,
  builtin: embedderName(builtin, headSha),
});
