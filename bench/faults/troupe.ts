import type { deathPoints } from '../../server/src/domain/failpoints.ts';
import { type Found, nothingFound } from './ledger.ts';

export type Point = (typeof deathPoints)[number];

/** An app of its own and what is done in it to lead past the death points of one side of the server. */
export interface Troupe {
  /** What leads past a point; undefined where this is nobody's business here. It may be asked for again and again. */
  actFor(point: Point): (() => Promise<void>) | undefined;
  /** Waits until all has ended that was asked for, and compares. */
  check(): Promise<Found>;
  close?(): Promise<void>;
}

/** A troupe that compares only after something was done since it compared last. */
export function openTroupe(
  actFor: Troupe['actFor'],
  compare: (found: Found) => Promise<void>,
): Pick<Troupe, 'actFor' | 'check'> {
  let isIdle = true;
  return {
    actFor(point) {
      const act = actFor(point);
      return (
        act &&
        (() => {
          isIdle = false;
          return act();
        })
      );
    },
    async check() {
      const found = nothingFound();
      if (isIdle) return found;
      isIdle = true;
      await compare(found);
      return found;
    },
  };
}

/**
 * Does something whose answer may get lost with the server. What was answered with a refusal goes to `refused`.
 *
 * @returns whether it was acknowledged
 */
export async function attempt(work: () => Promise<unknown>, refused: string[] = []): Promise<boolean> {
  return work().then(
    () => true,
    (error: Error) => {
      if (/: (4\d\d|500) /.test(error.message)) refused.push(error.message.slice(0, 300));
      return false;
    },
  );
}
