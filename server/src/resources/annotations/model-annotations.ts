import { create } from '@bufbuild/protobuf';
import { type Data, DataSchema, FrameSchema, StatusCode } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import { type Db, first, run, sql } from '#store/sql.ts';
import { actingAs } from '../common/acting.ts';
import { insertAnnotations, type StoredAnnotation } from './insert-store.ts';

/**
 * Writes what a model says of an input as annotations of its own: untrusted, one for the whole input and one for
 * each region. What the same model version said before is replaced, so that saying it twice changes nothing.
 * Locks the input; an input that is gone meanwhile is left alone.
 */
export async function replaceModelAnnotations(
  tx: Db,
  grant: AppGrant,
  inputKey: number,
  modelVersionKey: number,
  data: Data,
): Promise<void> {
  await replaceParts(tx, grant, inputKey, modelVersionKey, partsOf(data));
}

async function replaceParts(
  tx: Db,
  grant: AppGrant,
  inputKey: number,
  modelVersionKey: number,
  parts: readonly Data[],
): Promise<StoredAnnotation[]> {
  const input = await first<{ id: string }>(
    tx,
    sql`select id from inputs where app_key = ${grant.appKey} and key = ${inputKey} for no key update`,
  );
  if (!input) return [];
  await run(
    tx,
    sql`delete from annotations
        where input_key = ${inputKey} and worker_model_version_key = ${modelVersionKey} and not trusted and ${actingAs(grant)}`,
  );
  return insertAnnotations(
    tx,
    grant,
    parts.map((part) => ({
      id: newId(),
      inputKey,
      inputId: input.id,
      inputLevel: false,
      trusted: false,
      statusCode: StatusCode.ANNOTATION_SUCCESS,
      worker: { modelVersionKey },
      taskId: '',
      annotationInfo: undefined,
      consensusInfo: undefined,
      data: part,
    })),
  );
}

/** A moment of a video that a model has looked at. */
export interface LookedAt {
  /** Order among those looked at, from 0. */
  readonly index: number;
  readonly timeMs: number;
  /** Of the frame in the video, from 0. */
  readonly number: number;
}

/**
 * Gives each moment of a video that an embedder has looked at an annotation of its own, to hang its vector on;
 * those of an earlier look are replaced. Locks the input.
 *
 * @returns the keys, in the order of the moments; none where the input is gone
 */
export async function replaceFrameAnnotations(
  tx: Db,
  grant: AppGrant,
  inputKey: number,
  modelVersionKey: number,
  moments: readonly LookedAt[],
): Promise<number[]> {
  const frames = moments.map(({ index, timeMs, number }) =>
    create(FrameSchema, { id: newId(), frameInfo: { index, time: timeMs, number }, data: {} }),
  );
  const stored = await replaceParts(
    tx,
    grant,
    inputKey,
    modelVersionKey,
    frames.map((frame) => create(DataSchema, { frames: [frame] })),
  );
  return stored.map(({ key }) => key).sort((a, b) => a - b);
}

/** An annotation holds at most one frame and one region; embeddings are kept elsewhere, and media are the input's. */
function partsOf({ concepts, colors, clusters, regions, frames }: Data): Data[] {
  const isWhole = concepts.length + colors.length + clusters.length > 0;
  const whole = isWhole ? [create(DataSchema, { concepts, colors, clusters })] : [];
  const moments = frames.flatMap(({ frameInfo, data }) =>
    partsOf(data ?? create(DataSchema)).map((part) =>
      create(DataSchema, {
        frames: [{ id: newId(), ...(frameInfo ? { frameInfo } : {}), data: part }],
      }),
    ),
  );
  return [...whole, ...regions.map((region) => create(DataSchema, { regions: [region] })), ...moments];
}
