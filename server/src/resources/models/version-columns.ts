import { sql } from '#store/sql.ts';
import type { VersionRow } from './model.ts';

/** Columns of a model version `v`, under names of their own so that they can stand beside a model's. */
export const versionColumns = sql`v.key as "vKey", v.app_key as "vAppKey", v.model_key as "vModelKey", v.id as "vId",
  v.status_code as "vStatusCode", v.status_details as "vStatusDetails", v.visibility as "vVisibility",
  v.builtin as "vBuiltin", v.head_sha as "vHeadSha", v.base_model_version_key as "vBaseModelVersionKey",
  v.concept_ids as "vConceptIds", v.license as "vLicense", v.description as "vDescription",
  v.input_count as "vInputCount", v.percent_completed as "vPercentCompleted", v.body as "vBody", v.train_log_token as "vTrainLogToken",
  v.created_at as "vCreatedAt", v.modified_at as "vModifiedAt", v.completed_at as "vCompletedAt"`;

export type VersionColumns = {
  [Name in keyof VersionRow as `v${Capitalize<Name>}`]: VersionRow[Name] | null;
};

/** The version of a joined row; undefined where the outer join found none. */
export function readVersionColumns(row: VersionColumns): VersionRow | undefined {
  if (row.vKey === null) return undefined;
  return {
    key: row.vKey,
    appKey: row.vAppKey,
    modelKey: row.vModelKey,
    id: row.vId,
    statusCode: row.vStatusCode,
    statusDetails: row.vStatusDetails,
    visibility: row.vVisibility,
    builtin: row.vBuiltin,
    headSha: row.vHeadSha,
    baseModelVersionKey: row.vBaseModelVersionKey,
    conceptIds: row.vConceptIds,
    license: row.vLicense,
    description: row.vDescription,
    inputCount: row.vInputCount,
    percentCompleted: row.vPercentCompleted,
    body: row.vBody,
    trainLogToken: row.vTrainLogToken,
    createdAt: row.vCreatedAt,
    modifiedAt: row.vModifiedAt,
    completedAt: row.vCompletedAt,
  } as VersionRow;
}
