import { create } from '@bufbuild/protobuf';
import { type Data, DataSchema, FrameSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import { encodeFrame, type SampledTime } from '#engine/media/index.ts';
import { sampleMsDefault, sampleMsOf } from '../apps/index.ts';
import type { PredictDeps } from './deps.ts';
import { predictionFault } from './faults.ts';
import { type Media, mediaOf } from './media.ts';

/** Of one prediction: an answer with more could hardly be sent. */
const framesMax = 5000;
/** What a model needs to see of a frame. */
const frameEdgeMax = 1024;
/** Frames under work at a time: the next are decoded while these are looked at. */
const framesAtOnce = 4;

export interface FrameRun {
  readonly signal: AbortSignal;
  /** The app that is worked for; its `sample_ms` counts where nobody else says one. */
  readonly grant?: AppGrant | undefined;
  /** Milliseconds of video for each frame. */
  readonly sampleMs?: number | undefined;
}

/**
 * Does something with one frame of a video per window of `sampleMs`, the one in its middle.
 *
 * @returns the results in the order of the frames
 * @throws Fault 21202 for more frames than are looked at, as the decoder, and what the work throws
 */
export async function eachFrame<Result>(
  deps: PredictDeps,
  media: Media,
  { signal, grant, sampleMs }: FrameRun,
  work: (frame: Media, moment: SampledTime) => Promise<Result>,
): Promise<Result[]> {
  const stepMs = sampleMs ?? (grant ? await sampleMsOf(deps.db, grant) : sampleMsDefault);
  return media.withVideo(async (video) => {
    const wanted = Math.ceil(video.times.durationMs / stepMs);
    if (wanted > framesMax) throw predictionFault.tooManyFrames(wanted, framesMax);
    const running: Promise<Result>[] = [];
    const results: Promise<Result>[] = [];
    for await (const { frame, ...moment } of video.sampled(stepMs, { edgeMax: frameEdgeMax, signal })) {
      if (running.length >= framesAtOnce) await running.shift();
      const one = encodeFrame(frame).then((png) =>
        work(mediaOf(deps, create(DataSchema, { image: { base64: png } }), signal), moment),
      );
      // Whoever waits for it hears of its failure; until then it must not count as unheard.
      one.catch(() => {});
      running.push(one);
      results.push(one);
    }
    return Promise.all(results);
  });
}

/** What was said of a moment, as the contract shows it. */
export const showFrame = ({ index, timeMs, number }: SampledTime, data: Data) =>
  create(FrameSchema, { id: newId(), frameInfo: { index, time: timeMs, number }, data });
