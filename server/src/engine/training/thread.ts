import { Worker } from 'node:worker_threads';
import { entryUrl } from '#engine/vector/entry.ts';
import type { FromTraining, Work } from './training-worker.ts';

export const unexpected = (reply: FromTraining): Error =>
  reply.kind === 'refused'
    ? new RangeError(reply.message)
    : new Error(`the training thread answered ${reply.kind}`);

/** The numbers in shared memory: one copy, and none where they already are. */
export function shared<Numbers extends Float32Array | Int8Array>(numbers: Numbers): Numbers {
  if (numbers.buffer instanceof SharedArrayBuffer) return numbers;
  const copy = new (numbers.constructor as new (buffer: SharedArrayBuffer) => Numbers)(
    new SharedArrayBuffer(numbers.byteLength),
  );
  copy.set(numbers);
  return copy;
}

export interface Watching {
  onProgress?: ((fraction: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Runs one piece of work in a thread of its own, to its end or until the signal stops it. */
export function inThread(
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
