import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, sql } from '#store/sql.ts';
import { allOf, pageKeys } from '../common/paging.ts';
import type { WorkerKeys } from './annotation.ts';
import type { TrackFields } from './track.ts';

export interface TrackRow extends TrackFields {
  readonly key: number;
  readonly id: string;
  readonly inputKey: number;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

const columns = sql`t.key, t.id, t.input_key as "inputKey", t.concept_id as "conceptId", t.status_code as "statusCode",
  t.start_frame as "startFrame", t.end_frame as "endFrame", t.start_ms as "startMs", t.end_ms as "endMs",
  t.sample_ms as "sampleMs", t.sample_frames as "sampleFrames", t.created_at as "createdAt", t.modified_at as "modifiedAt"`;

/** @returns undefined when the input has a track of this id. */
export const insertTrack = (
  db: Db,
  grant: AppGrant,
  inputKey: number,
  id: string,
  track: TrackFields,
): Promise<TrackRow | undefined> =>
  first(
    db,
    sql`insert into annotation_tracks as t (app_key, input_key, id, concept_id, status_code, start_frame, end_frame, start_ms,
          end_ms, sample_ms, sample_frames)
        values (${grant.appKey}, ${inputKey}, ${id}, ${track.conceptId}, ${track.statusCode}, ${track.startFrame}, ${track.endFrame},
          ${track.startMs}, ${track.endMs}, ${track.sampleMs}, ${track.sampleFrames})
        on conflict (input_key, id) do nothing returning ${columns}`,
  );

export const updateTrack = (
  db: Db,
  grant: AppGrant,
  key: number,
  track: TrackFields,
): Promise<TrackRow | undefined> =>
  first(
    db,
    sql`update annotation_tracks t set concept_id = ${track.conceptId}, status_code = ${track.statusCode},
          start_frame = ${track.startFrame}, end_frame = ${track.endFrame}, start_ms = ${track.startMs}, end_ms = ${track.endMs},
          sample_ms = ${track.sampleMs}, sample_frames = ${track.sampleFrames}, modified_at = now()
        where t.app_key = ${grant.appKey} and t.key = ${key} returning ${columns}`,
  );

export const findTrack = (
  db: Db,
  grant: AppGrant,
  inputKey: number,
  id: string,
): Promise<TrackRow | undefined> =>
  first(
    db,
    sql`select ${columns} from annotation_tracks t
        where t.app_key = ${grant.appKey} and t.input_key = ${inputKey} and t.id = ${id}`,
  );

/** Keeps others from following tracks of the same video until the commit. */
export async function lockVideo(db: Db, grant: AppGrant, inputKey: number): Promise<void> {
  await rows(
    db,
    sql`select key from inputs where app_key = ${grant.appKey} and key = ${inputKey} for no key update`,
  );
}

/** Locks tracks until the commit, in key order. Without an input, those of these ids on any. */
export const lockTracks = (
  db: Db,
  grant: AppGrant,
  inputKey: number | undefined,
  ids: readonly string[],
): Promise<TrackRow[]> =>
  rows(
    db,
    sql`select ${columns} from annotation_tracks t
        where ${allOf([sql`t.app_key = ${grant.appKey}`, inputKey === undefined ? undefined : sql`t.input_key = ${inputKey}`])}
          and t.id = any(${[...ids]}::text[]) order by t.key for update`,
  );

/** A page of the tracks of an input, newest first; `ids` narrows them where it names any. */
export function pageOfTracks(
  db: Db,
  grant: AppGrant,
  inputKey: number,
  ids: readonly string[],
  page: Page,
): Promise<TrackRow[]> {
  const where = allOf([
    sql`app_key = ${grant.appKey}`,
    sql`input_key = ${inputKey}`,
    ids.length > 0 ? sql`id = any(${[...ids]}::text[])` : undefined,
  ]);
  return rows(
    db,
    sql`select ${columns} from ${pageKeys('annotation_tracks', where, sql`key desc`, page)} p
        join annotation_tracks t using (key) order by p.position`,
  );
}

export async function deleteTracks(db: Db, grant: AppGrant, keys: readonly number[]): Promise<void> {
  await rows(
    db,
    sql`delete from annotation_tracks where app_key = ${grant.appKey} and key = any(${[...keys]}::bigint[]) returning key`,
  );
}

/** Row keys of the annotations of an input that belong to a track, of one kind and worker where they are named. */
export async function keysOfTrack(
  db: Db,
  grant: AppGrant,
  inputKey: number,
  trackId: string,
  only: { kind: number; worker: WorkerKeys | undefined } = { kind: 0, worker: undefined },
): Promise<number[]> {
  const { userKey, modelVersionKey, workflowVersionKey } = only.worker ?? {};
  const found = await rows<{ key: number }>(
    db,
    sql`select a.key from annotation_marks m join annotations a on a.key = m.annotation_key
        where ${allOf([
          sql`m.app_key = ${grant.appKey} and m.kind = 'track' and m.value = ${trackId} and a.input_key = ${inputKey}`,
          only.kind ? sql`a.kinds & ${only.kind} <> 0` : undefined,
          userKey === undefined ? undefined : sql`a.worker_user_key = ${userKey}`,
          modelVersionKey === undefined ? undefined : sql`a.worker_model_version_key = ${modelVersionKey}`,
          workflowVersionKey === undefined
            ? undefined
            : sql`a.worker_workflow_version_key = ${workflowVersionKey}`,
        ])} order by a.key`,
  );
  return found.map(({ key }) => key);
}
