import { create } from '@bufbuild/protobuf';
import {
  type Annotation,
  AnnotationDataType,
  AnnotationSchema,
  type ServicePart,
  StatusCode,
  type Worker,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import { status } from '../common/status.ts';
import type { WorkerKeys } from './annotation.ts';
import type { TrackSearchParts } from './deps.ts';
import { annotationFault } from './faults.ts';
import { follow, mayFollow } from './follow.ts';
import { conceptsIn } from './labels-in-data.ts';
import { withMaskUrls } from './masks.ts';
import {
  filled,
  inOrder,
  type Keyframe,
  kindBitOf,
  type TrackWindow,
  windowDurationMaxMs,
  windowFramesMax,
  windowOf,
} from './track.ts';
import { inputOf } from './track-handlers.ts';
import { keyframesOf } from './track-keyframes.ts';
import { findTrack } from './track-store.ts';
import { openWorkers, readWorker } from './worker.ts';

type Rpc = 'postTrackAnnotationsSearches' | 'streamTrackAnnotationsSearches' | 'streamAnnotations';

interface Asked {
  readonly inputId: string;
  readonly trackIds: readonly string[];
  readonly annotationType: AnnotationDataType;
  readonly worker?: Worker | undefined;
  readonly window: TrackWindow;
}

const endless = { framesMax: Number.POSITIVE_INFINITY, durationMaxMs: Number.POSITIVE_INFINITY };

/**
 * The annotations of a track, frame by frame, with what lies between keyframes worked out. Asked for a detector's, where
 * it has said nothing yet, it follows what people marked.
 */
export function trackSearchHandlers(parts: TrackSearchParts): ServicePart<Call, Rpc> {
  return {
    async postTrackAnnotationsSearches(req, call) {
      const window = {
        fromFrame: req.frameNumberStart,
        fromMs: req.frameTimeStart,
        framesMax: Math.min(req.maxFrames || windowFramesMax, windowFramesMax),
        durationMaxMs: Math.min(req.maxDuration || windowDurationMaxMs, windowDurationMaxMs),
      };
      const found = await search(parts, call, { ...req, trackIds: trackIdsOf(req.trackId), window });
      return { annotations: found.map(({ annotation }) => annotation) };
    },

    /** To the end of the track, unless a limit is named. */
    async *streamTrackAnnotationsSearches(req, call) {
      const window = {
        fromFrame: req.frameNumberStart,
        fromMs: req.frameTimeStart,
        framesMax: req.maxFrames || endless.framesMax,
        durationMaxMs: req.maxDuration || endless.durationMaxMs,
      };
      for (const { annotation } of await search(parts, call, {
        ...req,
        trackIds: trackIdsOf(req.trackId),
        window,
      }))
        yield { status: status(StatusCode.SUCCESS), annotation };
    },

    async *streamAnnotations(req, call) {
      const window = {
        fromFrame: req.frameNumberStart,
        fromMs: Number(req.frameTimeStart),
        framesMax: req.maxFrames || endless.framesMax,
        durationMaxMs: Number(req.maxDuration) || endless.durationMaxMs,
      };
      if (req.trackIds.length === 0)
        throw annotationFault.invalid('track_ids is empty; name the tracks to stream.');
      const sure = (await search(parts, call, { ...req, window })).filter(
        ({ annotation }) => scoreOf(annotation) >= req.minPredictionScore,
      );
      for (const [i, { annotation, number, timeMs }] of sure.entries()) {
        const next = sure[i + 1];
        const frameFullyProcessed = !next || next.number !== number || next.timeMs !== timeMs;
        yield { status: status(StatusCode.SUCCESS), annotation, frameFullyProcessed };
      }
    },
  };
}

function trackIdsOf(trackId: string): string[] {
  if (trackId === '') throw annotationFault.invalid('track_id is empty; name the track.');
  return [trackId];
}

/** What people said is sure; of a model's, its surest concept counts. */
function scoreOf({ data, trusted }: Annotation): number {
  const values = conceptsIn(data).map(({ value }) => value);
  return trusted || values.length === 0 ? 1 : Math.max(...values);
}

async function search(parts: TrackSearchParts, call: Call, asked: Asked): Promise<Keyframe[]> {
  const { db } = parts;
  const grant = call.app;
  const worker = await workerKeysOf(parts, grant, asked);
  const input = await inputOf(parts, db, grant, asked.inputId);
  if (input.kind !== 'video')
    throw annotationFault.invalid(`input_id: '${input.id}' is of kind ${input.kind}; tracks are of videos.`);
  const fps = (await parts.pictureSizes(db, grant, [input.key])).get(input.key)?.fps ?? 0;
  const found: Keyframe[] = [];
  for (const trackId of asked.trackIds) {
    const track = await findTrack(db, grant, input.key, trackId);
    const only = { kind: kindBitOf(asked.annotationType), worker };
    if (worker?.modelVersionKey !== undefined && mayFollow(grant)) {
      const { modelVersionKey } = worker;
      await follow(parts, grant, { ...asked, input, trackId, modelVersionKey, fps }, call.signal);
    }
    const keyframes = await keyframesOf(db, grant, { input, trackId, fps, only }, call.signal);
    found.push(...filled(keyframes, track));
  }
  const shown = windowOf(inOrder(found), asked.window);
  withMaskUrls(
    parts.publicUrl(grant),
    grant,
    shown.map(({ annotation }) => annotation),
  );
  return shown;
}

/** Boxes, masks and the like are asked for by the worker that made them; points are everybody's. */
async function workerKeysOf(
  { db }: TrackSearchParts,
  grant: AppGrant,
  { worker, annotationType }: Asked,
): Promise<WorkerKeys | undefined> {
  const needed =
    annotationType !== AnnotationDataType.POINT &&
    annotationType !== AnnotationDataType.ANNOTATION_DATA_TYPE_NOT_SET;
  if (!worker?.worker.case) {
    if (needed)
      throw annotationFault.invalid(
        'worker.model.model_version.id is missing; annotations other than points are asked for by who made them.',
      );
    return undefined;
  }
  const named = readWorker(create(AnnotationSchema, { worker }), grant);
  // To ask for another user's annotations is not to speak in that user's name.
  const workerOf = await openWorkers(db, grant, [named], { speaking: false });
  return workerOf(named);
}
