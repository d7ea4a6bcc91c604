import { toBinary } from '@bufbuild/protobuf';
import { type Data, DataSchema } from '@fovea/contract';
import { kindsOf } from '#domain/annotation-kinds.ts';
import type { AppGrant } from '#domain/grant.ts';
import { bools, float4s, int4s, int8s, texts } from '#store/columns.ts';
import { type Db, preparedRows, sql } from '#store/sql.ts';
import type { NewAnnotation, PackedAnnotation } from './annotation.ts';
import { type Label, labelsOf } from './labels-in-data.ts';
import { putSearchTerms } from './search-terms.ts';

export interface StoredAnnotation {
  readonly key: number;
  readonly id: string;
  readonly inputKey: number;
}

/**
 * Stores annotations and their labels, in the order sent. Ids taken on the same input are missing from the result.
 * Locks the inputs that get labels (share) and their tallies until the commit.
 */
export async function insertAnnotations(
  db: Db,
  grant: AppGrant,
  wanted: readonly NewAnnotation[],
): Promise<StoredAnnotation[]> {
  const stored = await insertPacked(db, grant, wanted.map(packedOf));
  await putSearchTerms(
    db,
    grant,
    paired(wanted, stored).map(([{ data }, { key }]) => ({ key, data })),
  );
  return stored;
}

const packedOf = ({ data, ...rest }: NewAnnotation): PackedAnnotation => ({
  ...rest,
  packed: toBinary(DataSchema, data),
  kinds: kindsOf(data),
  labels: labelsOf(data),
  metadata: data.metadata,
  ...placeOf(data),
});

/** As `insertAnnotations`, for data that hold nothing that is searched for by words or marks. */
export async function insertPacked(
  db: Db,
  grant: AppGrant,
  wanted: readonly PackedAnnotation[],
): Promise<StoredAnnotation[]> {
  if (wanted.length === 0) return [];
  const column = <T>(read: (annotation: PackedAnnotation) => T): T[] => wanted.map(read);
  const rare = <T>(read: (annotation: PackedAnnotation) => T | null | undefined) =>
    orNone(wanted.map((one) => read(one) ?? null));
  const { blob, starts, lengths } = joined(column((a) => a.packed));
  const stored = await preparedRows<StoredAnnotation>(
    db,
    'annotations-insert',
    sql`insert into annotations (app_key, input_key, input_id, id, input_level, trusted, status_code, worker_user_key,
          worker_model_version_key, worker_workflow_version_key, task_id, kinds, metadata, latitude, longitude,
          annotation_info, consensus_info, data, changed_by)
        select ${grant.appKey}, n.input_key, n.input_id, n.id, n.input_level, n.trusted, n.status_code, n.user_key,
          n.model_version_key, n.workflow_version_key, coalesce(n.task_id, ''), n.kinds, n.metadata, n.latitude, n.longitude,
          n.annotation_info, n.consensus_info,
          substring(${blob}::bytea from n.start for n.length), ${grant.caller.userKey}
        from unnest(
          ${int8s(column((a) => a.inputKey))}::bigint[], ${texts(column((a) => a.inputId))}::text[],
          ${texts(column((a) => a.id))}::text[], ${bools(column((a) => a.inputLevel))}::boolean[],
          ${bools(column((a) => a.trusted))}::boolean[], ${int4s(column((a) => a.statusCode))}::int[],
          ${int8s(rare((a) => a.worker.userKey))}::bigint[],
          ${int8s(rare((a) => a.worker.modelVersionKey))}::bigint[],
          ${int8s(rare((a) => a.worker.workflowVersionKey))}::bigint[], ${rare((a) => a.taskId || null)}::text[],
          ${int4s(column((a) => a.kinds))}::int[], ${rare((a) => json(a.metadata))}::jsonb[],
          ${rare((a) => a.latitude)}::float8[], ${rare((a) => a.longitude)}::float8[],
          ${rare((a) => json(a.annotationInfo))}::jsonb[], ${rare((a) => json(a.consensusInfo))}::jsonb[],
          ${int4s(starts)}::int[], ${int4s(lengths)}::int[]) with ordinality as n(input_key, input_id, id, input_level, trusted,
          status_code, user_key, model_version_key, workflow_version_key, task_id, kinds, metadata, latitude, longitude,
          annotation_info, consensus_info, start, length, position)
        order by n.position
        on conflict (input_key, id) do nothing
        returning key, id, input_key as "inputKey"`,
  );
  await putLabels(
    db,
    grant,
    paired(wanted, stored).map(([{ inputKey, trusted, labels }, { key }]) => ({
      key,
      inputKey,
      trusted,
      labels,
    })),
  );
  return stored;
}

/**
 * What was stored with what was wanted of it. Rows come in the order sent, without those whose ids are taken; one
 * statement never stores an id twice, so that the first of twins is the one that is there.
 */
function paired<T extends Pick<NewAnnotation, 'inputKey' | 'id'>>(
  wanted: readonly T[],
  stored: readonly StoredAnnotation[],
): [T, StoredAnnotation][] {
  let next = 0;
  const pairs: [T, StoredAnnotation][] = [];
  for (const one of wanted) {
    const row = stored[next];
    if (row?.inputKey !== one.inputKey || row.id !== one.id) continue;
    pairs.push([one, row]);
    next += 1;
  }
  if (next < stored.length) throw new Error('annotations came back in another order than they were sent in');
  return pairs;
}

/** The annotations as a whole of inputs of which nothing is said yet: most of what is uploaded. */
export async function insertBareInputLevels(
  db: Db,
  grant: AppGrant,
  wanted: readonly Pick<NewAnnotation, 'inputKey' | 'inputId' | 'id'>[],
  workerUserKeys: readonly number[],
): Promise<void> {
  if (wanted.length === 0) return;
  await preparedRows(
    db,
    'annotations-insert-bare',
    sql`insert into annotations (app_key, input_key, input_id, id, input_level, worker_user_key, changed_by)
        select ${grant.appKey}, n.input_key, n.input_id, n.id, true, n.user_key, ${grant.caller.userKey}
        from unnest(
          ${int8s(wanted.map((a) => a.inputKey))}::bigint[], ${texts(wanted.map((a) => a.inputId))}::text[],
          ${texts(wanted.map((a) => a.id))}::text[], ${int8s(workerUserKeys)}::bigint[])
          with ordinality as n(input_key, input_id, id, user_key, position)
        order by n.position`,
  );
}

export interface Labelled {
  readonly key: number;
  readonly inputKey: number;
  readonly trusted: boolean;
  readonly labels: readonly Label[];
}

/** Writes the labels of annotations; those of an annotation that are not in its data any more have to be gone already. */
export async function putLabels(db: Db, grant: AppGrant, annotations: readonly Labelled[]): Promise<void> {
  const labels = annotations.flatMap(({ labels: own, ...annotation }) =>
    own.map((label, position) => ({ ...annotation, ...label, position })),
  );
  if (labels.length === 0) return;
  await preparedRows(
    db,
    'labels-insert',
    sql`insert into annotation_concepts as l (app_key, annotation_key, input_key, concept_id, position, value, trusted)
        select ${grant.appKey}, n.* from unnest(
          ${int8s(labels.map((l) => l.key))}::bigint[], ${int8s(labels.map((l) => l.inputKey))}::bigint[],
          ${texts(labels.map((l) => l.conceptId))}::text[], ${int4s(labels.map((l) => l.position))}::int[],
          ${float4s(labels.map((l) => l.value))}::real[], ${bools(labels.map((l) => l.trusted))}::boolean[])
          as n(annotation_key, input_key, concept_id, position, value, trusted)
        order by annotation_key, position
        on conflict (annotation_key, concept_id) do update
        set position = excluded.position, value = excluded.value, trusted = excluded.trusted
        where (l.position, l.value, l.trusted) is distinct from (excluded.position, excluded.value, excluded.trusted)`,
  );
}

/**
 * The bytes of a batch as one value: a bytea travels as it is, an array of them as text of twice the
 * length, which masks would feel. `starts` count from 1, as SQL does.
 */
export function joined(parts: readonly Uint8Array[]): { blob: Buffer; starts: number[]; lengths: number[] } {
  const lengths = parts.map((part) => part.length);
  let next = 1;
  const starts = lengths.map((length) => {
    const start = next;
    next += length;
    return start;
  });
  return { blob: Buffer.concat(parts), starts, lengths };
}

/** A column in which nothing is said: `unnest` fills up what is shorter with nulls, and nothing has to be sent. */
const orNone = <T>(values: T[]): T[] => (values.every((value) => value === null) ? [] : values);

export const json = (value: object | undefined): string | null =>
  value === undefined ? null : JSON.stringify(value);

export function placeOf(data: Data): Pick<PackedAnnotation, 'latitude' | 'longitude'> {
  const point = data.geo?.geoPoint;
  return { latitude: point?.latitude, longitude: point?.longitude };
}
