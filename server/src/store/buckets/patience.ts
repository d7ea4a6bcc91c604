import { setTimeout as sleep } from 'node:timers/promises';
import { FetchFault } from '../fetcher/index.ts';

const triesMax = 5;
const firstPauseMs = 200;

/** Whether the same request may fare better in a while: the service is busy, or the line was cut. */
export function isWorthRepeating(error: unknown): boolean {
  if (!(error instanceof FetchFault)) return false;
  if (error.kind === 'unreachable' || error.kind === 'timeout') return true;
  return (
    error.kind === 'http' && (error.status === 408 || error.status === 429 || (error.status ?? 0) >= 500)
  );
}

/** Does work up to five times, with growing pauses of random length so that many do not come back at once. */
export async function patiently<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (tries >= triesMax || !isWorthRepeating(error)) throw error;
      await sleep(firstPauseMs * 2 ** (tries - 1) * (0.5 + Math.random()), undefined, { signal });
    }
  }
}
