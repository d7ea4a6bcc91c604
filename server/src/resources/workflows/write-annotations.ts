import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { type Data, DataSchema, StatusCode } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { JsonMap } from '#domain/patch.ts';
import { type Db, first, rows, sql } from '#store/sql.ts';
import { insertAnnotations } from '../annotations/index.ts';
import { bodyOfVersion, type VersionRow } from '../models/index.ts';

const statusCodes: Readonly<Record<string, number>> = {
  ANNOTATION_SUCCESS: StatusCode.ANNOTATION_SUCCESS,
  ANNOTATION_PENDING: StatusCode.ANNOTATION_PENDING,
  ANNOTATION_AWAITING_REVIEW: StatusCode.ANNOTATION_AWAITING_REVIEW,
  ANNOTATION_AWAITING_CONSENSUS_REVIEW: StatusCode.ANNOTATION_AWAITING_CONSENSUS_REVIEW,
};

/**
 * Writes what comes to an `annotation-writer` as annotations of the input: with its status, in the name of a user
 * where one is set, else as the model's own. Ids are made from the writer, the input and the place in the list, so
 * that running twice writes the same and nothing that people changed since is written over.
 */
export async function writeAnnotations(
  tx: Db,
  grant: AppGrant,
  input: { readonly key: number; readonly id: string },
  writer: VersionRow,
  data: Data,
): Promise<void> {
  const params = (bodyOfVersion(writer).outputInfo?.params ?? {}) as JsonMap;
  const present = await first<{ key: number }>(
    tx,
    sql`select key from inputs where app_key = ${grant.appKey} and key = ${input.key} for no key update`,
  );
  if (!present) return;
  const userId = typeof params.annotation_user_id === 'string' ? params.annotation_user_id : '';
  const userKey = userId === '' ? undefined : await userKeyOf(tx, grant, userId);
  const status = params.annotation_status;
  const statusCode =
    (typeof status === 'string' ? statusCodes[status] : undefined) ??
    (Number(status) || StatusCode.ANNOTATION_SUCCESS);
  const info = params.annotation_info;
  const isMap = typeof info === 'object' && info !== null && !Array.isArray(info);
  const wanted = partsOf(data).map((part, index) => ({
    id: idOf(writer.id, input.id, index),
    inputKey: input.key,
    inputId: input.id,
    inputLevel: false,
    // A machine's word counts as a label only once somebody stands behind it.
    trusted: userKey !== undefined && statusCode === StatusCode.ANNOTATION_SUCCESS,
    statusCode,
    worker: userKey === undefined ? { modelVersionKey: writer.key } : { userKey },
    taskId: typeof params.task_id === 'string' ? params.task_id : '',
    annotationInfo: isMap ? (info as JsonMap) : undefined,
    consensusInfo: undefined,
    data: part,
  }));
  await insertAnnotations(tx, grant, wanted);
}

const idOf = (versionId: string, inputId: string, index: number): string =>
  createHash('sha256').update(`${versionId}/${inputId}/${index}`).digest('hex').slice(0, 32);

/** Only members of the app are named as its annotators. */
async function userKeyOf(tx: Db, grant: AppGrant, userId: string): Promise<number | undefined> {
  const found = await rows<{ key: number }>(
    tx,
    sql`select u.key from users u join apps a on a.key = ${grant.appKey}
        where u.id = ${userId} and (u.key = a.user_key or exists (
          select 1 from collaborators c where c.app_key = a.key and c.user_key = u.key and c.deleted_at is null))`,
  );
  return found[0]?.key;
}

/** An annotation holds at most one region; media and embeddings are kept elsewhere. */
function partsOf({ concepts, colors, clusters, regions, text }: Data): Data[] {
  const whole = concepts.length + colors.length + clusters.length > 0 || text !== undefined;
  return [
    ...(whole ? [create(DataSchema, { concepts, colors, clusters, ...(text ? { text } : {}) })] : []),
    ...regions.map((region) => create(DataSchema, { regions: [region] })),
  ];
}
