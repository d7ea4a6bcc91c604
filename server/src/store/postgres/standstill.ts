import type { Log } from '../log.ts';
import { childrenOf, isChildOf, titleOf } from './process-facts.ts';

/** One of them lives whenever PostgreSQL serves, or recovers so that it may. */
const workers = /^postgres: (walwriter|startup)/;
const lookMs = 5_000;
/** A server that begins anew after a crash has neither for a moment: until its last process has ended. */
const looksMax = 3;

const isWorking = (child: number, pid: number) => isChildOf(child, pid) && workers.test(titleOf(child));

/**
 * Ends a server that neither serves nor recovers, for what is left of it would wait for ever: seen where it lost sight of
 * the end of its recovery on a failing disk. Its keeper starts it again; nothing committed is lost by that.
 *
 * @param pid of the server now, undefined while there is none
 * @param everyMs pause between two looks; the third in a row that finds it so ends it
 * @returns stops looking
 */
export function endWhereStill(pid: () => number | undefined, log: Log, everyMs = lookMs): () => void {
  let looks = 0;
  let last: number | undefined;
  let worker = 0;
  /** False where it serves or recovers, and where processes cannot be looked into. */
  const standsStill = (server: number) => {
    // All processes of the machine are looked through only where the one found before is gone.
    if (isWorking(worker, server)) return false;
    const children = childrenOf(server);
    worker = children?.find((child) => isWorking(child, server)) ?? 0;
    return children !== undefined && worker === 0;
  };
  const timer = setInterval(() => {
    const now = pid();
    looks = now !== undefined && now === last && standsStill(now) ? looks + 1 : 0;
    last = now;
    if (now === undefined || looks < looksMax) return;
    looks = 0;
    log.error({ pid: now }, 'PostgreSQL neither serves nor recovers; it is ended and started again');
    try {
      process.kill(now, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}
