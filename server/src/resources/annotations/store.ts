import { toBinary } from '@bufbuild/protobuf';
import { type Data, DataSchema } from '@fovea/contract';
import { kindsOf } from '#domain/annotation-kinds.ts';
import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, rows, run, sql } from '#store/sql.ts';
import { actingAs } from '../common/acting.ts';
import type { AnnotationRow } from './annotation.ts';
import { changesSomething } from './changes.ts';
import { annotationsAsOf, type Moment } from './history-store.ts';
import { joined, json, placeOf, putLabels } from './insert-store.ts';
import { labelsOf } from './labels-in-data.ts';
import { replaceSearchTerms } from './search-terms.ts';

const columns = sql`a.key, a.input_key as "inputKey", a.input_id as "inputId", a.id, a.input_level as "inputLevel", a.trusted,
  a.status_code as "statusCode", a.task_id as "taskId", a.annotation_info as "annotationInfo",
  a.consensus_info as "consensusInfo", a.data, a.created_at as "createdAt", a.modified_at as "modifiedAt",
  wu.id as "workerUserId",
  wv.id as "modelVersionId", wm.id as "modelId", wm.name as "modelName", wm.type_id as "modelTypeId",
  wma.id as "modelAppId", wmu.id as "modelUserId",
  ww.id as "workflowVersionId", wf.id as "workflowId", wfa.id as "workflowAppId", wfu.id as "workflowUserId"`;

const workers = sql`
  left join users wu on wu.key = a.worker_user_key
  left join model_versions wv on wv.key = a.worker_model_version_key
  left join models wm on wm.key = wv.model_key
  left join apps wma on wma.key = wm.app_key
  left join users wmu on wmu.key = wma.user_key
  left join workflow_versions ww on ww.key = a.worker_workflow_version_key
  left join workflows wf on wf.key = ww.workflow_key
  left join apps wfa on wfa.key = wf.app_key
  left join users wfu on wfu.key = wfa.user_key`;

/** Annotations by row key, in the order of the keys. */
export async function annotationsByKey(
  db: Db,
  grant: AppGrant,
  keys: readonly number[],
): Promise<AnnotationRow[]> {
  if (keys.length === 0) return [];
  return rows<AnnotationRow>(
    db,
    sql`select ${columns} from unnest(${[...keys]}::bigint[]) with ordinality as k(key, position)
        join annotations a on a.key = k.key ${workers}
        where a.app_key = ${grant.appKey} order by k.position`,
  );
}

/** As `annotationsByKey`, as they were at a moment. */
export async function annotationsThen(
  db: Db,
  grant: AppGrant,
  keys: readonly number[],
  at: Moment,
): Promise<AnnotationRow[]> {
  if (keys.length === 0) return [];
  return rows<AnnotationRow>(
    db,
    sql`select ${columns} from unnest(${[...keys]}::bigint[]) with ordinality as k(key, position)
        join ${annotationsAsOf(grant, at)} a on a.key = k.key ${workers} order by k.position`,
  );
}

/** States that annotations had before, by the keys of these states. */
export function pastStates(
  db: Db,
  grant: AppGrant,
  versions: readonly number[],
): Promise<(AnnotationRow & { version: number })[]> {
  return rows(
    db,
    sql`select a.version, ${columns} from annotation_versions a ${workers}
        where a.app_key = ${grant.appKey} and a.version = any(${[...versions]}::bigint[])`,
  );
}

/** How much the data of some annotations takes, in bytes; reads sizes alone. */
export async function dataBytes(db: Db, grant: AppGrant, keys: readonly number[]): Promise<number> {
  const sum = await first<{ bytes: number }>(
    db,
    sql`select coalesce(sum(octet_length(data)), 0)::bigint as bytes from annotations
        where app_key = ${grant.appKey} and key = any(${[...keys]}::bigint[])`,
  );
  return sum?.bytes ?? 0;
}

/** Labels of the inputs themselves: the one annotation each input has as a whole. */
export function inputLevelRows(db: Db, grant: AppGrant, inputKeys: readonly number[]) {
  return rows<{ inputKey: number; data: Buffer }>(
    db,
    sql`select input_key as "inputKey", data from annotations
        where app_key = ${grant.appKey} and input_level and input_key = any(${[...inputKeys]})`,
  );
}

export interface LockedAnnotation {
  readonly key: number;
  readonly inputKey: number;
  readonly inputId: string;
  readonly id: string;
  readonly inputLevel: boolean;
  readonly trusted: boolean;
  readonly kinds: number;
  readonly data: Buffer;
  readonly statusCode: number;
  readonly taskId: string;
  readonly annotationInfo: object | null;
  readonly consensusInfo: object | null;
}

export const lockedColumns = sql`key, input_key as "inputKey", input_id as "inputId", id, input_level as "inputLevel", trusted, kinds, data,
  status_code as "statusCode", task_id as "taskId", annotation_info as "annotationInfo", consensus_info as "consensusInfo"`;

/**
 * Annotations by input id and annotation id, locked in key order until the commit. Their inputs are locked before
 * them, in key order too, as everybody does who changes both.
 */
export async function lockAnnotations(
  db: Db,
  grant: AppGrant,
  pairs: readonly { inputId: string; id: string }[],
): Promise<LockedAnnotation[]> {
  const inputs = await rows<{ key: number; id: string }>(
    db,
    sql`select key, id from inputs
        where app_key = ${grant.appKey} and id = any(${pairs.map(({ inputId }) => inputId)}::text[])
        order by key for no key update`,
  );
  const keyOf = new Map(inputs.map(({ key, id }) => [id, key]));
  const known = pairs.flatMap(({ inputId, id }) => {
    const inputKey = keyOf.get(inputId);
    return inputKey === undefined ? [] : [{ inputKey, id }];
  });
  return rows<LockedAnnotation>(
    db,
    sql`select ${lockedColumns} from annotations
        where app_key = ${grant.appKey} and (input_key, id) in (
          select * from unnest(${known.map((p) => p.inputKey)}::bigint[], ${known.map((p) => p.id)}::text[]))
        order by key for no key update`,
  );
}

/** The annotations of inputs as wholes, locked in key order until the commit. The inputs are locked before. */
export async function lockInputLevels(
  db: Db,
  grant: AppGrant,
  inputKeys: readonly number[],
): Promise<LockedAnnotation[]> {
  await lockInputs(db, grant, inputKeys);
  return rows<LockedAnnotation>(
    db,
    sql`select ${lockedColumns} from annotations
        where app_key = ${grant.appKey} and input_key = any(${[...inputKeys]}::bigint[]) and input_level
        order by key for no key update`,
  );
}

/** What an annotation is to become; fields that are left out stay. */
export interface AnnotationChange {
  readonly row: LockedAnnotation;
  readonly data: Data;
  readonly statusCode?: number | undefined;
  readonly taskId?: string | undefined;
  readonly annotationInfo?: object | undefined;
  readonly consensusInfo?: object | undefined;
}

/**
 * Puts new data in place of the old, labels included. The annotations and their inputs have to be
 * locked by `lock…` before, and none named twice. What would stay as it is is not written: it gets no new state in
 * its history and keeps `modified_at`.
 *
 * @returns what changed
 */
export async function updateAnnotations(
  db: Db,
  grant: AppGrant,
  wanted: readonly AnnotationChange[],
): Promise<AnnotationChange[]> {
  const changes = wanted.filter(changesSomething);
  if (changes.length === 0) return changes;
  const column = <T>(read: (change: AnnotationChange) => T): T[] => changes.map(read);
  const packed = joined(changes.map(({ data }) => toBinary(DataSchema, data)));
  await run(
    db,
    sql`update annotations a set
          data = substring(${packed.blob}::bytea from n.start for n.length), kinds = n.kinds, metadata = n.metadata, latitude = n.latitude, longitude = n.longitude,
          status_code = coalesce(n.status_code, a.status_code), task_id = coalesce(n.task_id, a.task_id),
          annotation_info = coalesce(n.annotation_info, a.annotation_info),
          consensus_info = coalesce(n.consensus_info, a.consensus_info), modified_at = now()
        from unnest(
          ${column(({ row }) => row.key)}::bigint[], ${packed.starts}::int[], ${packed.lengths}::int[],
          ${column((c) => kindsOf(c.data))}::int[], ${column((c) => json(c.data.metadata))}::jsonb[],
          ${column((c) => placeOf(c.data).latitude ?? null)}::float8[], ${column((c) => placeOf(c.data).longitude ?? null)}::float8[],
          ${column((c) => c.statusCode ?? null)}::int[], ${column((c) => c.taskId ?? null)}::text[],
          ${column((c) => json(c.annotationInfo))}::jsonb[], ${column((c) => json(c.consensusInfo))}::jsonb[])
          as n(key, start, length, kinds, metadata, latitude, longitude, status_code, task_id, annotation_info, consensus_info)
        where a.app_key = ${grant.appKey} and a.key = n.key and ${actingAs(grant)}`,
  );
  const now = changes.map(({ row: { key, inputKey, trusted }, data }) => ({ key, inputKey, trusted, data }));
  const kept = now.flatMap(({ key, data }) => labelsOf(data).map(({ conceptId }) => ({ key, conceptId })));
  await run(
    db,
    sql`delete from annotation_concepts c
        where c.annotation_key = any(${now.map(({ key }) => key)}::bigint[]) and (c.annotation_key, c.concept_id) not in (
          select * from unnest(${kept.map(({ key }) => key)}::bigint[], ${kept.map(({ conceptId }) => conceptId)}::text[]))`,
  );
  await putLabels(
    db,
    grant,
    now.map(({ data, ...one }) => ({ ...one, labels: labelsOf(data) })),
  );
  await replaceSearchTerms(db, grant, now);
  return changes;
}

/** Locks inputs until the commit, in key order, as every writer of labels takes them. */
export async function lockInputs(db: Db, grant: AppGrant, keys: readonly number[]): Promise<void> {
  await run(
    db,
    sql`select from inputs where app_key = ${grant.appKey} and key = any(${[...keys]}::bigint[])
        order by key for no key update`,
  );
}

const revised = {
  name: 'apps-revise-searches',
  text: 'update apps set search_revision = search_revision + 1 where key = $1',
};

/** Tells searches that what they may have remembered is old. The last statement of a transaction: it locks the app's row. */
export async function bumpSearchRevision(db: Db, grant: AppGrant): Promise<void> {
  await db.run(revised, [grant.appKey]);
}

/**
 * Keeps inputs as they are until the commit, several writers at once. @returns those that exist.
 *
 * NOTE: before any concept is made, or a patch of the same input could wait for our concept and we for its lock.
 */
export async function holdInputs(db: Db, grant: AppGrant, keys: readonly number[]): Promise<Set<number>> {
  if (keys.length === 0) return new Set();
  const held = await rows<{ key: number }>(
    db,
    sql`select key from inputs where app_key = ${grant.appKey} and key = any(${[...keys]}) order by key for share`,
  );
  return new Set(held.map(({ key }) => key));
}

/**
 * Deletes annotations with their labels and vectors. Lock their inputs before. @returns how many went.
 *
 * The labels go first, in one statement: left to the cascade they would go annotation by annotation, and two
 * deleters would meet the counters of the same inputs in different orders.
 */
export async function deleteAnnotationRows(
  db: Db,
  grant: AppGrant,
  keys: readonly number[],
): Promise<number> {
  if (keys.length === 0) return 0;
  await run(
    db,
    sql`delete from annotation_concepts
        where app_key = ${grant.appKey} and annotation_key = any(${[...keys]}::bigint[])`,
  );
  const gone = await rows(
    db,
    sql`delete from annotations
        where app_key = ${grant.appKey} and key = any(${[...keys]}::bigint[]) and ${actingAs(grant)} returning key`,
  );
  return gone.length;
}
