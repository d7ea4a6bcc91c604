import { Worker } from 'node:worker_threads';
import { entryUrl } from '#engine/vector/entry.ts';
import { type Head, hashOf } from './head.ts';
import type { HeadObstacle, HeadProblem } from './problem.ts';
import type { FromTraining, Work } from './training-worker.ts';

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
  | { kind: 'trained'; head: Head; hash: string }
  /** Well-formed, but there is nothing to learn from; `classes` are indices. */
  | HeadObstacle
  | { kind: 'cancelled' };

const epochsMaxUsual = 100;

/**
 * Trains a head in a thread of its own; the calling thread stays free. The same request gives the same hash.
 *
 * @throws RangeError for shapes that do not fit, labels out of range, or vectors that are not finite
 */
export async function trainHead(request: TrainRequest): Promise<TrainOutcome> {
  const { onProgress, signal, ...rest } = request;
  const problem: HeadProblem = {
    ...rest,
    vectors: shared(request.vectors),
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

const unexpected = (reply: FromTraining): Error =>
  reply.kind === 'refused'
    ? new RangeError(reply.message)
    : new Error(`the training thread answered ${reply.kind}`);

/** The vectors in shared memory: one copy, and none where they already are. */
function shared(vectors: Float32Array): Float32Array {
  if (vectors.buffer instanceof SharedArrayBuffer) return vectors;
  const copy = new Float32Array(new SharedArrayBuffer(vectors.byteLength));
  copy.set(vectors);
  return copy;
}

interface Watching {
  onProgress?: ((fraction: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

function inThread(
  workFor: (stop: SharedArrayBuffer) => Work,
  { onProgress, signal }: Watching,
): Promise<FromTraining> {
  if (signal?.aborted) return Promise.resolve({ kind: 'cancelled' });
  const stop = new SharedArrayBuffer(4);
  const cancel = () => Atomics.store(new Int32Array(stop), 0, 1);
  const worker = new Worker(entryUrl('training-worker', import.meta.url), {
    workerData: workFor(stop),
    name: 'training',
  });
  return new Promise<FromTraining>((resolve, reject) => {
    signal?.addEventListener('abort', cancel);
    worker.on('message', (message: FromTraining) => {
      if (message.kind === 'progress') onProgress?.(message.fraction);
      else resolve(message);
    });
    worker.on('error', reject);
    worker.on('exit', (exitCode) =>
      reject(new Error(`the training thread ended early with code ${exitCode}`)),
    );
  }).finally(() => {
    signal?.removeEventListener('abort', cancel);
    return worker.terminate();
  });
}
