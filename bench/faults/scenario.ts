import type { Found } from './ledger.ts';
import { nothingFound } from './ledger.ts';
import { add } from './oracle.ts';
import type { Random } from './random.ts';

export interface Context {
  /** The built server. */
  readonly main: string;
  /** The built worker of the queue. */
  readonly jobWorker: string;
  readonly random: Random;
  readonly isFull: boolean;
  /** A share of the size, 0..1, for trying things out. */
  readonly scale: number;
  /** The death points to try alone; none: all. */
  readonly points: readonly string[];
  /** A folder of its own, and of nobody else. */
  readonly folder: string;
  port(): number;
  say(words: string): void;
}

/** What came of a scenario. */
export interface Outcome {
  kills: number;
  acknowledged: number;
  readonly found: Found;
  readonly recoveriesMs: number[];
  /** More facts for the table. */
  aside: string;
  /** What this machine lacks to run it. */
  absent?: string;
}

export interface Scenario {
  readonly id: string;
  readonly name: string;
  /** Broken on purpose: it passes where something is found. */
  readonly isControl?: boolean;
  run(context: Context, outcome: Outcome): Promise<void>;
}

export const newOutcome = (): Outcome => ({
  kills: 0,
  acknowledged: 0,
  found: nothingFound(),
  recoveriesMs: [],
  aside: '',
});

export const isClean = ({ lost, stuck, other }: Found): boolean =>
  lost.length + stuck.length + other.length === 0;

/** Adds what was found and says so at once, so that a long run need not be waited for. */
export function report({ say }: Context, outcome: Outcome, found: Found, where: string): void {
  add(outcome.found, found);
  for (const kind of ['lost', 'stuck', 'other'] as const) {
    for (const words of found[kind].slice(0, 5)) say(`${where}: ${kind}: ${words}`);
  }
}

/** So many of a thing: fewer in the short mode, and fewer still when trying out. */
export const sized = ({ isFull, scale }: Context, short: number, full: number): number =>
  Math.max(1, Math.round((isFull ? full : short) * scale));
