import type { Embedder } from '#domain/app-embedders.ts';
import type { AppGrant } from '#domain/grant.ts';
import { encodeFrame, type Frame, type Video } from '#engine/media/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import { type LookedAt, replaceFrameAnnotations } from '../annotations/index.ts';
import { sampleMsOf } from '../apps/index.ts';
import type { IndexingDeps } from './deps.ts';
import { putEmbeddings } from './store.ts';
import { packVector } from './vector.ts';

/** A moment of a video with its vector. */
export interface IndexedFrame extends LookedAt {
  readonly vector: Float32Array;
}

/** What an embedder needs to see of a frame. */
export const frameEdgeMax = 1024;

/** Embeds one frame per window of the app's `sample_ms`. @throws Fault as the decoder and the engine */
export async function embedVideo(
  { db, engine }: Pick<IndexingDeps, 'db' | 'engine'>,
  grant: AppGrant,
  { builtin }: Embedder,
  video: Pick<Video, 'sampled'>,
  signal: AbortSignal,
): Promise<IndexedFrame[]> {
  const frames: IndexedFrame[] = [];
  const sampleMs = await sampleMsOf(db, grant);
  for await (const { frame, ...moment } of video.sampled(sampleMs, { edgeMax: frameEdgeMax, signal }))
    frames.push({ ...moment, vector: await embedFrame(engine, builtin, frame, signal) });
  return frames;
}

export async function embedFrame(
  engine: IndexingDeps['engine'],
  builtin: string,
  frame: Frame,
  signal: AbortSignal,
): Promise<Float32Array> {
  return engine.embed(builtin, { bytes: await encodeFrame(frame) }, { background: true, signal });
}

/**
 * Writes the vectors of a video: each frame has an annotation to carry its own, the input as a whole has their
 * mean. Run twice, the second replaces the first.
 */
export async function storeVideoVectors(
  tx: Tx,
  grant: AppGrant,
  keys: { inputKey: number; annotationKey: number; modelVersionKey: number },
  frames: readonly IndexedFrame[],
): Promise<void> {
  const { inputKey, annotationKey, modelVersionKey } = keys;
  const frameKeys = await replaceFrameAnnotations(tx, grant, inputKey, modelVersionKey, frames);
  if (frameKeys.length !== frames.length) return;
  const whole = { annotationKey, vector: meanOf(frames.map(({ vector }) => vector)) };
  const parts = frames.map(({ vector }, i) => ({ annotationKey: frameKeys[i] as number, vector }));
  await putEmbeddings(
    tx,
    grant,
    [whole, ...parts].map((one) => ({
      inputKey,
      modelVersionKey,
      annotationKey: one.annotationKey,
      vector: packVector(one.vector),
    })),
  );
}

/** The direction in the middle of unit vectors, of length one; the first where they cancel each other out. */
export function meanOf(vectors: readonly Float32Array[]): Float32Array {
  const [first] = vectors;
  if (!first) throw new RangeError('No vectors.');
  const sum = new Float32Array(first.length);
  for (const vector of vectors)
    for (let d = 0; d < sum.length; d++) sum[d] = (sum[d] as number) + (vector[d] as number);
  const length = Math.hypot(...sum);
  return length > 1e-6 ? sum.map((value) => value / length) : first;
}
