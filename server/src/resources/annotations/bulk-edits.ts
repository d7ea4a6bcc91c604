import { create } from '@bufbuild/protobuf';
import { type Concept, type Data, DataSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { type Db, rows, type Sql, sql } from '#store/sql.ts';
import { onePerConcept, withConcepts } from './labels-in-data.ts';
import {
  deleteAnnotationRows,
  type LockedAnnotation,
  lockedColumns,
  lockInputs,
  updateAnnotations,
} from './store.ts';
import { unpackData } from './translate.ts';

/** What an annotation is to say; undefined leaves it as it is. */
export type DataEdit = (data: Data) => Data | undefined;

/** Annotations to be changed at once: those of inputs as a whole, or named by key. Row keys. */
export type EditTarget = { readonly inputLevelOf: readonly number[] } | { readonly keys: readonly number[] };

/** Changes what a few thousand annotations say, one update for all. Those that are gone are left out. @returns how many changed */
export function editAnnotations(
  db: Db,
  grant: AppGrant,
  target: EditTarget,
  edit: DataEdit,
): Promise<number> {
  const where =
    'keys' in target
      ? sql`key = any(${[...target.keys]}::bigint[])`
      : sql`input_level and input_key = any(${[...target.inputLevelOf]}::bigint[])`;
  return editWhere(db, grant, where, edit);
}

/** Takes concepts out of annotations that some users made, of inputs or by key, wherever inside they stand. */
export function removeLabels(
  db: Db,
  grant: AppGrant,
  target: { readonly inputKeys: readonly number[] } | { readonly keys: readonly number[] },
  labels: { readonly conceptIds: readonly string[]; readonly userKeys: readonly number[] },
): Promise<number> {
  const gone = new Set(labels.conceptIds);
  const within =
    'keys' in target
      ? sql`key = any(${[...target.keys]}::bigint[])`
      : sql`input_key = any(${[...target.inputKeys]}::bigint[])`;
  const where = sql`${within} and worker_user_key = any(${[...labels.userKeys]}::bigint[]) and exists (
    select from annotation_concepts l where l.annotation_key = annotations.key and l.concept_id = any(${[...gone]}::text[]))`;
  return editWhere(db, grant, where, (data) =>
    withConcepts(data, (concepts) => concepts.filter(({ id }) => !gone.has(id))),
  );
}

/** The same data with labels put where it speaks of something: in its region, its moment, or of the whole. */
export function withLabels(data: Data, concepts: readonly Concept[]): Data {
  const [frame, ...frames] = data.frames;
  if (frame)
    return {
      ...data,
      frames: [{ ...frame, data: withLabels(frame.data ?? create(DataSchema), concepts) }, ...frames],
    };
  const [region, ...regions] = data.regions;
  if (region)
    return {
      ...data,
      regions: [{ ...region, data: withLabels(region.data ?? create(DataSchema), concepts) }, ...regions],
    };
  return { ...data, concepts: onePerConcept([...data.concepts, ...concepts]) };
}

async function editWhere(db: Db, grant: AppGrant, where: Sql<unknown>, edit: DataEdit): Promise<number> {
  const locked = await lockWhere(db, grant, where);
  const changes = locked.flatMap((row) => {
    const data = edit(unpackData(row.data));
    return data ? [{ row, data }] : [];
  });
  return (await updateAnnotations(db, grant, changes)).length;
}

/** Inputs before annotations, each in key order, as everybody locks them who changes both. */
async function lockWhere(db: Db, grant: AppGrant, where: Sql<unknown>): Promise<LockedAnnotation[]> {
  const found = await rows<{ inputKey: number }>(
    db,
    sql`select distinct input_key as "inputKey" from annotations where app_key = ${grant.appKey} and ${where}`,
  );
  if (found.length === 0) return [];
  await lockInputs(
    db,
    grant,
    found.map(({ inputKey }) => inputKey),
  );
  return rows<LockedAnnotation>(
    db,
    sql`select ${lockedColumns} from annotations where app_key = ${grant.appKey} and ${where} order by key for no key update`,
  );
}

/** Deletes annotations by key; those about an input as a whole stay, emptied. @returns how many there were */
export async function dropAnnotations(db: Db, grant: AppGrant, keys: readonly number[]): Promise<number> {
  return dropLocked(db, grant, await lockWhere(db, grant, sql`key = any(${[...keys]}::bigint[])`));
}

/** Every input keeps the annotation about it as a whole; deleting that one empties it. */
export async function dropLocked(
  db: Db,
  grant: AppGrant,
  locked: readonly LockedAnnotation[],
): Promise<number> {
  const whole = locked.filter(({ inputLevel }) => inputLevel);
  await updateAnnotations(
    db,
    grant,
    whole.map((row) => ({ row, data: create(DataSchema) })),
  );
  const keys = locked.filter(({ inputLevel }) => !inputLevel).map(({ key }) => key);
  await deleteAnnotationRows(db, grant, keys);
  return locked.length;
}
