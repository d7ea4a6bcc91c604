import { create, toBinary } from '@bufbuild/protobuf';
import { AnnotationSchema, type Data, DataSchema } from '@fovea/contract';
import type { Db } from '#store/sql.ts';
import { atTimes, inOrder, type Keyframe, keyframeOf } from '../annotations/index.ts';
import { unpackBody } from '../common/translate.ts';
import { insertBetween, type TrackedRow, trackedOf, videosOf } from './chunk-store.ts';

/**
 * Adds to a chunk what lies between the keyframes of its tracks, at the moments at which models are shown frames: in
 * the middle of each window of `sampleMs`. Each row says that it was worked out, and is else as the keyframe before it.
 */
export async function interpolateTracks(tx: Db, chunkKey: number, sampleMs: number): Promise<void> {
  for (const { inputKey, media } of await videosOf(tx, chunkKey)) {
    const { fps = 0 } = unpackBody(DataSchema, media).video?.videoInfo ?? {};
    const between: { id: string; from: string; to: string; data: Buffer }[] = [];
    for (const keyframes of tracksOf(await trackedOf(tx, chunkKey, inputKey), fps)) {
      for (const [i, before] of keyframes.entries()) {
        const after = keyframes[i + 1];
        if (!after) continue;
        for (const { annotation, timeMs } of atTimes(before, after, middles(before, after, sampleMs), fps))
          between.push({
            id: `${before.annotation.id}-at-${timeMs}`,
            from: before.annotation.id,
            to: after.annotation.id,
            data: Buffer.from(toBinary(DataSchema, annotation.data as Data)),
          });
      }
    }
    await insertBetween(tx, chunkKey, inputKey, between);
  }
}

/** Middles of the windows from one keyframe to the next, in whole milliseconds. */
export function middles(
  before: Pick<Keyframe, 'timeMs'>,
  after: Pick<Keyframe, 'timeMs'>,
  sampleMs: number,
): number[] {
  const times: number[] = [];
  for (let window = Math.floor(before.timeMs / sampleMs); ; window++) {
    const timeMs = Math.floor((window + 0.5) * sampleMs);
    if (timeMs >= after.timeMs) return times;
    if (timeMs > before.timeMs) times.push(timeMs);
  }
}

/** Keyframes in order, of each thing and whoever marked it by themselves. Regions without a track are no thing's. */
function tracksOf(rows: readonly TrackedRow[], fps: number): Keyframe[][] {
  const tracks = new Map<string, Keyframe[]>();
  for (const { id, worker, data } of rows) {
    const annotation = create(AnnotationSchema, { id });
    annotation.data = unpackBody(DataSchema, data);
    const region = annotation.data.frames[0]?.data?.regions[0];
    const keyframe = keyframeOf(annotation, fps);
    if (!region?.trackId || !keyframe) continue;
    const kind = region.regionInfo?.boundingBox ? 'box' : 'point';
    const name = JSON.stringify([region.trackId, worker, kind]);
    tracks.set(name, [...(tracks.get(name) ?? []), keyframe]);
  }
  return [...tracks.values()].map(inOrder);
}
