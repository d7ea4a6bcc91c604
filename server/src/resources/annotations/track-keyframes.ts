import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import type { WorkerKeys } from './annotation.ts';
import { type Keyframe, keyframeOf } from './track.ts';
import { keysOfTrack } from './track-store.ts';
import { showAnnotations } from './translate.ts';

export interface KeyframesAsked {
  readonly input: { readonly key: number };
  readonly trackId: string;
  /** Frames per second of the video. */
  readonly fps: number;
  readonly only?: { readonly kind: number; readonly worker: WorkerKeys | undefined };
}

/** Annotations shown in one piece; a track may have one for each frame of a long video. */
const shownAtOnce = 64;

/** What is stored of a track, in the order in which it came. */
export async function keyframesOf(
  db: Db,
  grant: AppGrant,
  { input, trackId, fps, only }: KeyframesAsked,
  signal: AbortSignal | undefined,
): Promise<Keyframe[]> {
  const keys = await keysOfTrack(db, grant, input.key, trackId, only);
  const keyframes: Keyframe[] = [];
  for (let at = 0; at < keys.length; at += shownAtOnce) {
    signal?.throwIfAborted();
    for (const annotation of await showAnnotations(db, grant, keys.slice(at, at + shownAtOnce))) {
      const keyframe = keyframeOf(annotation, fps);
      if (keyframe) keyframes.push(keyframe);
    }
  }
  return keyframes;
}
