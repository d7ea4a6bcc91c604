/**
 * One figure that is held against a bar.
 *
 * `pass` and `record` are in `unit`; `better` says on which side of them is good.
 */
export interface Goal {
  /** As the list of goals names it, for instance `P1.1`; growth rows are `B …`. */
  readonly id: string;
  readonly what: string;
  /** `x` for ratios. */
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  readonly pass: number;
  readonly record: number;
  /** Wall-clock figures mean nothing on a busy machine: they are not judged where the probes moved. */
  readonly isLatency?: boolean;
}

/** A folder of things to measure that share their preparation. Found as `bench/<area>/*.bench.ts`, default export. */
export interface Bench {
  readonly name: string;
  readonly about: string;
  readonly goals: readonly Goal[];
  /** Takes long: runs only where its name is given. */
  readonly isOnlyNamed?: boolean;
  run(context: BenchContext): Promise<void>;
}

export interface BenchContext {
  /** Rounds of each comparison, 5 unless asked otherwise. */
  readonly rounds: number;
  /** 0..1: share of the full sizes; below 1 for trying things out. */
  readonly scale: number;
  /** A folder of this bench's own, removed at the end. */
  readonly folder: string;
  /** The built server. */
  readonly serverMain: string;
  /** Folder of the user's own pictures, for benches that need real ones. */
  readonly images: string | undefined;
  /** A table that stands below the goals, under its title. */
  table(title: string, cells: readonly string[][]): void;
  /** A line about what is being done. */
  say(words: string): void;
  /** Figures of a goal, one for each round. `aside` stands beside them in the table (wall time, sizes). */
  measured(goalId: string, samples: readonly number[], aside?: string): void;
  /** Figures of a variant broken on purpose: the goal must come out as missed, or the harness proves nothing. */
  control(goalId: string, broken: string, samples: readonly number[]): void;
  /** A peer that is not on this machine. */
  absent(goalId: string, peer: string): void;
  /** Both sides have to give the same answer before they are timed. @throws Error naming the difference */
  sameAnswer(what: string, ours: unknown, theirs: unknown): void;
  /** Called at the end, last first, whatever happens. */
  defer(undo: () => Promise<void> | void): void;
}

/** Rounds for which each bench is run when nobody says otherwise. */
export const roundsDefault = 5;

/** A size in full, or the share of it that was asked for. */
export const scaled = (context: Pick<BenchContext, 'scale'>, full: number, least = 1): number =>
  Math.max(least, Math.round(full * context.scale));
