import { Worker } from 'node:worker_threads';
import { entryUrl } from '#engine/vector/entry.ts';
import type { Measured, Measures } from './measure-worker.ts';

/**
 * Works out the figures of an evaluation in a thread of its own: a quarter of a million boxes take seconds, and
 * the thread that asks answers requests.
 *
 * @throws RangeError for rows that do not fit · what the signal was aborted with
 */
export async function measure<Kind extends keyof Measures>(
  kind: Kind,
  rows: Parameters<Measures[Kind]>[0],
  signal?: AbortSignal,
): Promise<ReturnType<Measures[Kind]>> {
  signal?.throwIfAborted();
  const worker = new Worker(entryUrl('measure-worker', import.meta.url), {
    workerData: { kind, rows },
    name: 'metrics',
  });
  let abort = () => {};
  try {
    const reply = await new Promise<Measured<Kind>>((resolve, reject) => {
      abort = () => reject(signal?.reason);
      signal?.addEventListener('abort', abort);
      worker.on('message', resolve);
      worker.on('error', reject);
      worker.on('exit', (code) => reject(new Error(`the metrics thread ended early with code ${code}`)));
    });
    if (reply.kind === 'refused') throw new RangeError(reply.message);
    return reply.metrics;
  } finally {
    signal?.removeEventListener('abort', abort);
    await worker.terminate();
  }
}
