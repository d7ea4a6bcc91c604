import { type Head, hashOf } from './head.ts';
import type { HeadObstacle, HeadProblem } from './problem.ts';
import { inThread, shared, unexpected } from './thread.ts';
import type { Work } from './training-worker.ts';

export interface TrainRequest
  extends Omit<HeadProblem, 'classWeights' | 'epochsMax' | 'allowMissingPositives'> {
  classWeights?: HeadProblem['classWeights'];
  epochsMax?: number;
  allowMissingPositives?: boolean;
  /** 0..1, rising, in steps of at least one percent. */
  onProgress?: ((fraction: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export type TrainOutcome =
  /** `unseen`: rows that the head has not learned from, ascending; none where it learned from all. */
  | { kind: 'trained'; head: Head; hash: string; unseen: Int32Array }
  /** Well-formed, but there is nothing to learn from; `classes` are indices. */
  | HeadObstacle
  | { kind: 'cancelled' };

const epochsMaxUsual = 100;

/**
 * Trains a head in a thread of its own; the calling thread stays free. The same request gives the same hash.
 * Vectors over a SharedArrayBuffer are used where they lie; others are copied into one first (30 ms for 100 MB).
 *
 * @throws RangeError for shapes that do not fit, labels out of range, or vectors that are not finite
 */
export async function trainHead(request: TrainRequest): Promise<TrainOutcome> {
  const { onProgress, signal, ...rest } = request;
  const problem: HeadProblem = {
    ...rest,
    vectors: request.vectors instanceof Float32Array ? shared(request.vectors) : request.vectors,
    classWeights: request.classWeights ?? 'none',
    epochsMax: request.epochsMax ?? epochsMaxUsual,
    allowMissingPositives: request.allowMissingPositives ?? false,
  };
  const reply = await inThread((stop) => ({ kind: 'train', problem, stop }), { onProgress, signal });
  if (reply.kind === 'trained') return { ...reply, hash: hashOf(reply.head) };
  if (reply.kind === 'obstacle') return reply.obstacle;
  if (reply.kind === 'cancelled') return reply;
  throw unexpected(reply);
}

/**
 * `applyHead` in a thread of its own, for sets too large for the calling thread.
 *
 * @returns float32 [rows, classes], or undefined when cancelled
 * @throws RangeError when the vectors do not fit the head or are not finite
 */
export async function scoreRows(
  head: Head,
  vectors: Float32Array,
  options: { onProgress?: (fraction: number) => void; signal?: AbortSignal } = {},
): Promise<Float32Array | undefined> {
  if (vectors.length % head.dims !== 0) {
    throw new RangeError(`The head takes rows of ${head.dims} floats; ${vectors.length} floats came.`);
  }
  const work = (stop: SharedArrayBuffer): Work => ({ kind: 'score', head, vectors: shared(vectors), stop });
  const reply = await inThread(work, options);
  if (reply.kind === 'scored') return reply.probabilities;
  if (reply.kind === 'cancelled') return undefined;
  throw unexpected(reply);
}
