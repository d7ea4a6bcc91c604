import { Worker } from 'node:worker_threads';
import { isArmed } from '#domain/failpoints.ts';
import { entryUrl } from '#engine/vector/entry.ts';
import type { FromTraining, Trouble, Work } from './training-worker.ts';

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

const heapMb = 2_048;
/** Threads tell of each percent; one that says nothing for so long hangs, and is ended. */
const silentMsMax = 20 * 60_000;

/** What is provoked on purpose, to show that a thread in trouble takes nobody along; shorter limits make it quick. */
function provokedTrouble(): { trouble: Trouble | undefined; silentMs: number; heapLimitMb: number } {
  const trouble = (['crashes', 'hangs', 'eats-memory'] as const).find((one) => isArmed(`training-${one}`));
  return {
    trouble,
    silentMs: trouble === 'hangs' ? 2_000 : silentMsMax,
    heapLimitMb: trouble === 'eats-memory' ? 64 : heapMb,
  };
}

/** Runs one piece of work in a thread of its own, to its end or until the signal stops it. */
export function inThread(
  workFor: (stop: SharedArrayBuffer) => Work,
  { onProgress, signal }: Watching,
): Promise<FromTraining> {
  if (signal?.aborted) return Promise.resolve({ kind: 'cancelled' });
  const stop = new SharedArrayBuffer(4);
  const { trouble, silentMs, heapLimitMb } = provokedTrouble();
  const cancel = () => Atomics.store(new Int32Array(stop), 0, 1);
  const worker = new Worker(entryUrl('training-worker', import.meta.url), {
    workerData: trouble ? { ...workFor(stop), trouble } : workFor(stop),
    name: 'training',
    // Numbers lie outside of this; what is inside is small unless something is wrong.
    resourceLimits: { maxOldGenerationSizeMb: heapLimitMb },
  });
  let watchdog: NodeJS.Timeout | undefined;
  return new Promise<FromTraining>((resolve, reject) => {
    const hangs = new Error(`the training thread said nothing for ${silentMs / 1000} seconds`);
    const watch = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => reject(hangs), silentMs);
    };
    watch();
    signal?.addEventListener('abort', cancel);
    worker.on('message', (message: FromTraining) => {
      watch();
      if (message.kind === 'progress') onProgress?.(message.fraction);
      else resolve(message);
    });
    worker.on('error', reject);
    worker.on('exit', (exitCode) =>
      reject(new Error(`the training thread ended early with code ${exitCode}`)),
    );
  }).finally(() => {
    clearTimeout(watchdog);
    signal?.removeEventListener('abort', cancel);
    return worker.terminate();
  });
}
