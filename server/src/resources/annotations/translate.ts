import { create, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type Annotation,
  AnnotationSchema,
  type Concept,
  type Data,
  DataSchema,
  type Geo,
  type StatusCode,
  type WorkerSchema,
} from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import { status } from '../common/status.ts';
import { showTime } from '../common/translate.ts';
import { conceptsById } from '../concepts/index.ts';
import type { AnnotationRow } from './annotation.ts';
import { annotationFault } from './faults.ts';
import type { Moment } from './history-store.ts';
import { conceptsIn, withConcepts } from './labels-in-data.ts';
import { annotationsByKey, annotationsThen, dataBytes, pastStates } from './store.ts';

/** An annotation as the contract shows it, ready to be put into any reply. */
export type ShownAnnotation = Annotation;

export const unpackData = (packed: Uint8Array): Data => fromBinary(DataSchema, packed);

/** Puts the names that concepts have today into data that keeps their ids. */
export async function nameConcepts(db: Db, grant: AppGrant, batch: readonly Data[]): Promise<Data[]> {
  const ids = [...new Set(batch.flatMap((data) => conceptsIn(data).map(({ id }) => id)))];
  if (ids.length === 0) return [...batch];
  const names = new Map((await conceptsById(db, grant, ids)).map(({ id, name }) => [id, name]));
  return batch.map((data) => withNames(grant, data, (id) => names.get(id)));
}

/** Data with the names of its concepts as `nameOf` knows them. */
export function withNames(grant: AppGrant, data: Data, nameOf: (id: string) => string | undefined): Data {
  const named = (concept: Concept): Concept => ({
    ...concept,
    name: nameOf(concept.id) ?? (concept.name || concept.id),
    appId: concept.appId || grant.appId,
  });
  return withConcepts(data, (concepts) => concepts.map(named));
}

/**
 * Annotations as the contract shows them, in the order of the keys; those of other apps or gone are left out.
 * `asOf` shows them as they were then, with the names that their concepts have today.
 */
export async function showAnnotations(
  db: Db,
  grant: AppGrant,
  keys: readonly number[],
  asOf?: Moment,
): Promise<Annotation[]> {
  await checkSize(db, grant, keys);
  return showRows(
    db,
    grant,
    asOf === undefined
      ? await annotationsByKey(db, grant, keys)
      : await annotationsThen(db, grant, keys, asOf),
  );
}

/** Past states of annotations, by the keys of these states. */
export async function showVersions(
  db: Db,
  grant: AppGrant,
  versions: readonly number[],
): Promise<Map<number, Annotation>> {
  const states = await pastStates(db, grant, versions);
  const shown = await showRows(db, grant, states);
  return new Map(states.map(({ version }, i) => [version, shown[i] as Annotation]));
}

async function showRows(db: Db, grant: AppGrant, rows: readonly AnnotationRow[]): Promise<Annotation[]> {
  const datas = await nameConcepts(
    db,
    grant,
    rows.map((row) => unpackData(row.data)),
  );
  return rows.map((row, i) => showAnnotation(row, datas[i] as Data));
}

/** As many annotations as may be full of masks and still fit into a reply are not even looked at. */
const uncheckedMax = 8;
const replyBytesMax = 32 * 1024 * 1024;

/** Masks travel inside annotations: a page of many would not fit into memory, let alone into a reply. */
async function checkSize(db: Db, grant: AppGrant, keys: readonly number[]): Promise<void> {
  if (keys.length <= uncheckedMax) return;
  const bytes = await dataBytes(db, grant, keys);
  if (bytes > replyBytesMax) throw annotationFault.pageTooLarge(keys.length, bytes);
}

function showAnnotation(row: AnnotationRow, data: Data): Annotation {
  return create(AnnotationSchema, {
    id: row.id,
    inputId: row.inputId,
    data,
    annotationInfo: row.annotationInfo ?? undefined,
    consensusInfo: row.consensusInfo ?? undefined,
    taskId: row.taskId,
    userId: row.workerUserId ?? '',
    modelVersionId: row.modelVersionId ?? '',
    worker: showWorker(row),
    status: status(row.statusCode as StatusCode),
    createdAt: showTime(row.createdAt),
    modifiedAt: showTime(row.modifiedAt),
    trusted: row.trusted,
    inputLevel: row.inputLevel,
  });
}

type WorkerNames = Pick<
  AnnotationRow,
  | 'workerUserId'
  | 'modelVersionId'
  | 'modelId'
  | 'modelName'
  | 'modelTypeId'
  | 'modelAppId'
  | 'modelUserId'
  | 'workflowVersionId'
  | 'workflowId'
  | 'workflowAppId'
  | 'workflowUserId'
>;

export function showWorker(row: WorkerNames): MessageInitShape<typeof WorkerSchema> | undefined {
  if (row.workerUserId) return { worker: { case: 'user', value: { id: row.workerUserId } } };
  if (row.modelVersionId) {
    const owner = { appId: row.modelAppId ?? '', userId: row.modelUserId ?? '' };
    const value = {
      id: row.modelId ?? '',
      name: row.modelName || (row.modelId ?? ''),
      modelTypeId: row.modelTypeId ?? '',
      ...owner,
      modelVersion: { id: row.modelVersionId, ...owner },
    };
    return { worker: { case: 'model', value } };
  }
  if (row.workflowVersionId) {
    const owner = { appId: row.workflowAppId ?? '', userId: row.workflowUserId ?? '' };
    const value = { id: row.workflowId ?? '', ...owner, version: { id: row.workflowVersionId, ...owner } };
    return { worker: { case: 'workflow', value } };
  }
  return undefined;
}

export interface InputLevelData {
  readonly concepts: Concept[];
  readonly metadata?: Data['metadata'];
  readonly geo?: Geo | undefined;
}

export const showInputLevel = ({ concepts, metadata, geo }: Data): InputLevelData => ({
  concepts,
  metadata,
  geo,
});
